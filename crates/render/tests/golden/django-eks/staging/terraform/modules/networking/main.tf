# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

# PostgreSQL: reached by the services that use it, and opens no connection itself.
resource "aws_security_group" "rds" {
  name        = "${var.name_prefix}-rds"
  description = "PostgreSQL db"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-rds" }
}

resource "aws_vpc_security_group_ingress_rule" "rds_app" {
  security_group_id            = aws_security_group.rds.id
  description                  = "PostgreSQL from beat, web and worker"
  referenced_security_group_id = var.cluster_security_group_id
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
  description                  = "Redis from beat, web and worker"
  referenced_security_group_id = var.cluster_security_group_id
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}
