variable "cluster" {
  description = "Name of the cluster: the environment that the config repository deploys to it."
  type        = string
}

variable "environment" {
  description = "What kind of environment it is: dev, staging or prod. A dev cluster has no nodes outside working hours."
  type        = string
}

variable "kubernetes_version" {
  description = "Kubernetes version, such as 1.34. An upgrade goes through the environments in their order, one pull request each."
  type        = string
}

variable "after" {
  description = "Environment before this one: its cluster has to run a Kubernetes version before this one gets it. None when null."
  type        = string
  default     = null
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
