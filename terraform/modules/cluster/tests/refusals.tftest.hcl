mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name                     = "shop-dev"
  environment              = "dev"
  vpc_id                   = "vpc-0123456789abcdef0"
  node_subnet_ids          = ["subnet-a", "subnet-b", "subnet-c"]
  control_plane_subnet_ids = ["subnet-d", "subnet-e", "subnet-f"]
}

run "refuses_a_name" {
  command = plan
  variables {
    name = "Shop"
  }
  expect_failures = [var.name]
}

run "refuses_an_environment" {
  command = plan
  variables {
    environment = "production"
  }
  expect_failures = [var.environment]
}

run "refuses_an_old_version" {
  command = plan
  variables {
    kubernetes_version = "1.29"
  }
  expect_failures = [var.kubernetes_version]
}

run "refuses_a_patch_version" {
  command = plan
  variables {
    kubernetes_version = "1.34.1"
  }
  expect_failures = [var.kubernetes_version]
}

run "refuses_one_node_subnet" {
  command = plan
  variables {
    node_subnet_ids = ["subnet-a", "subnet-a"]
  }
  expect_failures = [var.node_subnet_ids]
}

run "refuses_one_control_plane_subnet" {
  command = plan
  variables {
    control_plane_subnet_ids = ["subnet-a"]
  }
  expect_failures = [var.control_plane_subnet_ids]
}

run "refuses_an_address_for_a_network" {
  command = plan
  variables {
    api_allowed_cidrs = ["10.8.0.1"]
  }
  expect_failures = [var.api_allowed_cidrs]
}

run "refuses_the_whole_internet" {
  command = plan
  variables {
    api_allowed_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.api_allowed_cidrs]
}

run "refuses_short_retention" {
  command = plan
  variables {
    log_retention_days = 7
  }
  expect_failures = [var.log_retention_days]
}

run "refuses_an_admin_user" {
  command = plan
  variables {
    admin_role_arns = ["arn:aws:iam::111122223333:user/me"]
  }
  expect_failures = [var.admin_role_arns]
}

run "refuses_a_break_glass_user" {
  command = plan
  variables {
    break_glass_role_arns = ["arn:aws:iam::111122223333:user/me"]
  }
  expect_failures = [var.break_glass_role_arns]
}

run "refuses_break_glass_every_day" {
  command = plan
  variables {
    admin_role_arns       = ["arn:aws:iam::111122223333:role/a"]
    break_glass_role_arns = ["arn:aws:iam::111122223333:role/a"]
  }
  expect_failures = [var.break_glass_role_arns]
}

run "refuses_a_read_only_user" {
  command = plan
  variables {
    read_only_role_arns = ["arn:aws:iam::111122223333:user/me"]
  }
  expect_failures = [var.read_only_role_arns]
}

run "refuses_a_reader_who_is_admin" {
  command = plan
  variables {
    admin_role_arns     = ["arn:aws:iam::111122223333:role/a"]
    read_only_role_arns = ["arn:aws:iam::111122223333:role/a"]
  }
  expect_failures = [var.read_only_role_arns]
}

run "refuses_developers_who_are_users" {
  command = plan
  variables {
    developer_groups = {
      x = { role_arn = "arn:aws:iam::111122223333:user/me", namespaces = ["shop"] }
    }

  }
  expect_failures = [var.developer_groups]
}

run "refuses_developers_of_no_namespace" {
  command = plan
  variables {
    developer_groups = {
      x = { role_arn = "arn:aws:iam::111122223333:role/x", namespaces = [] }
    }

  }
  expect_failures = [var.developer_groups]
}

run "refuses_developers_of_any_namespace" {
  command = plan
  variables {
    developer_groups = {
      x = { role_arn = "arn:aws:iam::111122223333:role/x", namespaces = ["*"] }
    }

  }
  expect_failures = [var.developer_groups]
}

run "refuses_developers_of_the_platform" {
  command = plan
  variables {
    developer_groups = {
      x = { role_arn = "arn:aws:iam::111122223333:role/x", namespaces = ["argocd"] }
    }

  }
  expect_failures = [var.developer_groups]
}

