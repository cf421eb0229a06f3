output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Addresses of the VPC."
  value       = var.cidr
}

output "public_subnet_ids" {
  description = "Public subnets, in the order of zones: load balancers and NAT only."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Private subnets, in the order of zones: nodes."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "intra_subnet_ids" {
  description = "Subnets without a route out, in the order of zones: control plane and databases."
  value       = [for zone in var.zones : aws_subnet.intra[zone].id]
}

output "nat_gateway_ids" {
  description = "NAT gateways by zone."
  value       = { for zone, gateway in aws_nat_gateway.this : zone => gateway.id }
}

output "nat_public_ips" {
  description = "Addresses that traffic to the outside comes from."
  value       = [for eip in aws_eip.nat : eip.public_ip]
}

output "endpoints_security_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "flow_log_group" {
  description = "CloudWatch log group of the flow logs."
  value       = aws_cloudwatch_log_group.flow.name
}

output "interface_endpoint_ids" {
  description = "Interface endpoints, by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}
