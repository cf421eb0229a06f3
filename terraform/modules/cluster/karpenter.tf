# What Karpenter needs of AWS: the role of its nodes, the queue that tells it
# of interruptions. Its own role is with the other components'.
locals {
  karpenter = contains(var.components, "karpenter") ? toset(["karpenter"]) : toset([])

  interruptions = {
    health        = { source = "aws.health", type = "AWS Health Event" }
    spot          = { source = "aws.ec2", type = "EC2 Spot Instance Interruption Warning" }
    rebalance     = { source = "aws.ec2", type = "EC2 Instance Rebalance Recommendation" }
    instancestate = { source = "aws.ec2", type = "EC2 Instance State-change Notification" }
  }
}

resource "aws_iam_role" "karpenter_node" {
  for_each             = local.karpenter
  permissions_boundary = var.permissions_boundary_arn
  name                 = "${var.name}-karpenter-node"
  description          = "Nodes that Karpenter starts in ${var.name}"
  assume_role_policy   = aws_iam_role.node.assume_role_policy
  tags                 = local.tags
}

resource "aws_iam_role_policy_attachment" "karpenter_node" {
  for_each   = contains(var.components, "karpenter") ? toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore"]) : toset([])
  role       = aws_iam_role.karpenter_node["karpenter"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

resource "aws_eks_access_entry" "karpenter_node" {
  for_each      = local.karpenter
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_iam_role.karpenter_node[each.key].arn
  type          = "EC2_LINUX"
  tags          = local.tags
}

resource "aws_sqs_queue" "karpenter" {
  for_each                  = local.karpenter
  name                      = "${var.name}-karpenter"
  message_retention_seconds = 300
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

resource "aws_sqs_queue_policy" "karpenter" {
  for_each  = local.karpenter
  queue_url = aws_sqs_queue.karpenter[each.key].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Events"
        Effect    = "Allow"
        Principal = { Service = ["events.amazonaws.com"] }
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.karpenter[each.key].arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "EncryptedTransportOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.karpenter[each.key].arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_cloudwatch_event_rule" "karpenter" {
  for_each      = contains(var.components, "karpenter") ? local.interruptions : {}
  name          = "${var.name}-karpenter-${each.key}"
  description   = "Tells Karpenter of ${var.name}: ${each.value.type}"
  event_pattern = jsonencode({ source = [each.value.source], "detail-type" = [each.value.type] })
  tags          = local.tags
}

resource "aws_cloudwatch_event_target" "karpenter" {
  for_each = aws_cloudwatch_event_rule.karpenter
  rule     = each.value.name
  arn      = aws_sqs_queue.karpenter["karpenter"].arn
}
