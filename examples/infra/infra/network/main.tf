# terraform_data stands for real resources: it is built in, and runs offline.
terraform {
  required_version = ">= 1.5"

  # A real root has a remote backend, which keeps and locks the state for every
  # job: s3, gcs, azurerm.
  backend "local" {}
}

variable "environment" {
  type        = string
  description = "Name of the environment."
}

module "labels" {
  source      = "../../modules/labels"
  component   = "network"
  environment = var.environment
}

resource "terraform_data" "network" {
  input            = { cidr = "10.20.0.0/16", labels = module.labels.labels }
  triggers_replace = ["10.20.0.0/16"]
}
