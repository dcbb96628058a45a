# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

output "file_system_id" {
  description = "The file system, for the storage class."
  value       = aws_efs_file_system.this.id
}

output "arn" {
  description = "The file system."
  value       = aws_efs_file_system.this.arn
}
