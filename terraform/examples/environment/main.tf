# One environment of a team, with everything: DEV here; PROD is the same with
# its own state, account, values and GitHub environment.
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }
  # backend "s3": what the module state prints as backend, with a key such as
  # dev/terraform.tfstate.
}

provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = ["111122223333"]
}

locals {
  roles = "arn:aws:iam::111122223333:role"
  state = {
    state_bucket_arn = "arn:aws:s3:::acme-111122223333-state"
    state_keys       = ["dev/terraform.tfstate"]
    state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }
}

module "platform" {
  source = "../.."
  name   = "acme"
  zones  = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]

  clusters = {
    dev = {
      environment           = "dev"
      cidr                  = "10.20.0.0/16"
      api_allowed_cidrs     = ["10.8.0.0/16"]
      domain                = "dev.acme.example"
      private_domain        = "dev.acme.internal"
      admin_role_arns       = ["${local.roles}/platform-admin"]
      break_glass_role_arns = ["${local.roles}/break-glass"]
      read_only_role_arns   = ["${local.roles}/auditor"]
      developer_groups = {
        shop          = { role_arn = "${local.roles}/shop-developers", namespaces = ["shop"] }
        restore-drill = { role_arn = "${local.roles}/restore-drill-dev", namespaces = ["restore-drill"], edit = true }
      }
      working_hours = { time_zone = "Europe/Berlin" }
      database      = { database = "backend" }
      backup        = { copy_region = "eu-central-1" }
    }
  }

  repositories = ["frontend", "backend"]

  github = {
    owner        = { name = "acme", id = 1234 }
    repositories = { frontend = 1001, backend = 1002, infra = 1003 }
    push = { for app in ["frontend", "backend"] : app => {
      repository    = app
      workflow_refs = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
      images        = [app]
    } }
    plan = {
      dev = merge(local.state, {
        repository    = "infra"
        workflow_refs = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
      })
    }
    apply = {
      dev = merge(local.state, {
        repository    = "infra"
        workflow_refs = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment   = "dev"
        clusters      = { acme-dev = { environment = "dev", domain = "dev.acme.example", backup = true, database = true, budget = true } }
        repositories  = ["frontend", "backend"]
        roles         = true
      })
    }
  }

  alarms      = { name = "acme-dev", emails = ["platform@acme.example"] }
  monthly_usd = 600

  # The role that applies may change what has this tag, and may make no role without
  # this boundary.
  tags                     = { owner = "platform", "waybill.dev/cluster" = "acme-dev" }
  permissions_boundary_arn = "arn:aws:iam::111122223333:policy/acme-made-dev"
}

output "clusters" {
  description = "What the config repository is told."
  value       = module.platform.clusters
}

output "roles" {
  description = "Roles of the workflows."
  value       = module.platform.roles
}
