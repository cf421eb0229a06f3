# shop-b. What it is stands in ../clusters.yaml; all roots of the fleet are the same but for
# the two lines that name it.
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }

  backend "s3" {
    bucket       = "acme-111122223333-state"
    key          = "fleet/shop-b/terraform.tfstate"
    region       = "eu-west-1"
    use_lockfile = true
  }
}

provider "aws" {
  region = "eu-west-1"
}

locals {
  cluster = "shop-b"
  shop    = yamldecode(file("${path.module}/../clusters.yaml"))[local.cluster]
}

module "fleet" {
  source = "../../.."
  name   = "acme"
  zones  = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]

  clusters = { (local.cluster) = {
    environment     = "prod"
    cidr            = local.shop.cidr
    admin_role_arns = ["arn:aws:iam::111122223333:role/platform-admin"]
    node_groups     = { general = { max = local.shop.max } }
    backup          = { copy_region = "eu-central-1" }
  } }
}

output "clusters" {
  description = "What the config repository is told."
  value       = module.fleet.clusters
}
