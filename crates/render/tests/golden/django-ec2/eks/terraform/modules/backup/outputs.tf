# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.

output "vault_arn" {
  description = "Where the backups are."
  value       = aws_backup_vault.this.arn
}
