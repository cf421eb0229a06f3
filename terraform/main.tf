data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account  = data.aws_caller_identity.current.account_id
  names    = { for key in keys(var.clusters) : key => "${var.name}-${key}" }
  backed   = { for key, c in var.clusters : key => c.backup if c.backup != null }
  stored   = { for key, c in var.clusters : key => c.database if c.database != null }
  domains  = { for key, c in var.clusters : key => c.domain if c.domain != null }
  privates = { for key, c in var.clusters : key => c.private_domain if c.private_domain != null }
  tags     = { for key, c in var.clusters : key => merge(var.tags, { "waybill.dev/cluster" = local.names[key], "waybill.dev/environment" = c.environment }) }
  watching = length(var.clusters) > 0
  alarms   = coalesce(var.alarms.name, var.name)

  # Each cluster has its own prefix: DEV cannot read PROD's secrets.
  secrets = { for key, name in local.names : key => "arn:${data.aws_partition.current.partition}:secretsmanager:${data.aws_region.current.region}:${local.account}:secret:${name}/*" }
}

module "network" {
  source        = "./modules/network"
  for_each      = var.clusters
  name          = local.names[each.key]
  cidr          = each.value.cidr
  zones         = var.zones
  nat           = coalesce(each.value.nat, each.value.environment == "prod" ? "per_zone" : "one")
  cluster_names = [local.names[each.key]]
  # Each endpoint costs by the hour in each zone, and a dev cluster can go out by NAT.
  interface_endpoints      = each.value.interface_endpoints == null && each.value.environment == "dev" ? toset([]) : each.value.interface_endpoints
  flow_log_retention_days  = each.value.flow_log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags[each.key]
}

module "dns" {
  source         = "./modules/dns"
  public_domains = values(local.domains)
  private_domains = merge(
    { for key, domain in local.privates : domain => [module.network[key].vpc_id] },
    { for domain in compact([var.private_domain]) : domain => [for n in module.network : n.vpc_id] },
  )
  certificates            = var.certificates
  certificate_authorities = var.certificate_authorities
  delegations             = var.delegations
  tags                    = var.tags
}

module "observability" {
  source         = "./modules/observability"
  for_each       = var.clusters
  name           = "${local.names[each.key]}-${local.account}"
  retention_days = each.value.retention_days
  tags           = local.tags[each.key]
}

module "backup" {
  source                   = "./modules/backup"
  for_each                 = local.backed
  name                     = "${local.names[each.key]}-${local.account}"
  copy_region              = each.value.copy_region
  access_log               = each.value.access_log
  lock                     = each.value.lock
  retention_days           = max(35, each.value.lock.days)
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags[each.key]
}

module "data" {
  source                   = "./modules/data"
  for_each                 = local.stored
  name                     = local.names[each.key]
  vpc_id                   = module.network[each.key].vpc_id
  subnet_ids               = module.network[each.key].intra_subnet_ids
  client_security_groups   = { nodes = module.cluster[each.key].node_security_group_id }
  database                 = each.value.database
  engine_version           = each.value.engine_version
  instance_class           = each.value.instance_class
  storage_gib              = each.value.storage_gib
  backup_days              = each.value.backup_days
  multi_az                 = var.clusters[each.key].environment != "dev"
  deletion_protection      = var.clusters[each.key].environment != "dev"
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags[each.key]
}

module "cluster" {
  source                   = "./modules/cluster"
  for_each                 = var.clusters
  name                     = local.names[each.key]
  environment              = each.value.environment
  kubernetes_version       = each.value.kubernetes_version
  upgrades_after           = each.value.upgrades_after
  ahead_because            = each.value.ahead_because
  support_type             = each.value.support_type
  log_retention_days       = each.value.log_retention_days
  addons                   = each.value.addons
  vpc_id                   = module.network[each.key].vpc_id
  node_subnet_ids          = module.network[each.key].private_subnet_ids
  control_plane_subnet_ids = module.network[each.key].intra_subnet_ids
  api_allowed_cidrs        = each.value.api_allowed_cidrs
  admin_role_arns          = each.value.admin_role_arns
  break_glass_role_arns    = each.value.break_glass_role_arns
  read_only_role_arns      = each.value.read_only_role_arns
  developer_groups         = each.value.developer_groups
  node_groups              = each.value.node_groups
  ingress_nodes            = each.value.ingress_nodes
  scale_down               = each.value.scale_down
  working_hours            = each.value.working_hours
  pull_through_prefixes    = setunion(var.pull_through_prefixes, length(var.repositories) > 0 ? keys(var.registry.pull_through) : [])
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = local.tags[each.key]

