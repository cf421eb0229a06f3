output "repository_urls" {
  description = "What images are named by, for each repository."
  value       = { for name, r in aws_ecr_repository.this : name => r.repository_url }
}

output "repository_arns" {
  description = "ARNs for each repository, for the push roles of identity."
  value       = { for name, r in aws_ecr_repository.this : name => r.arn }
}

output "pull_through_prefixes" {
  description = "Prefixes of the cache, with the registry behind each."
  value       = { for prefix, rule in aws_ecr_pull_through_cache_rule.this : prefix => rule.upstream_registry_url }
}
