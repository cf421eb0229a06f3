output "public_zone_ids" {
  description = "Public zone of each domain."
  value       = { for domain, zone in aws_route53_zone.public : domain => zone.zone_id }
}

output "public_zone_arns" {
  description = "ARN of each public zone, for external-dns and cert-manager."
  value       = { for domain, zone in aws_route53_zone.public : domain => zone.arn }
}

output "private_zone_ids" {
  description = "Private zone of each domain."
  value       = { for domain, zone in aws_route53_zone.private : domain => zone.zone_id }
}

output "private_zone_arns" {
  description = "ARN of each private zone, for external-dns."
  value       = { for domain, zone in aws_route53_zone.private : domain => zone.arn }
}

output "name_servers" {
  description = "What the parent of each public domain has to name."
  value       = { for domain, zone in aws_route53_zone.public : domain => zone.name_servers }
}

output "certificate_arns" {
  description = "Certificate of each public domain. It is valid once the domain's parent names the zone's servers."
  value       = { for domain, certificate in aws_acm_certificate.this : domain => certificate.arn }
}
