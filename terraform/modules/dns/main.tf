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

# Nothing waits until a certificate is valid: that takes the name servers of the domain's
# parent, which somebody else may have to change. Load balancers find it once it is.

locals {
  # A zone below another one of these is named there; other parents are others' to tell.
  parents = { for domain in var.public_domains : domain => [
    for other in var.public_domains : other if endswith(domain, ".${other}")
  ] }
  delegated = { for domain, above in local.parents : domain => sort([for p in above : format("%04d %s", length(p), p)])[length(above) - 1] if length(above) > 0 }
}

resource "aws_route53_record" "delegation" {
  for_each = local.delegated
  zone_id  = aws_route53_zone.public[split(" ", each.value)[1]].zone_id
  name     = each.key
  type     = "NS"
  ttl      = 3600
  records  = aws_route53_zone.public[each.key].name_servers
}

# The same for zones that another root makes.
resource "aws_route53_record" "other" {
  for_each = var.delegations
  zone_id  = aws_route53_zone.public[one([for d in var.public_domains : d if endswith(each.key, ".${d}")])].zone_id
  name     = each.key
  type     = "NS"
  ttl      = 3600
  records  = each.value
}
