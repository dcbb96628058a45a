# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

output "alb_security_group_id" {
  description = "The load balancer's."
  value       = aws_security_group.alb.id
}

output "app_security_group_id" {
  description = "The machines'."
  value       = aws_security_group.app.id
}

output "rds_security_group_id" {
  description = "That of the store `db`."
  value       = aws_security_group.rds.id
}

output "bastion_security_group_id" {
  description = "The bastion's."
  value       = aws_security_group.bastion.id
}

output "interface_endpoint_ids" {
  description = "Endpoints by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}
