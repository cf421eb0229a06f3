# Labels that everything carries.
variable "environment" {
  type        = string
  description = "Name of the environment."
}

variable "component" {
  type        = string
  description = "What the labels are for."
}

output "labels" {
  value = {
    component   = var.component
    environment = var.environment
    managed-by  = "terraform"
  }
  description = "The labels."
}
