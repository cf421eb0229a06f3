variable "name" {
  description = "Name of the bucket: unique in all of AWS."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name)) && !can(regex("^xn--|-s3alias$|--", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens, start and end with a letter or digit, and hold no two hyphens in a row."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (of the key, not of an alias)."
  }
}

variable "region" {
  description = "Region of the bucket; the provider's when null."
  type        = string
  default     = null
}

variable "expire_days" {
  description = "Days after which objects go; never when null."
  type        = number
  default     = null
  validation {
    condition     = var.expire_days == null || try(var.expire_days >= 1 && floor(var.expire_days) == var.expire_days, false)
    error_message = "expire_days must be a whole number of days, at least 1, or null for never."
  }
}

variable "noncurrent_days" {
  description = "Days that overwritten and deleted versions are kept."
  type        = number
  default     = 90
  validation {
    condition     = var.noncurrent_days >= 7
    error_message = "noncurrent_days must be at least 7: a version that was deleted by mistake is missed on Monday."
  }
}

variable "object_lock" {
  description = "Write once: each version stays for that many days. In GOVERNANCE mode, who has the permission for it can lift the lock; in COMPLIANCE mode nobody can. None when null; it can only be given to a new bucket."
  type = object({
    mode = string
    days = number
  })
  default = null
  validation {
    condition     = var.object_lock == null || contains(["GOVERNANCE", "COMPLIANCE"], try(var.object_lock.mode, ""))
    error_message = "object_lock.mode must be GOVERNANCE or COMPLIANCE."
  }
  validation {
    condition     = var.object_lock == null || try(var.object_lock.days >= 1 && floor(var.object_lock.days) == var.object_lock.days, false)
    error_message = "object_lock.days must be a whole number of days, at least 1."
  }
  validation {
    condition     = var.object_lock == null || var.expire_days == null || try(var.expire_days >= var.object_lock.days, true)
    error_message = "object_lock.days must not be longer than expire_days: what is locked cannot expire."
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
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}
}
