variable "cluster" {
  description = "Name of the cluster: the environment that the config repository deploys to it."
  type        = string
}

variable "environment" {
  description = "What kind of environment it is: dev, staging or prod. A dev cluster has no nodes outside working hours."
  type        = string
}

variable "namespace" {
  description = "Namespace of the applications, which developers see, and outside prod change."
  type        = string
}

variable "cidr" {
  description = "Its network; no two clusters' overlap."
  type        = string
}

variable "domain" {
  description = "Its domain."
  type        = string
}

variable "copy_region" {
  description = "Region that its backups are copied to; no copy when null."
  type        = string
  default     = null
}
