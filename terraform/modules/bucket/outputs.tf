output "id" {
  description = "Name of the bucket, known when it is there."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "versioning_id" {
  description = "Known when versioning is on, which replication waits for."
  value       = aws_s3_bucket_versioning.this.id
}