run "refuses_developers_with_one_role_for_two" {
  command = plan
  variables {
    developer_groups = {
      x = { role_arn = "arn:aws:iam::111122223333:role/x", namespaces = ["shop"] }
      y = { role_arn = "arn:aws:iam::111122223333:role/x", namespaces = ["shop"] }
    }

  }
  expect_failures = [var.developer_groups]
}

run "refuses_developers_who_are_admins" {
  command = plan
  variables {
    admin_role_arns  = ["arn:aws:iam::111122223333:role/a"]
    developer_groups = { x = { role_arn = "arn:aws:iam::111122223333:role/a", namespaces = ["shop"] } }
  }
  expect_failures = [var.developer_groups]
}

run "refuses_addons_without_the_agent" {
  command = plan
  variables {
    addons = { vpc-cni = {}, kube-proxy = {}, coredns = {} }
  }
  expect_failures = [var.addons]
}

run "refuses_addon_configuration" {
  command = plan
  variables {
    addons = { vpc-cni = {}, kube-proxy = {}, coredns = {}, eks-pod-identity-agent = { configuration = "a: b" } }
  }
  expect_failures = [var.addons]
}

run "refuses_no_nodes" {
  command = plan
  variables {
    node_groups = {}
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_group_called_ingress" {
  command = plan
  variables {
    node_groups = { ingress = {} }
  }
  expect_failures = [var.node_groups]
}

run "refuses_more_nodes_than_allowed" {
  command = plan
  variables {
    node_groups = { general = { desired = 11 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_fewer_nodes_than_allowed" {
  command = plan
  variables {
    node_groups = { general = { desired = 1 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_more_nodes_than_the_quotas_are_for" {
  command = plan
  variables {
    node_groups = { general = { max = 897 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_no_least_node" {
  command = plan
  variables {
    node_groups = { general = { min = 0 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_capacity_type" {
  command = plan
  variables {
    node_groups = { general = { capacity_type = "spot" } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_small_disk" {
  command = plan
  variables {
    node_groups = { general = { disk_gib = 8 } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_no_instance_type" {
  command = plan
  variables {
    node_groups = { general = { instance_types = [] } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_one_ingress_node" {
  command = plan
  variables {
    ingress_nodes = { min = 1 }
  }
  expect_failures = [var.ingress_nodes]
}

run "refuses_too_many_ingress_nodes" {
  command = plan
  variables {
    ingress_nodes = { desired = 5 }
  }
  expect_failures = [var.ingress_nodes]
}

run "refuses_six_fields" {
  command = plan
  variables {
    working_hours = { start = "0 0 7 * * MON-FRI" }
  }
  expect_failures = [var.working_hours]
}

run "refuses_no_hours" {
  command = plan
  variables {
    working_hours = { start = "0 7 * * *", end = "0 7 * * *" }
  }
  expect_failures = [var.working_hours]
}

run "refuses_a_time_zone" {
  command = plan
  variables {
    working_hours = { time_zone = "CET+1" }
  }
  expect_failures = [var.working_hours]
}

run "refuses_a_component" {
  command = plan
  variables {
    components = ["grafana"]
  }
  expect_failures = [var.components]
}

run "refuses_dns_without_zones" {
  command = plan
  variables {
    components = ["cert-manager"]
  }
  expect_failures = [var.component_resources]
}

run "refuses_external_secrets_without_secrets" {
  command = plan
  variables {
    components = ["external-secrets"]
  }
  expect_failures = [var.component_resources]
}

run "refuses_velero_without_a_bucket" {
  command = plan
  variables {
    components = ["velero"]
  }
  expect_failures = [var.component_resources]
}

run "refuses_loki_without_a_bucket" {
  command = plan
  variables {
    components = ["loki"]
  }
  expect_failures = [var.component_resources]
}

run "refuses_tempo_without_a_bucket" {
  command = plan
  variables {
    components = ["tempo"]
  }
  expect_failures = [var.component_resources]
}

run "refuses_any_zone" {
  command = plan
  variables {
    component_resources = { dns_zone_arns = ["arn:aws:route53:::hostedzone/*"] }
  }
  expect_failures = [var.component_resources]
}

run "refuses_any_private_zone" {
  command = plan
  variables {
    component_resources = { private_zone_arns = ["arn:aws:route53:::hostedzone/*"] }
  }
  expect_failures = [var.component_resources]
}

run "refuses_external_dns_without_a_zone" {
  command = plan
  variables {
    components = ["external-dns"]
  }
  expect_failures = [var.component_resources]
}

run "refuses_challenges_in_a_private_zone" {
  command = plan
  variables {
    components          = ["cert-manager"]
    component_resources = { private_zone_arns = ["arn:aws:route53:::hostedzone/Z0123456789PRIVATE"] }
  }
  expect_failures = [var.component_resources]
}

run "refuses_any_secret" {
  command = plan
  variables {
    component_resources = { secret_arns = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"] }
  }
  expect_failures = [var.component_resources]
}

run "refuses_a_bucket_name" {
  command = plan
  variables {
    component_resources = { velero_bucket_arn = "velero" }
  }
  expect_failures = [var.component_resources]
}

run "refuses_an_unknown_support_type" {
  command = plan
  variables {
    support_type = "FOREVER"
  }
  expect_failures = [var.support_type]
}

run "refuses_two_architectures_in_one_group" {
  command = plan
  variables {
    node_groups = { general = { instance_types = ["t3.medium", "t4g.medium"] } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_two_architectures_of_ingress_nodes" {
  command = plan
  variables {
    ingress_nodes = { instance_types = ["t3.medium", "t4g.medium"] }
  }
  expect_failures = [var.ingress_nodes]
}

run "refuses_a_long_name_of_a_group" {
  command = plan
  variables {
    node_groups = { a-name-of-thirty-seven-characters-abcd = {} }
  }
  expect_failures = [var.node_groups]
}

run "refuses_a_release_that_is_none" {
  command = plan
  variables {
    node_groups = { general = { release_version = "latest" } }
  }
  expect_failures = [var.node_groups]
}

run "refuses_developers_where_a_component_has_a_role" {
  command = plan
  variables {
    developer_groups = { shop = { role_arn = "arn:aws:iam::111122223333:role/shop", namespaces = ["monitoring"] } }
  }
  expect_failures = [var.developer_groups]
}

run "refuses_developers_where_policies_are_kept" {
  command = plan
  variables {
    developer_groups = { shop = { role_arn = "arn:aws:iam::111122223333:role/shop", namespaces = ["shop", "kyverno"] } }
  }
  expect_failures = [var.developer_groups]
}

run "refuses_every_repository_of_the_cache" {
  command = plan
  variables {
    pull_through_prefixes = ["*"]
  }
  expect_failures = [var.pull_through_prefixes]
}

run "refuses_repositories_by_name" {
  command = plan
  variables {
    component_resources = { repository_arns = ["backend"] }
  }
  expect_failures = [var.component_resources]
}

run "refuses_to_be_ahead" {
  command = plan
  variables {
    kubernetes_version = "1.35"
    upgrades_after     = "acme-before"
  }
  expect_failures = [aws_eks_cluster.this]
}

run "refuses_an_order_without_a_version" {
  command = plan
  variables {
    kubernetes_version = null
    upgrades_after     = "acme-before"
  }
  expect_failures = [var.upgrades_after]
}

run "refuses_to_come_after_itself" {
  command = plan
  variables {
    kubernetes_version = "1.34"
    upgrades_after     = var.name
  }
  expect_failures = [var.upgrades_after]
}

run "refuses_a_waiver_without_a_reason" {
  command = plan
  variables {
    ahead_because = "   "
  }
  expect_failures = [var.ahead_because]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan
  variables {
    permissions_boundary_arn = "acme-boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
