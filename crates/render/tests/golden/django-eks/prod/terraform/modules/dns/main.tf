# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

data "aws_route53_zone" "this" {
  name = var.zone_name
}

resource "aws_acm_certificate" "this" {
  domain_name               = var.domain_name
  subject_alternative_names = var.alternative_names
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# The proof that the names are ours; it stays, because renewals ask for it again.
resource "aws_route53_record" "validation" {
  for_each = toset(concat([var.domain_name], var.alternative_names))

  zone_id         = data.aws_route53_zone.this.zone_id
  name            = local.proofs[each.key].resource_record_name
  type            = local.proofs[each.key].resource_record_type
  records         = [local.proofs[each.key].resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

locals {
  proofs = { for option in aws_acm_certificate.this.domain_validation_options : option.domain_name => option }
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

# The load balancer is made by the cluster's controller, after the first deployment of the application.
data "aws_lb" "ingress" {
  count = var.load_balancer_name == null ? 0 : 1

  name = var.load_balancer_name
}

resource "aws_route53_record" "host" {
  for_each = var.load_balancer_name == null ? toset([]) : toset(var.hosts)

  zone_id = data.aws_route53_zone.this.zone_id
  name    = each.key
  type    = "A"

  alias {
    name                   = data.aws_lb.ingress[0].dns_name
    zone_id                = data.aws_lb.ingress[0].zone_id
    evaluate_target_health = true
  }
}
