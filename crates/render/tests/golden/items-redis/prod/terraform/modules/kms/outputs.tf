# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

output "key_arn" {
  description = "The key."
  value       = aws_kms_key.this.arn
}
