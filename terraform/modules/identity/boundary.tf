# What nobody gets out of, whatever their policies say. Both boundaries are made here, by
# an administrator, and no role of a workflow can change them.
locals {
  bounded      = length(local.writers) > 0
  boundary_arn = "${local.arn}:iam::${local.account_id}:policy/${var.name}-boundary"
  made_arns    = "${local.arn}:iam::${local.account_id}:policy/${var.name}-made-*"
}

# Of the roles that workflows and people take. A boundary gives nothing: it is the most
# that a role's own policies can give. IAM stands here by single actions: no users, keys,
# providers of identities or boundaries, and no other role can be taken.
resource "aws_iam_policy" "boundary" {
  count       = local.bounded ? 1 : 0
  name        = "${var.name}-boundary"
  description = "The most that roles of workflows may do"
  tags        = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Services"
        Effect = "Allow"
        Action = concat([for service in [
          "acm", "autoscaling", "budgets", "ce", "cloudwatch", "ec2", "ecr", "eks", "elasticloadbalancing", "events", "kms",
          "logs", "rds", "route53", "s3", "secretsmanager", "sns", "sqs",
        ] : "${service}:*"], ["ssm:GetParameter", "sts:GetCallerIdentity"], sort(var.boundary_actions))
        Resource = "*"
      },
      # A connection through a node, and no shell on it.
      { Sid = "Tunnels", Effect = "Allow", Action = ["ssm:StartSession"], Resource = [local.tunnel_document, "${local.arn}:ec2:*:${local.account_id}:instance/*"] },
      { Sid = "EndTunnels", Effect = "Allow", Action = ["ssm:ResumeSession", "ssm:TerminateSession"], Resource = "*" },
      {
        Sid    = "Roles"
        Effect = "Allow"
        Action = [
          "iam:AttachRolePolicy",
          "iam:CreatePolicy",
          "iam:CreatePolicyVersion",
          "iam:CreateRole",
          "iam:CreateServiceLinkedRole",
          "iam:DeletePolicy",
          "iam:DeletePolicyVersion",
          "iam:DeleteRole",
          "iam:DeleteRolePolicy",
          "iam:DetachRolePolicy",
          "iam:Get*",
          "iam:List*",
          "iam:PassRole",
          "iam:PutRolePermissionsBoundary",
          "iam:PutRolePolicy",
          "iam:TagPolicy",
          "iam:TagRole",
          "iam:UntagPolicy",
          "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy",
          "iam:UpdateRole",
          "iam:UpdateRoleDescription",
        ]
        Resource = "*"
      },
      {
        Sid       = "NoRoleWithoutBoundary"
        Effect    = "Deny"
        Action    = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
        Resource  = "*"
        Condition = { StringNotLike = { "iam:PermissionsBoundary" = [local.boundary_arn, local.made_arns] } }
      },
      { Sid = "NoOtherBoundary", Effect = "Deny", NotAction = ["iam:Get*", "iam:List*"], Resource = [local.boundary_arn, local.made_arns] },
      { Sid = "NoRoleOfWorkflowsToServices", Effect = "Deny", Action = ["iam:PassRole"], Resource = local.workflow_roles },
      { Sid = "NoChangeOfProviders", Effect = "Deny", NotAction = ["iam:Get*", "iam:List*"], Resource = ["${local.arn}:iam::${local.account_id}:oidc-provider/*", "${local.arn}:iam::${local.account_id}:saml-provider/*"] },
    ]
  })
}

