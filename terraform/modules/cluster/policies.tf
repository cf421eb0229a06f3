# What the two components with long lists may do: they make machines and load
# balancers, and may change only what carries the cluster's tag.
locals {
  ec2      = "arn:${local.partition}:ec2:${local.region}:*"
  balancer = "arn:${local.partition}:elasticloadbalancing:*:*"

  made_by_controller = { Null = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "false" } }
  of_controller      = { Null = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = "false" } }
  tagged_by_controller = {
    Null = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "true", "aws:ResourceTag/elbv2.k8s.aws/cluster" = "false" }
  }

  load_balancer_statements = [
    { Sid = "ServiceRole", Effect = "Allow", Action = ["iam:CreateServiceLinkedRole"], Resource = ["*"], Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } } },
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "acm:DescribeCertificate",
        "acm:ListCertificates",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeCoipPools",
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeIpamPools",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
        "ec2:GetCoipPoolUsage",
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:Describe*",
        "iam:GetServerCertificate",
        "iam:ListServerCertificates",
        "shield:GetSubscriptionState",
        "wafv2:GetWebACL",
        "wafv2:GetWebACLForResource",
      ]
      Resource = ["*"]
    },
    { Sid = "Firewall", Effect = "Allow", Action = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"], Resource = ["*"] },
    { Sid = "NewGroup", Effect = "Allow", Action = ["ec2:CreateSecurityGroup"], Resource = ["*"] },
    { Sid = "TagNewGroup", Effect = "Allow", Action = ["ec2:CreateTags"], Resource = ["${local.ec2}:security-group/*"], Condition = merge({ StringEquals = { "ec2:CreateAction" = "CreateSecurityGroup" } }, local.made_by_controller) },
    { Sid = "TagGroup", Effect = "Allow", Action = ["ec2:CreateTags", "ec2:DeleteTags"], Resource = ["${local.ec2}:security-group/*"], Condition = local.tagged_by_controller },
    # The node group's own group gets a rule too, and has no tag of the controller.
    { Sid = "Rules", Effect = "Allow", Action = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"], Resource = ["*"] },
    { Sid = "OldGroup", Effect = "Allow", Action = ["ec2:DeleteSecurityGroup"], Resource = ["*"], Condition = local.of_controller },
    { Sid = "New", Effect = "Allow", Action = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"], Resource = ["*"], Condition = local.made_by_controller },
    { Sid = "Listeners", Effect = "Allow", Action = ["elasticloadbalancing:CreateListener", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteRule"], Resource = ["*"] },
    {
      Sid       = "Tag"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource  = ["${local.balancer}:targetgroup/*/*", "${local.balancer}:loadbalancer/net/*/*", "${local.balancer}:loadbalancer/app/*/*"]
      Condition = local.tagged_by_controller
    },
    {
      Sid      = "TagListeners"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource = ["${local.balancer}:listener/net/*/*/*", "${local.balancer}:listener/app/*/*/*", "${local.balancer}:listener-rule/net/*/*/*", "${local.balancer}:listener-rule/app/*/*/*"]
    },
    {
      Sid       = "TagNew"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:AddTags"]
      Resource  = ["${local.balancer}:targetgroup/*/*", "${local.balancer}:loadbalancer/net/*/*", "${local.balancer}:loadbalancer/app/*/*"]
      Condition = merge({ StringEquals = { "elasticloadbalancing:CreateAction" = ["CreateTargetGroup", "CreateLoadBalancer"] } }, local.made_by_controller)
    },
    {
      Sid    = "Own"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyCapacityReservation",
        "elasticloadbalancing:ModifyIpPools",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ]
      Resource  = ["*"]
      Condition = local.of_controller
    },
    { Sid = "Targets", Effect = "Allow", Action = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"], Resource = ["${local.balancer}:targetgroup/*/*"] },
    {
      Sid      = "Change"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:RemoveListenerCertificates", "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:SetWebAcl"]
      Resource = ["*"]
    },
  ]

  cluster_tag = "kubernetes.io/cluster/${var.name}"
  of_karpenter = {
    StringEquals = { "aws:ResourceTag/${local.cluster_tag}" = "owned" }
    StringLike   = { "aws:ResourceTag/karpenter.sh/nodepool" = "*" }
  }
  made_by_karpenter = {
    StringEquals = { "aws:RequestTag/${local.cluster_tag}" = "owned", "aws:RequestTag/eks:eks-cluster-name" = var.name }
    StringLike   = { "aws:RequestTag/karpenter.sh/nodepool" = "*" }
  }
  profile = "arn:${local.partition}:iam::${local.account}:instance-profile/*"

  karpenter_statements = [
    { Sid = "Launch", Effect = "Allow", Action = ["ec2:RunInstances", "ec2:CreateFleet"], Resource = ["arn:${local.partition}:ec2:${local.region}::image/*", "arn:${local.partition}:ec2:${local.region}::snapshot/*", "${local.ec2}:security-group/*", "${local.ec2}:subnet/*", "${local.ec2}:capacity-reservation/*"] },
    { Sid = "LaunchByTemplate", Effect = "Allow", Action = ["ec2:RunInstances", "ec2:CreateFleet"], Resource = ["${local.ec2}:launch-template/*"], Condition = local.of_karpenter },
    {
      Sid       = "Make"
      Effect    = "Allow"
      Action    = ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"]
      Resource  = [for kind in ["fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request"] : "${local.ec2}:${kind}/*"]
      Condition = local.made_by_karpenter
    },
    {
      Sid      = "TagNew"
      Effect   = "Allow"
      Action   = ["ec2:CreateTags"]
      Resource = [for kind in ["fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request"] : "${local.ec2}:${kind}/*"]
      Condition = {
        StringEquals = merge(local.made_by_karpenter.StringEquals, { "ec2:CreateAction" = ["RunInstances", "CreateFleet", "CreateLaunchTemplate"] })
        StringLike   = local.made_by_karpenter.StringLike
      }
    },
    {
      Sid      = "Tag"
      Effect   = "Allow"
      Action   = ["ec2:CreateTags"]
      Resource = ["${local.ec2}:instance/*"]
      Condition = merge(local.of_karpenter, {
        StringEqualsIfExists        = { "aws:RequestTag/eks:eks-cluster-name" = var.name }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"] }
      })
    },
    { Sid = "End", Effect = "Allow", Action = ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"], Resource = ["${local.ec2}:instance/*", "${local.ec2}:launch-template/*"], Condition = local.of_karpenter },
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "ec2:DescribeCapacityReservations",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeSubnets",
      ]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
    },
    { Sid = "Images", Effect = "Allow", Action = ["ssm:GetParameter"], Resource = ["arn:${local.partition}:ssm:${local.region}::parameter/aws/service/*"] },
    { Sid = "Prices", Effect = "Allow", Action = ["pricing:GetProducts"], Resource = ["*"] },
    { Sid = "Interruptions", Effect = "Allow", Action = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], Resource = [for q in aws_sqs_queue.karpenter : q.arn] },
    { Sid = "NodeRole", Effect = "Allow", Action = ["iam:PassRole"], Resource = [for r in aws_iam_role.karpenter_node : r.arn], Condition = { StringEquals = { "iam:PassedToService" = distinct(["ec2.amazonaws.com", "ec2.${data.aws_partition.current.dns_suffix}"]) } } },
    {
      Sid      = "NewProfile"
      Effect   = "Allow"
      Action   = ["iam:CreateInstanceProfile"]
      Resource = [local.profile]
      Condition = {
        StringEquals = { "aws:RequestTag/${local.cluster_tag}" = "owned", "aws:RequestTag/eks:eks-cluster-name" = var.name, "aws:RequestTag/topology.kubernetes.io/region" = local.region }
        StringLike   = { "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass" = "*" }
      }
    },
    {
      Sid      = "TagProfile"
      Effect   = "Allow"
      Action   = ["iam:TagInstanceProfile"]
      Resource = [local.profile]
      Condition = {
        StringEquals = {
          "aws:ResourceTag/${local.cluster_tag}"          = "owned"
          "aws:ResourceTag/topology.kubernetes.io/region" = local.region
          "aws:RequestTag/${local.cluster_tag}"           = "owned"
          "aws:RequestTag/eks:eks-cluster-name"           = var.name
          "aws:RequestTag/topology.kubernetes.io/region"  = local.region
        }
        StringLike = { "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass" = "*", "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass" = "*" }
      }
    },
    {
      Sid      = "Profiles"
      Effect   = "Allow"
      Action   = ["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"]
      Resource = [local.profile]
      Condition = {
        StringEquals = { "aws:ResourceTag/${local.cluster_tag}" = "owned", "aws:ResourceTag/topology.kubernetes.io/region" = local.region }
        StringLike   = { "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass" = "*" }
      }
    },
    { Sid = "LookAtProfiles", Effect = "Allow", Action = ["iam:GetInstanceProfile"], Resource = [local.profile] },
    { Sid = "ListProfiles", Effect = "Allow", Action = ["iam:ListInstanceProfiles"], Resource = ["*"] },
    { Sid = "Cluster", Effect = "Allow", Action = ["eks:DescribeCluster"], Resource = [local.cluster_arn] },
  ]
}
