variable "name" {
  description = "Name of the budget."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 40 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "monthly_usd" {
  description = "What a month may cost, in US dollars."
  type        = number
  validation {
    condition     = var.monthly_usd > 0
    error_message = "monthly_usd must be more than 0."
  }
}

variable "thresholds" {
  description = "Percentages of the budget at which a message goes out, for what was spent; for what is forecast, one at 100."
  type        = set(number)
  nullable    = false
  default     = [50, 80, 100]
  validation {
    condition     = length(var.thresholds) > 0 && length(var.thresholds) <= 4 && alltrue([for t in var.thresholds : t > 0 && t <= 200])
    error_message = "thresholds must be one to four percentages from 1 to 200: a budget has at most five messages, and one is the forecast's."
  }
}

variable "emails" {
  description = "Addresses that get the messages."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for e in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", e))])
    error_message = "emails must be addresses."
  }
}

variable "topic" {
  description = "Topic that gets the messages, such as the one of module alarms; none when null."
  type = object({
    arn = string
  })
  default = null
  validation {
    condition     = var.topic != null || length(var.emails) > 0
    error_message = "topic or emails must be given: a budget that tells nobody is none."
  }
}

variable "cost_tag" {
  description = "Tag that the costs counted have, as key and value; all costs of the account when null. The tag has to be a cost allocation tag."
  type = object({
    key   = string
    value = string
  })
  default = null
}

variable "anomaly_usd" {
  description = "What a cost out of the ordinary must be, in US dollars, for a message; no watch when 0. The watch covers the account, which may have one alone."
  type        = number
  default     = 0
  nullable    = false
  validation {
    condition     = var.anomaly_usd >= 0
    error_message = "anomaly_usd must not be negative."
  }
}

variable "tags" {
  description = "Tags of budget and watch."
  type        = map(string)
  default     = {}
}
