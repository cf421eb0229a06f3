output "bucket" {
  description = "Bucket of the backups, for Velero."
  value       = module.backup.id
}

output "bucket_arn" {
  description = "ARN of the bucket of the backups, for Velero's role."
  value       = module.backup.arn
}

output "kms_key_arn" {
  description = "Key of the backups, for Velero's role."
  value       = aws_kms_key.this.arn
}

output "copy_bucket" {
  description = "Bucket of the copy, to restore from when the region is lost; null without one."
  value       = one(module.copy[*].id)
}

output "copy_kms_key_arn" {
  description = "Key of the copy; null without one."
  value       = one(aws_kms_key.copy[*].arn)
}
