# prod. What all environments have in common is in modules/platform.
terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.9, < 7.0"
    }
  }

  # The bucket encrypts by its own key, and the lock is an object beside the
  # state: no table is needed.
  backend "s3" {
    bucket       = "acme-111122223333-state"
    key          = "prod/terraform.tfstate"
    region       = "eu-central-1"
    use_lockfile = true
  }
}

provider "aws" {
  region              = "eu-central-1"
  allowed_account_ids = ["111122223333"]
}

module "platform" {
  source      = "../../../modules/platform"
  cluster     = "prod"
  environment = "prod"
  namespace   = "production"
  cidr        = "10.40.0.0/16"
  domain      = "acme.example"
  copy_region = "eu-west-1"

  kubernetes_version = "1.34"
  after              = "staging"
}

output "clusters" {
  description = "What the config repository is told."
  value       = module.platform.clusters
}

output "name_servers" {
  description = "What the domain's parent has to name."
  value       = module.platform.name_servers
}
