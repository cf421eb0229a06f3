# A network for one cluster that can do with one NAT gateway.
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

module "network" {
  source        = "../.."
  name          = "shop-dev"
  cidr          = "10.20.0.0/16"
  zones         = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  nat           = "one"
  cluster_names = ["shop-dev"]
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}
