locals {
  # Nodes are not ready without these; they need none themselves.
  early_addons = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"]

  addon_roles = {
    vpc-cni            = { service_account = "aws-node", policy = "AmazonEKS_CNI_Policy" }
    aws-ebs-csi-driver = { service_account = "ebs-csi-controller-sa", policy = "service-role/AmazonEBSCSIDriverPolicy" }
    aws-efs-csi-driver = { service_account = "efs-csi-controller-sa", policy = "service-role/AmazonEFSCSIDriverPolicy" }
  }
}

# EKS's default for the control plane's version: add-ons follow its upgrade.
data "aws_eks_addon_version" "this" {
  for_each           = { for name, a in var.addons : name => a if a.version == null }
  addon_name         = each.key
  kubernetes_version = aws_eks_cluster.this.version
}

resource "aws_iam_role" "addon" {
  for_each             = { for name, r in local.addon_roles : name => r if contains(keys(var.addons), name) }
  permissions_boundary = var.permissions_boundary_arn
  name_prefix          = "${substr(var.name, 0, 18)}-${substr(each.key, 0, 17)}-"
  description          = "Add-on ${each.key} of ${var.name}"
  assume_role_policy   = local.pod_trust
  tags                 = local.tags
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each   = aws_iam_role.addon
  role       = each.value.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${local.addon_roles[each.key].policy}"
}

resource "aws_eks_addon" "early" {
  for_each                    = { for name, a in var.addons : name => a if contains(local.early_addons, name) }
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value.version == null ? data.aws_eks_addon_version.this[each.key].version : each.value.version
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  tags                        = local.tags

  dynamic "pod_identity_association" {
    for_each = contains(keys(local.addon_roles), each.key) ? [each.key] : []
    content {
      role_arn        = aws_iam_role.addon[pod_identity_association.value].arn
      service_account = local.addon_roles[pod_identity_association.value].service_account
    }
  }
  depends_on = [aws_iam_role_policy_attachment.addon]
}

resource "aws_eks_addon" "late" {
  for_each                    = { for name, a in var.addons : name => a if !contains(local.early_addons, name) }
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = each.value.version == null ? data.aws_eks_addon_version.this[each.key].version : each.value.version
  configuration_values        = each.value.configuration
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  tags                        = local.tags

  dynamic "pod_identity_association" {
    for_each = contains(keys(local.addon_roles), each.key) ? [each.key] : []
    content {
      role_arn        = aws_iam_role.addon[pod_identity_association.value].arn
      service_account = local.addon_roles[pod_identity_association.value].service_account
    }
  }
  depends_on = [aws_eks_node_group.this, aws_iam_role_policy_attachment.addon]
}
