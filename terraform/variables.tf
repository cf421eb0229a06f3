variable "name" {
  description = "Name of the platform, the first part of every name: mostly the organisation's."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 16 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "zones" {
  description = "The three availability zones of the region, or its two where it has no third."
  type        = list(string)
}

variable "clusters" {
  description = <<-EOT
    Clusters, by name: one for an environment, or a fleet. Each has its own
    network, roles, buckets and, where asked for, domain, private_domain (a zone
    that its own network alone sees) and database. Names
    and defaults inside are those of the submodules network, cluster, data,
    backup and observability; database = {} makes one with their defaults.
  EOT
  type = map(object({
    environment = string
    cidr        = string
    nat         = optional(string)

    interface_endpoints     = optional(set(string))
    flow_log_retention_days = optional(number)
    log_retention_days      = optional(number)

    kubernetes_version = optional(string)
    upgrades_after     = optional(string)
    ahead_because      = optional(string)
    support_type       = optional(string, "STANDARD")
    addons = optional(map(object({
      version       = optional(string)
      configuration = optional(string)
    })))
    api_allowed_cidrs = optional(set(string), [])
    domain            = optional(string)
    private_domain    = optional(string)

    admin_role_arns       = optional(set(string), [])
    break_glass_role_arns = optional(set(string), [])
    read_only_role_arns   = optional(set(string), [])
    developer_groups = optional(map(object({
      role_arn   = string
      namespaces = set(string)
      edit       = optional(bool)
    })), {})

    node_groups = optional(map(object({
      instance_types = optional(list(string), ["t3.medium"])
      capacity_type  = optional(string, "ON_DEMAND")
      desired        = optional(number, 3)
      min            = optional(number, 2)
      max            = optional(number, 10)
      disk_gib       = optional(number, 50)
      labels         = optional(map(string), {})

      release_version = optional(string)
    })), { general = {} })
    ingress_nodes = optional(object({
      instance_types = optional(list(string), ["t3.medium"])
      desired        = optional(number, 2)
      min            = optional(number, 2)
      max            = optional(number, 4)
      disk_gib       = optional(number, 50)

      release_version = optional(string)
    }), {})
    scale_down = optional(bool, true)
    working_hours = optional(object({
      start     = optional(string, "0 7 * * MON-FRI")
      end       = optional(string, "0 20 * * MON-FRI")
      time_zone = optional(string, "Etc/UTC")
    }), {})

    database = optional(object({
      instance_class = optional(string, "db.t4g.medium")
      engine_version = optional(string, "17")
      database       = optional(string, "app")
      backup_days    = optional(number)
      storage_gib = optional(object({
        initial = optional(number, 20)
        max     = optional(number, 200)
      }), {})
    }))
    backup = optional(object({
      copy_region = optional(string)
      access_log  = optional(object({ bucket = string }))
      lock = optional(object({
        mode = optional(string, "GOVERNANCE")
        days = optional(number, 30)
      }), {})
    }))
    retention_days = optional(object({
      loki  = optional(number, 90)
      tempo = optional(number, 14)
    }), {})
  }))
  validation {
    condition     = alltrue([for key in keys(var.clusters) : can(regex("^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$", key))])
    error_message = "clusters: names must be 1 to 12 lower-case letters, digits and hyphens, such as dev or prod-eu."
  }
  validation {
    condition     = alltrue([for c in var.clusters : c.environment != "prod" || try(c.backup.copy_region, null) != null])
    error_message = "clusters: a prod cluster needs backup, with the region of its copy."
  }
  validation {
    condition = alltrue(flatten([for a, one in var.clusters : [for b, other in var.clusters : try(
      cidrhost("${split("/", one.cidr)[0]}/${min(split("/", one.cidr)[1], split("/", other.cidr)[1])}", 0) !=
      cidrhost("${split("/", other.cidr)[0]}/${min(split("/", one.cidr)[1], split("/", other.cidr)[1])}", 0),
    true) if a != b]]))
    error_message = "clusters: networks must not overlap, or they can never be connected."
  }
  validation {
    condition     = length(distinct([for c in var.clusters : c.domain if c.domain != null])) == length([for c in var.clusters : c if c.domain != null])
    error_message = "clusters: each domain belongs to one cluster: DEV must not be able to write PROD's names."
  }
  validation {
    condition     = length(distinct([for c in var.clusters : c.private_domain if c.private_domain != null])) == length([for c in var.clusters : c if c.private_domain != null])
    error_message = "clusters: each private_domain belongs to one cluster: DEV must not be able to write PROD's names."
  }
  # external-dns writes a name into every zone that it ends with, and a private zone hides
  # what a public one of the same ending says.
  validation {
    condition = alltrue(flatten([for one in var.clusters : [for other in var.clusters :
      !endswith(".${one.private_domain}", ".${other.domain}") && !endswith(".${other.domain}", ".${one.private_domain}")
    if other.domain != null] if one.private_domain != null]))
    error_message = "clusters: private_domain must neither be a domain of a cluster nor stand above or below one, or internal addresses would get into the public zone, or the private zone would hide it. Take one that is not public at all, such as dev.acme.internal."
  }
  validation {
    condition = length(setintersection(
      flatten([for c in var.clusters : [for g in c.developer_groups : g.role_arn if coalesce(g.edit, c.environment != "prod")] if c.environment != "prod"]),
      flatten([for c in var.clusters : setunion(c.admin_role_arns, c.break_glass_role_arns) if c.environment == "prod"]),
    )) == 0
    error_message = "clusters: developers' roles of DEV must not be administrators' roles of PROD: take separate roles."
  }
}

variable "repositories" {
  description = "Image repositories that all clusters pull from; no registry when empty."
  type        = set(string)
  default     = []
}

variable "registry" {
  description = "Further inputs of the submodule registry."
  type = object({
    pull_account_ids = optional(set(string), [])
    replica_regions  = optional(set(string), [])
    mutable_tags     = optional(set(string), [])
    kms_key_arn      = optional(string)
    ephemeral_tags   = optional(list(string))
    ephemeral_days   = optional(number)
    kept_tags        = optional(list(string))
    pull_through = optional(map(object({
      upstream       = string
      credential_arn = optional(string)
      })), {
      ecr-public = { upstream = "public.ecr.aws" }
      k8s        = { upstream = "registry.k8s.io" }
      quay       = { upstream = "quay.io" }
    })
  })
  default = {}
}

variable "pull_through_prefixes" {
  description = "Prefixes of ECR's cache that the nodes may pull through, beside those of this registry: those that another root of the account makes."
  type        = set(string)
  default     = []
}

variable "pulled_repository_arns" {
  description = "Repositories of ECR whose signatures the clusters verify at admission: those of the account when empty, of another account where the images are there."
  type        = list(string)
  default     = []
}

variable "github" {
  description = "GitHub's repositories and the roles that their workflows take: inputs of the submodule identity, where push names image repositories of this registry instead of ARNs. No roles when null."
  type = object({
    owner            = object({ name = string, id = number })
    repositories     = map(number)
    classic_subjects = optional(bool, true)
    create_provider  = optional(bool, true)
    push = optional(map(object({
      repository    = string
      workflow_refs = list(string)
      refs          = optional(list(string), ["refs/heads/main"])
      environments  = optional(list(string), [])
      images        = set(string)
    })), {})
    plan = optional(map(object({
      repository       = string
      workflow_refs    = list(string)
      refs             = optional(list(string), [])
      state_bucket_arn = string
      state_keys       = list(string)
      state_kms_arn    = string
      unlocked_actions = optional(set(string), [])
      policy_arns      = optional(list(string), [])
    })), {})
    apply = optional(map(object({
      repository    = string
      workflow_refs = list(string)
      environment   = string
      clusters = optional(map(object({
        environment = string
        domain      = optional(string)
        backup      = optional(bool, false)
        database    = optional(bool, false)
        budget      = optional(bool, false)
      })), {})
      repositories             = optional(set(string), [])
      roles                    = optional(bool, false)
      policy_arns              = optional(list(string), [])
      permissions_boundary_arn = optional(string)
      state_bucket_arn         = string
      state_keys               = list(string)
      state_kms_arn            = string
    })), {})
    people = optional(map(object({
      principals = list(string)
      clusters   = set(string)
      tunnel     = optional(bool, false)
    })), {})
    jobs = optional(map(object({
      repository    = string
      workflow_refs = list(string)
      refs          = optional(list(string), ["refs/heads/main"])
      environments  = optional(list(string), [])
      clusters      = set(string)
      tunnel        = optional(bool, false)
    })), {})
    boundary_actions = optional(set(string), [])
  })
  default = null
  validation {
    condition     = alltrue([for r in try(var.github.push, {}) : length(setsubtract(r.images, var.repositories)) == 0])
    error_message = "github: push may only name images that stand in repositories."
  }
}

variable "private_domain" {
  description = "Private domain that all clusters' networks see and no cluster writes: its records are Terraform's. None when null."
  type        = string
  default     = null
  validation {
    condition     = var.private_domain == null || alltrue([for c in var.clusters : c.private_domain != var.private_domain])
    error_message = "private_domain must not be a cluster's private_domain: that one is seen by its own network alone, and written by its external-dns."
  }
}

variable "certificates" {
  description = "Whether the clusters' domains get certificates of ACM, valid once the parent domain names the zones' servers. A load balancer that ends TLS uses them."
  type        = bool
  default     = true
}

variable "delegations" {
  description = "Domains below a cluster's domain whose zone another root makes, each with its name servers (output name_servers of that root): prod's acme.example names dev's dev.acme.example so. Zones of one call are delegated to without it."
  type        = map(list(string))
  default     = {}
}

variable "certificate_authorities" {
  description = "Authorities that may issue certificates for the domains, for their CAA records; none are written when empty. Amazon and Let's Encrypt when null."
  type        = list(string)
  default     = null
}

variable "budget" {
  description = "Further inputs of the submodule budget: thresholds in percent, and the cost allocation tag of the costs that count."
  type = object({
    thresholds = optional(set(number))
    cost_tag   = optional(object({ key = string, value = string }))
  })
  default = {}
}

variable "alarms" {
  description = "Who gets the alarms. name begins the names of topic, alarms and budget, which are unique in an account and region; null takes name. Roots that share an account give each its own."
  type = object({
    name            = optional(string)
    emails          = optional(set(string), [])
    https_endpoints = optional(set(string), [])
  })
  default = {}
}

variable "anomaly_usd" {
  description = "What a cost out of the ordinary must be, in US dollars, for a message; no watch when 0. AWS allows one watch of services in an account, and makes one in most: set this in one root of an account that has none. Needs monthly_usd."
  type        = number
  default     = 0
}

variable "monthly_usd" {
  description = "What a month may cost, in US dollars; no budget when null."
  type        = number
  default     = null
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
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
