mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name = "acme-111122223333"
}

run "state" {
  assert {
    condition     = output.backend.use_lockfile && output.backend.encrypt && output.backend.kms_key_id == aws_kms_key.this.arn
    error_message = "states are locked by S3 and encrypted with the key"
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_alias.this.name == "alias/acme-111122223333-state"
    error_message = "the key rotates and has a name"
  }
  assert {
    condition     = output.kms_key_arn == aws_kms_key.this.arn && output.backend.region == "eu-west-1"
    error_message = "identity learns the key"
  }
}

run "keeping" {
  assert {
    condition     = module.state.keeping.expire_days == null && module.state.keeping.noncurrent_days == 365
    error_message = "states never expire, and their versions stay a year"
  }
  assert {
    condition     = module.artifacts.keeping.expire_days == 30
    error_message = "artifacts go after a month"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "Acme" }
  expect_failures = [var.name]
}
run "refuses_artifacts_for_ever" {
  command = plan
  variables { artifact_days = 400 }
  expect_failures = [var.artifact_days]
}
run "refuses_forgetting_states" {
  command = plan
  variables { version_days = 7 }
  expect_failures = [var.version_days]
}
