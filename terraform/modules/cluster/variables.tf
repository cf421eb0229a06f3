variable "name" {
  description = "Name of the cluster, and the prefix of everything of it."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 32 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "environment" {
  description = "Environment that the cluster is: dev, staging or prod."
  type        = string
  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version, such as 1.34. When null, a new cluster gets EKS's current one and then stays there: upgrades are always asked for."
  type        = string
  default     = null
  validation {
    condition     = var.kubernetes_version == null || can(regex("^1\\.(3[2-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version such as 1.34, at least 1.32, or null for the current one."
  }
}

variable "upgrades_after" {
  description = "Cluster of the environment before, by the name that it has in EKS: this one never has a newer Kubernetes version than that one runs. Needs kubernetes_version. None when null."
  type        = string
  default     = null
  validation {
    condition     = var.upgrades_after == null || var.kubernetes_version != null
    error_message = "upgrades_after needs kubernetes_version: a new cluster without one gets EKS's newest."
  }
  validation {
    condition     = var.upgrades_after != var.name
    error_message = "upgrades_after must be another cluster than this one."
  }
}

variable "ahead_because" {
  description = "Why this cluster may have a newer Kubernetes version than that of upgrades_after, such as \"dev is being rebuilt, #123\": a waiver, for as long as it stands here. None when null."
  type        = string
  default     = null
  validation {
    condition     = var.ahead_because == null || try(length(trimspace(var.ahead_because)) >= 10, false)
    error_message = "ahead_because must be a reason, of ten characters at least."
  }
}

variable "support_type" {
  description = "What happens when standard support of the Kubernetes version ends, 14 months after EKS has it. STANDARD: AWS upgrades the control plane by itself then. EXTENDED: the version stays for another 12 months at a higher price, and is upgraded after that. Upgrade before, on a day that you choose."
  type        = string
  default     = "STANDARD"
  validation {
    condition     = contains(["STANDARD", "EXTENDED"], var.support_type)
    error_message = "support_type must be STANDARD or EXTENDED."
  }
}

variable "vpc_id" {
  description = "VPC of the cluster."
  type        = string
}

variable "node_subnet_ids" {
  description = "Private subnets of the nodes."
  type        = list(string)
  validation {
    condition     = length(distinct(var.node_subnet_ids)) >= 2
    error_message = "node_subnet_ids must name at least two subnets, in different zones."
  }
}

variable "control_plane_subnet_ids" {
  description = "Subnets of the control plane's interfaces, best without a route out."
  type        = list(string)
  validation {
    condition     = length(distinct(var.control_plane_subnet_ids)) >= 2
    error_message = "control_plane_subnet_ids must name at least two subnets, in different zones: EKS takes no less."
  }
}

variable "api_allowed_cidrs" {
  description = "Networks that reach the API server: the VPN, the office's link, the VPC of the runners. The endpoint is private: it has no address on the internet, whatever stands here. Nodes always reach it."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for c in var.api_allowed_cidrs : can(cidrnetmask(c))])
    error_message = "api_allowed_cidrs must be IPv4 networks, such as 10.8.0.0/16."
  }
  validation {
    condition     = alltrue([for c in var.api_allowed_cidrs : try(tonumber(split("/", c)[1]) >= 8, true)])
    error_message = "api_allowed_cidrs must be no wider than /8: name the networks that need the API."
  }
}

variable "log_retention_days" {
  description = "Days that the control plane's logs, audit among them, are kept in CloudWatch."
  type        = number
  nullable    = false
  default     = 365
  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch knows, and at least 90: 90, 120, 150, 180, 365, 400, 545, 731, 1096 and so on."
  }
}

variable "admin_role_arns" {
  description = "IAM roles of the platform's administrators: everything in the cluster."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for a in var.admin_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", a))])
    error_message = "admin_role_arns must be ARNs of IAM roles: people and workflows take roles, users have long-lived keys."
  }
}

