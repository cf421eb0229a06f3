mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name         = "acme"
  owner        = { name = "acme", id = 1234 }
  repositories = { demo-api = 1001, infra = 1002 }
  push = {
    demo-api = {
      repository          = "demo-api"
      workflow_refs       = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
      environments        = ["delivery:main"]
      ecr_repository_arns = ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
    }
  }
  plan = {
    infra = {
      repository       = "infra"
      workflow_refs    = ["acme/infra/.github/workflows/plan.yml@refs/pull/*/merge"]
      state_bucket_arn = "arn:aws:s3:::state"
      state_keys       = ["dev/terraform.tfstate"]
      state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    }
  }
  apply = {
    dev = {
      repository       = "infra"
      workflow_refs    = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
      environment      = "dev"
      policy_arns      = ["arn:aws:iam::111122223333:policy/dev"]
      state_bucket_arn = "arn:aws:s3:::state"
      state_keys       = ["dev/terraform.tfstate"]
      state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    }
    prod = {
      repository               = "infra"
      workflow_refs            = ["acme/infra/.github/workflows/apply.yml@refs/heads/main"]
      environment              = "prod"
      policy_arns              = ["arn:aws:iam::111122223333:policy/prod", "arn:aws:iam::111122223333:policy/dns"]
      permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
      state_bucket_arn         = "arn:aws:s3:::state"
      state_keys               = ["prod/terraform.tfstate"]
      state_kms_arn            = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    }
  }
}

run "subjects_in_both_formats" {
  assert {
    condition = output.subjects["push-demo-api"] == [
      "repo:acme@1234/demo-api@1001:ref:refs/heads/main",
      "repo:acme@1234/demo-api@1001:environment:delivery%3Amain",
      "repo:acme/demo-api:ref:refs/heads/main",
      "repo:acme/demo-api:environment:delivery%3Amain",
    ]
    error_message = "push: both formats, exact refs, environments as GitHub escapes them"
  }
  assert {
    condition     = output.subjects["plan-infra"] == ["repo:acme@1234/infra@1002:pull_request", "repo:acme/infra:pull_request"]
    error_message = "plan: pull requests alone unless refs are named"
  }
  assert {
    condition     = output.subjects["apply-prod"] == ["repo:acme@1234/infra@1002:environment:prod", "repo:acme/infra:environment:prod"]
    error_message = "apply: the environment alone"
  }
  assert {
    condition     = alltrue([for s in flatten(values(output.subjects)) : !strcontains(s, "*")])
    error_message = "no subject has a wildcard"
  }
}

run "trust" {
  assert {
    condition = alltrue([for role in concat(values(aws_iam_role.push), values(aws_iam_role.plan), values(aws_iam_role.apply)) :
      length(jsondecode(role.assume_role_policy).Statement) == 1 &&
      jsondecode(role.assume_role_policy).Statement[0].Principal.Federated == aws_iam_openid_connect_provider.github[0].arn &&
      jsondecode(role.assume_role_policy).Statement[0].Action == "sts:AssumeRoleWithWebIdentity" &&
    jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"])
    error_message = "every role trusts GitHub's tokens for AWS, in one statement"
  }
  assert {
    condition     = jsondecode(aws_iam_role.push["demo-api"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:repository_id"] == "1001" && jsondecode(aws_iam_role.apply["prod"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:repository_id"] == "1002"
    error_message = "the repository's id is compared, so that a classic subject cannot be taken over with the name"
  }
  assert {
    condition     = jsondecode(aws_iam_role.apply["prod"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == output.subjects["apply-prod"]
    error_message = "subjects are compared exactly"
  }
  assert {
    condition     = jsondecode(aws_iam_role.push["demo-api"].assume_role_policy).Statement[0].Condition.StringLike["token.actions.githubusercontent.com:job_workflow_ref"] == ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
    error_message = "images are pushed by the workflow named"
  }
  assert {
    condition     = keys(jsondecode(aws_iam_role.plan["infra"].assume_role_policy).Statement[0].Condition.StringLike) == ["token.actions.githubusercontent.com:job_workflow_ref"]
    error_message = "no pattern but the workflow's"
  }
  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.push), values(aws_iam_role.plan), values(aws_iam_role.apply)) : role.max_session_duration == 3600])
    error_message = "a session lasts an hour"
  }
}

