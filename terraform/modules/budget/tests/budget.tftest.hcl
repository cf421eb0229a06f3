mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name        = "shop-dev"
  monthly_usd = 400
  anomaly_usd = 50
  emails      = ["platform@example.com"]
}

run "mail" {
  assert {
    condition     = aws_budgets_budget.this.limit_amount == "400" && aws_budgets_budget.this.time_unit == "MONTHLY" && length(aws_budgets_budget.this.cost_filter) == 0
    error_message = "all costs of a month"
  }
  assert {
    condition     = toset([for n in aws_budgets_budget.this.notification : "${n.notification_type} ${n.threshold}"]) == toset(["ACTUAL 50", "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"])
    error_message = "messages at half, four fifths, all, and the forecast's"
  }
  assert {
    condition     = alltrue([for n in aws_budgets_budget.this.notification : n.subscriber_email_addresses == toset(["platform@example.com"]) && length(n.subscriber_sns_topic_arns) == 0])
    error_message = "people are told by mail"
  }
  assert {
    condition     = aws_ce_anomaly_subscription.this[0].frequency == "DAILY" && one(aws_ce_anomaly_subscription.this[0].subscriber).type == "EMAIL"
    error_message = "what is out of the ordinary, daily by mail"
  }
}

run "topic_and_tag" {
  variables {
    topic    = { arn = "arn:aws:sns:eu-west-1:111122223333:alarms" }
    cost_tag = { key = "environment", value = "dev" }
  }
  assert {
    condition     = one(aws_budgets_budget.this.cost_filter).values == tolist(["user:environment$dev"])
    error_message = "the costs of the tag"
  }
  assert {
    condition     = aws_ce_anomaly_subscription.this[0].frequency == "IMMEDIATE" && one(aws_ce_anomaly_subscription.this[0].subscriber).type == "SNS"
    error_message = "what is out of the ordinary, at once by topic"
  }
}

run "no_watch" {
  variables { anomaly_usd = null }
  assert {
    condition     = length(aws_ce_anomaly_monitor.this) == 0 && length(aws_ce_anomaly_subscription.this) == 0
    error_message = "0 turns the watch off"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "Shop" }
  expect_failures = [var.name]
}
run "refuses_nothing" {
  command = plan
  variables { monthly_usd = 0 }
  expect_failures = [var.monthly_usd]
}
run "refuses_five_thresholds" {
  command = plan
  variables { thresholds = [20, 40, 60, 80, 100] }
  expect_failures = [var.thresholds]
}
run "refuses_an_address" {
  command = plan
  variables { emails = ["platform"] }
  expect_failures = [var.emails]
}
run "refuses_telling_nobody" {
  command = plan
  variables { emails = [] }
  expect_failures = [var.topic]
}
run "refuses_a_negative_watch" {
  command = plan
  variables { anomaly_usd = -1 }
  expect_failures = [var.anomaly_usd]
}
