variable "repositories" {
  description = "Repositories, by name, such as demo-api or shop/backend."
  type        = set(string)
  validation {
    condition     = length(var.repositories) > 0
    error_message = "repositories must name at least one."
  }
  validation {
    condition     = alltrue([for r in var.repositories : length(r) >= 2 && length(r) <= 256 && can(regex("^[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*$", r))])
    error_message = "repositories must be lower-case names of ECR, 2 to 256 characters, such as demo-api or shop/backend."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the images; AWS's own key for ECR when null. It cannot be changed later."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (of the key, not of an alias), or null."
  }
}

variable "mutable_tags" {
  description = "Patterns of the tags that may move; none by default. Cosign's legacy signatures need sha256-* here, once an image is signed twice; a build cache needs its own tag."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for p in var.mutable_tags : can(regex("^(sha256-|cache)[A-Za-z0-9._-]*\\*?$", p))])
    error_message = "mutable_tags may only be patterns that start with sha256- or cache: tags that name what is delivered never move."
  }
  validation {
    condition     = length(var.mutable_tags) <= 5
    error_message = "mutable_tags: ECR takes at most five patterns."
  }
}

variable "ephemeral_tags" {
  description = "Patterns of the tags whose images go when they are old, such as those of pull requests. An image that also has a kept tag stays."
  type        = list(string)
  nullable    = false
  default     = ["pr-*", "cache*"]
  validation {
    condition     = alltrue([for p in var.ephemeral_tags : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*\\*?$", p))])
    error_message = "ephemeral_tags must be tags or prefixes with a final *: a bare * would delete everything."
  }
  validation {
    condition     = length(var.ephemeral_tags) <= 10
    error_message = "ephemeral_tags: a lifecycle policy of ECR has at most 50 rules, so at most 10 patterns expire."
  }
  validation {
    condition     = alltrue([for p in var.ephemeral_tags : alltrue([for k in var.kept_tags : !startswith(trimsuffix(p, "*"), trimsuffix(k, "*")) && !(endswith(p, "*") && startswith(trimsuffix(k, "*"), trimsuffix(p, "*")))])])
    error_message = "ephemeral_tags must not meet kept_tags: what is delivered or signed would be deleted."
  }
}

variable "ephemeral_days" {
  description = "Days after which images with ephemeral tags go."
  type        = number
  nullable    = false
  default     = 14
  validation {
    condition     = var.ephemeral_days >= 1 && floor(var.ephemeral_days) == var.ephemeral_days
    error_message = "ephemeral_days must be a whole number of days, at least 1."
  }
}

variable "kept_tags" {
  description = "Patterns of the tags that keep an image for ever: those that `waybill tag` gives (commit, version, run number, main branch; add your other branches) and cosign's legacy signatures. Untagged images are kept in any case: that is how Waybill pushes, and how signatures and SBOMs are stored."
  type        = list(string)
  nullable    = false
  default     = ["sha-*", "sha256-*", "v*", "main", "0*", "1*", "2*", "3*", "4*", "5*", "6*", "7*", "8*", "9*"]
  validation {
    condition     = contains(var.kept_tags, "sha256-*")
    error_message = "kept_tags must hold sha256-*: the signatures and attestations of cosign's legacy format are such tags."
  }
  validation {
    condition     = alltrue([for p in var.kept_tags : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*\\*?$", p))])
    error_message = "kept_tags must be tags or prefixes with a final *."
  }
  validation {
    condition     = length(var.kept_tags) <= 40
    error_message = "kept_tags: a lifecycle policy of ECR has at most 50 rules, so at most 40 patterns are kept."
  }
}

variable "pull_account_ids" {
  description = "Other accounts that may pull, such as the one of PROD."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for a in var.pull_account_ids : can(regex("^[0-9]{12}$", a))])
    error_message = "pull_account_ids must be account numbers of twelve digits."
  }
}

variable "replica_regions" {
  description = "Regions that every image is copied to."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for r in var.replica_regions : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", r))])
    error_message = "replica_regions must be names of regions, such as eu-central-1."
  }
}

variable "pull_through" {
  description = "Registries that are reached through ECR, by the prefix of their repositories here. Docker Hub, GitHub and GitLab want a secret with user name and access token, whose name starts with ecr-pullthroughcache/."
  type = map(object({
    upstream       = string
    credential_arn = optional(string)
  }))
  default = {
    ecr-public = { upstream = "public.ecr.aws" }
    k8s        = { upstream = "registry.k8s.io" }
    quay       = { upstream = "quay.io" }
  }
  validation {
    condition     = alltrue([for prefix, r in var.pull_through : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*$", prefix)) && length(prefix) >= 2 && length(prefix) <= 30])
    error_message = "pull_through: prefixes must be 2 to 30 lower-case letters, digits, dots, hyphens and underscores."
  }
  validation {
    condition     = alltrue([for r in var.pull_through : contains(["public.ecr.aws", "registry.k8s.io", "quay.io", "registry-1.docker.io", "ghcr.io", "registry.gitlab.com"], r.upstream)])
    error_message = "pull_through: upstream must be one that ECR knows: public.ecr.aws, registry.k8s.io, quay.io, registry-1.docker.io, ghcr.io or registry.gitlab.com."
  }
  validation {
    condition     = alltrue([for r in var.pull_through : can(regex(":secret:ecr-pullthroughcache/", coalesce(r.credential_arn, "none"))) if contains(["registry-1.docker.io", "ghcr.io", "registry.gitlab.com"], r.upstream)])
    error_message = "pull_through: registry-1.docker.io, ghcr.io and registry.gitlab.com need credential_arn, a secret whose name starts with ecr-pullthroughcache/."
  }
  validation {
    condition     = alltrue([for prefix, r in var.pull_through : alltrue([for name in var.repositories : !startswith(name, "${prefix}/")])])
    error_message = "pull_through: a prefix must not be that of one of the repositories."
  }
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
  description = "Tags of the repositories."
  type        = map(string)
  default     = {}
}
