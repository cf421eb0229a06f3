# Two applications, pulled by the account of PROD too; Docker Hub by the cache.
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

module "registry" {
  source           = "../.."
  repositories     = ["frontend", "backend"]
  pull_account_ids = ["444455556666"]
  pull_through = {
    k8s = { upstream = "registry.k8s.io" }
    hub = {
      upstream       = "registry-1.docker.io"
      credential_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"
    }
  }
}

output "repository_urls" {
  description = "What images are named by."
  value       = module.registry.repository_urls
}
