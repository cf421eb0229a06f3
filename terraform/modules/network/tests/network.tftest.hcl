mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  name  = "shop-dev"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
}

run "subnets" {
  assert {
    condition     = aws_subnet.private["eu-west-1b"].cidr_block == "10.20.32.0/19"
    error_message = "private subnets are eighths"
  }
  assert {
    condition     = aws_subnet.public["eu-west-1a"].cidr_block == "10.20.96.0/21" && aws_subnet.intra["eu-west-1c"].cidr_block == "10.20.144.0/21"
    error_message = "public and intra subnets are thirty-seconds behind the private ones"
  }
  assert {
    condition     = alltrue([for s in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.intra)) : !s.map_public_ip_on_launch])
    error_message = "no subnet gives machines a public address"
  }
  assert {
    condition     = aws_subnet.public["eu-west-1a"].tags["kubernetes.io/role/elb"] == "1" && aws_subnet.private["eu-west-1a"].tags["kubernetes.io/role/internal-elb"] == "1"
    error_message = "the load balancer controller finds its subnets by these tags"
  }
  assert {
    condition     = !contains(keys(aws_subnet.private["eu-west-1a"].tags), "karpenter.sh/discovery")
    error_message = "with no cluster Karpenter has nothing to find"
  }
  assert {
    condition     = length(output.private_subnet_ids) == 3 && length(output.public_subnet_ids) == 3 && length(output.intra_subnet_ids) == 3
    error_message = "three subnets of each kind"
  }
  assert {
    condition     = aws_default_security_group.this.ingress == null || length(aws_default_security_group.this.ingress) == 0
    error_message = "the default group lets nothing through"
  }
}

run "nat_per_zone_by_default" {
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.nat) == 3
    error_message = "a NAT gateway in each zone"
  }
  assert {
    condition     = aws_route.private["eu-west-1c"].nat_gateway_id == aws_nat_gateway.this["eu-west-1c"].id
    error_message = "each zone goes out by its own gateway"
  }
}

run "one_nat" {
  variables {
    nat = "one"
  }
  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-west-1a"]
    error_message = "one gateway, in the first zone"
  }
  assert {
    condition     = alltrue([for r in aws_route.private : r.nat_gateway_id == aws_nat_gateway.this["eu-west-1a"].id])
    error_message = "all zones go out by the one gateway"
  }
}

run "tags_of_clusters" {
  variables {
    cluster_names = ["shop-dev"]
  }
  assert {
    condition     = aws_subnet.private["eu-west-1a"].tags["karpenter.sh/discovery"] == "shop-dev" && aws_subnet.private["eu-west-1a"].tags["kubernetes.io/cluster/shop-dev"] == "shared"
    error_message = "Karpenter and load balancers find the subnets of the cluster"
  }
  assert {
    condition     = !contains(keys(aws_subnet.public["eu-west-1a"].tags), "karpenter.sh/discovery")
    error_message = "Karpenter never starts nodes in public subnets"
  }
}

run "endpoints" {
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.s3.route_table_ids) > 0
    error_message = "S3 is reached without NAT"
  }
  assert {
    condition     = aws_vpc_endpoint.interface["ecr.dkr"].service_name == "com.amazonaws.eu-west-1.ecr.dkr" && aws_vpc_endpoint.interface["ecr.dkr"].private_dns_enabled
    error_message = "the registry is reached inside the VPC"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints.to_port == 443
    error_message = "endpoints answer the VPC alone"
  }
}

run "no_endpoints" {
  variables {
    interface_endpoints = []
  }
  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "interface endpoints are those named"
  }
}

run "flow_logs" {
  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 365
    error_message = "all traffic is logged, for a year"
  }
  assert {
    condition     = aws_cloudwatch_log_group.flow.kms_key_id == aws_kms_key.logs.arn && aws_kms_key.logs.enable_key_rotation
    error_message = "flow logs are encrypted with a key that rotates"
  }
  assert {
    condition     = jsondecode(aws_kms_key.logs.policy).Statement[1].Condition.ArnEquals["kms:EncryptionContext:aws:logs:arn"] == "arn:aws:logs:eu-west-1:111122223333:log-group:/waybill/shop-dev/flow-logs"
    error_message = "the key serves this log group alone"
  }
}

run "refuses_a_name" {
  command = plan
  variables {
    name = "Shop_Dev"
  }
  expect_failures = [var.name]
}

run "refuses_a_cidr_with_host_bits" {
  command = plan
  variables {
    cidr = "10.20.0.1/16"
  }
  expect_failures = [var.cidr]
}

run "refuses_a_small_cidr" {
  command = plan
  variables {
    cidr = "10.20.0.0/22"
  }
  expect_failures = [var.cidr]
}

run "two_zones" {
  variables {
    zones = ["us-west-1a", "us-west-1c"]
  }
  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_subnet.intra) == 2 && length(aws_nat_gateway.this) == 2
    error_message = "a region with two zones is served too"
  }
}

run "refuses_one_zone" {
  command = plan
  variables {
    zones = ["eu-west-1a"]
  }
  expect_failures = [var.zones]
}

run "refuses_a_zone_twice" {
  command = plan
  variables {
    zones = ["eu-west-1a", "eu-west-1b", "eu-west-1b"]
  }
  expect_failures = [var.zones]
}

run "refuses_nat" {
  command = plan
  variables {
    nat = "none"
  }
  expect_failures = [var.nat]
}

run "whole_names_of_endpoints" {
  variables {
    interface_endpoints = ["cn.com.amazonaws.cn-north-1.ecr.api"]
  }
  assert {
    condition     = aws_vpc_endpoint.interface["cn.com.amazonaws.cn-north-1.ecr.api"].service_name == "cn.com.amazonaws.cn-north-1.ecr.api"
    error_message = "a whole name is taken as it stands"
  }
}

run "refuses_a_strange_endpoint" {
  command = plan
  variables {
    interface_endpoints = ["ECR"]
  }
  expect_failures = [var.interface_endpoints]
}

run "refuses_an_s3_interface" {
  command = plan
  variables {
    interface_endpoints = ["s3"]
  }
  expect_failures = [var.interface_endpoints]
}

run "refuses_short_retention" {
  command = plan
  variables {
    flow_log_retention_days = 7
  }
  expect_failures = [var.flow_log_retention_days]
}

run "refuses_a_boundary_that_is_no_policy" {
  command = plan
  variables {
    permissions_boundary_arn = "acme-boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}
