locals {
  messages = concat(
    [for t in sort([for n in var.thresholds : format("%03d", n)]) : { type = "ACTUAL", threshold = tonumber(t) }],
    [{ type = "FORECASTED", threshold = 100 }],
  )
  topics = [for t in [var.topic] : t.arn if t != null]
}

resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  tags         = var.tags

  dynamic "cost_filter" {
    for_each = var.cost_tag == null ? [] : [var.cost_tag]
    content {
      name   = "TagKeyValue"
      values = [format("user:%s$%s", cost_filter.value.key, cost_filter.value.value)]
    }
  }

  dynamic "notification" {
    for_each = local.messages
    content {
      notification_type          = notification.value.type
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value.threshold
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = var.emails
      subscriber_sns_topic_arns  = local.topics
    }
  }
}

resource "aws_ce_anomaly_monitor" "this" {
  count             = var.anomaly_usd > 0 ? 1 : 0
  name              = var.name
  monitor_type      = "DIMENSIONAL"
  monitor_dimension = "SERVICE"
  tags              = var.tags
}

resource "aws_ce_anomaly_subscription" "this" {
  count            = var.anomaly_usd > 0 ? 1 : 0
  name             = var.name
  frequency        = var.topic == null ? "DAILY" : "IMMEDIATE"
  monitor_arn_list = [aws_ce_anomaly_monitor.this[0].arn]
  tags             = var.tags

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.anomaly_usd)]
    }
  }

  # At once goes by topic alone, daily by mail alone.
  dynamic "subscriber" {
    for_each = var.topic == null ? var.emails : []
    content {
      type    = "EMAIL"
      address = subscriber.value
    }
  }
  dynamic "subscriber" {
    for_each = local.topics
    content {
      type    = "SNS"
      address = subscriber.value
    }
  }
}
