resource "aws_route53_zone" "public" {
  for_each      = var.public_domains
  name          = each.key
  comment       = "Written by Terraform and, for names in the cluster, by external-dns"
  force_destroy = false
  tags          = var.tags
}

resource "aws_route53_zone" "private" {
  for_each      = var.private_domains
  name          = each.key
  comment       = "Seen inside the VPCs alone"
  force_destroy = false
  tags          = var.tags

  dynamic "vpc" {
    for_each = each.value
    content {
      vpc_id = vpc.value
    }
  }
}

resource "aws_route53_record" "caa" {
  for_each = length(var.certificate_authorities) == 0 ? [] : var.public_domains
  zone_id  = aws_route53_zone.public[each.key].zone_id
  name     = each.key
  type     = "CAA"
  ttl      = 3600
  records  = [for authority in var.certificate_authorities : "0 issue \"${authority}\""]
}

locals {
  certified = var.certificates ? var.public_domains : []
}

resource "aws_acm_certificate" "this" {
  for_each                  = local.certified
  domain_name               = each.key
  subject_alternative_names = ["*.${each.key}"]
  validation_method         = "DNS"
  key_algorithm             = "EC_prime256v1"
  tags                      = var.tags
  lifecycle {
    create_before_destroy = true
  }
}

# Domain and wildcard are proved by the same record, so the first will do.
resource "aws_route53_record" "validation" {
  for_each        = local.certified
  zone_id         = aws_route53_zone.public[each.key].zone_id
  name            = tolist(aws_acm_certificate.this[each.key].domain_validation_options)[0].resource_record_name
  type            = tolist(aws_acm_certificate.this[each.key].domain_validation_options)[0].resource_record_type
  records         = [tolist(aws_acm_certificate.this[each.key].domain_validation_options)[0].resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  for_each                = local.certified
  certificate_arn         = aws_acm_certificate.this[each.key].arn
  validation_record_fqdns = [aws_route53_record.validation[each.key].fqdn]
}
