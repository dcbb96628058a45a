# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

output "rds_security_group_id" {
  description = "That of the store `db`."
  value       = aws_security_group.rds.id
}

output "redis_security_group_id" {
  description = "That of the store `cache`."
  value       = aws_security_group.redis.id
}

output "interface_endpoint_ids" {
  description = "Endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}

output "gateway_endpoint_ids" {
  description = "Gateway endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.id }
}
