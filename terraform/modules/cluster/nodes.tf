locals {
  groups = merge(
    { for name, g in var.node_groups : name => merge(g, { taints = [] }) },
    { ingress = merge(var.ingress_nodes, {
      capacity_type = "ON_DEMAND"
      labels        = { dedicated = "ingress" }
      taints        = [{ key = "dedicated", value = "ingress", effect = "NO_SCHEDULE" }]
    }) },
  )

  # Graviton is a g among the attributes after the generation: t4g, m7gd, is4gen.
  # https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
  architectures = { for name, g in local.groups : name => can(regex("^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*)[.]", g.instance_types[0])) ? "arm64" : "x86_64" }
  ami_types     = { x86_64 = "AL2023_x86_64_STANDARD", arm64 = "AL2023_ARM_64_STANDARD" }

  # One switch and one environment: nothing else is ever scaled down. Only the desired
  # size moves, which Terraform ignores: what the schedule does is no drift.
  scheduled = var.scale_down && var.environment == "dev" ? local.groups : {}
}

resource "aws_iam_role" "node" {
  permissions_boundary = var.permissions_boundary_arn
  name_prefix          = "${var.name}-node-"
  description          = "Nodes of ${var.name}"
  tags                 = local.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.${data.aws_partition.current.dns_suffix}" } # in China ec2.amazonaws.com.cn
      Action    = "sts:AssumeRole"
    }]
  })
}

# Joining and pulling; what pods may do is theirs, by Pod Identity.
resource "aws_iam_role_policy_attachment" "node" {
  for_each   = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore"])
  role       = aws_iam_role.node.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

# The first pull of an image through ECR's cache makes its repository, and asks for both.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
resource "aws_iam_role_policy" "pull_through" {
  for_each = length(var.pull_through_prefixes) == 0 ? {} : merge(
    { managed = aws_iam_role.node.name },
    { for key, role in aws_iam_role.karpenter_node : key => role.name },
  )
  name = "pull-through"
  role = each.value
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
      Resource = [for prefix in sort(var.pull_through_prefixes) : "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${prefix}/*"]
    }]
  })
}

# The newest image for the control plane's version: nodes get patches by a plan
# that is approved like any other.
# https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html
data "aws_ssm_parameter" "release" {
  for_each = toset([for name, g in local.groups : local.architectures[name] if g.release_version == null])
  name     = "/aws/service/eks/optimized-ami/${aws_eks_cluster.this.version}/amazon-linux-2023/${each.key}/standard/recommended/release_version"
}

resource "aws_launch_template" "node" {
  for_each               = local.groups
  name_prefix            = "${var.name}-${each.key}-"
  description            = "Nodes ${each.key} of ${var.name}"
  update_default_version = true
  tags                   = local.tags

  # One hop: pods do not reach the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = each.value.disk_gib
      encrypted             = "true"
      delete_on_termination = "true"
    }
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = merge(local.tags, { Name = "${var.name}-${each.key}" })
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each               = local.groups
  cluster_name           = aws_eks_cluster.this.name
  node_group_name_prefix = "${each.key}-"
  version                = aws_eks_cluster.this.version
  release_version        = each.value.release_version == null ? data.aws_ssm_parameter.release[local.architectures[each.key]].insecure_value : each.value.release_version
  node_role_arn          = aws_iam_role.node.arn
  subnet_ids             = var.node_subnet_ids
  instance_types         = each.value.instance_types
  capacity_type          = each.value.capacity_type
  ami_type               = local.ami_types[local.architectures[each.key]]
  labels                 = each.value.labels
  tags                   = local.tags

  launch_template {
    id      = aws_launch_template.node[each.key].id
    version = aws_launch_template.node[each.key].latest_version
  }

  scaling_config {
    desired_size = each.value.desired
    min_size     = contains(keys(local.scheduled), each.key) ? 0 : each.value.min
    max_size     = each.value.max
  }

  update_config {
    max_unavailable = 1
  }

  node_repair_config {
    enabled = true
  }

  dynamic "taint" {
    for_each = each.value.taints
    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  # The autoscaler and the working hours move the size. A group that has to be
  # replaced, by other instance types for example, goes when the new one is there.
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [scaling_config[0].desired_size]
  }

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.early]
}

resource "aws_autoscaling_schedule" "end" {
  for_each               = local.scheduled
  scheduled_action_name  = "working-hours-end"
  autoscaling_group_name = aws_eks_node_group.this[each.key].resources[0].autoscaling_groups[0].name
  recurrence             = var.working_hours.end
  time_zone              = var.working_hours.time_zone
  min_size               = -1 # as it is
  max_size               = -1
  desired_capacity       = 0
}

resource "aws_autoscaling_schedule" "start" {
  for_each               = local.scheduled
  scheduled_action_name  = "working-hours-start"
  autoscaling_group_name = aws_eks_node_group.this[each.key].resources[0].autoscaling_groups[0].name
  recurrence             = var.working_hours.start
  time_zone              = var.working_hours.time_zone
  min_size               = -1
  max_size               = -1
  desired_capacity       = each.value.desired
}
