data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # ECR expires an image by the first rule that its tags match, and a rule that
  # matched shields it from those after it. So the kept patterns come first,
  # each with a count that no repository reaches (patterns in one rule would
  # all have to match), and the ephemeral ones last. No rule looks at untagged
  # images or at any tag.
  never = 100000
  lifecycle_rules = concat(
    [for i, pattern in var.kept_tags : {
      rulePriority = i + 1
      description  = "keep ${pattern}"
      selection    = { tagStatus = "tagged", tagPatternList = [pattern], countType = "imageCountMoreThan", countNumber = local.never }
      action       = { type = "expire" }
    }],
    [for i, pattern in var.ephemeral_tags : {
      rulePriority = length(var.kept_tags) + i + 1
      description  = "expire ${pattern}"
      selection    = { tagStatus = "tagged", tagPatternList = [pattern], countType = "sinceImagePushed", countUnit = "days", countNumber = var.ephemeral_days }
      action       = { type = "expire" }
    }],
  )
}

resource "aws_ecr_repository" "this" {
  for_each             = var.repositories
  name                 = each.key
  image_tag_mutability = length(var.mutable_tags) == 0 ? "IMMUTABLE" : "IMMUTABLE_WITH_EXCLUSION"
  force_delete         = false
  tags                 = var.tags

  dynamic "image_tag_mutability_exclusion_filter" {
    for_each = var.mutable_tags
    content {
      filter      = image_tag_mutability_exclusion_filter.value
      filter_type = "WILDCARD"
    }
  }

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }

}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each   = length(var.ephemeral_tags) == 0 ? [] : var.repositories
  repository = aws_ecr_repository.this[each.key].name
  policy     = jsonencode({ rules = local.lifecycle_rules })
}

resource "aws_ecr_repository_policy" "pull" {
  for_each   = length(var.pull_account_ids) == 0 ? [] : var.repositories
  repository = aws_ecr_repository.this[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Pull"
      Effect    = "Allow"
      Principal = { AWS = [for id in sort(var.pull_account_ids) : "arn:${data.aws_partition.current.partition}:iam::${id}:root"] }
      Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImageReferrers"]
    }]
  })
}

resource "aws_ecr_replication_configuration" "this" {
  count = length(var.replica_regions) == 0 ? 0 : 1
  replication_configuration {
    rule {
      dynamic "destination" {
        for_each = var.replica_regions
        content {
          region      = destination.value
          registry_id = data.aws_caller_identity.current.account_id
        }
      }
    }
  }
}

resource "aws_ecr_pull_through_cache_rule" "this" {
  for_each              = var.pull_through
  ecr_repository_prefix = each.key
  upstream_registry_url = each.value.upstream
  credential_arn        = each.value.credential_arn
}

# What the repositories of the cache are made with: a tag stays what it was
# when it was first pulled, and old images go, since they can be had again.
resource "aws_ecr_repository_creation_template" "this" {
  for_each             = var.pull_through
  prefix               = each.key
  description          = "Images of ${each.value.upstream}"
  applied_for          = ["PULL_THROUGH_CACHE"]
  image_tag_mutability = "IMMUTABLE"
  resource_tags        = length(var.tags) == 0 ? null : var.tags
  custom_role_arn      = aws_iam_role.template[0].arn

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

# ECR needs a role to tag or encrypt what it makes by a template.
resource "aws_iam_role" "template" {
  count                = length(var.pull_through) > 0 ? 1 : 0
  permissions_boundary = var.permissions_boundary_arn
  name_prefix          = "ecr-templates-"
  description          = "Tags and encrypts the repositories that ECR makes for its cache"
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecr.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "template" {
  count = length(aws_iam_role.template)
  name  = "create"
  role  = aws_iam_role.template[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "Repositories"
        Effect   = "Allow"
        Action   = ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"]
        Resource = [for prefix in sort(keys(var.pull_through)) : "arn:${data.aws_partition.current.partition}:ecr:*:${data.aws_caller_identity.current.account_id}:repository/${prefix}/*"]
      }],
      [for arn in compact([var.kms_key_arn]) : {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"]
        Resource = [arn]
      }],
    )
  })
}
