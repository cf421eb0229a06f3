data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id
  tags      = merge(var.tags, { "waybill.dev/cluster" = var.name, "waybill.dev/environment" = var.environment })

  log_group     = "/aws/eks/${var.name}/cluster"
  log_group_arn = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}"
}

# What the cluster of the environment before runs, as EKS says it: not what stands in its
# configuration, which nobody may have applied.
data "aws_eks_cluster" "before" {
  for_each = toset(var.upgrades_after == null ? [] : [var.upgrades_after])
  name     = each.key
}

# Secrets in etcd, the control plane's logs.
resource "aws_kms_key" "this" {
  description             = "Cluster ${var.name}: secrets and logs"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.${data.aws_partition.current.dns_suffix}" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
        Resource  = "*"
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = local.log_group_arn } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/eks/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

# Made before the cluster, which would otherwise make it without a key and
# keep it for ever.
resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
  tags              = local.tags
}

resource "aws_iam_role" "cluster" {
  permissions_boundary = var.permissions_boundary_arn
  name_prefix          = "${var.name}-eks-"
  description          = "Control plane of ${var.name}"
  tags                 = local.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role_policy" "cluster" {
  name = "secrets-key"
  role = aws_iam_role.cluster.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"]
      Resource = [aws_kms_key.this.arn]
    }]
  })
}

# Who reaches the API beside the nodes, which EKS lets in by its own group.
resource "aws_security_group" "api" {
  name        = "${var.name}-api"
  description = "API server of ${var.name}: HTTPS from the networks allowed"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-api" })
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each          = var.api_allowed_cidrs
  security_group_id = aws_security_group.api.id
  description       = "Kubernetes API"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = local.tags
}

resource "aws_eks_cluster" "this" {
  name                          = var.name
  version                       = var.kubernetes_version
  role_arn                      = aws_iam_role.cluster.arn
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  bootstrap_self_managed_addons = false
  deletion_protection           = var.environment == "prod"
  tags                          = local.tags

  vpc_config {
    subnet_ids              = var.control_plane_subnet_ids
    security_group_ids      = [aws_security_group.api.id]
    endpoint_private_access = true
    endpoint_public_access  = false
  }

  # No map in kube-system, and no administrator because of having made it.
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = aws_kms_key.this.arn
    }
  }

  upgrade_policy {
    support_type = var.support_type
  }

  zonal_shift_config {
    enabled = true
  }

  lifecycle {
    precondition {
      condition     = var.ahead_because != null || alltrue([for c in data.aws_eks_cluster.before : tonumber(split(".", var.kubernetes_version)[1]) <= tonumber(split(".", c.version)[1])])
      error_message = "kubernetes_version is newer than what the cluster of upgrades_after runs: upgrade that one first, and let it run; or say in ahead_because why not."
    }
  }

  depends_on = [aws_iam_role_policy_attachment.cluster, aws_iam_role_policy.cluster, aws_cloudwatch_log_group.this]
}
