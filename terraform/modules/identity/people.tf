# The roles that access entries of clusters name. In AWS they may look up the cluster,
# which is what `aws eks update-kubeconfig` does, and where asked for, come to its API
# server through a node.
locals {
  look_up = { for key, r in merge(
    { for key, r in var.people : "person-${key}" => { clusters = sort(r.clusters), tunnel = r.tunnel } },
    { for key, r in var.jobs : "job-${key}" => { clusters = sort(r.clusters), tunnel = r.tunnel } },
    ) : key => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [{
          Sid      = "LookUp"
          Effect   = "Allow"
          Action   = ["eks:DescribeCluster"]
          Resource = [for name in r.clusters : "${local.arn}:eks:*:${local.account_id}:cluster/${name}"]
        }],
        # The API server has no public address. A node carries a connection to it, and gives
        # no shell: only this document may be used.
        # https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-quickstart.html
        [for s in [
          { Sid = "FindNode", Effect = "Allow", Action = ["ec2:DescribeInstances"], Resource = ["*"] },
          {
            Sid       = "TunnelThroughNode"
            Effect    = "Allow"
            Action    = ["ssm:StartSession"]
            Resource  = ["${local.arn}:ec2:*:${local.account_id}:instance/*"]
            Condition = { StringEquals = { "ssm:resourceTag/${local.tag}" = r.clusters }, BoolIfExists = { "ssm:SessionDocumentAccessCheck" = "true" } }
          },
          { Sid = "TunnelAndNoShell", Effect = "Allow", Action = ["ssm:StartSession"], Resource = [local.tunnel_document] },
          { Sid = "EndTunnel", Effect = "Allow", Action = ["ssm:ResumeSession", "ssm:TerminateSession"], Resource = ["${local.arn}:ssm:*:${local.account_id}:session/$${aws:userid}-*"] },
        ] : s if r.tunnel],
      )
  }) }

  tunnel_document = "${local.arn}:ssm:*::document/AWS-StartPortForwardingSessionToRemoteHost"
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