# Of the roles that an apply makes, for control planes, nodes and components: they start
# machines and load balancers, and read their own cluster's secrets and buckets. None
# makes a role, and only Karpenter gives one away: that of its nodes, to them.
resource "aws_iam_policy" "made" {
  for_each    = local.made_roots
  name        = "${var.name}-made-${each.key}"
  description = "The most that roles made by ${var.name}-apply-${each.key} may do"
  tags        = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid    = "Services"
        Effect = "Allow"
        Action = [
          "acm:DescribeCertificate",
          "acm:ListCertificates",
          "autoscaling:*",
          "ec2:*",
          "ec2messages:*",
          "ecr:*",
          "eks-auth:AssumeRoleForPodIdentity",
          "eks:DescribeCluster",
          "elasticfilesystem:*",
          "elasticloadbalancing:*",
          "logs:CreateLogGroup",
          "logs:CreateLogStream",
          "logs:DescribeLogGroups",
          "logs:DescribeLogStreams",
          "logs:PutLogEvents",
          "logs:PutRetentionPolicy",
          "pricing:GetProducts",
          "shield:GetSubscriptionState",
          "ssm:DescribeAssociation",
          "ssm:DescribeDocument",
          "ssm:GetDeployablePatchSnapshotForInstance",
          "ssm:GetDocument",
          "ssm:GetManifest",
          "ssm:GetParameter",
          "ssm:ListAssociations",
          "ssm:ListInstanceAssociations",
          "ssm:PutComplianceItems",
          "ssm:PutConfigurePackageResult",
          "ssm:PutInventory",
          "ssm:UpdateAssociationStatus",
          "ssm:UpdateInstanceAssociationStatus",
          "ssm:UpdateInstanceInformation",
          "ssmmessages:*",
          "wafv2:AssociateWebACL",
          "wafv2:DisassociateWebACL",
          "wafv2:Get*",
        ]
        Resource = "*"
      },
      { Sid = "Names", Effect = "Allow", Action = ["route53:ChangeResourceRecordSets", "route53:GetChange", "route53:List*"], Resource = "*" },
      {
        Sid      = "Profiles"
        Effect   = "Allow"
        Action   = ["iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:CreateServiceLinkedRole", "iam:DeleteInstanceProfile", "iam:GetInstanceProfile", "iam:GetServerCertificate", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfiles", "iam:ListServerCertificates", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile"]
        Resource = "*"
      },
      # Other parameters than AWS's own may be secrets.
      { Sid = "NoParameters", Effect = "Deny", Action = ["ssm:GetParameter*"], NotResource = ["${local.arn}:ssm:*::parameter/aws/service/*"] },
      {
        Sid       = "NotOfOtherClusters"
        Effect    = "Deny"
        Action    = ["*"]
        Resource  = ["*"]
        Condition = { StringNotEquals = { "aws:ResourceTag/${local.tag}" = concat(each.value.names, ["none"]) }, Null = { "aws:ResourceTag/${local.tag}" = "false" } }
      },
      ], [for s in [
        { Sid = "Buckets", Effect = "Allow", Action = ["s3:*"], Resource = flatten([for name in each.value.names : ["${local.arn}:s3:::${name}-${local.account_id}-*"]]) },
        { Sid = "Secrets", Effect = "Allow", Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds"], Resource = [for name in each.value.names : "${local.arn}:secretsmanager:*:${local.account_id}:secret:${name}/*"] },
        {
          Sid       = "PasswordOfDatabase"
          Effect    = "Allow"
          Action    = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
          Resource  = ["${local.arn}:secretsmanager:*:${local.account_id}:secret:rds!*"]
          Condition = { ArnLike = { "aws:ResourceTag/aws:rds:primaryDBInstanceArn" = [for name in each.value.names : "${local.arn}:rds:*:${local.account_id}:db:${name}"] } }
        },
        { Sid = "Keys", Effect = "Allow", Action = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ListGrants"], Resource = ["${local.arn}:kms:*:${local.account_id}:key/*"], Condition = each.value.own },
        { Sid = "Queues", Effect = "Allow", Action = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], Resource = [for name in each.value.names : "${local.arn}:sqs:*:${local.account_id}:${name}-karpenter"] },
        { Sid = "NodesOfKarpenter", Effect = "Allow", Action = ["iam:PassRole"], Resource = [for name in each.value.names : "${local.arn}:iam::${local.account_id}:role/${name}-karpenter-node"], Condition = { StringEquals = { "iam:PassedToService" = distinct(["ec2.amazonaws.com", "ec2.${data.aws_partition.current.dns_suffix}"]) } } },
    ] : s if length(each.value.names) > 0])
  })
}
