data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  issuer       = "token.actions.githubusercontent.com"
  provider_arn = var.create_provider ? aws_iam_openid_connect_provider.github[0].arn : "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/${local.issuer}"

  # What a token's subject says of the repository: with ids, and the classic
  # form without. Neither holds a wildcard, and they are compared as they are.
  prefixes = { for name, id in var.repositories : name => concat(
    ["repo:${var.owner.name}@${var.owner.id}/${name}@${id}"],
    var.classic_subjects ? ["repo:${var.owner.name}/${name}"] : [],
  ) }

  # What the subject says of the job. GitHub escapes colons in environments.
  contexts = {
    push  = { for key, r in var.push : key => concat([for ref in r.refs : "ref:${ref}"], [for e in r.environments : "environment:${replace(e, ":", "%3A")}"]) }
    job   = { for key, r in var.jobs : key => concat([for ref in r.refs : "ref:${ref}"], [for e in r.environments : "environment:${replace(e, ":", "%3A")}"]) }
    plan  = { for key, r in var.plan : key => concat(["pull_request"], [for ref in r.refs : "ref:${ref}"]) }
    apply = { for key, r in var.apply : key => ["environment:${replace(r.environment, ":", "%3A")}"] }
  }

  roles = merge([for kind, all in { push = var.push, job = var.jobs, plan = var.plan, apply = var.apply } : {
    for key, r in all : "${kind}-${key}" => {
      repository    = r.repository
      workflow_refs = r.workflow_refs
      subjects      = flatten([for prefix in try(local.prefixes[r.repository], []) : [for context in local.contexts[kind][key] : "${prefix}:${context}"]])
    }
  }]...)

  # StringEquals compares exactly; StringLike is for the one wildcard that is
  # let in: the number of the pull request, in a plan's workflow.
  trust = { for key, r in local.roles : key => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = r.subjects
          # A name that was given up and taken over has another id.
          "${local.issuer}:repository_id" = tostring(try(var.repositories[r.repository], 0))
        }
        StringLike = {
          "${local.issuer}:job_workflow_ref" = r.workflow_refs
        }
      }
    }]
  }) }
}

locals {
  # What policies of one's own, such as ReadOnlyAccess, let one read that is data or a
  # secret, not configuration.
  secrets = [
    "athena:GetQueryResults",
    "cognito-idp:DescribeUserPoolClient",
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "ec2:GetPasswordData",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "lambda:GetFunction",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:GetQueryResults",
    "logs:StartLiveTail",
    "logs:StartQuery",
    "rds:DownloadDBLogFilePortion",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "sqs:ReceiveMessage",
  ]
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.create_provider ? 1 : 0
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}

resource "aws_iam_role" "push" {
  for_each             = var.push
  name                 = "${var.name}-push-${each.key}"
  description          = "Pushes images from ${var.owner.name}/${each.value.repository}"
  assume_role_policy   = local.trust["push-${each.key}"]
  permissions_boundary = one([for p in aws_iam_policy.boundary : local.boundary_arn])
  max_session_duration = 3600
  tags                 = var.tags
}

# Push and pull of blobs and manifests in its own repositories; no deletion, no
# change of settings. Signatures and attestations are manifests like others.
resource "aws_iam_role_policy" "push" {
  for_each = var.push
  name     = "push"
  role     = aws_iam_role.push[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Login", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" },
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:CompleteLayerUpload",
          "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload",
          "ecr:ListImageReferrers",
          "ecr:ListImages",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = each.value.ecr_repository_arns
      },
    ]
  })
}

resource "aws_iam_role" "plan" {
  for_each             = var.plan
  name                 = "${var.name}-plan-${each.key}"
  description          = "Plans, read-only, for pull requests of ${var.owner.name}/${each.value.repository}"
  assume_role_policy   = local.trust["plan-${each.key}"]
  permissions_boundary = one([for p in aws_iam_policy.boundary : local.boundary_arn])
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "plan" {
  for_each   = merge([for key, r in var.plan : { for i, arn in r.policy_arns : "${key}-${i}" => { role = key, arn = arn } }]...)
  role       = aws_iam_role.plan[each.value.role].name
  policy_arn = each.value.arn
}

# A policy of one's own may also read what a pull request must not see: a denial goes
# before every permission.
resource "aws_iam_role_policy" "plan" {
  for_each = var.plan
  name     = "state-and-no-secrets"
  role     = aws_iam_role.plan[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadConfiguration"
        Effect   = "Allow"
        Action   = sort(setunion(toset(flatten(values(local.reads))), each.value.unlocked_actions))
        Resource = "*"
      },
      {
        Sid      = "ReadState"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for key in each.value.state_keys : "${each.value.state_bucket_arn}/${key}"]
      },
      { Sid = "ListState", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [each.value.state_bucket_arn] },
      { Sid = "DecryptState", Effect = "Allow", Action = ["kms:Decrypt"], Resource = [each.value.state_kms_arn] },
      {
        Sid         = "NoOtherObjects"
        Effect      = "Deny"
        Action      = ["s3:GetObject", "s3:GetObjectVersion"]
        NotResource = [for key in each.value.state_keys : "${each.value.state_bucket_arn}/${key}"]
      },
      { Sid = "NoOtherKeys", Effect = "Deny", Action = ["kms:Decrypt"], NotResource = [each.value.state_kms_arn] },
      { Sid = "NoSecrets", Effect = "Deny", Action = sort(setsubtract(local.secrets, each.value.unlocked_actions)), Resource = "*" },
      # AWS's own parameters are public: the names of images, for instance.
      { Sid = "NoParameters", Effect = "Deny", Action = ["ssm:GetParameter*"], NotResource = ["arn:${data.aws_partition.current.partition}:ssm:*::parameter/aws/service/*"] },
    ]
  })
}

resource "aws_iam_role" "apply" {
  for_each             = var.apply
  name                 = "${var.name}-apply-${each.key}"
  description          = "Applies ${var.owner.name}/${each.value.repository} from the GitHub environment ${each.value.environment}"
  assume_role_policy   = local.trust["apply-${each.key}"]
  permissions_boundary = each.value.permissions_boundary_arn == null ? one([for p in aws_iam_policy.boundary : local.boundary_arn]) : each.value.permissions_boundary_arn
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "apply" {
  for_each   = merge([for key, r in var.apply : { for i, arn in r.policy_arns : "${key}-${i}" => { role = key, arn = arn } }]...)
  role       = aws_iam_role.apply[each.value.role].name
  policy_arn = each.value.arn
}

# The state's lock is an object beside it.
resource "aws_iam_role_policy" "apply" {
  for_each = var.apply
  name     = "state"
  role     = aws_iam_role.apply[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "State"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = [for key in each.value.state_keys : "${each.value.state_bucket_arn}/${key}"]
      },
      {
        Sid      = "Lock"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
        Resource = [for key in each.value.state_keys : "${each.value.state_bucket_arn}/${key}.tflock"]
      },
      { Sid = "ListState", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [each.value.state_bucket_arn] },
      { Sid = "StateKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [each.value.state_kms_arn] },
    ]
  })
}
