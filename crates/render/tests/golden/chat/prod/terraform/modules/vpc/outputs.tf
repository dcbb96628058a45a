# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr" {
  description = "Its addresses."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Subnets of load balancers, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets of the services, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]

  depends_on = [aws_route.nat, aws_route_table_association.private]
}

output "private_subnets" {
  description = "Subnets of the services, by zone."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "private_route_table_ids" {
  description = "Routes of the private subnets."
  value       = [for table in aws_route_table.private : table.id]
}

output "nat_addresses" {
  description = "Where requests of the services come from: for the allow lists of others."
  value       = [for address in aws_eip.nat : address.public_ip]
}
