mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  repositories = ["demo-api", "shop/backend"]
}

run "repositories" {
  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : r.image_tag_mutability == "IMMUTABLE" && length(r.image_tag_mutability_exclusion_filter) == 0])
    error_message = "tags never move"
  }
  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : r.image_scanning_configuration[0].scan_on_push])
    error_message = "images are scanned when they are pushed"
  }
  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : r.encryption_configuration[0].encryption_type == "KMS" && !r.force_delete])
    error_message = "images are encrypted, and a repository with images is not deleted"
  }
  assert {
    condition     = keys(output.repository_arns) == ["demo-api", "shop/backend"]
    error_message = "the repositories named, no others"
  }
  assert {
    condition     = length(aws_ecr_repository_policy.pull) == 0 && length(aws_ecr_replication_configuration.this) == 0
    error_message = "no other account and no copy unless asked for"
  }
}

run "lifecycle_never_takes_what_is_deployed_or_signed" {
  assert {
    condition     = length(aws_ecr_lifecycle_policy.this) == 2 && alltrue([for p in aws_ecr_lifecycle_policy.this : alltrue([for r in jsondecode(p.policy).rules : r.selection.tagStatus == "tagged"])])
    error_message = "no rule looks at untagged images or at any tag: digests are pushed untagged, signatures too"
  }
  assert {
    condition     = alltrue([for r in jsondecode(aws_ecr_lifecycle_policy.this["demo-api"].policy).rules : r.selection.countNumber == 100000 || contains(["pr-*", "cache*"], one(r.selection.tagPatternList))])
    error_message = "only ephemeral tags expire"
  }
  assert {
    condition     = alltrue([for tag in ["sha-0123456", "sha256-ab.sig", "v1.2.3", "1.2.3", "4711", "main"] : anytrue([for k in var.kept_tags : startswith(tag, trimsuffix(k, "*"))])])
    error_message = "what waybill tag and cosign write is kept"
  }
  assert {
    condition     = [for r in jsondecode(aws_ecr_lifecycle_policy.this["demo-api"].policy).rules : one(r.selection.tagPatternList)] == concat(var.kept_tags, ["pr-*", "cache*"])
    error_message = "kept tags come first and shield an image from the rules after them"
  }
  assert {
    condition     = [for r in jsondecode(aws_ecr_lifecycle_policy.this["demo-api"].policy).rules : tostring(r.rulePriority)] == [for n in range(1, 17) : tostring(n)]
    error_message = "priorities are in that order"
  }
  assert {
    condition     = alltrue([for r in jsondecode(aws_ecr_lifecycle_policy.this["demo-api"].policy).rules : r.selection.countType == "sinceImagePushed" && r.selection.countNumber == 14 if r.rulePriority > 14])
    error_message = "ephemeral images go by age"
  }
}

run "nothing_ephemeral" {
  variables { ephemeral_tags = [] }
  assert {
    condition     = length(aws_ecr_lifecycle_policy.this) == 0
    error_message = "with nothing to expire there is no policy"
  }
}

run "legacy_signatures" {
  variables { mutable_tags = ["sha256-*"] }
  assert {
    condition     = aws_ecr_repository.this["demo-api"].image_tag_mutability == "IMMUTABLE_WITH_EXCLUSION" && one(aws_ecr_repository.this["demo-api"].image_tag_mutability_exclusion_filter).filter == "sha256-*"
    error_message = "the tags of signatures alone may move"
  }
}

run "other_accounts_and_regions" {
  variables {
    pull_account_ids = ["444455556666"]
    replica_regions  = ["eu-central-1"]
  }
  assert {
    condition     = one(jsondecode(aws_ecr_repository_policy.pull["demo-api"].policy).Statement).Principal.AWS == ["arn:aws:iam::444455556666:root"]
    error_message = "the account named may pull"
  }
  assert {
    condition     = alltrue([for a in one(jsondecode(aws_ecr_repository_policy.pull["demo-api"].policy).Statement).Action : !strcontains(a, "Put") && !strcontains(a, "Upload") && !strcontains(a, "Delete")])
    error_message = "another account pulls and does not push"
  }
  assert {
    condition     = aws_ecr_replication_configuration.this[0].replication_configuration[0].rule[0].destination[0].region == "eu-central-1"
    error_message = "images are copied to the region named"
  }
}

