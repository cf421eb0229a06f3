# A dev cluster in its own network.
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
  source        = "../../../network"
  name          = "shop-dev"
  zones         = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  nat           = "one"
  cluster_names = ["shop-dev"]
}

module "cluster" {
  source                   = "../.."
  name                     = "shop-dev"
  environment              = "dev"
  vpc_id                   = module.network.vpc_id
  node_subnet_ids          = module.network.private_subnet_ids
  control_plane_subnet_ids = module.network.intra_subnet_ids
  api_allowed_cidrs        = ["10.8.0.0/16"]

  admin_role_arns       = ["arn:aws:iam::111122223333:role/platform-admin"]
  break_glass_role_arns = ["arn:aws:iam::111122223333:role/break-glass"]
  developer_groups = {
    shop = { role_arn = "arn:aws:iam::111122223333:role/shop-developers", namespaces = ["shop"] }
  }
  working_hours = { time_zone = "Europe/Berlin" }
}

output "endpoint" {
  description = "Address of the API server, inside the VPC."
  value       = module.cluster.endpoint
}
