output "id" {
  description = "Name of the bucket, known when it is there."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "keeping" {
  description = "How long objects are kept: lock (mode and days, null without one), days to expiry (null for never), days of old versions."
  value = {
    lock = one([for l in aws_s3_bucket_object_lock_configuration.this : {
      mode = l.rule[0].default_retention[0].mode
      days = l.rule[0].default_retention[0].days
    }])
    expire_days     = one(flatten([for r in aws_s3_bucket_lifecycle_configuration.this.rule : [for e in r.expiration : e.days]]))
    noncurrent_days = aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days
  }
}
