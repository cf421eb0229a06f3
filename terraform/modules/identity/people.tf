# The roles that access entries of clusters name. In AWS they may look up the cluster,
# which is what `aws eks update-kubeconfig` does, and nothing else.
locals {
  look_up = { for key, clusters in merge(
    { for key, r in var.people : "person-${key}" => r.clusters },
    { for key, r in var.jobs : "job-${key}" => r.clusters },
    ) : key => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid      = "LookUp"
        Effect   = "Allow"
        Action   = ["eks:DescribeCluster"]
        Resource = [for name in sort(clusters) : "${local.arn}:eks:*:${local.account_id}:cluster/${name}"]
      }]
  }) }
}

# The principal is the account and the condition the role: a trust policy takes no
# wildcard in a principal's name, and Identity Center ends its names by chance.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
resource "aws_iam_role" "person" {
  for_each             = var.people
  name                 = "${var.name}-person-${each.key}"
  description          = "Taken by people: ${each.key}"
  permissions_boundary = one([for p in aws_iam_policy.boundary : local.boundary_arn])
  max_session_duration = 3600
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = distinct([for p in each.value.principals : "${local.arn}:iam::${split(":", p)[4]}:root"]) }
      Action    = "sts:AssumeRole"
      Condition = { ArnLike = { "aws:PrincipalArn" = each.value.principals } }
    }]
  })
}

resource "aws_iam_role_policy" "person" {
  for_each = var.people
  name     = "look-up"
  role     = aws_iam_role.person[each.key].name
  policy   = local.look_up["person-${each.key}"]
}

resource "aws_iam_role" "job" {
  for_each             = var.jobs
  name                 = "${var.name}-job-${each.key}"
  description          = "Taken by jobs of ${var.owner.name}/${each.value.repository}: ${each.key}"
  assume_role_policy   = local.trust["job-${each.key}"]
  permissions_boundary = one([for p in aws_iam_policy.boundary : local.boundary_arn])
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "job" {
  for_each = var.jobs
  name     = "look-up"
  role     = aws_iam_role.job[each.key].name
  policy   = local.look_up["job-${each.key}"]
}
