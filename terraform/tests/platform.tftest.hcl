mock_provider "aws" {
  source = "./testing/aws"
}

variables {
  name  = "acme"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  clusters = {
    dev = {
      environment = "dev"
      cidr        = "10.20.0.0/16"
      domain      = "dev.acme.example"
      database    = {}
      developer_groups = {
        shop = { role_arn = "arn:aws:iam::111122223333:role/shop", namespaces = ["shop"] }
      }
    }
    prod = {
      environment     = "prod"
      cidr            = "10.30.0.0/16"
      backup          = { copy_region = "eu-central-1" }
      admin_role_arns = ["arn:aws:iam::111122223333:role/admin"]
    }
  }
}

run "dev_and_prod" {
  assert {
    condition     = output.clusters["dev"].name == "acme-dev" && output.clusters["prod"].name == "acme-prod"
    error_message = "each cluster has its own name"
  }
  assert {
    condition     = length(module.network["dev"].nat_gateway_ids) == 1 && length(module.network["prod"].nat_gateway_ids) == 3
    error_message = "prod survives the loss of a zone"
  }
  assert {
    condition     = output.clusters["dev"].scaled_down && !output.clusters["prod"].scaled_down
    error_message = "dev is scaled down outside working hours, prod never"
  }
  assert {
    condition     = contains(keys(output.clusters["dev"].component_roles), "cert-manager") && !contains(keys(output.clusters["prod"].component_roles), "cert-manager")
    error_message = "only a cluster with a domain writes names"
  }
  assert {
    condition     = contains(keys(output.clusters["prod"].component_roles), "velero") && !contains(keys(output.clusters["dev"].component_roles), "velero")
    error_message = "only a cluster with backups writes them"
  }
  assert {
    condition     = output.clusters["dev"].secrets == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:acme-dev/*" && output.clusters["prod"].secrets == "arn:aws:secretsmanager:eu-west-1:111122223333:secret:acme-prod/*"
    error_message = "dev cannot read the secrets of prod"
  }
  assert {
    condition     = !module.data["dev"].stands_by && !module.data["dev"].protected
    error_message = "dev's database stands alone"
  }
  assert {
    condition     = keys(output.databases) == ["dev"] && jsondecode(aws_iam_role_policy.database_secret["dev"].policy).Statement[0].Resource == [output.databases["dev"].secret_arn]
    error_message = "External Secrets reads the password of its cluster's database"
  }
  assert {
    condition     = output.repository_urls == {} && output.roles.apply == {} && length(module.budget) == 0
    error_message = "no registry, no roles and no budget unless asked for"
  }
  assert {
    condition     = output.alarm_topic_arn != null && contains(module.alarms[0].alarm_names, "acme-acme-prod-break-glass") && contains(module.alarms[0].alarm_names, "acme-acme-dev-db-processor") && contains(module.alarms[0].alarm_names, "acme-dev.acme.example-certificate")
    error_message = "clusters, databases and certificates are watched"
  }
}

run "everything_else" {
  variables {
    private_domain = "acme.internal"
    certificates   = false
    repositories   = ["backend"]
    monthly_usd    = 500
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", scale_down = false, nat = "per_zone" }
    }
    github = {
      owner        = { name = "acme", id = 1234 }
      repositories = { backend = 1002 }
      push = {
        backend = {
          repository    = "backend"
          workflow_refs = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
          images        = ["backend"]
        }
      }
    }
  }
  assert {
    condition     = keys(output.roles.push) == ["backend"] && keys(output.repository_urls) == ["backend"]
    error_message = "the role that pushes gets the repository of this registry"
  }
  assert {
    condition     = !output.clusters["dev"].scaled_down && length(module.network["dev"].nat_gateway_ids) == 3
    error_message = "one input turns the working hours off, another the one NAT gateway"
  }
  assert {
    condition     = length(module.budget) == 1 && keys(module.dns.private_zone_ids) == ["acme.internal"] && module.dns.certificate_arns == {}
    error_message = "budget and private zone where asked for"
  }
}

run "private_zones" {
  override_resource {
    target = module.dns.aws_route53_zone.private
    values = { zone_id = "Z0123456789PRIVATE", arn = "arn:aws:route53:::hostedzone/Z0123456789PRIVATE" }
  }
  variables {
    clusters = {
      dev  = { environment = "dev", cidr = "10.20.0.0/16", domain = "dev.acme.example", private_domain = "dev.acme.internal" }
      lab  = { environment = "dev", cidr = "10.30.0.0/16", private_domain = "lab.acme.internal" }
      bare = { environment = "dev", cidr = "10.40.0.0/16" }
    }
  }
  assert {
    condition     = keys(module.dns.private_zone_ids) == ["dev.acme.internal", "lab.acme.internal"]
    error_message = "each cluster that asks for it has a private zone"
  }
  assert {
    condition     = output.clusters["dev"].zones == { public = "Z0123456789ABCDEFGHIJ", private = "Z0123456789PRIVATE" } && output.clusters["lab"].zones == { private = "Z0123456789PRIVATE" } && output.clusters["bare"].zones == {}
    error_message = "the config repository is told the ids of each cluster's zones"
  }
  assert {
    condition     = contains(keys(output.clusters["lab"].component_roles), "external-dns") && !contains(keys(output.clusters["lab"].component_roles), "cert-manager") && !contains(keys(output.clusters["bare"].component_roles), "external-dns")
    error_message = "names are written where there is a zone, and certificates are proved in public ones"
  }
}

run "refuses_a_private_domain_twice" {
  command = plan
  variables {
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", private_domain = "acme.internal" }
      lab = { environment = "dev", cidr = "10.30.0.0/16", private_domain = "acme.internal" }
    }
  }
  expect_failures = [var.clusters]
}

run "refuses_a_private_domain_that_is_public" {
  command = plan
  variables {
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", domain = "acme.example", private_domain = "acme.example" }
    }
  }
  expect_failures = [var.clusters]
}

run "refuses_a_private_domain_below_a_public_one" {
  command = plan
  variables {
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", domain = "dev.acme.example", private_domain = "internal.dev.acme.example" }
    }
  }
  expect_failures = [var.clusters]
}

run "refuses_a_private_domain_above_a_public_one" {
  command = plan
  variables {
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", domain = "dev.acme.example" }
      lab = { environment = "dev", cidr = "10.30.0.0/16", private_domain = "acme.example" }
    }
  }
  expect_failures = [var.clusters]
}

run "refuses_the_private_domain_of_all_for_a_cluster" {
  command = plan
  variables {
    private_domain = "dev.acme.internal"
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", private_domain = "dev.acme.internal" }
    }
  }
  expect_failures = [var.private_domain]
}

run "databases_of_prod" {
  variables {
    clusters = {
      prod = { environment = "prod", cidr = "10.30.0.0/16", backup = { copy_region = "eu-central-1" }, database = {} }
    }
  }
  assert {
    condition     = module.data["prod"].stands_by && module.data["prod"].protected
    error_message = "prod's database survives the loss of a zone, and deletion by mistake"
  }
}

run "an_account_without_clusters" {
  variables {
    clusters     = {}
    repositories = ["backend"]
  }
  assert {
    condition     = output.alarm_topic_arn == null && output.clusters == {}
    error_message = "a registry alone has nothing to watch"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "The-Acme-Corporation" }
  expect_failures = [var.name]
}
run "refuses_a_cluster_name" {
  command = plan
  variables { clusters = { production-eu-west = { environment = "dev", cidr = "10.20.0.0/16" } } }
  expect_failures = [var.clusters]
}
run "refuses_prod_without_backup" {
  command = plan
  variables { clusters = { prod = { environment = "prod", cidr = "10.20.0.0/16" } } }
  expect_failures = [var.clusters]
}
run "refuses_one_network_twice" {
  command = plan
  variables {
    clusters = {
      a = { environment = "dev", cidr = "10.20.0.0/16" }
      b = { environment = "dev", cidr = "10.20.0.0/16" }
    }
  }
  expect_failures = [var.clusters]
}
run "refuses_a_network_in_another" {
  command = plan
  variables {
    clusters = {
      a = { environment = "dev", cidr = "10.20.0.0/16" }
      b = { environment = "dev", cidr = "10.20.64.0/18" }
    }
  }
  expect_failures = [var.clusters]
}
run "refuses_one_domain_for_two" {
  command = plan
  variables {
    clusters = {
      a = { environment = "dev", cidr = "10.20.0.0/16", domain = "acme.example" }
      b = { environment = "dev", cidr = "10.30.0.0/16", domain = "acme.example" }
    }
  }
  expect_failures = [var.clusters]
}
run "refuses_developers_who_rule_prod" {
  command = plan
  variables {
    clusters = {
      dev  = { environment = "dev", cidr = "10.20.0.0/16", developer_groups = { shop = { role_arn = "arn:aws:iam::111122223333:role/shop", namespaces = ["shop"] } } }
      prod = { environment = "prod", cidr = "10.30.0.0/16", backup = { copy_region = "eu-central-1" }, admin_role_arns = ["arn:aws:iam::111122223333:role/shop"] }
    }
  }
  expect_failures = [var.clusters]
}
run "refuses_a_push_of_other_images" {
  command = plan
  variables {
    github = {
      owner        = { name = "acme", id = 1234 }
      repositories = { backend = 1002 }
      push = {
        backend = {
          repository    = "backend"
          workflow_refs = ["acme/config/.github/workflows/deliver.yml@refs/heads/main"]
          images        = ["other"]
        }
      }
    }
  }
  expect_failures = [var.github]
}

# Roots that share an account give what is unique in it names of their own.
run "names_of_alarms" {
  command = plan
  variables {
    alarms      = { name = "acme-dev", emails = ["a@example.com"] }
    monthly_usd = 100
  }
  assert {
    condition     = alltrue([for n in module.alarms[0].alarm_names : startswith(n, "acme-dev-")])
    error_message = "alarms are named after alarms.name"
  }
}

run "endpoints_where_they_are_asked_for" {
  assert {
    condition     = length(module.network["dev"].interface_endpoint_ids) == 0 && length(module.network["prod"].interface_endpoint_ids) == 11
    error_message = "a dev cluster goes out by NAT, prod has its endpoints"
  }
}

run "endpoints_of_dev" {
  variables {
    clusters = {
      dev = { environment = "dev", cidr = "10.20.0.0/16", interface_endpoints = ["ecr.api"] }
    }
  }
  assert {
    condition     = keys(module.network["dev"].interface_endpoint_ids) == ["ecr.api"]
    error_message = "what is asked for is made"
  }
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan
  variables {
    permissions_boundary_arn = "acme-boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
