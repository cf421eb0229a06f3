# A fleet from one call: three clusters of one shape, one of them larger.
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
  shops = {
    shop-a = { number = 1, max = 10 }
    shop-b = { number = 2, max = 10 }
    shop-c = { number = 3, max = 20 }
  }
}

module "fleet" {
  source = "../.."
  name   = "acme"
  zones  = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]

  clusters = { for key, shop in local.shops : key => {
    environment     = "prod"
    cidr            = "10.${shop.number}.0.0/16"
    admin_role_arns = ["arn:aws:iam::111122223333:role/platform-admin"]
    node_groups     = { general = { max = shop.max } }
    backup          = { copy_region = "eu-central-1" }
  } }
}

output "clusters" {
  description = "What the config repository is told."
  value       = module.fleet.clusters
}
