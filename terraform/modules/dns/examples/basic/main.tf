# A public domain of an environment and a private one beside it.
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

module "dns" {
  source          = "../.."
  public_domains  = ["dev.example.com"]
  private_domains = { "dev.internal" = ["vpc-0123456789abcdef0"] }
}

output "name_servers" {
  description = "What example.com has to name for dev.example.com."
  value       = module.dns.name_servers
}
