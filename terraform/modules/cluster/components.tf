# Pod Identity: each component's service account has its own role, and no pod
# has the node's.
locals {
  pod_trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnEquals    = { "aws:SourceArn" = local.cluster_arn }
      }
    }]
  })
  cluster_arn = "arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.name}"

  may       = var.component_resources
  key_usage = [for keys in [local.may.kms_key_arns] : { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = keys } if length(keys) > 0]

  service_accounts = {
    aws-load-balancer-controller = { namespace = "kube-system", name = "aws-load-balancer-controller" }
    cert-manager                 = { namespace = "cert-manager", name = "cert-manager" }
    external-dns                 = { namespace = "external-dns", name = "external-dns" }
    external-secrets             = { namespace = "external-secrets", name = "external-secrets" }
    karpenter                    = { namespace = "karpenter", name = "karpenter" }
    kyverno                      = { namespace = "kyverno", name = "kyverno" }
    loki                         = { namespace = "monitoring", name = "loki" }
    tempo                        = { namespace = "monitoring", name = "tempo" }
    velero                       = { namespace = "velero", name = "velero" }
  }

  # Nobody but the platform acts in these: those of Kubernetes, and each in which a service
  # account has a role in AWS or rights over the cluster.
  platform_namespaces = setunion(
    ["kube-system", "kube-public", "kube-node-lease", "argocd", "builds", "ingress", "kyverno", "node-agents", "sealed-secrets"],
    [for account in local.service_accounts : account.namespace],
  )

  # What each may do; those that are not in components are not used.
  statements = {
    aws-load-balancer-controller = local.load_balancer_statements
    karpenter                    = local.karpenter_statements

    external-dns = [
      # Zones are told by their ids (--zone-id-filter), so it does not read their tags.
      { Effect = "Allow", Action = ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"], Resource = concat(local.may.dns_zone_arns, local.may.private_zone_arns) },
      { Effect = "Allow", Action = ["route53:ListHostedZones"], Resource = ["*"] },
    ]

    # DNS-01: only the challenge's records.
    cert-manager = [
      {
        Effect   = "Allow"
        Action   = ["route53:ChangeResourceRecordSets"]
        Resource = local.may.dns_zone_arns
        Condition = {
          "ForAllValues:StringLike"   = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["_acme-challenge.*"] }
          "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["TXT"] }
        }
      },
      { Effect = "Allow", Action = ["route53:ListResourceRecordSets"], Resource = local.may.dns_zone_arns },
      { Effect = "Allow", Action = ["route53:GetChange"], Resource = ["arn:${local.partition}:route53:::change/*"] },
      { Effect = "Allow", Action = ["route53:ListHostedZonesByName"], Resource = ["*"] },
    ]

    external-secrets = concat([
      { Effect = "Allow", Action = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds"], Resource = local.may.secret_arns },
    ], local.key_usage)

    # Signatures and attestations lie beside the images.
    kyverno = [
      { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer", "ecr:ListImageReferrers", "ecr:ListImages"]
        Resource = length(local.may.repository_arns) > 0 ? local.may.repository_arns : ["arn:${local.partition}:ecr:*:${local.account}:repository/*"]
      },
    ]

    velero = concat([
      { Effect = "Allow", Action = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"], Resource = [local.buckets.velero] },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], Resource = ["${local.buckets.velero}/*"] },
      { Effect = "Allow", Action = ["ec2:DescribeVolumes", "ec2:DescribeSnapshots"], Resource = ["*"] },
      { Effect = "Allow", Action = ["ec2:CreateTags"], Resource = ["${local.ec2}:volume/*", local.snapshots], Condition = { StringEquals = { "ec2:CreateAction" = ["CreateVolume", "CreateSnapshot"] } } },
      { Effect = "Allow", Action = ["ec2:CreateVolume", "ec2:CreateSnapshot"], Resource = ["${local.ec2}:volume/*", local.snapshots] },
      { Effect = "Allow", Action = ["ec2:DeleteSnapshot"], Resource = [local.snapshots], Condition = { StringLike = { "aws:ResourceTag/velero.io/backup" = "*" } } },
    ], local.key_usage)

    loki = concat([
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.buckets.loki] },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], Resource = ["${local.buckets.loki}/*"] },
    ], local.key_usage)

    tempo = concat([
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.buckets.tempo] },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:GetObjectTagging", "s3:PutObjectTagging"], Resource = ["${local.buckets.tempo}/*"] },
    ], local.key_usage)
  }

  snapshots = "arn:${local.partition}:ec2:${local.region}::snapshot/*"
  buckets = {
    velero = coalesce(local.may.velero_bucket_arn, "none")
    loki   = coalesce(local.may.loki_bucket_arn, "none")
    tempo  = coalesce(local.may.tempo_bucket_arn, "none")
  }
}

resource "aws_iam_role" "component" {
  for_each             = var.components
  permissions_boundary = var.permissions_boundary_arn
  name_prefix          = "${substr(var.name, 0, 18)}-${substr(each.key, 0, 17)}-"
  description          = "${each.key} of ${var.name}"
  assume_role_policy   = local.pod_trust
  tags                 = local.tags
}

resource "aws_iam_role_policy" "component" {
  for_each = var.components
  name     = each.key
  role     = aws_iam_role.component[each.key].id
  policy   = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}

resource "aws_eks_pod_identity_association" "component" {
  for_each        = var.components
  cluster_name    = aws_eks_cluster.this.name
  namespace       = local.service_accounts[each.key].namespace
  service_account = local.service_accounts[each.key].name
  role_arn        = aws_iam_role.component[each.key].arn
  tags            = local.tags
}
