mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name = "shop"
}

run "topic" {
  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == aws_kms_key.this.arn && aws_kms_key.this.enable_key_rotation
    error_message = "alarms are encrypted"
  }
  assert {
    condition     = jsondecode(aws_sns_topic_policy.this.policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333" && jsondecode(aws_sns_topic_policy.this.policy).Statement[1].Effect == "Deny"
    error_message = "this account's services send, over TLS"
  }
  assert {
    condition     = contains(jsondecode(aws_kms_key.this.policy).Statement[1].Principal.Service, "cloudwatch.amazonaws.com") && contains(jsondecode(aws_kms_key.this.policy).Statement[1].Principal.Service, "budgets.amazonaws.com")
    error_message = "senders may use the key"
  }
  assert {
    condition     = length(output.alarm_names) == 0 && length(aws_sns_topic_subscription.email) == 0
    error_message = "nothing to watch, nobody to tell"
  }
}

run "everything" {
  variables {
    emails          = ["platform@example.com"]
    https_endpoints = ["https://pager.example.com/x"]
    clusters        = { shop-dev = { log_group = "/aws/eks/shop-dev/cluster" } }
    databases       = { shop = { id = "shop-dev", storage_free_gib = 10 } }
    nat_gateways    = { a = "nat-a" }
    queues          = ["shop-dev-karpenter"]
    certificates    = { dev = "arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000" }
  }
  assert {
    condition     = length(output.alarm_names) == 10
    error_message = "three of the cluster, four of the database, and one each"
  }
  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.alarm_actions == toset([aws_sns_topic.this.arn])])
    error_message = "every alarm is told"
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.break_glass["shop-dev"].pattern == "{ $.user.username = \"break-glass:*\" }" && aws_cloudwatch_log_metric_filter.break_glass["shop-dev"].metric_transformation[0].name == aws_cloudwatch_metric_alarm.this["shop-dev-break-glass"].metric_name && aws_cloudwatch_log_metric_filter.break_glass["shop-dev"].metric_transformation[0].namespace == aws_cloudwatch_metric_alarm.this["shop-dev-break-glass"].namespace
    error_message = "break-glass is counted from the audit log, and the alarm reads that count"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["shop-dev-break-glass"].threshold == 1 && aws_cloudwatch_metric_alarm.this["shop-dev-break-glass"].evaluation_periods == 1
    error_message = "once is enough"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["shop-db-processor"].threshold == 70 && aws_cloudwatch_metric_alarm.this["shop-db-storage"].threshold == 10 * 1024 * 1024 * 1024
    error_message = "70 % of the processors, and storage as asked"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dev-certificate"].threshold == 21 && aws_cloudwatch_metric_alarm.this["dev-certificate"].dimensions.CertificateArn == var.certificates.dev
    error_message = "certificates three weeks ahead"
  }
  assert {
    condition     = aws_sns_topic_subscription.email["platform@example.com"].protocol == "email" && aws_sns_topic_subscription.https["https://pager.example.com/x"].protocol == "https"
    error_message = "people and the paging service are told"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "Shop" }
  expect_failures = [var.name]
}
run "refuses_an_address" {
  command = plan
  variables { emails = ["platform"] }
  expect_failures = [var.emails]
}
run "refuses_plain_http" {
  command = plan
  variables { https_endpoints = ["http://pager.example.com"] }
  expect_failures = [var.https_endpoints]
}
run "refuses_a_full_disk" {
  command = plan
  variables { databases = { shop = { id = "shop", storage_free_gib = 0 } } }
  expect_failures = [var.databases]
}
