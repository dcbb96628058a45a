# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

output "arns" {
  description = "The parameters."
  value       = [for parameter in aws_ssm_parameter.this : parameter.arn]
}