run "cache" {
  variables {
    tags        = { team = "platform" }
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    pull_through = {
      hub = { upstream = "registry-1.docker.io", credential_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf" }
    }
  }
  assert {
    condition     = aws_ecr_pull_through_cache_rule.this["hub"].upstream_registry_url == "registry-1.docker.io" && aws_ecr_repository_creation_template.this["hub"].image_tag_mutability == "IMMUTABLE"
    error_message = "images of others come through the cache, and stay what they were"
  }
  assert {
    condition     = aws_ecr_repository_creation_template.this["hub"].encryption_configuration[0].encryption_type == "KMS" && aws_ecr_repository_creation_template.this["hub"].custom_role_arn == aws_iam_role.template[0].arn
    error_message = "a template that tags or encrypts needs its role"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.template[0].policy).Statement[0].Resource == ["arn:aws:ecr:*:111122223333:repository/hub/*"] && jsondecode(aws_iam_role_policy.template[0].policy).Statement[1].Resource == [var.kms_key_arn]
    error_message = "the role makes repositories of the cache alone"
  }
}

run "no_cache" {
  variables { pull_through = {} }
  assert {
    condition     = length(aws_ecr_pull_through_cache_rule.this) == 0 && length(aws_iam_role.template) == 0 && length(aws_iam_role_policy.template) == 0
    error_message = "without a cache there is no role for it"
  }
}

run "refuses_no_repository" {
  command = plan
  variables { repositories = [] }
  expect_failures = [var.repositories]
}
run "refuses_a_repository" {
  command = plan
  variables { repositories = ["Demo_API"] }
  expect_failures = [var.repositories]
}
run "refuses_an_alias" {
  command = plan
  variables { kms_key_arn = "alias/ecr" }
  expect_failures = [var.kms_key_arn]
}
run "refuses_moving_versions" {
  command = plan
  variables { mutable_tags = ["v*"] }
  expect_failures = [var.mutable_tags]
}
run "refuses_six_moving_patterns" {
  command = plan
  variables { mutable_tags = ["cache1", "cache2", "cache3", "cache4", "cache5", "cache6"] }
  expect_failures = [var.mutable_tags]
}
run "refuses_expiry_of_everything" {
  command = plan
  variables { ephemeral_tags = ["*"] }
  expect_failures = [var.ephemeral_tags]
}
run "refuses_an_ephemeral_pattern" {
  command = plan
  variables { ephemeral_tags = ["-pr*"] }
  expect_failures = [var.ephemeral_tags]
}
run "refuses_expiry_of_kept_tags" {
  command = plan
  variables { ephemeral_tags = ["sha-abc*"] }
  expect_failures = [var.ephemeral_tags]
}
run "refuses_expiry_that_holds_kept_tags" {
  command = plan
  variables { ephemeral_tags = ["s*"] }
  expect_failures = [var.ephemeral_tags]
}
run "refuses_no_days" {
  command = plan
  variables { ephemeral_days = 0 }
  expect_failures = [var.ephemeral_days]
}
run "refuses_signatures_without_shield" {
  command = plan
  variables { kept_tags = ["v*"] }
  expect_failures = [var.kept_tags]
}
run "refuses_too_many_kept_patterns" {
  command = plan
  variables { kept_tags = concat(["sha256-*"], [for n in range(40) : "branch-${n}"]) }
  expect_failures = [var.kept_tags]
}
run "refuses_too_many_ephemeral_patterns" {
  command = plan
  variables { ephemeral_tags = [for n in range(11) : "pr-${n}"] }
  expect_failures = [var.ephemeral_tags]
}
run "refuses_a_kept_pattern" {
  command = plan
  variables { kept_tags = ["sha256-*", "-v"] }
  expect_failures = [var.kept_tags]
}
run "refuses_an_account" {
  command = plan
  variables { pull_account_ids = ["*"] }
  expect_failures = [var.pull_account_ids]
}
run "refuses_a_region" {
  command = plan
  variables { replica_regions = ["Ireland"] }
  expect_failures = [var.replica_regions]
}
run "refuses_a_prefix" {
  command = plan
  variables { pull_through = { "K8S" = { upstream = "registry.k8s.io" } } }
  expect_failures = [var.pull_through]
}
run "refuses_an_unknown_upstream" {
  command = plan
  variables { pull_through = { evil = { upstream = "registry.example.com" } } }
  expect_failures = [var.pull_through]
}
run "refuses_a_cache_without_credentials" {
  command = plan
  variables { pull_through = { hub = { upstream = "registry-1.docker.io" } } }
  expect_failures = [var.pull_through]
}
run "refuses_a_prefix_of_a_repository" {
  command = plan
  variables { pull_through = { shop = { upstream = "quay.io" } } }
  expect_failures = [var.pull_through]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan
  variables {
    permissions_boundary_arn = "acme-boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
