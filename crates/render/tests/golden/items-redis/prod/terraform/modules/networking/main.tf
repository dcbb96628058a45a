# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

# Redis: reached by the services that use it, and opens no connection itself.
resource "aws_security_group" "redis" {
  name        = "${var.name_prefix}-redis"
  description = "Redis cache"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name_prefix}-redis" }
}

resource "aws_vpc_security_group_ingress_rule" "redis_app" {
  security_group_id            = aws_security_group.redis.id
  description                  = "Redis from api"
  referenced_security_group_id = var.cluster_security_group_id
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}
