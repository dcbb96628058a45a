# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

# The load balancer: open to everybody on the two web ports, and itself allowed nothing but the application's.
resource "aws_security_group" "alb" {
  name        = "${var.name_prefix}-alb"
  description = "Load balancer: web traffic in, application out"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-alb" }
}

resource "aws_vpc_security_group_ingress_rule" "alb" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.alb.id
  description       = "${upper(each.key)} from the internet"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "alb_app" {
  security_group_id            = aws_security_group.alb.id
  description                  = "Requests and health checks to the app"
  referenced_security_group_id = aws_security_group.app.id
  from_port                    = var.app_port
  to_port                      = var.app_port
  ip_protocol                  = "tcp"
}

# The machines that run the services: nobody but the load balancer reaches them.
resource "aws_security_group" "app" {
  name        = "${var.name_prefix}-app"
  description = "Machines that run the services"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-app" }
}

resource "aws_vpc_security_group_ingress_rule" "app_alb" {
  security_group_id            = aws_security_group.app.id
  description                  = "Requests and health checks from the load balancer"
  referenced_security_group_id = aws_security_group.alb.id
  from_port                    = var.app_port
  to_port                      = var.app_port
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "app_web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.app.id
  description       = "Packages, source and AWS APIs over ${upper(each.key)}"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

# PostgreSQL: reached by the services that use it, and opens no connection itself.
resource "aws_security_group" "rds" {
  name        = "${var.name_prefix}-rds"
  description = "PostgreSQL db"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-rds" }
}

resource "aws_vpc_security_group_ingress_rule" "rds_app" {
  security_group_id            = aws_security_group.rds.id
  description                  = "PostgreSQL from web"
  referenced_security_group_id = aws_security_group.app.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "app_rds" {
  security_group_id            = aws_security_group.app.id
  description                  = "PostgreSQL db"
  referenced_security_group_id = aws_security_group.rds.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_ingress_rule" "rds_bastion" {
  security_group_id            = aws_security_group.rds.id
  description                  = "Administration from the bastion"
  referenced_security_group_id = aws_security_group.bastion.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "bastion_rds" {
  security_group_id            = aws_security_group.bastion.id
  description                  = "PostgreSQL db"
  referenced_security_group_id = aws_security_group.rds.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

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
