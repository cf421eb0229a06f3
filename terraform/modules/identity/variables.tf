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
  description = "Roles that apply, by name. Each can be had only by a job in its GitHub environment, whose reviewers and branch rules are the second lock, in a workflow that is named exactly. What it may do is what its policies say, inside the boundary."
  type = map(object({
    repository               = string
    workflow_refs            = list(string)
    environment              = string
    policy_arns              = list(string)
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
    condition     = alltrue([for r in var.apply : length(r.policy_arns) > 0])
    error_message = "apply: policy_arns must say what the role may do."
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

variable "tags" {
  description = "Tags of the roles and the provider."
  type        = map(string)
  default     = {}
}
