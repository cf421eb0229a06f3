# A database for the nodes of one cluster.
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

module "data" {
  source                 = "../.."
  name                   = "shop-dev"
  vpc_id                 = "vpc-0123456789abcdef0"
  subnet_ids             = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  client_security_groups = { nodes = "sg-0123456789abcdef0" }
  multi_az               = false
}

output "secret_arn" {
  description = "Where the password is."
  value       = module.data.secret_arn
}
