# What the account has once: GitHub's OIDC provider, and the roles that the workflows
# of this repository take, two for each environment. Applied by an administrator the
# first time.
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
  keys = { for root in ["account", "dev", "staging", "prod"] : root => "${root}/terraform.tfstate" }
}

module "identity" {
  source = "git::https://github.com/waybill-dev/waybill.git//terraform/modules/identity?ref=v0.1.0"
  name   = "acme"

  # Numeric ids cannot be taken over, names can:
  #   gh api orgs/acme --jq .id; gh api repos/acme/infra --jq .id
  owner        = { name = "acme", id = 1234 }
  repositories = { infra = 1003 }

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
  # infra-dev and so on for the others. What they may do say these policies, inside the
  # boundary: yours.
  apply = {
    for name in ["infra", "dev", "staging", "prod"] : name => merge(local.state, {
      workflow_refs            = ["${local.workflows}/apply.yml@refs/heads/main"]
      environment              = name == "infra" ? "infra" : "infra-${name}"
      state_keys               = [local.keys[name == "infra" ? "account" : name]]
      policy_arns              = ["arn:aws:iam::111122223333:policy/platform"]
      permissions_boundary_arn = "arn:aws:iam::111122223333:policy/platform-boundary"
    })
  }
}

output "roles" {
  description = "Roles of terraform.environments in waybill.yaml."
  value       = { plan = module.identity.plan_role_arns, apply = module.identity.apply_role_arns }
}

output "variables" {
  description = "Variables of the repository that the workflows read; the second one of its environment infra."
  value = {
    WAYBILL_AWS_REGION     = "eu-central-1"
    WAYBILL_AWS_PLAN_ROLE  = module.identity.plan_role_arns["infra"]
    WAYBILL_AWS_APPLY_ROLE = module.identity.apply_role_arns["infra"]
  }
}
