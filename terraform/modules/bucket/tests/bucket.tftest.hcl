mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name        = "acme-reports"
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
}

run "closed" {
  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "nothing is public"
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "there are no ACLs"
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "objects are encrypted with the key given"
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "versions are kept"
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Effect == "Deny" && jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "plain HTTP is refused"
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[1].Condition.StringNotEquals["s3:x-amz-server-side-encryption-aws-kms-key-id"] == var.kms_key_arn
    error_message = "another key is refused"
  }
  assert {
    condition     = !aws_s3_bucket.this.force_destroy && !aws_s3_bucket.this.object_lock_enabled && length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "never emptied, and not locked unless asked for"
  }
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this.rule) == 1 && aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days == 90
    error_message = "old versions go, objects do not"
  }
  assert {
    condition     = length(aws_s3_bucket_logging.this) == 0
    error_message = "no access log unless a bucket for it is named"
  }
}

run "locked_expiring_logged" {
  variables {
    object_lock = { mode = "GOVERNANCE", days = 30 }
    expire_days = 60
    access_log  = { bucket = "acme-access-logs" }
  }
  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].mode == "GOVERNANCE" && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 30
    error_message = "versions are locked as asked"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[1].expiration[0].days == 60
    error_message = "objects expire as asked"
  }
  assert {
    condition     = aws_s3_bucket_logging.this[0].target_bucket == "acme-access-logs" && aws_s3_bucket_logging.this[0].target_prefix == "acme-reports/"
    error_message = "access is logged where asked"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "Acme.Reports" }
  expect_failures = [var.name]
}
run "refuses_an_alias" {
  command = plan
  variables { kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:alias/reports" }
  expect_failures = [var.kms_key_arn]
}
run "refuses_no_days" {
  command = plan
  variables { expire_days = 0 }
  expect_failures = [var.expire_days]
}
run "refuses_short_versions" {
  command = plan
  variables { noncurrent_days = 1 }
  expect_failures = [var.noncurrent_days]
}
run "refuses_a_lock_mode" {
  command = plan
  variables { object_lock = { mode = "governance", days = 30 } }
  expect_failures = [var.object_lock]
}
run "refuses_a_lock_of_no_days" {
  command = plan
  variables { object_lock = { mode = "GOVERNANCE", days = 0 } }
  expect_failures = [var.object_lock]
}
run "refuses_a_lock_beyond_expiry" {
  command = plan
  variables {
    object_lock = { mode = "GOVERNANCE", days = 90 }
    expire_days = 30
  }
  expect_failures = [var.object_lock]
}
