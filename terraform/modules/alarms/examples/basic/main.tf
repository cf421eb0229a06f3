# Alarms of one cluster and its database.
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

module "alarms" {
  source    = "../.."
  name      = "shop-dev"
  emails    = ["platform@example.com"]
  clusters  = { shop-dev = { log_group = "/aws/eks/shop-dev/cluster" } }
  databases = { shop = { id = "shop-dev" } }
  queues    = ["shop-dev-karpenter"]
}

output "topic_arn" {
  description = "Where alarms go."
  value       = module.alarms.topic_arn
}
