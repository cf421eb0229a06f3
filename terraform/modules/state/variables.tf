variable "name" {
  description = "Prefix of the buckets' names, unique in all of AWS, such as the organisation's name with the account's number."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,46}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 48 lower-case letters, digits and hyphens, and start and end with a letter or digit."
  }
}

variable "artifact_days" {
  description = "Days that sealed plans and other artifacts of workflows are kept. A plan that nobody applied in a month is out of date anyway."
  type        = number
  default     = 30
  validation {
    condition     = var.artifact_days >= 1 && var.artifact_days <= 365 && floor(var.artifact_days) == var.artifact_days
    error_message = "artifact_days must be a whole number of days from 1 to 365."
  }
}

variable "version_days" {
  description = "Days that earlier versions of a state are kept, to go back to."
  type        = number
  default     = 365
  validation {
    condition     = var.version_days >= 30
    error_message = "version_days must be at least 30: an earlier state is the last way back."
  }
}

variable "access_log" {
  description = "Bucket that takes the access log, under the name of the bucket; none when null. It must let logging.s3.amazonaws.com write."
  type = object({
    bucket = string
  })
  default = null
}

variable "tags" {
  description = "Tags of the buckets and the key."
  type        = map(string)
  default     = {}
}