  components = setunion(
    ["aws-load-balancer-controller", "external-secrets", "karpenter", "kyverno", "loki", "tempo"],
    contains(keys(local.domains), each.key) ? ["cert-manager", "external-dns"] : [],
    contains(keys(local.privates), each.key) ? ["external-dns"] : [],
    contains(keys(local.backed), each.key) ? ["velero"] : [],
  )
  component_resources = {
    dns_zone_arns     = [for domain in compact([each.value.domain]) : module.dns.public_zone_arns[domain]]
    private_zone_arns = [for domain in compact([each.value.private_domain]) : module.dns.private_zone_arns[domain]]
    secret_arns       = [local.secrets[each.key]]
    repository_arns   = var.pulled_repository_arns
    velero_bucket_arn = try(module.backup[each.key].bucket_arn, null)
    loki_bucket_arn   = module.observability[each.key].bucket_arns["loki"]
    tempo_bucket_arn  = module.observability[each.key].bucket_arns["tempo"]
    kms_key_arns      = concat([module.observability[each.key].kms_key_arn], [for k in [each.key] : module.backup[k].kms_key_arn if contains(keys(local.backed), k)])
  }
}

# The database lets the cluster's nodes in, so the cluster comes first; its
# secret is let out to External Secrets here.
resource "aws_iam_role_policy" "database_secret" {
  for_each = local.stored
  name     = "database-secret"
  role     = element(split("/", module.cluster[each.key].component_role_arns["external-secrets"]), -1)
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], Resource = [module.data[each.key].secret_arn] },
      { Effect = "Allow", Action = ["kms:Decrypt"], Resource = [module.data[each.key].kms_key_arn] },
    ]
  })
}

module "registry" {
  source                   = "./modules/registry"
  count                    = length(var.repositories) > 0 ? 1 : 0
  repositories             = var.repositories
  pull_account_ids         = var.registry.pull_account_ids
  replica_regions          = var.registry.replica_regions
  mutable_tags             = var.registry.mutable_tags
  kms_key_arn              = var.registry.kms_key_arn
  ephemeral_tags           = var.registry.ephemeral_tags
  ephemeral_days           = var.registry.ephemeral_days
  kept_tags                = var.registry.kept_tags
  pull_through             = var.registry.pull_through
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}

module "identity" {
  source           = "./modules/identity"
  count            = var.github == null ? 0 : 1
  name             = var.name
  owner            = var.github.owner
  repositories     = var.github.repositories
  classic_subjects = var.github.classic_subjects
  create_provider  = var.github.create_provider
  push = { for key, r in var.github.push : key => {
    repository          = r.repository
    workflow_refs       = r.workflow_refs
    refs                = r.refs
    environments        = r.environments
    ecr_repository_arns = [for image in r.images : module.registry[0].repository_arns[image]]
  } }
  plan             = var.github.plan
  apply            = var.github.apply
  people           = var.github.people
  jobs             = var.github.jobs
  boundary_actions = var.github.boundary_actions
  tags             = var.tags
}

module "alarms" {
  source          = "./modules/alarms"
  count           = local.watching ? 1 : 0
  name            = local.alarms
  emails          = var.alarms.emails
  https_endpoints = var.alarms.https_endpoints
  clusters        = { for key, c in module.cluster : local.names[key] => { log_group = c.log_group } }
  databases       = { for key in keys(local.stored) : local.names[key] => { id = module.data[key].id } }
  nat_gateways    = merge([for key, n in module.network : { for zone, id in n.nat_gateway_ids : "${local.names[key]}-${zone}" => id }]...)
  queues          = [for key in keys(var.clusters) : "${local.names[key]}-karpenter"]
  certificates    = var.certificates ? { for domain in values(local.domains) : domain => module.dns.certificate_arns[domain] } : {}
  tags            = var.tags
}

module "budget" {
  source      = "./modules/budget"
  count       = var.monthly_usd == null ? 0 : 1
  name        = local.alarms
  monthly_usd = var.monthly_usd
  anomaly_usd = var.anomaly_usd
  thresholds  = var.budget.thresholds
  cost_tag    = var.budget.cost_tag
  emails      = var.alarms.emails
  topic       = local.watching ? { arn = module.alarms[0].topic_arn } : null
  tags        = var.tags
}
