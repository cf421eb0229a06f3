output "clusters" {
  description = "What the config repository is told."
  value       = module.platform.clusters
}

output "name_servers" {
  description = "What the domain's parent has to name."
  value       = module.platform.name_servers
}
