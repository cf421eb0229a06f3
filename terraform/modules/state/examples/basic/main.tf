# The state bucket of an account.
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

module "state" {
  source = "../.."
  name   = "acme-111122223333"
}

output "backend" {
  description = "The backend block of the other root modules."
  value       = module.state.backend
}
