output "id" {
  description = "Name of the server, for the alarms."
  value       = aws_db_instance.this.identifier
}

output "address" {
  description = "Host name of the server."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port of the server."
  value       = 5432
}

output "database" {
  description = "Name of the first database."
  value       = var.database
}

output "secret_arn" {
  description = "Secret with the owner's user name and password, for External Secrets."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "kms_key_arn" {
  description = "Key of storage, backups and secret."
  value       = aws_kms_key.this.arn
}

output "security_group_id" {
  description = "Security group of the server."
  value       = aws_security_group.this.id
}

output "stands_by" {
  description = "Whether a second server stands by in another zone."
  value       = aws_db_instance.this.multi_az
}

output "protected" {
  description = "Whether the server cannot be deleted."
  value       = aws_db_instance.this.deletion_protection
}
