# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

output "certificate_arn" {
  description = "The certificate, once it is proven."
  value       = aws_acm_certificate_validation.this.certificate_arn
}

output "hosts" {
  description = "Hosts that lead to the load balancer."
  value       = [for record in aws_route53_record.host : record.fqdn]
}
