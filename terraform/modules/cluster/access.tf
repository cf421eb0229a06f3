# Access entries: who is who. Nothing in the cluster can change this.
locals {
  policies = "arn:${local.partition}:eks::aws:cluster-access-policy"

  access = merge(
    { for arn in var.admin_role_arns : arn => {
      user = "admin:{{SessionName}}", groups = ["waybill:admins"], policy = "AmazonEKSClusterAdminPolicy", namespaces = []
    } },
    { for arn in var.break_glass_role_arns : arn => {
      user = "break-glass:{{SessionName}}", groups = ["waybill:break-glass"], policy = "AmazonEKSClusterAdminPolicy", namespaces = []
    } },
    { for arn in var.read_only_role_arns : arn => {
      user = "read-only:{{SessionName}}", groups = ["waybill:read-only"], policy = "AmazonEKSViewPolicy", namespaces = []
    } },
    { for name, g in var.developer_groups : g.role_arn => {
      user       = "${name}:{{SessionName}}"
      groups     = ["waybill:${name}"]
      policy     = coalesce(g.edit, var.environment != "prod") ? "AmazonEKSEditPolicy" : "AmazonEKSViewPolicy"
      namespaces = g.namespaces
    } },
  )
}

resource "aws_eks_access_entry" "this" {
  for_each          = local.access
  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = each.key
  user_name         = each.value.user
  kubernetes_groups = each.value.groups
  type              = "STANDARD"
  tags              = local.tags
}

resource "aws_eks_access_policy_association" "this" {
  for_each      = local.access
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = "${local.policies}/${each.value.policy}"
  access_scope {
    type       = length(each.value.namespaces) == 0 ? "cluster" : "namespace"
    namespaces = length(each.value.namespaces) == 0 ? null : each.value.namespaces
  }
}
