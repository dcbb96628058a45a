# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.

data "aws_region" "current" {}

# Gateway endpoints cost nothing and save the traffic through NAT.
resource "aws_vpc_endpoint" "gateway" {
  for_each = toset(var.gateway_endpoints)

  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.current.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.private_route_table_ids

  tags = { Name = "${var.name_prefix}-${each.key}" }
}
