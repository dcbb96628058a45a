# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

output "address" {
  description = "Host of the primary."
  value       = aws_db_instance.this.address
}

output "endpoint" {
  description = "Host and port of the primary."
  value       = aws_db_instance.this.endpoint
}

output "arn" {
  description = "The database."
  value       = aws_db_instance.this.arn
}

output "identifier" {
  description = "What it is called."
  value       = aws_db_instance.this.identifier
}

output "secret_arn" {
  description = "Host, user and password, in Secrets Manager."
  value       = aws_secretsmanager_secret.this.arn

  depends_on = [aws_secretsmanager_secret_version.this]
}
