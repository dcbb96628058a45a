<% if alb %>
# The load balancer: open to <% if public %>everybody<% else %>the VPC<% endif %> on the two web ports, and itself allowed nothing but the application's.
resource "aws_security_group" "alb" {
  name        = "${var.name_prefix}-alb"
  description = "Load balancer: web traffic in, application out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.alb.id
  description       = "${upper(each.key)} from <% if public %>the internet<% else %>the VPC<% endif %>"
  <% if public %>
  cidr_ipv4         = "0.0.0.0/0"
  <% else %>
  cidr_ipv4         = var.vpc_cidr
  <% endif %>
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "alb_app" {
  security_group_id            = aws_security_group.alb.id
  description                  = "Requests and health checks to the <<app>>"
  referenced_security_group_id = aws_security_group.<<app>>.id
  from_port                    = var.app_port
  to_port                      = var.app_port
  ip_protocol                  = "tcp"
}

# The machines that run the services: nobody but the load balancer reaches them.
resource "aws_security_group" "<<app>>" {
  name        = "${var.name_prefix}-<<app>>"
  description = "Machines that run the services"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-<<app>>" }
}

resource "aws_vpc_security_group_ingress_rule" "<<app>>_alb" {
  security_group_id            = aws_security_group.<<app>>.id
  description                  = "Requests and health checks from the load balancer"
  referenced_security_group_id = aws_security_group.alb.id
  from_port                    = var.app_port
  to_port                      = var.app_port
  ip_protocol                  = "tcp"
}

<% if nodes %>
# Kubernetes between its nodes: API server, kubelet, etcd and the overlay network of the pods. NetworkPolicies say
# which pod may talk to which.
resource "aws_vpc_security_group_ingress_rule" "nodes_self" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "Kubernetes, node to node"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "nodes_self" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "Kubernetes, node to node"
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = "-1"
}

<% endif %>
resource "aws_vpc_security_group_egress_rule" "<<app>>_web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.<<app>>.id
  description       = "Packages, <% if nodes %>images<% else %>source<% endif %> and AWS APIs over ${upper(each.key)}"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

<% endif %>
<% for store in stores %>
# <<store.title>>: reached by <% if store.called %>the services that use it<% else %>nobody: no service of the file uses it<% endif %>, and opens no connection itself.
resource "aws_security_group" "<<store.id>>" {
  name        = "${var.name_prefix}-<<store.group>>"
  description = "<<store.title>> <<store.name>>"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-<<store.group>>" }
}

<% if store.called %>
resource "aws_vpc_security_group_ingress_rule" "<<store.id>>_app" {
  security_group_id            = aws_security_group.<<store.id>>.id
  description                  = "<<store.title>> from <<store.callers>>"
  referenced_security_group_id = <% if eks %>var.cluster_security_group_id<% else %>aws_security_group.<<app>>.id<% endif %>

  from_port                    = <<store.port>>
  to_port                      = <<store.port>>
  ip_protocol                  = "tcp"
}

<% if alb %>
resource "aws_vpc_security_group_egress_rule" "<<app>>_<<store.id>>" {
  security_group_id            = aws_security_group.<<app>>.id
  description                  = "<<store.title>> <<store.name>>"
  referenced_security_group_id = aws_security_group.<<store.id>>.id
  from_port                    = <<store.port>>
  to_port                      = <<store.port>>
  ip_protocol                  = "tcp"
}

<% endif %>
<% endif %>
<% if bastion %>
resource "aws_vpc_security_group_ingress_rule" "<<store.id>>_bastion" {
  security_group_id            = aws_security_group.<<store.id>>.id
  description                  = "Administration from the bastion"
  referenced_security_group_id = aws_security_group.bastion.id
  from_port                    = <<store.port>>
  to_port                      = <<store.port>>
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "bastion_<<store.id>>" {
  security_group_id            = aws_security_group.bastion.id
  description                  = "<<store.title>> <<store.name>>"
  referenced_security_group_id = aws_security_group.<<store.id>>.id
  from_port                    = <<store.port>>
  to_port                      = <<store.port>>
  ip_protocol                  = "tcp"
}

<% endif %>
<% endfor %>
<% if bastion %>
# The bastion: reached by Session Manager, which needs no open port; there is no SSH from anywhere.
resource "aws_security_group" "bastion" {
  name        = "${var.name_prefix}-bastion"
  description = "Bastion, reached by Session Manager only"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-bastion" }
}

resource "aws_vpc_security_group_egress_rule" "bastion_web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.bastion.id
  description       = "Session Manager and packages over ${upper(each.key)}"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

<% endif %>
