mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name                   = "shop-prod"
  vpc_id                 = "vpc-0123456789abcdef0"
  subnet_ids             = ["subnet-a", "subnet-b"]
  client_security_groups = { nodes = "sg-0123456789abcdef0" }
}

run "server" {
  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == aws_kms_key.this.arn && aws_kms_key.this.enable_key_rotation
    error_message = "two zones, encrypted with a key that rotates"
  }
  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null && aws_db_instance.this.master_user_secret_kms_key_id == aws_kms_key.this.arn
    error_message = "the password is RDS's to make, in Secrets Manager"
  }
  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && !aws_db_instance.this.delete_automated_backups
    error_message = "neither public nor deleted by mistake"
  }
  assert {
    condition     = contains([for p in aws_db_parameter_group.this.parameter : "${p.name}=${p.value}"], "rds.force_ssl=1") && aws_db_parameter_group.this.family == "postgres17"
    error_message = "TLS only"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.this["nodes"].referenced_security_group_id == "sg-0123456789abcdef0" && aws_vpc_security_group_ingress_rule.this["nodes"].from_port == 5432 && aws_vpc_security_group_ingress_rule.this["nodes"].cidr_ipv4 == null
    error_message = "the groups named connect, no network does"
  }
  assert {
    condition     = aws_db_instance.this.backup_retention_period == 14 && aws_db_instance.this.performance_insights_enabled && aws_db_instance.this.monitoring_interval == 60
    error_message = "backed up and watched"
  }
  assert {
    condition     = startswith(output.secret_arn, "arn:aws:secretsmanager:") && output.port == 5432 && output.database == "app"
    error_message = "applications learn where to connect"
  }
}

run "dev" {
  variables {
    multi_az            = false
    deletion_protection = false
    engine_version      = "16.4"
  }
  assert {
    condition     = !aws_db_instance.this.multi_az && !aws_db_instance.this.deletion_protection && aws_db_parameter_group.this.family == "postgres16"
    error_message = "dev may do with one zone, and the family follows the version"
  }
}

run "refuses_a_name" {
  command = plan
  variables { name = "shop--prod" }
  expect_failures = [var.name]
}
run "refuses_one_subnet" {
  command = plan
  variables { subnet_ids = ["subnet-a", "subnet-a"] }
  expect_failures = [var.subnet_ids]
}
run "refuses_no_clients" {
  command = plan
  variables { client_security_groups = {} }
  expect_failures = [var.client_security_groups]
}
run "refuses_a_database" {
  command = plan
  variables { database = "postgres" }
  expect_failures = [var.database]
}
run "refuses_an_old_version" {
  command = plan
  variables { engine_version = "12" }
  expect_failures = [var.engine_version]
}
run "refuses_a_class" {
  command = plan
  variables { instance_class = "t4g.medium" }
  expect_failures = [var.instance_class]
}
run "refuses_storage_that_cannot_grow" {
  command = plan
  variables { storage_gib = { initial = 100, max = 100 } }
  expect_failures = [var.storage_gib]
}
run "refuses_short_backups" {
  command = plan
  variables { backup_days = 1 }
  expect_failures = [var.backup_days]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan
  variables {
    permissions_boundary_arn = "acme-boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
