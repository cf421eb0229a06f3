output "state_bucket" {
  description = "Bucket of the states."
  value       = module.state.id
}

output "state_bucket_arn" {
  description = "ARN of the bucket of the states, for the roles of identity."
  value       = module.state.arn
}

output "artifacts_bucket" {
  description = "Bucket of the artifacts."
  value       = module.artifacts.id
}

output "artifacts_bucket_arn" {
  description = "ARN of the bucket of the artifacts."
  value       = module.artifacts.arn
}

output "kms_key_arn" {
  description = "Key of both buckets, for the roles of identity."
  value       = aws_kms_key.this.arn
}

output "backend" {
  description = "What a root module's backend \"s3\" block says, beside its key. The lock is an object in the bucket; no table is needed."
  value = {
    bucket       = module.state.id
    region       = data.aws_region.current.region
    encrypt      = true
    kms_key_id   = aws_kms_key.this.arn
    use_lockfile = true
  }
}
