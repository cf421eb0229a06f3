mock_provider "aws" {
  source = "../../testing/aws"
}

variables {
  public_domains  = ["dev.example.com"]
  private_domains = { "dev.internal" = ["vpc-a", "vpc-b"] }
}

run "zones" {
  assert {
    condition     = keys(output.public_zone_arns) == ["dev.example.com"] && length(aws_route53_zone.public["dev.example.com"].vpc) == 0
    error_message = "a public zone for the domain"
  }
  assert {
    condition     = toset([for v in aws_route53_zone.private["dev.internal"].vpc : v.vpc_id]) == toset(["vpc-a", "vpc-b"])
    error_message = "the private zone is seen in its VPCs"
  }
  assert {
    condition     = aws_route53_record.caa["dev.example.com"].records == toset(["0 issue \"amazon.com\"", "0 issue \"letsencrypt.org\""])
    error_message = "other authorities may not issue"
  }
}

run "certificates" {
  assert {
    condition     = aws_acm_certificate.this["dev.example.com"].subject_alternative_names == toset(["*.dev.example.com"]) && aws_acm_certificate.this["dev.example.com"].validation_method == "DNS"
    error_message = "the domain and one level below, proved by DNS"
  }
  assert {
    condition     = aws_route53_record.validation["dev.example.com"].name == "_mocked.example.com."
    error_message = "the proof is in the zone"
  }
  assert {
    condition     = keys(output.certificate_arns) == ["dev.example.com"]
    error_message = "nothing waits for the proof: the first apply ends before anybody has told the parent"
  }
}

run "no_certificates" {
  variables {
    certificates            = false
    certificate_authorities = []
  }
  assert {
    condition     = length(aws_acm_certificate.this) == 0 && length(aws_route53_record.validation) == 0 && length(aws_route53_record.caa) == 0
    error_message = "neither certificates nor CAA records where they are not wanted"
  }
}

run "refuses_a_wildcard" {
  command = plan
  variables { public_domains = ["*.example.com"] }
  expect_failures = [var.public_domains]
}
run "refuses_a_private_domain" {
  command = plan
  variables { private_domains = { "Dev" = ["vpc-a"] } }
  expect_failures = [var.private_domains]
}
run "refuses_a_private_zone_for_nobody" {
  command = plan
  variables { private_domains = { "dev.internal" = [] } }
  expect_failures = [var.private_domains]
}
run "refuses_a_domain_twice" {
  command = plan
  variables { private_domains = { "dev.example.com" = ["vpc-a"] } }
  expect_failures = [var.private_domains]
}
run "refuses_authorities_without_amazon" {
  command = plan
  variables { certificate_authorities = ["letsencrypt.org"] }
  expect_failures = [var.certificate_authorities]
}

run "delegation" {
  variables {
    public_domains = ["example.com", "dev.example.com", "a.dev.example.com"]
    delegations    = { "prod.other.example.com" = ["ns-1.awsdns-00.org", "ns-2.awsdns-01.net"] }
  }
  assert {
    condition     = { for d, r in local.delegated : d => split(" ", r)[1] } == { "dev.example.com" = "example.com", "a.dev.example.com" = "dev.example.com" }
    error_message = "a zone is named in the nearest one above it"
  }
  assert {
    condition     = keys(aws_route53_record.delegation) == ["a.dev.example.com", "dev.example.com"] && aws_route53_record.delegation["dev.example.com"].type == "NS"
    error_message = "and nowhere else"
  }
  assert {
    condition     = aws_route53_record.other["prod.other.example.com"].records == toset(["ns-1.awsdns-00.org", "ns-2.awsdns-01.net"])
    error_message = "the zone of another root is named too"
  }
}

run "refuses_one_name_server" {
  command = plan
  variables { delegations = { "a.dev.example.com" = ["ns-1.awsdns-00.org"] } }
  expect_failures = [var.delegations]
}
run "refuses_a_delegation_of_others" {
  command = plan
  variables { delegations = { "a.example.org" = ["ns-1.awsdns-00.org", "ns-2.awsdns-01.net"] } }
  expect_failures = [var.delegations]
}
