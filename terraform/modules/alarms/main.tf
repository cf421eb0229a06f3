data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  gib = 1024 * 1024 * 1024

  cluster_alarms = merge([for name, c in var.clusters : {
    "${name}-break-glass" = {
      text      = "Somebody acts in cluster ${name} with a break-glass role: is there an emergency?"
      namespace = "Waybill/${var.name}", metric = "BreakGlass-${name}", dimensions = {}
      statistic = "Sum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1, period = 60, periods = 1
    }
    "${name}-api-errors" = {
      text      = "The API server of cluster ${name} answers with errors."
      namespace = "AWS/EKS", metric = "apiserver_request_total_5XX", dimensions = { ClusterName = name }
      statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 50, period = 300, periods = 3
    }
    "${name}-etcd-size" = {
      text      = "etcd of cluster ${name} is at 70 % of its 8 GiB: above that the cluster takes no more changes."
      namespace = "AWS/EKS", metric = "apiserver_storage_size_bytes", dimensions = { ClusterName = name }
      statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 0.7 * 8 * local.gib, period = 300, periods = 3
    }
  }]...)

  database_alarms = merge([for name, d in var.databases : {
    "${name}-db-processor" = {
      text      = "Database ${name} uses more than 70 % of its processors."
      namespace = "AWS/RDS", metric = "CPUUtilization", dimensions = { DBInstanceIdentifier = d.id }
      statistic = "Average", comparison = "GreaterThanThreshold", threshold = 70, period = 300, periods = 3
    }
    "${name}-db-storage" = {
      text      = "Database ${name} has less than ${d.storage_free_gib} GiB of storage left."
      namespace = "AWS/RDS", metric = "FreeStorageSpace", dimensions = { DBInstanceIdentifier = d.id }
      statistic = "Minimum", comparison = "LessThanThreshold", threshold = d.storage_free_gib * local.gib, period = 300, periods = 2
    }
    "${name}-db-memory" = {
      text      = "Database ${name} has less than 256 MiB of memory left."
      namespace = "AWS/RDS", metric = "FreeableMemory", dimensions = { DBInstanceIdentifier = d.id }
      statistic = "Minimum", comparison = "LessThanThreshold", threshold = 0.25 * local.gib, period = 300, periods = 3
    }
    "${name}-db-connections" = {
      text      = "Database ${name} has more than ${d.connections} connections."
      namespace = "AWS/RDS", metric = "DatabaseConnections", dimensions = { DBInstanceIdentifier = d.id }
      statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = d.connections, period = 300, periods = 2
    }
  }]...)

  nat_alarms = { for name, id in var.nat_gateways : "${name}-nat-ports" => {
    text      = "NAT gateway ${name} has no port left for some connections."
    namespace = "AWS/NATGateway", metric = "ErrorPortAllocation", dimensions = { NatGatewayId = id }
    statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0, period = 300, periods = 1
  } }

  queue_alarms = { for name in var.queues : "${name}-queue-age" => {
    text      = "Nobody takes the messages of queue ${name}."
    namespace = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = name }
    statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 240, period = 300, periods = 2
  } }

  certificate_alarms = { for name, arn in var.certificates : "${name}-certificate" => {
    text      = "Certificate ${name} ends in less than three weeks and did not renew itself."
    namespace = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = arn }
    statistic = "Minimum", comparison = "LessThanThreshold", threshold = 21, period = 86400, periods = 1
  } }

  alarms = merge(local.cluster_alarms, local.database_alarms, local.nat_alarms, local.queue_alarms, local.certificate_alarms)
}

resource "aws_kms_key" "this" {
  description             = "Alarms of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  tags                    = var.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Senders"
        Effect    = "Allow"
        Principal = { Service = local.senders }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      },
    ]
  })
}

locals {
  senders = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com", "events.amazonaws.com"]
}

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  display_name      = "Alarms of ${var.name}"
  kms_master_key_id = aws_kms_key.this.arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Senders"
        Effect    = "Allow"
        Principal = { Service = local.senders }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      },
      {
        Sid       = "EncryptedTransportOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = var.emails
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_sns_topic_subscription" "https" {
  for_each  = var.https_endpoints
  topic_arn = aws_sns_topic.this.arn
  protocol  = "https"
  endpoint  = each.key
}

# The audit log names who acts; the access entries of module cluster give
# break-glass roles a name of their own.
resource "aws_cloudwatch_log_metric_filter" "break_glass" {
  for_each       = var.clusters
  name           = "${var.name}-${each.key}-break-glass"
  log_group_name = each.value.log_group
  pattern        = "{ $.user.username = \"break-glass:*\" }"
  metric_transformation {
    namespace     = "Waybill/${var.name}"
    name          = "BreakGlass-${each.key}"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
  tags                = var.tags
}
