output "clusters" {
  description = "What the config repository is told."
  value       = module.platform.clusters
}

output "roles" {
  description = "Roles of the workflows."
  value       = module.platform.roles
}

output "name_servers" {
  description = "What the domain's parent has to name."
  value       = module.platform.name_servers
}
