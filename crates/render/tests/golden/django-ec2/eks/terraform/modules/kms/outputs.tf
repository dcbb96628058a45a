# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.

output "key_arn" {
  description = "The key."
  value       = aws_kms_key.this.arn
}
