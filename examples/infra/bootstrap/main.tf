# Where the other roots keep their state. Comes first and once, from an
# administrator's machine, and is no root of the workflows:
#
#   terraform -chdir=bootstrap init && terraform -chdir=bootstrap apply
#
# Then uncomment the backend and move its own state into the bucket it made:
#
#   terraform -chdir=bootstrap init -migrate-state
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }

  # backend "s3" {
  #   bucket       = "acme-111122223333-state"
  #   key          = "bootstrap/terraform.tfstate"
  #   region       = "eu-central-1"
  #   use_lockfile = true
  # }
}

provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["111122223333"]
}

module "state" {
  source = "git::https://github.com/waybill-dev/waybill.git//terraform/modules/state?ref=v0.1.0"
  name   = "acme-111122223333"
}

output "bucket" {
  description = "Bucket of the states."
  value       = module.state.state_bucket
}
