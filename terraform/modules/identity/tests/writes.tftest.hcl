mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name         = "acme"
  owner        = { name = "acme", id = 1234 }
  repositories = { config = 1001, infra = 1002 }
  apply = {
    dev = {
      repository       = "infra"
      workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
      environment      = "infra-dev"
      clusters         = { acme-dev = { environment = "dev", domain = "dev.acme.example" } }
      state_bucket_arn = "arn:aws:s3:::state"
      state_keys       = ["dev/terraform.tfstate"]
      state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    }
  }
  people = {
    auditor = {
      principals = ["arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Auditor_*"]
      clusters   = ["acme-dev"]
    }
  }
  jobs = {
    drill = {
      repository    = "config"
      workflow_refs = ["acme/config/.github/workflows/restore-drill.yml@refs/heads/main"]
      clusters      = ["acme-dev"]
    }
  }
}

run "each_part_is_a_policy" {
  assert {
    condition     = keys(aws_iam_policy.apply) == ["dev-cluster", "dev-data", "dev-network", "dev-services"] && length(aws_iam_role_policy_attachment.writes) == 4
    error_message = "a role has the policies of what its root makes"
  }
  assert {
    condition     = aws_iam_role.apply["dev"].permissions_boundary == aws_iam_role.job["drill"].permissions_boundary && aws_iam_role.person["auditor"].permissions_boundary == "arn:aws:iam::111122223333:policy/acme-boundary"
    error_message = "every role is inside the boundary"
  }
}

run "people" {
  assert {
    condition     = jsondecode(aws_iam_role.person["auditor"].assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::444455556666:root"] && jsondecode(aws_iam_role.person["auditor"].assume_role_policy).Statement[0].Condition.ArnLike["aws:PrincipalArn"] == [one(var.people["auditor"].principals)]
    error_message = "people come by the roles that are named, of any account"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.person["auditor"].policy).Statement[0].Action == ["eks:DescribeCluster"] && jsondecode(aws_iam_role_policy.person["auditor"].policy).Statement[0].Resource == ["arn:aws:eks:*:111122223333:cluster/acme-dev"]
    error_message = "in AWS they look up their clusters and nothing else"
  }
  assert {
    condition     = output.subjects["job-drill"] == ["repo:acme@1234/config@1001:ref:refs/heads/main", "repo:acme/config:ref:refs/heads/main"]
    error_message = "a job is bound as every other"
  }
}

run "tunnels" {
  variables {
    people = {
      admin = {
        principals = ["arn:aws:iam::444455556666:role/admin"]
        clusters   = ["acme-dev"]
        tunnel     = true
      }
    }
  }
  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.person["admin"].policy).Statement : s.Condition if s.Sid == "TunnelThroughNode"] == [{
      StringEquals = { "ssm:resourceTag/waybill.dev/cluster" = ["acme-dev"] }
      BoolIfExists = { "ssm:SessionDocumentAccessCheck" = "true" }
    }]
    error_message = "only nodes of the clusters that are named, and only with the document that is allowed"
  }
  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.person["admin"].policy).Statement : s.Resource if s.Sid == "TunnelAndNoShell"]) == ["arn:aws:ssm:*::document/AWS-StartPortForwardingSessionToRemoteHost"]
    error_message = "a connection, and no shell on the node"
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.job["drill"].policy).Statement) == 1
    error_message = "who did not ask for one has no tunnel"
  }
}

