output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "Address of the API server, inside the VPC."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "Certificate of the API server's authority, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "kubernetes_version" {
  description = "Kubernetes version that runs."
  value       = aws_eks_cluster.this.version
}

output "node_security_group_id" {
  description = "Security group of nodes and control plane, made by EKS: what databases let in."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "log_group" {
  description = "CloudWatch log group of the control plane, with the audit log."
  value       = aws_cloudwatch_log_group.this.name
}

output "kms_key_arn" {
  description = "Key of the cluster's secrets and logs."
  value       = aws_kms_key.this.arn
}

output "node_role_arn" {
  description = "Role of the nodes of the managed groups."
  value       = aws_iam_role.node.arn
}

output "node_group_autoscaling_groups" {
  description = "Autoscaling group of each node group."
  value       = { for name, g in aws_eks_node_group.this : name => g.resources[0].autoscaling_groups[0].name }
}

output "component_role_arns" {
  description = "Role of each component that has one."
  value       = { for name, role in aws_iam_role.component : name => role.arn }
}

output "karpenter" {
  description = "What Karpenter's chart and node classes are told: queue and role of its nodes. Null without Karpenter."
  value = one([for k in local.karpenter : {
    queue     = aws_sqs_queue.karpenter[k].name
    node_role = aws_iam_role.karpenter_node[k].name
  }])
}

output "scaled_down_outside_working_hours" {
  description = "Whether the cluster's nodes go outside working hours."
  value       = length(local.scheduled) > 0
}
