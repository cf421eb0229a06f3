variable "name" {
  description = "Prefix of the buckets' names, unique in all of AWS, such as the cluster's name with the account's number."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,42}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 44 lower-case letters, digits and hyphens, and start and end with a letter or digit."
  }
}

variable "copy_region" {
  description = "Region of the copy, another than the one of the backups. None is made when null: what was there is lost with the region."
  type        = string
  default     = null
  validation {
    condition     = var.copy_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.copy_region))
    error_message = "copy_region must be the name of a region, such as eu-central-1."
  }
}

variable "lock" {
  description = "How long a backup cannot be changed or deleted by anybody (COMPLIANCE) or by anybody without the permission to lift the lock (GOVERNANCE)."
  type = object({
    mode = optional(string, "GOVERNANCE")
    days = optional(number, 30)
  })
  default = {}
  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.lock.mode)
    error_message = "lock.mode must be GOVERNANCE or COMPLIANCE."
  }
  validation {
    condition     = var.lock.days >= 7 && var.lock.days <= 365 && floor(var.lock.days) == var.lock.days
    error_message = "lock.days must be a whole number of days from 7 to 365: who breaks in waits a weekend."
  }
}

variable "retention_days" {
  description = "Days that old versions of backups are kept after Velero has deleted them, at least as long as they are locked."
  type        = number
  default     = 35
  validation {
    condition     = var.retention_days >= var.lock.days
    error_message = "retention_days must be at least lock.days: what is locked cannot go."
  }
}

variable "access_log" {
  description = "Bucket that takes the access log of the backups; none when null."
  type = object({
    bucket = string
  })
  default = null
}

variable "permissions_boundary_arn" {
  description = "Boundary of the roles that are made here, such as the one that the module identity makes for the role that applies; none when null."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:policy/[A-Za-z0-9+=,.@_/-]+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy, or null."
  }
}

variable "tags" {
  description = "Tags of buckets and keys."
  type        = map(string)
  default     = {}
}
