# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

locals {
  major_version = split(".", var.engine_version)[0]
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.identifier
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name   = "${var.identifier}-redis${local.major_version}"
  family = "redis${local.major_version}"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.identifier
  description          = "Redis of ${var.name_prefix}"
  engine               = "redis"
  engine_version       = var.engine_version
  node_type            = var.node_type
  port                 = 6379
  num_cache_clusters   = var.node_count

  # A second node takes over by itself; one alone has nobody to hand over to.
  automatic_failover_enabled = var.node_count > 1
  multi_az_enabled           = var.node_count > 1

  subnet_group_name    = aws_elasticache_subnet_group.this.name
  parameter_group_name = aws_elasticache_parameter_group.this.name
  security_group_ids   = [var.security_group_id]

  at_rest_encryption_enabled = var.enable_encryption
  kms_key_id                 = var.enable_encryption ? var.kms_key_arn : null
  transit_encryption_enabled = true
  auth_token                 = random_password.this.result
  # Replacing the token keeps the old one valid until every client has the new one.
  auth_token_update_strategy = "ROTATE"

  maintenance_window         = var.maintenance_window
  snapshot_window            = var.snapshot_window
  snapshot_retention_limit   = var.snapshot_retention_days
  final_snapshot_identifier  = "${var.identifier}-final"
  auto_minor_version_upgrade = true

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.slow.name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "slow-log"
  }
}

# Made here once, and kept in Secrets Manager, where the services read it. It is in the state as well, which is encrypted
# and which only the pipeline and deployers read. `terraform apply -replace` of this resource makes another.
resource "random_password" "this" {
  length = 64
  # Letters and digits: nothing that ElastiCache refuses or a URL would have to escape.
  special = false
}

resource "aws_secretsmanager_secret" "this" {
  name                    = var.secret_name
  description             = "How ${var.identifier} is reached"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id = aws_secretsmanager_secret.this.id

  secret_string = jsonencode({
    host     = aws_elasticache_replication_group.this.primary_endpoint_address
    port     = aws_elasticache_replication_group.this.port
    password = random_password.this.result
  })
}

resource "aws_cloudwatch_log_group" "slow" {
  name              = "/aws/elasticache/${var.identifier}/slow-log"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
