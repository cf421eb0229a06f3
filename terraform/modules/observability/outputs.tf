output "buckets" {
  description = "Bucket of Loki and of Tempo."
  value       = { for name, b in module.bucket : name => b.id }
}

output "bucket_arns" {
  description = "ARNs of these buckets, for the components' roles."
  value       = { for name, b in module.bucket : name => b.arn }
}

output "kms_key_arn" {
  description = "Key of these buckets, for the components' roles."
  value       = aws_kms_key.this.arn
}
