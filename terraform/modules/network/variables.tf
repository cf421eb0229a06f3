variable "name" {
  description = "Name of the network, and the prefix of everything in it: lower-case letters, digits and hyphens."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "cidr" {
  description = "Addresses of the VPC, /16 to /20. Three eighths go to private subnets, three thirty-seconds each to public and intra ones."
  type        = string
  default     = "10.0.0.0/16"
  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], true)
    error_message = "cidr must be an IPv4 network such as 10.0.0.0/16, with no bits set beyond the prefix."
  }
  validation {
    condition     = !can(cidrnetmask(var.cidr)) || try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr must be between /16 and /20: AWS allows no more, and the cluster's pods need no less."
  }
}

variable "zones" {
  description = "Availability zones, for instance eu-west-1a, eu-west-1b and eu-west-1c; two where the region has no third."
  type        = list(string)
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 3 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must name three different availability zones, or two where the region has no third."
  }
}

variable "nat" {
  description = "NAT gateways: per_zone survives the loss of a zone, one is cheaper and does not."
  type        = string
  default     = "per_zone"
  validation {
    condition     = contains(["one", "per_zone"], var.nat)
    error_message = "nat must be one or per_zone."
  }
}

variable "cluster_names" {
  description = "EKS clusters that use the subnets, for the tags by which load balancers and Karpenter find them; none when empty."
  type        = set(string)
  default     = []
}

variable "interface_endpoints" {
  description = "AWS services reached inside the VPC, by the last part of the endpoint's service name, or by the whole of it where that is not com.amazonaws.REGION and the part, as for some services in China; with none, their traffic goes through NAT. S3 always has its (free) gateway endpoint."
  type        = set(string)
  nullable    = false
  default     = ["ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "kms", "logs", "secretsmanager", "sqs", "sts"]
  validation {
    condition     = alltrue([for s in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*$", s))])
    error_message = "interface_endpoints are names such as ecr.api, or whole names such as cn.com.amazonaws.cn-north-1.ecr.api."
  }
  validation {
    condition     = !contains(var.interface_endpoints, "s3")
    error_message = "interface_endpoints must not hold s3: it has its gateway endpoint already."
  }
}

variable "flow_log_retention_days" {
  description = "Days that flow logs are kept in CloudWatch."
  type        = number
  nullable    = false
  default     = 365
  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "flow_log_retention_days must be one that CloudWatch knows, and at least 30: 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096 and so on."
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
  description = "Tags of everything in the network."
  type        = map(string)
  default     = {}
}
