# What the account has once: GitHub's OIDC provider, the roles that the workflows of this
# repository take, two for each environment, with their policies, and the roles of people.
# Applied by an administrator the first time, and whenever the provider, a boundary or the
# role that applies this root changes: no workflow may change what keeps it in.
#
# Whoever wants DEV and PROD to share nothing takes an account for each, with roles of
# its own: terraform.environments in waybill.yaml names them.
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }

  # The bucket encrypts by its own key, and the lock is an object beside the
  # state: no table is needed.
  backend "s3" {
    bucket       = "acme-111122223333-state"
    key          = "account/terraform.tfstate"
    region       = "eu-central-1"
    use_lockfile = true
  }
}

provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["111122223333"]
}

# The key of the bucket that bootstrap made.
data "aws_kms_alias" "state" {
  name = "alias/acme-111122223333-state"
}

locals {
  workflows = "acme/infra/.github/workflows"
  state = {
    repository       = "infra"
    state_bucket_arn = "arn:aws:s3:::acme-111122223333-state"
    state_kms_arn    = data.aws_kms_alias.state.target_key_arn
  }
  # The clusters, as infra/aws/dev and the others have them.
  clusters = [
    { name = "dev", environment = "dev", domain = "dev.acme.example", backup = true },
    { name = "staging", environment = "staging", domain = "staging.acme.example", backup = true },
    { name = "prod", environment = "prod", domain = "acme.example", backup = true },
  ]
  keys = { for root in ["account", "dev", "staging", "prod"] : root => "${root}/terraform.tfstate" }
}

module "identity" {
  source = "git::https://github.com/waybill-dev/waybill.git//terraform/modules/identity?ref=v0.1.0"
  name   = "acme"

  # Numeric ids cannot be taken over, names can:
  #   gh api orgs/acme --jq .id; gh api repos/acme/infra --jq .id; gh api repos/acme/config --jq .id
  owner        = { name = "acme", id = 1234 }
  repositories = { config = 1002, infra = 1003 }

  # Read, in pull requests and on main: /plan and drift. Drift has one role for all
  # roots, the first one.
  plan = {
    for name in ["infra", "dev", "staging", "prod"] : name => merge(local.state, {
      workflow_refs = [
        "${local.workflows}/plan.yml@refs/pull/*/merge", "${local.workflows}/plan.yml@refs/heads/main",
        "${local.workflows}/drift.yml@refs/heads/main",
      ]
      refs       = ["refs/heads/main"]
      state_keys = name == "infra" ? values(local.keys) : [local.keys[name]]
    })
  }

  # Write, and each is had from one GitHub environment alone: infra for the account,
  # infra-dev and so on for the others. What they may change follows from what their
  # root makes: say here, too, what you change there.
  apply = {
    for name in ["infra", "dev", "staging", "prod"] : name => merge(local.state, {
      workflow_refs = ["${local.workflows}/apply.yml@refs/heads/main"]
      environment   = name == "infra" ? "infra" : "infra-${name}"
      state_keys    = [local.keys[name == "infra" ? "account" : name]]
      roles         = name == "infra"
      clusters      = { for cluster in local.clusters : "acme-${cluster.name}" => cluster if cluster.name == name }
    })
  }

  # Whom the access entries of modules/platform name: permission sets of Identity Center
  # that may take the role of each. The clusters' own rights are there.
  people = {
    for role, permission_set in {
      platform-admin  = "PlatformAdmin"
      break-glass     = "BreakGlass"
      auditor         = "Auditor"
      shop-developers = "ShopDevelopers"
      } : role => {
      principals = ["arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_${permission_set}_*"]
      clusters   = [for cluster in local.clusters : "acme-${cluster.name}"]
      # To the API server, which has no public address, through a node.
      tunnel = contains(["platform-admin", "break-glass"], role)
    }
  }

  # The quarterly restore drill of the config repository, one role for each cluster.
  jobs = { for cluster in local.clusters : "restore-drill-${cluster.name}" => {
    repository    = "config"
    workflow_refs = ["acme/config/.github/workflows/restore-drill.yml@refs/heads/main"]
    clusters      = ["acme-${cluster.name}"]
  } }
}

output "roles" {
  description = "Roles of terraform.environments in waybill.yaml."
  value       = { plan = module.identity.plan_role_arns, apply = module.identity.apply_role_arns }
}

output "restore_drill_roles" {
  description = "Variables RESTORE_DRILL_ROLE_… of the config repository."
  value       = module.identity.job_role_arns
}

output "variables" {
  description = "Variables of the repository that the workflows read; the second one of its environment infra."
  value = {
    WAYBILL_AWS_REGION     = "eu-central-1"
    WAYBILL_AWS_PLAN_ROLE  = module.identity.plan_role_arns["infra"]
    WAYBILL_AWS_APPLY_ROLE = module.identity.apply_role_arns["infra"]
  }
}
