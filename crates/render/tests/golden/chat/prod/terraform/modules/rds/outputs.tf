# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

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

output "primary_zone" {
  description = "Zone that the primary is meant for, and the one that it is in: RDS chooses that of a Multi-AZ instance itself. To move it: aws rds reboot-db-instance --force-failover"
  value       = { wanted = var.primary_zone, actual = aws_db_instance.this.availability_zone }
}

output "replica_endpoint" {
  description = "Host and port of the read replica."
  value       = one(aws_db_instance.replica[*].endpoint)
}
