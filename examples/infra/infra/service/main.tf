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
  component   = "service"
  environment = var.environment
}

variable "database_password" {
  type        = string
  sensitive   = true
  default     = "only-for-the-example"
  description = "Comes as TF_VAR_database_password from a secret."
}

resource "terraform_data" "database" {
  input = { password = var.database_password, labels = module.labels.labels }
}
