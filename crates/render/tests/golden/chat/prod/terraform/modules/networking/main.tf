# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

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
  description                  = "Requests and health checks to the nodes"
  referenced_security_group_id = aws_security_group.nodes.id
  from_port                    = var.app_port
  to_port                      = var.app_port
  ip_protocol                  = "tcp"
}

# The machines that run the services: nobody but the load balancer reaches them.
resource "aws_security_group" "nodes" {
  name        = "${var.name_prefix}-nodes"
  description = "Machines that run the services"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-nodes" }
}

resource "aws_vpc_security_group_ingress_rule" "nodes_alb" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "Requests and health checks from the load balancer"
  referenced_security_group_id = aws_security_group.alb.id
  from_port                    = var.app_port
  to_port                      = var.app_port
  ip_protocol                  = "tcp"
}

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

resource "aws_vpc_security_group_egress_rule" "nodes_web" {
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.nodes.id
  description       = "Packages, images and AWS APIs over ${upper(each.key)}"
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
  description                  = "PostgreSQL from backend"
  referenced_security_group_id = aws_security_group.nodes.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "nodes_rds" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "PostgreSQL db"
  referenced_security_group_id = aws_security_group.rds.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
}

# Redis: reached by the services that use it, and opens no connection itself.
resource "aws_security_group" "redis" {
  name        = "${var.name_prefix}-redis"
  description = "Redis cache"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-redis" }
}

resource "aws_vpc_security_group_ingress_rule" "redis_app" {
  security_group_id            = aws_security_group.redis.id
  description                  = "Redis from backend and websocket"
  referenced_security_group_id = aws_security_group.nodes.id
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "nodes_redis" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "Redis cache"
  referenced_security_group_id = aws_security_group.redis.id
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}
