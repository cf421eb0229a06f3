# What every environment is, once: the roots below infra/aws say how theirs
# differs. The version of Waybill's module is pinned here.
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# The key of the bucket that bootstrap made.
data "aws_kms_alias" "state" {
  name = "alias/acme-${local.account}-state"
}

locals {
  account = data.aws_caller_identity.current.account_id
  roles   = "arn:${data.aws_partition.current.partition}:iam::${local.account}:role"
  policy  = "arn:${data.aws_partition.current.partition}:iam::${local.account}:policy"
  state = {
    state_bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::acme-${local.account}-state"
    state_keys       = ["${var.cluster}/terraform.tfstate"]
    state_kms_arn    = data.aws_kms_alias.state.target_key_arn
  }
}

module "platform" {
  source = "git::https://github.com/waybill-dev/waybill.git//terraform?ref=v0.1.0"
  name   = "acme"
  zones  = [for zone in ["a", "b", "c"] : "${data.aws_region.current.region}${zone}"]

  clusters = {
    (var.cluster) = {
      environment           = var.environment
      cidr                  = var.cidr
      api_allowed_cidrs     = ["10.8.0.0/16"] # the VPN: the API has no public address
      domain                = var.domain
      admin_role_arns       = ["${local.roles}/platform-admin"]
      break_glass_role_arns = ["${local.roles}/break-glass"]
      read_only_role_arns   = ["${local.roles}/auditor"]
      developer_groups = {
        shop = { role_arn = "${local.roles}/shop-developers", namespaces = [var.namespace] }
      }
      backup = var.copy_region == null ? null : { copy_region = var.copy_region }
    }
  }

  # Numeric ids cannot be taken over, names can:
  #   gh api orgs/acme --jq .id; gh api repos/acme/infra --jq .id
  github = {
    owner           = { name = "acme", id = 1234 }
    repositories    = { infra = 1003 }
    create_provider = var.create_provider
    plan = {
      (var.cluster) = merge(local.state, {
        repository    = "infra"
        workflow_refs = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
      })
    }
    apply = {
      (var.cluster) = merge(local.state, {
        repository               = "infra"
        workflow_refs            = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment              = "infra" # of GitHub, as in apply.yml
        policy_arns              = ["${local.policy}/platform-${var.cluster}"]
        permissions_boundary_arn = "${local.policy}/platform-boundary"
      })
    }
  }

  alarms = { emails = ["platform@acme.example"] }
  tags   = { owner = "platform" }
}
