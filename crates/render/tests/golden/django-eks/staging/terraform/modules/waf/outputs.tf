# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

output "arn" {
  description = "The firewall."
  value       = aws_wafv2_web_acl.this.arn
}
