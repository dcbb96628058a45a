# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

output "address" {
  description = "Host of the primary."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "reader_address" {
  description = "Host of the readers."
  value       = aws_elasticache_replication_group.this.reader_endpoint_address
}

output "node_ids" {
  description = "Nodes by number."
  value       = { for index in range(var.node_count) : format("%s-%03d", var.identifier, index + 1) => format("%s-%03d", var.identifier, index + 1) }
}

output "secret_arn" {
  description = "Host and token, in Secrets Manager."
  value       = aws_secretsmanager_secret.this.arn

  depends_on = [aws_secretsmanager_secret_version.this]
}
