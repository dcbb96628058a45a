# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

output "key_arn" {
  description = "The key of the recovery region."
  value       = aws_kms_key.this.arn
}

output "replicated_backup_ids" {
  description = "Replicated backups, by database."
  value       = { for name, backup in aws_db_instance_automated_backups_replication.this : name => backup.id }
}

output "vault_arn" {
  description = "The vault."
  value       = aws_backup_vault.this.arn
}

output "bucket_arns" {
  description = "Copies of the buckets."
  value       = { for purpose, bucket in aws_s3_bucket.replica : purpose => bucket.arn }

  depends_on = [aws_s3_bucket_versioning.replica]
}
