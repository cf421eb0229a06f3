variable "name" {
  description = "Name of the database server, and the prefix of everything of it."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 40 lower-case letters, digits and single hyphens, and start with a letter."
  }
}

variable "vpc_id" {
  description = "VPC of the server."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the server, best without a route out, in different zones."
  type        = list(string)
  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids must name at least two subnets, in different zones."
  }
}

variable "client_security_groups" {
  description = "Security groups that may connect, by a name of yours: the nodes of the cluster."
  type        = map(string)
  validation {
    condition     = length(var.client_security_groups) > 0
    error_message = "client_security_groups must name at least one group: nobody could connect otherwise."
  }
}

variable "database" {
  description = "Name of the first database."
  type        = string
  default     = "app"
  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database)) && !contains(["postgres", "rdsadmin", "template0", "template1"], var.database)
    error_message = "database must be lower-case letters, digits and underscores, and none of PostgreSQL's own."
  }
}

variable "engine_version" {
  description = "PostgreSQL version: the major one, whose minor versions then come by themselves in the maintenance window."
  type        = string
  default     = "17"
  validation {
    condition     = can(regex("^1[5-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be a PostgreSQL version from 15, such as 17 or 17.5."
  }
}

variable "instance_class" {
  description = "Size of the server."
  type        = string
  default     = "db.t4g.medium"
  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must be one of RDS, such as db.t4g.medium."
  }
}

variable "storage_gib" {
  description = "Storage, in GiB; it grows by itself up to max."
  type = object({
    initial = optional(number, 20)
    max     = optional(number, 200)
  })
  default = {}
  validation {
    condition     = var.storage_gib.initial >= 20 && var.storage_gib.max > var.storage_gib.initial
    error_message = "storage_gib.initial must be at least 20, and max larger than it."
  }
}

variable "multi_az" {
  description = "Whether a second server stands by in another zone. A dev environment may do without."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "Days that backups, and with them the way back to any second, are kept."
  type        = number
  nullable    = false
  default     = 14
  validation {
    condition     = var.backup_days >= 7 && var.backup_days <= 35
    error_message = "backup_days must be from 7 to 35."
  }
}

variable "deletion_protection" {
  description = "Whether the server cannot be deleted. A last snapshot is taken in any case."
  type        = bool
  default     = true
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
  description = "Tags of everything of the server."
  type        = map(string)
  default     = {}
}
