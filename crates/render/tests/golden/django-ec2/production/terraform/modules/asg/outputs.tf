# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

output "group_name" {
  description = "The auto-scaling group."
  value       = aws_autoscaling_group.this.name
}

output "role_arn" {
  description = "What the machines may do."
  value       = aws_iam_role.instance.arn
}
