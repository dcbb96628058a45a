# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.

output "rds_security_group_id" {
  description = "That of the store `db`."
  value       = aws_security_group.rds.id
}

output "gateway_endpoint_ids" {
  description = "Gateway endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.id }
}
