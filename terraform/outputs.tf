output "clusters" {
  description = "What the config repository and Argo CD are told of each cluster: name, endpoint, version, ids of the zones that external-dns serves, Karpenter's queue and node role, buckets, roles of the components, secrets that External Secrets may read, whether it is scaled down outside working hours."
  value = { for key, c in module.cluster : key => {
    name               = c.name
    environment        = var.clusters[key].environment
    endpoint           = c.endpoint
    kubernetes_version = c.kubernetes_version
    vpc_id             = module.network[key].vpc_id
    domain             = var.clusters[key].domain
    private_domain     = var.clusters[key].private_domain
    zones = merge(
      { for domain in compact([var.clusters[key].domain]) : "public" => module.dns.public_zone_ids[domain] },
      { for domain in compact([var.clusters[key].private_domain]) : "private" => module.dns.private_zone_ids[domain] },
    )
    karpenter       = c.karpenter
    buckets         = merge(module.observability[key].buckets, contains(keys(local.backed), key) ? { velero = module.backup[key].bucket } : {})
    component_roles = c.component_role_arns
    secrets         = local.secrets[key]
    scaled_down     = c.scaled_down_outside_working_hours
  } }
}

output "databases" {
  description = "Host, port, name and secret of each cluster's database."
  value = { for key, d in module.data : key => {
    address    = d.address
    port       = d.port
    database   = d.database
    secret_arn = d.secret_arn
  } }
}

output "repository_urls" {
  description = "What images are named by."
  value       = try(module.registry[0].repository_urls, {})
}

output "roles" {
  description = "Roles of the workflows, by kind and name."
  value = {
    push  = try(module.identity[0].push_role_arns, {})
    plan  = try(module.identity[0].plan_role_arns, {})
    apply = try(module.identity[0].apply_role_arns, {})
  }
}

output "name_servers" {
  description = "What the parent of each cluster's domain has to name."
  value       = module.dns.name_servers
}

output "alarm_topic_arn" {
  description = "Where alarms go; null without clusters."
  value       = one(module.alarms[*].topic_arn)
}
