# Backups in Ireland, their copy in Frankfurt.
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

module "backup" {
  source      = "../.."
  name        = "shop-prod-111122223333"
  copy_region = "eu-central-1"
}

output "bucket" {
  description = "Where Velero writes."
  value       = module.backup.bucket
}
