# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

output "secret_arns" {
  description = "The secrets, by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }

  depends_on = [aws_secretsmanager_secret_version.this]
}
