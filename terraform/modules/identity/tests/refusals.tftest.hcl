mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name         = "acme"
  owner        = { name = "acme", id = 1234 }
  repositories = { demo-api = 1001, infra = 1002 }
}

run "refuses_name" {
  command = plan
  variables {
    name = "Acme Platform"
  }
  expect_failures = [var.name]
}

run "refuses_owner_wildcard" {
  command = plan
  variables {
    owner = { name = "*", id = 1234 }
  }
  expect_failures = [var.owner]
}

run "refuses_owner_prefix" {
  command = plan
  variables {
    owner = { name = "acme*", id = 1234 }
  }
  expect_failures = [var.owner]
}

run "refuses_owner_without_id" {
  command = plan
  variables {
    owner = { name = "acme", id = 0 }
  }
  expect_failures = [var.owner]
}

run "refuses_owner_id_null" {
  command = plan
  variables {
    owner = { name = "acme", id = null }
  }
  expect_failures = [var.owner]
}

run "refuses_no_repository" {
  command = plan
  variables {
    repositories = {}
  }
  expect_failures = [var.repositories]
}

run "refuses_repository_wildcard" {
  command = plan
  variables {
    repositories = { "*" = 1001 }
  }
  expect_failures = [var.repositories]
}

run "refuses_repository_with_owner" {
  command = plan
  variables {
    repositories = { "acme/infra" = 1001 }
  }
  expect_failures = [var.repositories]
}

run "refuses_repository_without_id" {
  command = plan
  variables {
    repositories = { infra = 0 }
  }
  expect_failures = [var.repositories]
}

run "refuses_push_unknown_repository" {
  command = plan
  variables {
    push = {
      x = {
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        repository          = "other"
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_any_workflow" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        workflow_refs       = ["acme/config/.github/workflows/*@refs/heads/main"]
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_pull_request_workflow" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/pull/*/merge"]
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_no_workflow" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        workflow_refs       = []
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_no_ref" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        refs                = []
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_any_branch" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        refs                = ["refs/heads/*"]
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_any_environment" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
        environments        = ["*"]
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_any_image" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
        ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/*"]
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_push_no_image" {
  command = plan
  variables {
    push = {
      x = {
        repository          = "demo-api"
        workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
        ecr_repository_arns = []
      }
    }
  }
  expect_failures = [var.push]
}

run "refuses_plan_unknown_repository" {
  command = plan
  variables {
    plan = {
      x = {
        workflow_refs    = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        repository       = "other"
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_plan_any_owner_of_the_workflow" {
  command = plan
  variables {
    plan = {
      x = {
        repository       = "infra"
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        workflow_refs    = ["*/infra/.github/workflows/plan.yml@refs/heads/main"]
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_plan_any_ref_of_the_workflow" {
  command = plan
  variables {
    plan = {
      x = {
        repository       = "infra"
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        workflow_refs    = ["acme/infra/.github/workflows/plan.yml@*"]
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_plan_any_branch" {
  command = plan
  variables {
    plan = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        refs             = ["refs/heads/*"]
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_plan_any_state" {
  command = plan
  variables {
    plan = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        state_keys       = ["*"]
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_plan_unlocked_secrets" {
  command = plan
  variables {
    plan = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        state_keys       = ["dev/terraform.tfstate"]
        unlocked_actions = ["secretsmanager:GetSecretValue"]
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_plan_no_state" {
  command = plan
  variables {
    plan = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        state_keys       = []
      }
    }
  }
  expect_failures = [var.plan]
}

run "refuses_apply_unknown_repository" {
  command = plan
  variables {
    apply = {
      x = {
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "dev"
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        repository       = "other"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_apply_pull_request_workflow" {
  command = plan
  variables {
    apply = {
      x = {
        repository       = "infra"
        environment      = "dev"
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/pull/*/merge"]
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_apply_no_environment" {
  command = plan
  variables {
    apply = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        environment      = ""
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_apply_any_environment" {
  command = plan
  variables {
    apply = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        environment      = "*"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_apply_no_policy" {
  command = plan
  variables {
    apply = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "dev"
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        policy_arns      = []
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_apply_any_state" {
  command = plan
  variables {
    apply = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "dev"
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
        state_keys       = ["*"]
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_one_apply_role_for_two" {
  command = plan
  variables {
    apply = {
      x = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "dev"
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
      y = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "dev"
        policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}
