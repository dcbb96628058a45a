# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

output "instance_id" {
  description = "The bastion: aws ssm start-session --target ID."
  value       = aws_instance.this.id
}
