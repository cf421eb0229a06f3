variable "name" {
  description = "Prefix of topic and alarms."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "emails" {
  description = "Addresses that get the alarms; each has to confirm once."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for e in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", e))])
    error_message = "emails must be addresses."
  }
}

variable "https_endpoints" {
  description = "URLs that get the alarms, of a paging service for instance."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for u in var.https_endpoints : startswith(u, "https://")])
    error_message = "https_endpoints must start with https://."
  }
}

variable "clusters" {
  description = "Clusters to watch, by name, each with the log group of its control plane: the API server's errors and the size of etcd, and who uses a break-glass role."
  type = map(object({
    log_group = string
  }))
  default = {}
}

variable "databases" {
  description = "RDS servers to watch, by a name of yours: processor at 70 %, storage down to storage_free_gib, memory, connections."
  type = map(object({
    id               = string
    storage_free_gib = optional(number, 5)
    connections      = optional(number, 150)
  }))
  default = {}
  validation {
    condition     = alltrue([for d in var.databases : d.storage_free_gib >= 1 && d.connections >= 1])
    error_message = "databases: storage_free_gib and connections must be at least 1."
  }
}

variable "nat_gateways" {
  description = "NAT gateways to watch, by a name of yours: connections that find no port."
  type        = map(string)
  default     = {}
}

variable "queues" {
  description = "Queues to watch, by name: messages that nobody takes for ten minutes (Karpenter does not run)."
  type        = set(string)
  default     = []
}

variable "certificates" {
  description = "Certificates of ACM to watch, by a name of yours: ARN. They renew by themselves, unless their DNS record is gone."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of topic, key and alarms."
  type        = map(string)
  default     = {}
}