variable "break_glass_role_arns" {
  description = "IAM roles for emergencies: everything in the cluster, under a name of their own (break-glass), which the audit log shows and the module alarms watches."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for a in var.break_glass_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", a))])
    error_message = "break_glass_role_arns must be ARNs of IAM roles."
  }
  validation {
    condition     = length(setintersection(var.break_glass_role_arns, setunion(var.admin_role_arns, var.read_only_role_arns))) == 0
    error_message = "break_glass_role_arns must be roles of their own: a role that is used every day hides its emergencies."
  }
}

variable "read_only_role_arns" {
  description = "IAM roles that see everything but secrets."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for a in var.read_only_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", a))])
    error_message = "read_only_role_arns must be ARNs of IAM roles."
  }
  validation {
    condition     = length(setintersection(var.read_only_role_arns, var.admin_role_arns)) == 0
    error_message = "read_only_role_arns must not be administrators too: EKS has one entry for a role."
  }
}

variable "developer_groups" {
  description = "Developers, by group: an IAM role and its namespaces. They edit there in dev and staging; in prod they view, unless edit is true. Their Kubernetes group is waybill:GROUP, for what the repository's own RBAC adds."
  type = map(object({
    role_arn   = string
    namespaces = set(string)
    edit       = optional(bool)
  }))
  default = {}
  validation {
    condition     = alltrue([for g in var.developer_groups : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", g.role_arn))])
    error_message = "developer_groups: role_arn must be the ARN of an IAM role."
  }
  validation {
    condition     = alltrue([for g in var.developer_groups : length(g.namespaces) > 0 && alltrue([for n in g.namespaces : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", n))])])
    error_message = "developer_groups: namespaces must be names of namespaces, at least one, without wildcards."
  }
  validation {
    condition     = alltrue([for g in var.developer_groups : length(setintersection(g.namespaces, local.platform_namespaces)) == 0])
    error_message = "developer_groups: the platform's namespaces (kube-system, argocd, monitoring and so on) are not theirs: whoever edits there owns the cluster, or takes a component's role in AWS."
  }
  validation {
    condition     = length(distinct([for g in var.developer_groups : g.role_arn])) == length(var.developer_groups) && length(setintersection([for g in var.developer_groups : g.role_arn], setunion(var.admin_role_arns, var.break_glass_role_arns, var.read_only_role_arns))) == 0
    error_message = "developer_groups: each group needs a role of its own, which is in no other list: EKS has one entry for a role."
  }
}

variable "addons" {
  description = "EKS add-ons, by name, with version and configuration (JSON) where they are fixed. Without a version they follow the control plane: EKS's default for its version. vpc-cni, kube-proxy and eks-pod-identity-agent come before the nodes, the others after."
  type = map(object({
    version       = optional(string)
    configuration = optional(string)
  }))
  nullable = false
  default = {
    vpc-cni                = { configuration = "{\"enableNetworkPolicy\":\"true\"}" }
    kube-proxy             = {}
    eks-pod-identity-agent = {}
    coredns                = {}
    aws-ebs-csi-driver     = {}
    snapshot-controller    = {}
    metrics-server         = {}
  }
  validation {
    condition     = length(setsubtract(["vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns"], keys(var.addons))) == 0
    error_message = "addons must hold vpc-cni, kube-proxy, coredns and eks-pod-identity-agent: without them nothing runs, or runs with the node's permissions."
  }
  validation {
    condition     = alltrue([for a in var.addons : a.configuration == null || can(jsondecode(a.configuration))])
    error_message = "addons: configuration must be JSON."
  }
}

variable "node_groups" {
  description = "Managed node groups, by name. Three t3.medium by default, from two to ten. The instance types decide the architecture: all x86-64 or all Graviton. Nodes follow the newest image of their Kubernetes version unless release_version names one, such as 1.34.1-20251120."
  type = map(object({
    instance_types  = optional(list(string), ["t3.medium"])
    capacity_type   = optional(string, "ON_DEMAND")
    desired         = optional(number, 3)
    min             = optional(number, 2)
    max             = optional(number, 10)
    disk_gib        = optional(number, 50)
    labels          = optional(map(string), {})
    release_version = optional(string)
  }))
  default = { general = {} }
  validation {
    condition     = length(var.node_groups) > 0 && !contains(keys(var.node_groups), "ingress")
    error_message = "node_groups must hold at least one group, and none called ingress: that is ingress_nodes."
  }
  validation {
    condition     = alltrue([for g in var.node_groups : g.min >= 1 && g.min <= g.desired && g.desired <= g.max])
    error_message = "node_groups: min must be at least 1, and desired between min and max."
  }
  validation {
    condition     = sum(concat([var.ingress_nodes.max], [for g in var.node_groups : g.max])) <= 900
    error_message = "node_groups: all groups and ingress_nodes together may have at most 900 nodes: the quota of the namespace node-agents in the config repository is for 1,000, with those of Karpenter."
  }
  validation {
    condition     = alltrue([for g in var.node_groups : contains(["ON_DEMAND", "SPOT"], g.capacity_type)])
    error_message = "node_groups: capacity_type must be ON_DEMAND or SPOT."
  }
  validation {
    condition     = alltrue([for g in var.node_groups : g.disk_gib >= 20 && g.disk_gib <= 1000])
    error_message = "node_groups: disk_gib must be from 20 to 1000."
  }
  validation {
    condition     = alltrue([for g in var.node_groups : length(g.instance_types) > 0])
    error_message = "node_groups: instance_types must name at least one type."
  }
  validation {
    condition     = alltrue([for g in var.node_groups : length(distinct([for t in g.instance_types : can(regex("^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)[.]", t))])) <= 1])
    error_message = "node_groups: instance_types of one group must have one architecture: all x86-64, or all Graviton such as t4g.medium."
  }
  validation {
    condition     = alltrue([for name in keys(var.node_groups) : length(name) <= 36])
    error_message = "node_groups: names must have at most 36 characters: EKS adds 26 to tell a new group from the one that it replaces."
  }
  validation {
    condition     = alltrue([for g in var.node_groups : g.release_version == null || can(regex("^1[.][0-9]+[.][0-9]+-[0-9]{8}$", g.release_version))])
    error_message = "node_groups: release_version must be a release of the AMI, such as 1.34.1-20251120, or null for the newest."
  }
}

variable "ingress_nodes" {
  description = "The node group that takes traffic from outside: tainted dedicated=ingress:NoSchedule and labelled dedicated=ingress, at least two nodes."
  type = object({
    instance_types  = optional(list(string), ["t3.medium"])
    desired         = optional(number, 2)
    min             = optional(number, 2)
    max             = optional(number, 4)
    disk_gib        = optional(number, 50)
    release_version = optional(string)
  })
  default = {}
  validation {
    condition     = var.ingress_nodes.min >= 2
    error_message = "ingress_nodes.min must be at least 2: the loss of one node must not be an outage."
  }
  validation {
    condition     = var.ingress_nodes.min <= var.ingress_nodes.desired && var.ingress_nodes.desired <= var.ingress_nodes.max
    error_message = "ingress_nodes.desired must be between min and max."
  }
  validation {
    condition     = length(distinct([for t in var.ingress_nodes.instance_types : can(regex("^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)[.]", t))])) == 1
    error_message = "ingress_nodes: instance_types must name types of one architecture: all x86-64, or all Graviton such as t4g.medium."
  }
}

variable "scale_down" {
  description = "Whether a dev cluster has no nodes outside working hours. Other environments are never scaled down, whatever stands here."
  type        = bool
  default     = true
}

variable "working_hours" {
  description = "When a dev cluster has its nodes: cron expressions (five fields) of start and end, in that time zone."
  type = object({
    start     = optional(string, "0 7 * * MON-FRI")
    end       = optional(string, "0 20 * * MON-FRI")
    time_zone = optional(string, "Etc/UTC")
  })
  default = {}
  validation {
    condition     = alltrue([for c in [var.working_hours.start, var.working_hours.end] : can(regex("^[^ ]+( [^ ]+){4}$", c))])
    error_message = "working_hours: start and end must be cron expressions of five fields, such as 0 7 * * MON-FRI."
  }
  validation {
    condition     = var.working_hours.start != var.working_hours.end
    error_message = "working_hours: start and end must differ."
  }
  validation {
    condition     = can(regex("^[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+)+$", var.working_hours.time_zone))
    error_message = "working_hours: time_zone must be an IANA name, such as Europe/Berlin or Etc/UTC."
  }
}

variable "pull_through_prefixes" {
  description = "Prefixes of repositories that nodes may pull through ECR's cache, of which the first pull makes a repository: the keys of pull_through of the module registry."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for p in var.pull_through_prefixes : can(regex("^[a-z0-9]+([._-][a-z0-9]+)*$", p))])
    error_message = "pull_through_prefixes must be prefixes such as quay, without wildcards: a bare * would let nodes make every repository."
  }
}

variable "components" {
  description = "Components of the platform that call AWS, each with a role for its own service account (Pod Identity). What they may reach stands in component_resources."
  type        = set(string)
  default     = ["aws-load-balancer-controller", "karpenter"]
  validation {
    condition     = length(setsubtract(var.components, ["aws-load-balancer-controller", "cert-manager", "external-dns", "external-secrets", "karpenter", "kyverno", "loki", "tempo", "velero"])) == 0
    error_message = "components may be aws-load-balancer-controller, cert-manager, external-dns, external-secrets, karpenter, kyverno, loki, tempo and velero."
  }
}

variable "component_resources" {
  description = "What the components may reach: dns_zone_arns for external-dns and cert-manager, private_zone_arns for external-dns alone, secret_arns (a final * is allowed) for External Secrets, repository_arns (those of the account when empty) for Kyverno, a bucket each for Velero, Loki and Tempo, and the keys that encrypt all of these."
  type = object({
    dns_zone_arns     = optional(list(string), [])
    private_zone_arns = optional(list(string), [])
    secret_arns       = optional(list(string), [])
    repository_arns   = optional(list(string), [])
    velero_bucket_arn = optional(string)
    loki_bucket_arn   = optional(string)
    tempo_bucket_arn  = optional(string)
    kms_key_arns      = optional(list(string), [])
  })
  default = {}
  validation {
    condition     = length(var.component_resources.dns_zone_arns) > 0 || !contains(var.components, "cert-manager")
    error_message = "component_resources: cert-manager needs dns_zone_arns: nobody outside sees a challenge in a private zone."
  }
  validation {
    condition     = length(var.component_resources.dns_zone_arns) + length(var.component_resources.private_zone_arns) > 0 || !contains(var.components, "external-dns")
    error_message = "component_resources: external-dns needs dns_zone_arns or private_zone_arns."
  }
  validation {
    condition     = length(var.component_resources.secret_arns) > 0 || !contains(var.components, "external-secrets")
    error_message = "component_resources: external-secrets needs secret_arns."
  }
  validation {
    condition = alltrue([for name, arn in {
      velero = var.component_resources.velero_bucket_arn, loki = var.component_resources.loki_bucket_arn, tempo = var.component_resources.tempo_bucket_arn
    } : arn != null || !contains(var.components, name)])
    error_message = "component_resources: velero, loki and tempo each need their bucket."
  }
  validation {
    condition     = alltrue([for a in concat(var.component_resources.dns_zone_arns, var.component_resources.private_zone_arns) : can(regex("^arn:[a-z-]+:route53:::hostedzone/[A-Z0-9]+$", a))])
    error_message = "component_resources: dns_zone_arns and private_zone_arns must be ARNs of Route 53 zones, without wildcards."
  }
  validation {
    condition     = alltrue([for a in var.component_resources.secret_arns : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+\\*?$", a))])
    error_message = "component_resources: secret_arns must be ARNs of secrets or of a prefix such as …:secret:shop-dev/*, never of all secrets."
  }
  validation {
    condition     = alltrue([for a in var.component_resources.repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+[*]?$", a))])
    error_message = "component_resources: repository_arns must be ARNs of repositories of ECR, or of a prefix such as …:repository/shop/*."
  }
  validation {
    condition     = alltrue([for a in compact([var.component_resources.velero_bucket_arn, var.component_resources.loki_bucket_arn, var.component_resources.tempo_bucket_arn]) : can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+$", a))])
    error_message = "component_resources: buckets must be ARNs of S3 buckets."
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
  description = "Tags of everything in the cluster."
  type        = map(string)
  default     = {}
}
