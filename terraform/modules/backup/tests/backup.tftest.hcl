mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name        = "shop-prod-111122223333"
  copy_region = "eu-central-1"
}

run "copy" {
  assert {
    condition     = aws_kms_key.copy[0].region == "eu-central-1" && aws_kms_key.copy[0].enable_key_rotation && aws_kms_key.this.enable_key_rotation
    error_message = "the copy has a key of its own in its region"
  }
  assert {
    condition     = aws_s3_bucket_replication_configuration.this[0].rule[0].status == "Enabled" && aws_s3_bucket_replication_configuration.this[0].rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "everything is copied but deletions"
  }
  assert {
    condition     = aws_s3_bucket_replication_configuration.this[0].rule[0].source_selection_criteria[0].sse_kms_encrypted_objects[0].status == "Enabled" && aws_s3_bucket_replication_configuration.this[0].rule[0].destination[0].encryption_configuration[0].replica_kms_key_id == aws_kms_key.copy[0].arn
    error_message = "encrypted objects are copied, under the other key"
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.copy[0].policy).Statement : alltrue([for a in s.Action : !strcontains(a, "Delete") && !strcontains(a, "*")])])
    error_message = "who copies deletes nothing"
  }
  assert {
    condition     = jsondecode(aws_iam_role.copy[0].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "S3 copies for this account alone"
  }
}

run "locked" {
  assert {
    condition     = module.backup.keeping.lock == { mode = "GOVERNANCE", days = 30 } && module.copy[0].keeping.lock == module.backup.keeping.lock
    error_message = "backups and their copy are locked for a month"
  }
  assert {
    condition     = module.backup.keeping.expire_days == null && module.backup.keeping.noncurrent_days == 35 && module.copy[0].keeping.noncurrent_days == 35
    error_message = "what Velero deleted stays until after the lock"
  }
}

run "without_a_copy" {
  variables { copy_region = null }
  assert {
    condition     = length(module.copy) == 0 && length(aws_kms_key.copy) == 0 && length(aws_s3_bucket_replication_configuration.this) == 0 && output.copy_bucket == null
    error_message = "nothing is made in another region"
  }
  assert {
    condition     = module.backup.keeping.lock == { mode = "GOVERNANCE", days = 30 }
    error_message = "backups are locked all the same"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "Shop" }
  expect_failures = [var.name]
}
run "refuses_a_region" {
  command = plan
  variables { copy_region = "Frankfurt" }
  expect_failures = [var.copy_region]
}
run "refuses_a_copy_in_the_same_region" {
  command = plan
  variables { copy_region = "eu-west-1" }
  expect_failures = [aws_s3_bucket_replication_configuration.this]
}
run "refuses_a_mode" {
  command = plan
  variables { lock = { mode = "NONE" } }
  expect_failures = [var.lock]
}
run "refuses_a_short_lock" {
  command = plan
  variables { lock = { days = 1 } }
  expect_failures = [var.lock]
}
run "refuses_going_before_the_lock" {
  command = plan
  variables { retention_days = 10 }
  expect_failures = [var.retention_days]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan
  variables {
    permissions_boundary_arn = "acme-boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
