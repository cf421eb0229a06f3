variable "name" {
  description = "Prefix of the roles' names: lower-case letters, digits and hyphens."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 24 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "owner" {
  description = "GitHub organisation or user that owns the repositories, with its numeric id: `gh api orgs/NAME --jq .id` (users: `gh api users/NAME --jq .id`). Names can be taken over by others when they are given up, ids cannot."
  type = object({
    name = string
    id   = number
  })
  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9-]{0,37}[A-Za-z0-9])?$", var.owner.name))
    error_message = "owner.name must be the name of one GitHub organisation or user; wildcards would let anybody in."
  }
  validation {
    condition     = try(var.owner.id > 0 && floor(var.owner.id) == var.owner.id, false)
    error_message = "owner.id must be the owner's numeric id, a positive whole number: gh api orgs/NAME --jq .id"
  }
}

variable "repositories" {
  description = "Repositories that get roles, by name, each with its numeric id: `gh api repos/OWNER/NAME --jq .id`."
  type        = map(number)
  validation {
    condition     = length(var.repositories) > 0
    error_message = "repositories must name at least one repository with its id."
  }
  validation {
    condition     = alltrue([for name, id in var.repositories : can(regex("^[A-Za-z0-9_.-]{1,100}$", name))])
    error_message = "repositories must be plain names, without owner and without wildcards."
  }
  validation {
    condition     = alltrue([for name, id in var.repositories : try(id > 0 && floor(id) == id, false)])
    error_message = "repositories must have numeric ids, positive whole numbers: gh api repos/OWNER/NAME --jq .id"
  }
}

variable "classic_subjects" {
  description = "Whether tokens with the classic subject, repo:OWNER/NAME:…, are accepted beside those with the immutable one, repo:OWNER@ID/NAME@ID:…. Repositories made, renamed or transferred after 2026-07-15 send the immutable one; turn the classic one off when all of yours do."
  type        = bool
  default     = true
}

variable "create_provider" {
  description = "Whether to make the account's OIDC provider for GitHub. An account can have one only: false uses the one that is there."
  type        = bool
  default     = true
}