run "permissions" {
  assert {
    condition     = jsondecode(aws_iam_role_policy.push["demo-api"].policy).Statement[1].Resource == ["arn:aws:ecr:eu-west-1:111122223333:repository/demo-api"]
    error_message = "push writes to its repositories alone"
  }
  assert {
    condition     = alltrue([for a in jsondecode(aws_iam_role_policy.push["demo-api"].policy).Statement[1].Action : !strcontains(a, "Delete") && !strcontains(a, "Policy") && !strcontains(a, "*")])
    error_message = "push deletes nothing and changes no setting"
  }
  assert {
    condition     = length(aws_iam_role_policy_attachment.plan) == 0
    error_message = "a plan has no policy of AWS, which would read every service"
  }
  assert {
    condition     = alltrue([for a in flatten(values(local.reads)) : can(regex("^[a-z0-9-]+:(Describe|Get|List|View)[A-Za-z0-9]+$", a)) && !contains(local.secrets, a)])
    error_message = "a plan reads by exact names, and no secret"
  }
  assert {
    condition     = toset(one([for s in jsondecode(aws_iam_role_policy.plan["infra"].policy).Statement : s.Action if s.Sid == "ReadConfiguration"])) == toset(flatten(values(local.reads)))
    error_message = "a plan reads what the types of the modules need"
  }
  assert {
    condition     = length(aws_iam_role_policy.plan["infra"].policy) < 10240
    error_message = "a role's inline policies have 10,240 characters"
  }
  assert {
    condition = alltrue([for s in jsondecode(aws_iam_role_policy.plan["infra"].policy).Statement : s.Effect == "Deny" || s.Sid == "ReadConfiguration" || alltrue([for a in s.Action :
    contains(["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "kms:Decrypt"], a)])])
    error_message = "a plan writes nothing, not even a lock"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.plan["infra"].policy).Statement : s.NotResource if s.Sid == "NoOtherObjects"]) == ["arn:aws:s3:::state/dev/terraform.tfstate"]
    error_message = "of objects a plan reads its own state alone"
  }
  assert {
    condition     = alltrue([for a in ["secretsmanager:GetSecretValue", "logs:GetLogEvents", "lambda:GetFunction"] : contains(one([for s in jsondecode(aws_iam_role_policy.plan["infra"].policy).Statement : s.Action if s.Sid == "NoSecrets" && s.Effect == "Deny"]), a)])
    error_message = "a plan reads no secret"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.plan["infra"].policy).Statement : s.NotResource if s.Sid == "NoParameters" && s.Effect == "Deny"]) == ["arn:aws:ssm:*::parameter/aws/service/*"]
    error_message = "a plan reads AWS's public parameters and no other"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.plan["infra"].policy).Statement : s.NotResource if s.Sid == "NoOtherKeys" && s.Effect == "Deny"]) == ["arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"]
    error_message = "a plan decrypts its state and nothing else"
  }
  assert {
    condition     = [for a in aws_iam_role_policy_attachment.apply : a.policy_arn] == ["arn:aws:iam::111122223333:policy/dev", "arn:aws:iam::111122223333:policy/prod", "arn:aws:iam::111122223333:policy/dns"]
    error_message = "DEV and PROD have what their own policies say"
  }
  assert {
    condition     = aws_iam_role.apply["prod"].permissions_boundary == "arn:aws:iam::111122223333:policy/boundary" && aws_iam_role.apply["dev"].permissions_boundary == null
    error_message = "the boundary is the one given"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.apply["dev"].policy).Statement : s.Resource if s.Sid == "Lock"]) == ["arn:aws:s3:::state/dev/terraform.tfstate.tflock"]
    error_message = "apply locks its own state, and deletes nothing but that lock"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.apply["dev"].policy).Statement : s.Action if s.Sid == "State"]) == ["s3:GetObject", "s3:PutObject"]
    error_message = "apply cannot delete a state"
  }
}

run "classic_off" {
  variables {
    classic_subjects = false
  }
  assert {
    condition     = alltrue([for s in flatten(values(output.subjects)) : startswith(s, "repo:acme@1234/")]) && length(output.subjects["apply-prod"]) == 1
    error_message = "only immutable subjects are left"
  }
}

run "provider_of_the_account" {
  variables {
    create_provider = false
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && output.provider_arn == "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    error_message = "the provider that is there is used"
  }
}

run "drift_on_a_branch" {
  variables {
    plan = {
      drift = {
        repository       = "infra"
        workflow_refs    = ["acme/infra/.github/workflows/drift.yml@refs/heads/main"]
        refs             = ["refs/heads/main"]
        unlocked_actions = ["lambda:GetFunction"]
        policy_arns      = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
        state_bucket_arn = "arn:aws:s3:::state"
        state_keys       = ["dev/terraform.tfstate"]
        state_kms_arn    = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000"
      }
    }
  }
  assert {
    condition     = contains(output.subjects["plan-drift"], "repo:acme@1234/infra@1002:ref:refs/heads/main")
    error_message = "a plan on a branch, where it is named"
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.plan["drift"].policy).Statement : !contains(s.Action, "lambda:GetFunction") && contains(s.Action, "secretsmanager:GetSecretValue") if s.Sid == "NoSecrets"])
    error_message = "what is unlocked, and no more, can be read"
  }
  assert {
    condition     = contains(one([for s in jsondecode(aws_iam_role_policy.plan["drift"].policy).Statement : s.Action if s.Sid == "ReadConfiguration"]), "lambda:GetFunction")
    error_message = "what is unlocked is allowed too"
  }
  assert {
    condition     = [for a in aws_iam_role_policy_attachment.plan : [a.role, a.policy_arn]] == [["acme-plan-drift", "arn:aws:iam::aws:policy/ReadOnlyAccess"]]
    error_message = "a policy of one's own is attached to its role"
  }
}
