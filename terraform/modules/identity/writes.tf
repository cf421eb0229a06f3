# What an apply role may change: what Waybill's modules make for the clusters, images
# and roles that `apply` names, and nothing else of the account. The actions are those of
# AWS's Service Authorization Reference; a test plans every root of examples/infra and
# holds each resource of the plan to them, in both directions.
#
# Three ways tell a root's things from those of other roots:
#   names       roles, buckets, queues, topics, clusters: their ARNs begin with the cluster's name
#   tags        what AWS names itself, such as networks and keys: waybill.dev/cluster
#   names of DNS  a zone's ARN says nothing, so records are told by the names that they are for
locals {
  account_id = data.aws_caller_identity.current.account_id
  arn        = "arn:${data.aws_partition.current.partition}"
  tag        = "waybill.dev/cluster"

  made_roots = { for key, r in var.apply : key => {
    names     = sort(keys(r.clusters))
    domains   = sort(compact([for c in r.clusters : c.domain]))
    dev       = sort([for name, c in r.clusters : name if c.environment == "dev"])
    backups   = sort([for name, c in r.clusters : name if c.backup])
    databases = sort([for name, c in r.clusters : name if c.database])
    budgets   = sort([for name, c in r.clusters : name if c.budget])

    repositories = sort(tolist(r.repositories))
    state_key    = r.state_kms_arn
    own          = { StringEquals = { "aws:ResourceTag/${local.tag}" = sort(keys(r.clusters)) } }
    new          = { StringEquals = { "aws:RequestTag/${local.tag}" = sort(keys(r.clusters)) } }
    # The roles of a cluster begin with its name, of which the module keeps 18 to 32 characters.
    roles = flatten([for name in sort(keys(r.clusters)) : distinct([for n in [name, substr(name, 0, 18)] : "${local.arn}:iam::${local.account_id}:role/${n}-*"])])
    made  = "${local.arn}:iam::${local.account_id}:policy/${var.name}-made-${key}"
  } if length(r.clusters) > 0 || length(r.repositories) > 0 }

  # EC2 asks for the new thing by its tag in the request, and for what it is made in by
  # the tag that it has.
  network = { for key, r in local.made_roots : key => [for s in [
    {
      Sid      = "Make"
      Effect   = "Allow"
      Action   = local.network_new
      Resource = [for kind in ["elastic-ip", "internet-gateway", "launch-template", "natgateway", "route-table", "security-group", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log"] : "${local.arn}:ec2:*:${local.account_id}:${kind}/*"]

      Condition = r.new
    },
    {
      Sid       = "MakeIn"
      Effect    = "Allow"
      Action    = local.network_new
      Resource  = [for kind in ["elastic-ip", "route-table", "security-group", "subnet", "vpc"] : "${local.arn}:ec2:*:${local.account_id}:${kind}/*"]
      Condition = r.own
    },
    {
      Sid      = "TagNew"
      Effect   = "Allow"
      Action   = ["ec2:CreateTags"]
      Resource = ["${local.arn}:ec2:*:${local.account_id}:*/*"]
      Condition = { StringEquals = merge(r.new.StringEquals, {
        "ec2:CreateAction" = sort([for a in concat(local.network_new, ["ec2:AuthorizeSecurityGroupIngress", "ec2:RunInstances"]) : trimprefix(a, "ec2:")])
      }) }
    },
    {
      Sid    = "Change"
      Effect = "Allow"
      Action = [
        "ec2:AssociateRouteTable",
        "ec2:AttachInternetGateway",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:CreateRoute",
        "ec2:CreateTags",
        "ec2:DeleteFlowLogs",
        "ec2:DeleteInternetGateway",
        "ec2:DeleteLaunchTemplate",
        "ec2:DeleteNatGateway",
        "ec2:DeleteRoute",
        "ec2:DeleteRouteTable",
        "ec2:DeleteSecurityGroup",
        "ec2:DeleteSubnet",
        "ec2:DeleteTags",
        "ec2:DeleteVpc",
        "ec2:DeleteVpcEndpoints",
        "ec2:DetachInternetGateway",
        "ec2:DisassociateAddress",
        "ec2:DisassociateRouteTable",
        "ec2:ModifyLaunchTemplate",
        "ec2:ModifySecurityGroupRules",
        "ec2:ModifySubnetAttribute",
        "ec2:ModifyVpcAttribute",
        "ec2:ModifyVpcEndpoint",
        "ec2:ReleaseAddress",
        "ec2:ReplaceRoute",
        "ec2:ReplaceRouteTableAssociation",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
      ]
      Resource  = ["*"]
      Condition = r.own
    },
    # A rule is judged by its group; the rule itself may have no tag yet.
    { Sid = "Rules", Effect = "Allow", Action = ["ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules"], Resource = ["${local.arn}:ec2:*:${local.account_id}:security-group-rule/*"] },
    # The default group of a new network has no tags: the provider gives it some first.
    # https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/vpc_default_security_group.go
    {
      Sid       = "AdoptDefaultGroup"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["${local.arn}:ec2:*:${local.account_id}:security-group/*"]
      Condition = merge(r.new, { Null = { "aws:ResourceTag/${local.tag}" = "true" } })
    },
    # EKS starts the nodes of a group with a launch template as whoever asks for the group.
    # https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html
    { Sid = "NodesByTemplate", Effect = "Allow", Action = ["ec2:RunInstances"], Resource = ["${local.arn}:ec2:*:${local.account_id}:launch-template/*"], Condition = r.own },
    {
      Sid      = "Nodes"
      Effect   = "Allow"
      Action   = ["ec2:RunInstances"]
      Resource = concat(["${local.arn}:ec2:*::image/*"], [for kind in ["instance", "network-interface", "security-group", "subnet", "volume"] : "${local.arn}:ec2:*:${local.account_id}:${kind}/*"])
    },
  ] : s if length(r.names) > 0] }

  network_new = [
    "ec2:AllocateAddress",
    "ec2:CreateFlowLogs",
    "ec2:CreateInternetGateway",
    "ec2:CreateLaunchTemplate",
    "ec2:CreateNatGateway",
    "ec2:CreateRouteTable",
    "ec2:CreateSecurityGroup",
    "ec2:CreateSubnet",
    "ec2:CreateVpc",
    "ec2:CreateVpcEndpoint",
  ]

  # The policies of AWS that the modules give to roles.
  attachable = [for policy in [
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonSSMManagedInstanceCore",
    "service-role/AmazonEBSCSIDriverPolicy",
    "service-role/AmazonEFSCSIDriverPolicy",
    "service-role/AmazonRDSEnhancedMonitoringRole",
  ] : "${local.arn}:iam::aws:policy/${policy}"]

  cluster = { for key, r in local.made_roots : key => concat(
    [for names in [r.names] : {
      Sid    = "Clusters"
      Effect = "Allow"
      Action = [
        "eks:AssociateAccessPolicy",
        "eks:CreateAccessEntry",
        "eks:CreateAddon",
        "eks:CreateCluster",
        "eks:CreateNodegroup",
        "eks:CreatePodIdentityAssociation",
        "eks:DeleteAccessEntry",
        "eks:DeleteAddon",
        "eks:DeleteCluster",
        "eks:DeleteNodegroup",
        "eks:DeletePodIdentityAssociation",
        "eks:DescribeUpdate",
        "eks:DisassociateAccessPolicy",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateAccessEntry",
        "eks:UpdateAddon",
        "eks:UpdateClusterConfig",
        "eks:UpdateClusterVersion",
        "eks:UpdateNodegroupConfig",
        "eks:UpdateNodegroupVersion",
        "eks:UpdatePodIdentityAssociation",
      ]
      Resource = flatten([for name in names : [for kind in ["access-entry", "addon", "cluster", "nodegroup", "podidentityassociation"] : "${local.arn}:eks:*:${local.account_id}:${kind}/${name}${kind == "cluster" ? "" : "/*"}"]])
    } if length(names) > 0],
    [for names in [r.dev] : {
      Sid       = "WorkingHours"
      Effect    = "Allow"
      Action    = ["autoscaling:DeleteScheduledAction", "autoscaling:PutScheduledUpdateGroupAction"]
      Resource  = ["${local.arn}:autoscaling:*:${local.account_id}:autoScalingGroup:*:autoScalingGroupName/eks-*"]
      Condition = { StringEquals = { "aws:ResourceTag/eks:cluster-name" = names } } # EKS's own tag
    } if length(names) > 0],
    [for roles in [local.made_role_arns[key]] : {
      Sid       = "NewRoles"
      Effect    = "Allow"
      Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = r.made } }
    }],
    [for roles in [r.roles] : {
      Sid       = "PoliciesOfAWS"
      Effect    = "Allow"
      Action    = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
      Resource  = roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = r.made }, ArnEquals = { "iam:PolicyARN" = local.attachable } }
    } if length(roles) > 0],
    [for roles in [local.made_role_arns[key]] : {
      Sid      = "Roles"
      Effect   = "Allow"
      Action   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
      Resource = roles
    }],
    [for roles in [local.made_role_arns[key]] : {
      Sid      = "GiveRoles"
      Effect   = "Allow"
      Action   = ["iam:PassRole"]
      Resource = roles
      Condition = { StringEquals = { "iam:PassedToService" = concat(
        length(r.names) > 0 ? ["ec2.${data.aws_partition.current.dns_suffix}", "eks.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com"] : [],
        length(r.backups) > 0 ? ["s3.amazonaws.com"] : [],
        length(r.databases) > 0 ? ["monitoring.rds.amazonaws.com", "rds.amazonaws.com"] : [],
        length(r.repositories) > 0 ? ["ecr.amazonaws.com"] : [],
      ) } }
    }],
    [{
      Sid      = "RolesOfServices"
      Effect   = "Allow"
      Action   = ["iam:CreateServiceLinkedRole"]
      Resource = ["${local.arn}:iam::${local.account_id}:role/aws-service-role/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = concat(
        length(r.names) > 0 ? ["autoscaling.amazonaws.com", "eks-nodegroup.amazonaws.com", "eks.amazonaws.com", "elasticloadbalancing.amazonaws.com", "spot.amazonaws.com"] : [],
        length(r.databases) > 0 ? ["rds.amazonaws.com"] : [],
        length(r.repositories) > 0 ? ["pullthroughcache.ecr.amazonaws.com", "replication.ecr.amazonaws.com"] : [],
      ) } }
    }],
  ) }

  made_role_arns = { for key, r in local.made_roots : key => concat(r.roles, length(r.repositories) > 0 ? ["${local.arn}:iam::${local.account_id}:role/ecr-templates-*"] : []) }

  data = { for key, r in local.made_roots : key => concat(
    [for names in [r.names] : {
      Sid    = "Buckets"
      Effect = "Allow"
      Action = concat([
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:TagResource",
        "s3:UntagResource",
      ], length(r.backups) > 0 ? ["s3:PutBucketLogging", "s3:PutBucketObjectLockConfiguration", "s3:PutReplicationConfiguration"] : [])
      Resource = [for name in names : "${local.arn}:s3:::${name}-${local.account_id}-*"]
    } if length(names) > 0],
    [for names in [r.names] : {
      Sid       = "NewKeys"
      Effect    = "Allow"
      Action    = ["kms:CreateKey", "kms:TagResource"]
      Resource  = ["*"]
      Condition = r.new
    } if length(names) > 0],
    [for names in [r.names] : {
      Sid    = "Keys"
      Effect = "Allow"
      Action = [
        "kms:CancelKeyDeletion",
        "kms:CreateAlias",
        "kms:CreateGrant",
        "kms:DeleteAlias",
        "kms:DisableKey",
        "kms:DisableKeyRotation",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateAlias",
        "kms:UpdateKeyDescription",
      ]
      Resource  = ["${local.arn}:kms:*:${local.account_id}:key/*"]
      Condition = r.own
    } if length(names) > 0],
    [for names in [r.names] : {
      Sid      = "NamesOfKeys"
      Effect   = "Allow"
      Action   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
      Resource = [for name in names : "${local.arn}:kms:*:${local.account_id}:alias/eks/${name}"]
    } if length(names) > 0],
    # Whoever tags a key as their own may change it: not the one of the states.
    [for names in [r.names] : {
      Sid      = "NotTheKeyOfStates"
      Effect   = "Deny"
      Action   = ["kms:CreateAlias", "kms:CreateGrant", "kms:Disable*", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription"]
      Resource = [r.state_key]
    } if length(names) > 0],
    [for names in [r.databases] : {
      Sid       = "PasswordsOfDatabases"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = ["${local.arn}:kms:*:${local.account_id}:key/*"]
      Condition = { StringEquals = r.own.StringEquals, StringLike = { "kms:ViaService" = "secretsmanager.*.amazonaws.com*" } }
    } if length(names) > 0],
    [for names in [r.databases] : {
      Sid      = "SecretsOfDatabases"
      Effect   = "Allow"
      Action   = ["secretsmanager:CreateSecret", "secretsmanager:RotateSecret", "secretsmanager:TagResource"]
      Resource = ["${local.arn}:secretsmanager:*:${local.account_id}:secret:rds!*"]
    } if length(names) > 0],
    [for names in [r.databases] : {
      Sid    = "Databases"
      Effect = "Allow"
      Action = [
        "rds:AddTagsToResource",
        "rds:CreateDBInstance",
        "rds:CreateDBParameterGroup",
        "rds:CreateDBSnapshot",
        "rds:CreateDBSubnetGroup",
        "rds:DeleteDBInstance",
        "rds:DeleteDBParameterGroup",
        "rds:DeleteDBSubnetGroup",
        "rds:ModifyDBInstance",
        "rds:ModifyDBParameterGroup",
        "rds:ModifyDBSubnetGroup",
        "rds:RebootDBInstance",
        "rds:RemoveTagsFromResource",
        "rds:ResetDBParameterGroup",
      ]
      Resource = flatten([for name in names : [
        "${local.arn}:rds:*:${local.account_id}:db:${name}",
        "${local.arn}:rds:*:${local.account_id}:pg:${name}-*",
        "${local.arn}:rds:*:${local.account_id}:snapshot:${name}-final",
        "${local.arn}:rds:*:${local.account_id}:subgrp:${name}",
        "${local.arn}:rds:*:${local.account_id}:pg:default.*",
        "${local.arn}:rds:*:${local.account_id}:og:default:*",
      ]])
    } if length(names) > 0],
    [for names in [r.repositories] : {
      Sid    = "Repositories"
      Effect = "Allow"
      Action = [
        "ecr:CreatePullThroughCacheRule",
        "ecr:CreateRepository",
        "ecr:DeleteLifecyclePolicy",
        "ecr:DeletePullThroughCacheRule",
        "ecr:DeleteRepository",
        "ecr:DeleteRepositoryPolicy",
        "ecr:PutImageScanningConfiguration",
        "ecr:PutImageTagMutability",
        "ecr:PutLifecyclePolicy",
        "ecr:SetRepositoryPolicy",
        "ecr:TagResource",
        "ecr:UntagResource",
        "ecr:UpdatePullThroughCacheRule",
      ]
      Resource = [for name in names : "${local.arn}:ecr:*:${local.account_id}:repository/${name}"]
    } if length(names) > 0],
    # These belong to the registry, of which an account has one in a region.
    [for names in [r.repositories] : {
      Sid      = "Registry"
      Effect   = "Allow"
      Action   = ["ecr:CreatePullThroughCacheRule", "ecr:CreateRepositoryCreationTemplate", "ecr:DeletePullThroughCacheRule", "ecr:DeleteRepositoryCreationTemplate", "ecr:PutReplicationConfiguration", "ecr:UpdatePullThroughCacheRule", "ecr:UpdateRepositoryCreationTemplate"]
      Resource = ["*"]
    } if length(names) > 0],
  ) }

  services = { for key, r in local.made_roots : key => concat(
    [for s in [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteMetricFilter", "logs:DeleteRetentionPolicy", "logs:DisassociateKmsKey", "logs:PutMetricFilter", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"]
        Resource = flatten([for name in r.names : [for group in ["/aws/eks/${name}/*", "/waybill/${name}/*"] : "${local.arn}:logs:*:${local.account_id}:log-group:${group}"]])
      },
      { Sid = "Queues", Effect = "Allow", Action = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"], Resource = [for name in r.names : "${local.arn}:sqs:*:${local.account_id}:${name}-karpenter"] },
      { Sid = "Events", Effect = "Allow", Action = ["events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource"], Resource = [for name in r.names : "${local.arn}:events:*:${local.account_id}:rule/${name}-karpenter-*"] },
      { Sid = "Topics", Effect = "Allow", Action = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"], Resource = [for name in r.names : "${local.arn}:sns:*:${local.account_id}:${name}-alarms"] },
      { Sid = "Unsubscribe", Effect = "Allow", Action = ["sns:Unsubscribe"], Resource = ["*"] }, # AWS knows no resource for it
      { Sid = "Alarms", Effect = "Allow", Action = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"], Resource = [for name in r.names : "${local.arn}:cloudwatch:*:${local.account_id}:alarm:${name}-*"] },
    ] : s if length(r.names) > 0],
    [for domains in [r.domains] : { Sid = "NewZones", Effect = "Allow", Action = ["route53:CreateHostedZone"], Resource = ["*"] } if length(domains) > 0],
    # A zone with records cannot be deleted, and records are told by their names. A private
    # zone is made with its one network. Nobody moves it to another: AWS cannot tell whose
    # zone it is, and the role could cut another cluster off. A new network in its place is an
    # administrator's to apply.
    [for domains in [r.domains] : { Sid = "Zones", Effect = "Allow", Action = ["route53:ChangeTagsForResource", "route53:DeleteHostedZone", "route53:UpdateHostedZoneComment"], Resource = ["${local.arn}:route53:::hostedzone/*"] } if length(domains) > 0],
    [for domains in [r.domains] : {
      Sid       = "Records"
      Effect    = "Allow"
      Action    = ["route53:ChangeResourceRecordSets"]
      Resource  = ["${local.arn}:route53:::hostedzone/*"]
      Condition = { "ForAllValues:StringLike" = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = flatten([for domain in domains : [domain, "*.${domain}"]]) } }
    } if length(domains) > 0],
    [for domains in [r.domains] : { Sid = "Changes", Effect = "Allow", Action = ["route53:GetChange"], Resource = ["${local.arn}:route53:::change/*"] } if length(domains) > 0],
    [for domains in [r.domains] : { Sid = "NewCertificates", Effect = "Allow", Action = ["acm:AddTagsToCertificate", "acm:RequestCertificate"], Resource = ["*"], Condition = r.new } if length(domains) > 0],
    [for domains in [r.domains] : { Sid = "Certificates", Effect = "Allow", Action = ["acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"], Resource = ["*"], Condition = r.own } if length(domains) > 0],
    [for names in [r.budgets] : { Sid = "Budgets", Effect = "Allow", Action = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"], Resource = [for name in names : "${local.arn}:budgets::${local.account_id}:budget/${name}"] } if length(names) > 0],
    # AWS allows one monitor of services in an account, so there is no other root's.
    [for names in [r.budgets] : { Sid = "Anomalies", Effect = "Allow", Action = ["ce:CreateAnomalyMonitor", "ce:CreateAnomalySubscription", "ce:DeleteAnomalyMonitor", "ce:DeleteAnomalySubscription", "ce:TagResource", "ce:UntagResource", "ce:UpdateAnomalyMonitor", "ce:UpdateAnomalySubscription"], Resource = ["*"] } if length(names) > 0],
    # Whatever else is allowed: what carries the name of another cluster is not touched. Which
    # Kubernetes version that has is asked, so that none is ahead of the one before it.
    [{
      Sid       = "NotOfOtherClusters"
      Effect    = "Deny"
      NotAction = ["eks:DescribeCluster"]
      Resource  = ["*"]
      Condition = { StringNotEquals = { "aws:ResourceTag/${local.tag}" = concat(r.names, ["none"]) }, Null = { "aws:ResourceTag/${local.tag}" = "false" } }
    }],
  ) }

  # The root that makes these roles may change them, inside the boundary, but not itself,
  # not the boundaries and not the provider: an administrator does that.
  workflow_roles = [for kind in ["push", "plan", "apply", "person", "job"] : "${local.arn}:iam::${local.account_id}:role/${var.name}-${kind}-*"]
  makes_roles = { for key, r in var.apply : key => [
    {
      Sid       = "NewRoles"
      Effect    = "Allow"
      Action    = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = local.workflow_roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
    },
    { Sid = "Roles", Effect = "Allow", Action = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"], Resource = local.workflow_roles },
    { Sid = "Policies", Effect = "Allow", Action = ["iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:TagPolicy", "iam:UntagPolicy"], Resource = ["${local.arn}:iam::${local.account_id}:policy/${var.name}-apply-*"] },
    { Sid = "NotItself", Effect = "Deny", NotAction = ["iam:Get*", "iam:List*"], Resource = ["${local.arn}:iam::${local.account_id}:role/${var.name}-apply-${key}", "${local.arn}:iam::${local.account_id}:policy/${var.name}-apply-${key}-*"] },
  ] if r.roles }

  # A policy of AWS has 6,144 characters, so each part is one.
  write_policies = merge(
    { for key, statements in local.network : "${key}-network" => statements if length(statements) > 0 },
    { for key, statements in local.cluster : "${key}-cluster" => statements },
    { for key, statements in local.data : "${key}-data" => statements if length(statements) > 0 },
    { for key, statements in local.services : "${key}-services" => statements if length(statements) > 0 },
    { for key, statements in local.makes_roles : "${key}-roles" => statements },
  )
  writers = toset(concat(keys(local.made_roots), keys(local.makes_roles)))
}

resource "aws_iam_policy" "apply" {
  for_each    = local.write_policies
  name        = "${var.name}-apply-${each.key}"
  description = "What ${var.name}-apply-${each.key} may change"
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })
  tags        = var.tags
}

# An apply refreshes what it changes, as a plan does.
resource "aws_iam_role_policy" "apply_reads" {
  for_each = local.writers
  name     = "read"
  role     = aws_iam_role.apply[each.key].name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "ReadConfiguration", Effect = "Allow", Action = sort(toset(flatten(values(local.reads)))), Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "writes" {
  for_each   = merge([for key in local.writers : { for name in keys(local.write_policies) : name => key if contains([for part in ["network", "cluster", "data", "services", "roles"] : "${key}-${part}"], name) }]...)
  role       = aws_iam_role.apply[each.value].name
  policy_arn = aws_iam_policy.apply[each.key].arn
}
