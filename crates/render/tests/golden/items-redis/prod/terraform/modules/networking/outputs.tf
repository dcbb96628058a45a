# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

output "redis_security_group_id" {
  description = "That of the store `cache`."
  value       = aws_security_group.redis.id
}

output "gateway_endpoint_ids" {
  description = "Gateway endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.id }
}