variable "push" {
  description = "Roles that push images, by name. Each is bound to a repository, to the reusable workflows that may push (job_workflow_ref, exactly) and to the refs or environments they run on; and may write to its ECR repositories alone."
  type = map(object({
    repository          = string
    workflow_refs       = list(string)
    refs                = optional(list(string), ["refs/heads/main"])
    environments        = optional(list(string), [])
    ecr_repository_arns = list(string)
  }))
  default = {}
  validation {
    condition     = alltrue([for r in var.push : contains(keys(var.repositories), r.repository)])
    error_message = "push: every repository must stand in repositories, with its id."
  }
  validation {
    condition     = alltrue([for r in var.push : length(r.workflow_refs) > 0 && alltrue([for w in r.workflow_refs : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+/\\.github/workflows/[A-Za-z0-9_.-]+\\.ya?ml@(refs/(heads|tags)/[A-Za-z0-9_./-]+|[0-9a-f]{40})$", w))])])
    error_message = "push: workflow_refs must each be OWNER/NAME/.github/workflows/FILE.yml@refs/heads/BRANCH (or @refs/tags/TAG, or @ a commit), without wildcards."
  }
  validation {
    condition     = alltrue([for r in var.push : length(r.refs) + length(r.environments) > 0])
    error_message = "push: name the refs or the environments that images are pushed from; a role open to every branch is not made."
  }
  validation {
    condition     = alltrue(flatten([for r in var.push : [for ref in r.refs : can(regex("^refs/(heads|tags)/[A-Za-z0-9_./-]+$", ref))]]))
    error_message = "push: refs must be full and exact, such as refs/heads/main, without wildcards."
  }
  validation {
    condition     = alltrue(flatten([for r in var.push : [for e in r.environments : can(regex("^[A-Za-z0-9_. :/-]+$", e))]]))
    error_message = "push: environments must be names of GitHub environments, without wildcards."
  }
  validation {
    condition     = alltrue([for r in var.push : length(r.ecr_repository_arns) > 0 && alltrue([for a in r.ecr_repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+$", a))])])
    error_message = "push: ecr_repository_arns must be ARNs of ECR repositories, at least one, without wildcards."
  }
}

variable "plan" {
  description = "Roles that plan, by name: read-only, for pull requests (and, with refs, for drift on a branch). They read the configuration of the types that Waybill's modules use, never secrets or objects, and of buckets only their own state. policy_arns adds what roots with other types need: a policy of your own, or AWS's ReadOnlyAccess. workflow_refs may end in @refs/pull/*/merge: a workflow of the repository itself is known by that in a pull request. unlocked_actions lets a role read what is kept from it otherwise, where Terraform must: lambda:GetFunction for functions, cognito-idp:DescribeUserPoolClient for clients."
  type = map(object({
    repository       = string
    workflow_refs    = list(string)
    refs             = optional(list(string), [])
    state_bucket_arn = string
    state_keys       = list(string)
    state_kms_arn    = string
    unlocked_actions = optional(set(string), [])
    policy_arns      = optional(list(string), [])
  }))
  default = {}
  validation {
    condition     = alltrue([for r in var.plan : contains(keys(var.repositories), r.repository)])
    error_message = "plan: every repository must stand in repositories, with its id."
  }
  validation {
    condition     = alltrue([for r in var.plan : length(r.workflow_refs) > 0 && alltrue([for w in r.workflow_refs : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+/\\.github/workflows/[A-Za-z0-9_.-]+\\.ya?ml@(refs/(heads|tags)/[A-Za-z0-9_./-]+|refs/pull/\\*/merge|[0-9a-f]{40})$", w))])])
    error_message = "plan: workflow_refs must each be OWNER/NAME/.github/workflows/FILE.yml@refs/heads/BRANCH (or @refs/tags/TAG, @refs/pull/*/merge, or @ a commit); no other wildcard."
  }
  validation {
    condition     = alltrue(flatten([for r in var.plan : [for ref in r.refs : can(regex("^refs/(heads|tags)/[A-Za-z0-9_./-]+$", ref))]]))
    error_message = "plan: refs must be full and exact, such as refs/heads/main, without wildcards."
  }
  validation {
    condition     = alltrue([for r in var.plan : length(r.state_keys) > 0 && alltrue([for k in r.state_keys : can(regex("^[A-Za-z0-9_./-]+$", k))])])
    error_message = "plan: state_keys must be the exact keys of the states that are planned, at least one."
  }
  validation {
    condition     = alltrue([for r in var.plan : length(setsubtract(r.unlocked_actions, ["cognito-idp:DescribeUserPoolClient", "lambda:GetFunction"])) == 0])
    error_message = "plan: unlocked_actions may be cognito-idp:DescribeUserPoolClient and lambda:GetFunction: pull requests read no secret and no data."
  }
}

variable "apply" {
  description = <<-EOT
    Roles that apply, by name. Each can be had only by a job in its GitHub
    environment, whose reviewers and branch rules are the second lock, in a
    workflow that is named exactly. What a role may change follows from what its
    roots make: clusters by their full name (the domain, and whether they have
    backup, database and budget), repositories of the module registry (a name, or
    a prefix such as quay/*), and with roles = true the roles of this module.
    policy_arns adds policies of your own, for other types, inside the boundary:
    the one that this module makes, or permissions_boundary_arn.
  EOT
  type = map(object({
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
  }))
  default = {}
  validation {
    condition     = alltrue([for r in var.apply : contains(keys(var.repositories), r.repository)])
    error_message = "apply: every repository must stand in repositories, with its id."
  }
  validation {
    condition     = alltrue([for r in var.apply : length(r.workflow_refs) > 0 && alltrue([for w in r.workflow_refs : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+/\\.github/workflows/[A-Za-z0-9_.-]+\\.ya?ml@(refs/(heads|tags)/[A-Za-z0-9_./-]+|[0-9a-f]{40})$", w))])])
    error_message = "apply: workflow_refs must each be OWNER/NAME/.github/workflows/FILE.yml@refs/heads/BRANCH (or @refs/tags/TAG, or @ a commit), without wildcards."
  }
  validation {
    condition     = alltrue([for r in var.apply : can(regex("^[A-Za-z0-9_. :/-]+$", r.environment))])
    error_message = "apply: environment must be the name of one GitHub environment, without wildcards: nothing applies outside of one."
  }
  validation {
    condition     = alltrue([for r in var.apply : length(r.policy_arns) + length(r.clusters) + length(r.repositories) > 0 || r.roles])
    error_message = "apply: clusters, repositories, roles or policy_arns must say what the role may do."
  }
  validation {
    condition     = alltrue(flatten([for r in var.apply : [for name in keys(r.clusters) : can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", name))]]))
    error_message = "apply: clusters must be full names such as acme-dev, 3 to 32 lower-case letters, digits and hyphens: the names of what they may change begin with it."
  }
  validation {
    condition     = alltrue(flatten([for r in var.apply : [for c in r.clusters : contains(["dev", "staging", "prod"], c.environment)]]))
    error_message = "apply: environment of a cluster must be dev, staging or prod."
  }
  validation {
    condition     = alltrue(flatten([for r in var.apply : [for c in r.clusters : c.domain == null || can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", c.domain))]]))
    error_message = "apply: domain of a cluster must be a domain in lower case, such as dev.acme.example, without wildcards."
  }
  validation {
    condition     = length(distinct(flatten([for r in var.apply : [for c in r.clusters : c.domain if c.domain != null]]))) == length(flatten([for r in var.apply : [for c in r.clusters : c.domain if c.domain != null]]))
    error_message = "apply: a domain belongs to one cluster: the role of another one could write its records."
  }
  validation {
    condition     = length(distinct(flatten([for r in var.apply : keys(r.clusters)]))) == length(flatten([for r in var.apply : keys(r.clusters)]))
    error_message = "apply: a cluster belongs to one role: two that change the same cluster are one lock with two keys."
  }
  validation {
    condition     = alltrue(flatten([for key, r in var.apply : [for name in keys(r.clusters) : [for other, o in var.apply : [for n in keys(o.clusters) : other == key || !startswith(substr(n, 0, 18), "${name}-") && !startswith(n, "${name}-")]]]]))
    error_message = "apply: no cluster's name may be that of another role's cluster with a hyphen and more behind it, such as acme-dev and acme-dev-eu: roles and buckets are told by the beginnings of their names."
  }
  validation {
    condition     = alltrue(flatten([for r in var.apply : [for name in r.repositories : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*(/[*])?$", name))]]))
    error_message = "apply: repositories must be names in ECR, or prefixes such as quay/*: a bare * would be every repository."
  }
  validation {
    condition     = length([for r in var.apply : r if r.roles]) <= 1
    error_message = "apply: one role at most has roles = true: that of the root in which this module is."
  }
  validation {
    condition     = length(distinct([for r in var.apply : "${r.repository}:${r.environment}"])) == length(var.apply)
    error_message = "apply: one role for each repository and environment, so that DEV and PROD never share one."
  }
  validation {
    condition     = alltrue([for r in var.apply : length(r.state_keys) > 0 && alltrue([for k in r.state_keys : can(regex("^[A-Za-z0-9_./-]+$", k))])])
    error_message = "apply: state_keys must be the exact keys of the states that are applied, at least one."
  }
}

variable "boundary_actions" {
  description = "What the boundary of the workflows' and people's roles lets through beside the services that Waybill's modules use, for plans and roots with types of other services: lambda:*, for example. Not IAM and not STS."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for a in var.boundary_actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9]*[*]?$", a)) && !can(regex("^(iam|sts|organizations|account|sso|sso-admin|identitystore):", lower(a)))])
    error_message = "boundary_actions must be actions such as lambda:* or dynamodb:CreateTable, of no service that gives rights (iam, sts, organizations, account, sso): the boundary is there to keep those in."
  }
}

variable "people" {
  description = "Roles that people take for a cluster, by name: what access entries name. principals are ARNs of the roles that may take it, where * stands for what IAM Identity Center adds to a permission set's role. The role itself may only look up the clusters, and with tunnel come to their API servers through a node (Session Manager); what it may do in one is the access entry's to say."
  type = map(object({
    principals = list(string)
    clusters   = set(string)
    tunnel     = optional(bool, false)
  }))
  default = {}
  validation {
    condition     = alltrue([for name in keys(var.people) : can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", name))])
    error_message = "people: names must be 2 to 32 lower-case letters, digits and hyphens."
  }
  validation {
    condition     = alltrue([for r in var.people : length(r.principals) > 0 && alltrue([for p in r.principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/([A-Za-z0-9+=,.@_*-]+/)*[A-Za-z0-9+=,.@_*-]*[A-Za-z0-9]{3}[A-Za-z0-9+=,.@_*-]*$", p)) && !endswith(p, "/AWSReservedSSO_*")])])
    error_message = "people: principals must be ARNs of roles, such as arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Platform_*; a role that everybody may take is not made."
  }
  validation {
    condition     = alltrue([for r in var.people : length(r.clusters) > 0 && alltrue([for c in r.clusters : can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", c))])])
    error_message = "people: clusters must be full names of clusters such as acme-dev, at least one, without wildcards."
  }
}

variable "jobs" {
  description = "Roles that jobs of GitHub take to reach a cluster, by name, such as the restore drill: bound like those that push, to a repository, its workflows and its refs or environments. The role itself may only look up the clusters, and with tunnel come to their API servers through a node (Session Manager); what it may do in one is the access entry's to say."
  type = map(object({
    repository    = string
    workflow_refs = list(string)
    refs          = optional(list(string), ["refs/heads/main"])
    environments  = optional(list(string), [])
    clusters      = set(string)
    tunnel        = optional(bool, false)
  }))
  default = {}
  validation {
    condition     = alltrue([for r in var.jobs : contains(keys(var.repositories), r.repository)])
    error_message = "jobs: every repository must stand in repositories, with its id."
  }
  validation {
    condition     = alltrue([for r in var.jobs : length(r.workflow_refs) > 0 && alltrue([for w in r.workflow_refs : can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9_.-]+/\\.github/workflows/[A-Za-z0-9_.-]+\\.ya?ml@(refs/(heads|tags)/[A-Za-z0-9_./-]+|[0-9a-f]{40})$", w))])])
    error_message = "jobs: workflow_refs must each be OWNER/NAME/.github/workflows/FILE.yml@refs/heads/BRANCH (or @refs/tags/TAG, or @ a commit), without wildcards."
  }
  validation {
    condition     = alltrue([for r in var.jobs : length(r.refs) + length(r.environments) > 0 && alltrue([for ref in r.refs : can(regex("^refs/(heads|tags)/[A-Za-z0-9_./-]+$", ref))]) && alltrue([for e in r.environments : can(regex("^[A-Za-z0-9_. :/-]+$", e))])])
    error_message = "jobs: name the refs (full and exact, such as refs/heads/main) or the environments of the jobs, without wildcards."
  }
  validation {
    condition     = alltrue([for r in var.jobs : length(r.clusters) > 0 && alltrue([for c in r.clusters : can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", c))])])
    error_message = "jobs: clusters must be full names of clusters such as acme-dev, at least one, without wildcards."
  }
}

variable "tags" {
  description = "Tags of the roles and the provider."
  type        = map(string)
  default     = {}
}
