variable "public_domains" {
  description = "Domains with a public zone and a certificate for the domain and one level below it (*.DOMAIN)."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for d in var.public_domains : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", d))])
    error_message = "public_domains must be lower-case domain names such as dev.example.com, without wildcard and final dot."
  }
}

variable "private_domains" {
  description = "Domains with a private zone, each with the VPCs that see it."
  type        = map(list(string))
  default     = {}
  validation {
    condition     = alltrue([for d in keys(var.private_domains) : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", d))])
    error_message = "private_domains must be lower-case domain names such as dev.internal, without wildcard and final dot."
  }
  validation {
    condition     = alltrue([for vpcs in values(var.private_domains) : length(vpcs) > 0])
    error_message = "private_domains must each name at least one VPC: a private zone without one is a public one."
  }
  validation {
    condition     = length(setintersection(keys(var.private_domains), var.public_domains)) == 0
    error_message = "private_domains must not be public too: inside the VPC the private zone would hide the public one."
  }
}

variable "delegations" {
  description = "Domains below one of public_domains whose zone another root makes, each with its name servers: what that root prints. Zones of this call are delegated to without it."
  type        = map(list(string))
  default     = {}
  validation {
    condition     = alltrue([for domain, servers in var.delegations : length(servers) >= 2 && alltrue([for s in servers : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,63}[.]?$", s))])])
    error_message = "delegations must each have at least two name servers, such as ns-1.awsdns-00.org."
  }
  validation {
    condition     = alltrue([for domain in keys(var.delegations) : length([for d in var.public_domains : d if endswith(domain, ".${d}")]) == 1 && !contains(var.public_domains, domain)])
    error_message = "delegations must be below one of public_domains, and none of them."
  }
}

variable "certificates" {
  description = "Whether public domains get certificates, which are valid once the domain's parent names the zone's servers; nothing waits for that. cert-manager in the cluster needs none of them."
  type        = bool
  default     = true
}

variable "certificate_authorities" {
  description = "Authorities that may issue certificates for the public domains (CAA records); anybody when empty."
  type        = list(string)
  nullable    = false
  default     = ["amazon.com", "letsencrypt.org"]
  validation {
    condition     = length(var.certificate_authorities) == 0 || !var.certificates || contains(var.certificate_authorities, "amazon.com")
    error_message = "certificate_authorities must hold amazon.com: the certificates come from there."
  }
}

variable "tags" {
  description = "Tags of zones and certificates."
  type        = map(string)
  default     = {}
}
