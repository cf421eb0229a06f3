# 400 dollars a month for what is tagged as dev.
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

module "budget" {
  source      = "../.."
  name        = "shop-dev"
  monthly_usd = 400
  emails      = ["platform@example.com"]
  cost_tag    = { key = "waybill.dev/environment", value = "dev" }
}
