# Logs for a quarter, traces for a week.
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

module "observability" {
  source         = "../.."
  name           = "shop-dev-111122223333"
  retention_days = { tempo = 7 }
}

output "buckets" {
  description = "Where Loki and Tempo write."
  value       = module.observability.buckets
}
