# What the account has once: GitHub's OIDC provider, and the two roles that the
# workflows of this repository take. Applied by an administrator the first time.
#
# Whoever wants DEV and PROD to share nothing takes an account and a repository
# like this one for each: a job has one role, and an account one pair of them.
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
    state_keys       = [for root in ["account", "dev", "staging", "prod"] : "${root}/terraform.tfstate"]
    state_kms_arn    = data.aws_kms_alias.state.target_key_arn
  }
}

module "identity" {
  source = "git::https://github.com/waybill-dev/waybill.git//terraform/modules/identity?ref=v0.1.0"
  name   = "acme"

  # Numeric ids cannot be taken over, names can:
  #   gh api orgs/acme --jq .id; gh api repos/acme/infra --jq .id
  owner        = { name = "acme", id = 1234 }
  repositories = { infra = 1003 }

  # Reads, in pull requests and for drift on main.
  plan = {
    infra = merge(local.state, {
      workflow_refs = ["${local.workflows}/plan.yml@refs/pull/*/merge", "${local.workflows}/drift.yml@refs/heads/main"]
      refs          = ["refs/heads/main"]
    })
  }

  # Writes, and is had from GitHub's environment infra alone. What it may do say
  # these policies, inside the boundary: yours.
  apply = {
    infra = merge(local.state, {
      workflow_refs            = ["${local.workflows}/apply.yml@refs/heads/main"]
      environment              = "infra"
      policy_arns              = ["arn:aws:iam::111122223333:policy/platform"]
      permissions_boundary_arn = "arn:aws:iam::111122223333:policy/platform-boundary"
    })
  }
}

output "variables" {
  description = "Variables of the repository that the workflows read; the second one of its environment infra."
  value = {
    WAYBILL_AWS_REGION     = "eu-central-1"
    WAYBILL_AWS_PLAN_ROLE  = module.identity.plan_role_arns["infra"]
    WAYBILL_AWS_APPLY_ROLE = module.identity.apply_role_arns["infra"]
  }
}
