mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name = "shop-dev-111122223333"
}

run "buckets" {
  assert {
    condition     = keys(output.bucket_arns) == ["loki", "tempo"] && keys(output.buckets) == ["loki", "tempo"]
    error_message = "a bucket each"
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && output.kms_key_arn == aws_kms_key.this.arn
    error_message = "encrypted with a key that rotates"
  }
}

run "retention" {
  variables { retention_days = { loki = 30 } }
  assert {
    condition     = module.bucket["loki"].keeping.expire_days == 30 && module.bucket["tempo"].keeping.expire_days == 14
    error_message = "logs and traces go when they are old"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "Shop" }
  expect_failures = [var.name]
}
run "refuses_no_days" {
  command = plan
  variables { retention_days = { loki = 0 } }
  expect_failures = [var.retention_days]
}
