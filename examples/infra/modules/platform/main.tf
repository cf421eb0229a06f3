# What every environment is, once: the roots below infra/aws say how theirs
# differs. The version of Waybill's module is pinned here.
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  iam     = "arn:${data.aws_partition.current.partition}:iam::${local.account}"
  roles   = "${local.iam}:role" # infra/aws/account makes them
}

module "platform" {
  source = "git::https://github.com/waybill-dev/waybill.git//terraform?ref=v0.1.0"
  name   = "acme"
  zones  = [for zone in ["a", "b", "c"] : "${data.aws_region.current.region}${zone}"]

  clusters = {
    (var.cluster) = {
      environment           = var.environment
      cidr                  = var.cidr
      kubernetes_version    = var.kubernetes_version
      upgrades_after        = var.after == null || var.after == var.cluster ? null : "acme-${var.after}"
      api_allowed_cidrs     = ["10.8.0.0/16"] # the VPN: the API has no public address
      domain                = var.domain
      private_domain        = "${var.cluster}.acme.internal" # its own network alone sees these names
      admin_role_arns       = ["${local.roles}/acme-person-platform-admin"]
      break_glass_role_arns = ["${local.roles}/acme-person-break-glass"]
      read_only_role_arns   = ["${local.roles}/acme-person-auditor"]
      developer_groups = {
        shop = { role_arn = "${local.roles}/acme-person-shop-developers", namespaces = [var.namespace] }
        # The quarterly drill of the config repository.
        restore-drill = { role_arn = "${local.roles}/acme-job-restore-drill-${var.cluster}", namespaces = ["restore-drill"], edit = true }
      }
      backup = { copy_region = var.copy_region }
    }
  }

  # Topic and alarms are named after the cluster: all environments may share one account.
  alarms = { name = "acme-${var.cluster}", emails = ["platform@acme.example"] }

  # The role that applies may change what has this tag, and may make no role without
  # this boundary.
  tags                     = { owner = "platform", "waybill.dev/cluster" = "acme-${var.cluster}" }
  permissions_boundary_arn = "${local.iam}:policy/acme-made-${var.cluster}"
}
