# One application repository that pushes, one infrastructure repository that
# plans on pull requests and applies to DEV and PROD with separate roles.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

locals {
  state = {
    state_bucket_arn = "arn:aws:s3:::acme-terraform-state"
    state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
  }
}

module "identity" {
  source       = "../.."
  name         = "acme"
  owner        = { name = "acme", id = 1234 }
  repositories = { demo-api = 1001, infra = 1002 }

  push = {
    demo-api = {
      repository          = "demo-api"
      workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
      ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
    }
  }
  plan = {
    infra = merge(local.state, {
      repository    = "infra"
      workflow_refs = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
      state_keys    = ["dev/terraform.tfstate", "prod/terraform.tfstate"]
    })
  }
  apply = {
    for environment in ["dev", "prod"] : environment => merge(local.state, {
      repository    = "infra"
      workflow_refs = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
      environment   = environment
      policy_arns   = ["arn:aws:iam::111122223333:policy/platform-${environment}"]
      state_keys    = ["${environment}/terraform.tfstate"]
    })
  }
}

output "apply_role_arns" {
  description = "Roles of the environments."
  value       = module.identity.apply_role_arns
}
