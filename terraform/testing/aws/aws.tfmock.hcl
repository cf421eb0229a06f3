# What AWS would answer, as far as the modules take it apart: real formats, so
# that the tests also run with the real provider, which checks them.
mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}
mock_data "aws_caller_identity" {
  defaults = { account_id = "111122223333" }
}
mock_data "aws_region" {
  defaults = { region = "eu-west-1", name = "eu-west-1" }
}
mock_resource "aws_vpc" {
  defaults = { id = "vpc-0123456789abcdef0", default_security_group_id = "sg-0123456789abcdef0" }
}
mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000", key_id = "00000000-0000-0000-0000-000000000000" }
}
mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
}
mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::111122223333:policy/mocked" }
}
mock_resource "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
}
mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:mocked" }
}
mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::mocked", id = "mocked" }
}
mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-west-1:111122223333:mocked" }
}
mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-west-1:111122223333:mocked", url = "https://sqs.eu-west-1.amazonaws.com/111122223333/mocked" }
}
mock_resource "aws_ecr_repository" {
  defaults = { arn = "arn:aws:ecr:eu-west-1:111122223333:repository/mocked", repository_url = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/mocked" }
}
mock_resource "aws_eks_cluster" {
  defaults = {
    arn                   = "arn:aws:eks:eu-west-1:111122223333:cluster/mocked"
    endpoint              = "https://mocked.eks.amazonaws.com"
    version               = "1.34"
    certificate_authority = [{ data = "Y2E=" }]
    vpc_config            = { cluster_security_group_id = "sg-0123456789abcdef1", vpc_id = "vpc-0123456789abcdef0" }
    identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/MOCKED" }] }]
  }
}
mock_resource "aws_eks_node_group" {
  defaults = {
    arn       = "arn:aws:eks:eu-west-1:111122223333:nodegroup/mocked/mocked/0"
    resources = [{ autoscaling_groups = [{ name = "eks-mocked" }], remote_access_security_group_id = "" }]
  }
}
mock_resource "aws_launch_template" {
  defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
}
mock_resource "aws_acm_certificate" {
  defaults = {
    arn = "arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000"
    domain_validation_options = [{
      domain_name           = "mocked"
      resource_record_name  = "_mocked.example.com."
      resource_record_type  = "CNAME"
      resource_record_value = "_mocked.acm-validations.aws."
    }]
  }
}
mock_resource "aws_route53_zone" {
  defaults = { zone_id = "Z0123456789ABCDEFGHIJ", name_servers = ["ns-1.awsdns-00.org", "ns-2.awsdns-01.net"], arn = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" }
}
mock_resource "aws_db_instance" {
  defaults = {
    arn                = "arn:aws:rds:eu-west-1:111122223333:db:mocked"
    address            = "mocked.rds.amazonaws.com"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:mocked", kms_key_id = "", secret_status = "active" }]
  }
}
mock_data "aws_eks_cluster" {
  defaults = { version = "1.34" }
}
mock_data "aws_ssm_parameter" {
  defaults = { insecure_value = "1.34.1-20251120" }
}
mock_data "aws_eks_addon_version" {
  defaults = { version = "v1.20.4-eksbuild.2" }
}
