# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

output "dns_name" {
  description = "Where the application is reached."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "The zone of that name, for alias records."
  value       = aws_lb.this.zone_id
}

output "arn" {
  description = "The load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "The load balancer, as CloudWatch knows it."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn" {
  description = "Where machines register."
  value       = aws_lb_target_group.app.arn
}

output "target_group_arn_suffix" {
  description = "The target group, as CloudWatch knows it."
  value       = aws_lb_target_group.app.arn_suffix
}
