variable "name" {
  description = "Prefix of the buckets' names, unique in all of AWS, such as the cluster's name with the account's number."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,52}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 54 lower-case letters, digits and hyphens, and start and end with a letter or digit."
  }
}

variable "retention_days" {
  description = "Days that logs (loki) and traces (tempo) are kept. Loki's and Tempo's own retention must not be longer."
  type = object({
    loki  = optional(number, 90)
    tempo = optional(number, 14)
  })
  default = {}
  validation {
    condition     = alltrue([for days in values(var.retention_days) : days >= 1 && floor(days) == days])
    error_message = "retention_days must be whole numbers of days, at least 1."
  }
}

variable "tags" {
  description = "Tags of buckets and key."
  type        = map(string)
  default     = {}
}