run "policies_of_ones_own_need_no_boundary_of_ours" {
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        policy_arns      = ["arn:aws:iam::111122223333:policy/own"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  assert {
    condition     = length(aws_iam_policy.boundary) == 0 && aws_iam_role.apply["dev"].permissions_boundary == null && length(aws_iam_policy.apply) == 0
    error_message = "nothing is made that nobody asked for"
  }
}

run "other_services" {
  variables {
    boundary_actions = ["lambda:*"]
  }
  assert {
    condition     = contains(jsondecode(aws_iam_policy.boundary[0].policy).Statement[0].Action, "lambda:*")
    error_message = "the boundary lets through what is named"
  }
}

run "refuses_a_cluster_with_a_wildcard" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        clusters         = { "*" = { environment = "dev" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_an_environment_that_is_not" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        clusters         = { acme-dev = { environment = "test" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_a_domain_with_a_wildcard" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        clusters         = { acme-dev = { environment = "dev", domain = "*.acme.example" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_every_domain" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        clusters         = { acme-dev = { environment = "dev", domain = "example" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_two_roles_for_one_cluster" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        clusters         = { acme-dev = { environment = "dev" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
      other = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-other"
        clusters         = { acme-dev = { environment = "dev" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["other/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_a_cluster_whose_name_begins_as_another_roles" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        clusters         = { acme-dev = { environment = "dev" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
      other = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-other"
        clusters         = { acme-dev-eu = { environment = "dev" } }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["other/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_every_repository" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        repositories     = ["*"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_two_roles_that_make_roles" {
  command = plan
  variables {
    apply = {
      dev = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-dev"
        roles            = true
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
      other = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment      = "infra-other"
        roles            = true
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["other/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}

run "refuses_a_boundary_with_iam" {
  command = plan
  variables {
    boundary_actions = ["iam:CreateUser"]
  }
  expect_failures = [var.boundary_actions]
}

run "refuses_a_boundary_with_everything" {
  command = plan
  variables {
    boundary_actions = ["*"]
  }
  expect_failures = [var.boundary_actions]
}

run "refuses_a_person_with_a_wildcard_as_name" {
  command = plan
  variables {
    people = { "a*" = { principals = ["arn:aws:iam::111122223333:role/sso"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.people]
}

run "refuses_everybody" {
  command = plan
  variables {
    people = { admin = { principals = ["arn:aws:iam::111122223333:role/*"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.people]
}

run "refuses_a_user" {
  command = plan
  variables {
    people = { admin = { principals = ["arn:aws:iam::111122223333:user/eve"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.people]
}

run "refuses_every_cluster_for_people" {
  command = plan
  variables {
    people = { admin = { principals = ["arn:aws:iam::111122223333:role/sso"], clusters = ["*"] } }
  }
  expect_failures = [var.people]
}

run "refuses_a_job_of_another_repository" {
  command = plan
  variables {
    jobs = { drill = { repository = "other", workflow_refs = ["acme/config/.github/workflows/restore-drill.yml@refs/heads/main"], refs = ["refs/heads/main"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.jobs]
}

run "refuses_a_job_of_any_workflow" {
  command = plan
  variables {
    jobs = { drill = { repository = "config", workflow_refs = ["acme/config/.github/workflows/*@refs/heads/main"], refs = ["refs/heads/main"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.jobs]
}

run "refuses_a_job_on_any_ref" {
  command = plan
  variables {
    jobs = { drill = { repository = "config", workflow_refs = ["acme/config/.github/workflows/restore-drill.yml@refs/heads/main"], refs = ["refs/heads/*"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.jobs]
}

run "refuses_a_job_on_no_ref" {
  command = plan
  variables {
    jobs = { drill = { repository = "config", workflow_refs = ["acme/config/.github/workflows/restore-drill.yml@refs/heads/main"], refs = [], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.jobs]
}

run "refuses_every_cluster_for_jobs" {
  command = plan
  variables {
    jobs = { drill = { repository = "config", workflow_refs = ["acme/config/.github/workflows/restore-drill.yml@refs/heads/main"], refs = ["refs/heads/main"], clusters = ["*"] } }
  }
  expect_failures = [var.jobs]
}

run "refuses_every_permission_set" {
  command = plan
  variables {
    people = { admin = { principals = ["arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.people]
}

run "refuses_every_permission_set_by_name" {
  command = plan
  variables {
    people = { admin = { principals = ["arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_*"], clusters = ["acme-dev"] } }
  }
  expect_failures = [var.people]
}

run "refuses_a_domain_twice" {
  command = plan
  variables {
    apply = {
      dev = {
        repository    = "infra"
        workflow_refs = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
        environment   = "infra-dev"
        clusters = {
          acme-dev  = { environment = "dev", domain = "acme.example" }
          acme-prod = { environment = "prod", domain = "acme.example" }
        }
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  expect_failures = [var.apply]
}
