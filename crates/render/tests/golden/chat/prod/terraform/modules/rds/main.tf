# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

resource "aws_db_subnet_group" "this" {
  name       = var.identifier
  subnet_ids = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.identifier}-postgres${local.major_version}"
  family = "postgres${local.major_version}"

  # Connections without TLS are refused.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "ssl_min_protocol_version"
    value = "TLSv1.2"
  }

  # What takes longer than a second is worth a line.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  major_version = split(".", var.engine_version)[0]
}

resource "aws_db_instance" "this" {
  identifier     = var.identifier
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  allocated_storage     = var.allocated_storage
  max_allocated_storage = var.max_allocated_storage
  storage_type          = var.storage_type
  storage_encrypted     = var.enable_encryption
  kms_key_id            = var.enable_encryption ? var.kms_key_arn : null

  db_name  = var.database_name
  username = var.username
  password = random_password.this.result
  port     = 5432

  db_subnet_group_name   = aws_db_subnet_group.this.name
  parameter_group_name   = aws_db_parameter_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  multi_az               = var.multi_az
  # RDS chooses the zone of a Multi-AZ primary itself.
  availability_zone = var.multi_az ? null : var.primary_zone

  backup_retention_period   = var.backup_retention_days
  backup_window             = var.backup_window
  maintenance_window        = var.maintenance_window
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.identifier}-final"

  # Exactly the version above: an update is a change of the file.
  auto_minor_version_upgrade = false

  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  ca_cert_identifier              = "rds-ca-rsa2048-g1"

  depends_on = [aws_cloudwatch_log_group.this]
}

# For reading, and to be promoted when the primary's zone is lost for longer.
resource "aws_db_instance" "replica" {
  count = var.replica_zone == null ? 0 : 1

  identifier          = "${var.identifier}-replica"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class
  availability_zone   = var.replica_zone

  max_allocated_storage = var.max_allocated_storage
  storage_type          = var.storage_type
  storage_encrypted     = var.enable_encryption
  kms_key_id            = var.enable_encryption ? var.kms_key_arn : null

  parameter_group_name   = aws_db_parameter_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false

  # Kept as long as the primary's, so that a promoted replica has them from its first day.
  backup_retention_period = var.backup_retention_days
  maintenance_window      = var.maintenance_window
  copy_tags_to_snapshot   = true
  deletion_protection     = var.deletion_protection
  # A replica holds nothing that the primary does not.
  skip_final_snapshot        = true
  auto_minor_version_upgrade = false

  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring.arn
}

# Made here once, and kept in Secrets Manager, where the services read it. It is in the state as well, which is encrypted
# and which only the pipeline and deployers read. `terraform apply -replace` of this resource makes another.
resource "random_password" "this" {
  length = 32
  # What RDS refuses in a password, and what would have to be escaped in a URL.
  override_special = "-_.~"
}

resource "aws_secretsmanager_secret" "this" {
  name                    = var.secret_name
  description             = "How ${var.identifier} is reached"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7

  replica {
    region = var.replica_region
  }
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id = aws_secretsmanager_secret.this.id

  secret_string = jsonencode({
    host     = aws_db_instance.this.address
    port     = aws_db_instance.this.port
    username = aws_db_instance.this.username
    password = random_password.this.result
    database = aws_db_instance.this.db_name
  })
}

# RDS would make these without an end to what they keep.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.identifier}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "monitoring" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}

# Figures of the operating system, once a minute.
resource "aws_iam_role" "monitoring" {
  name               = var.monitoring_role_name
  assume_role_policy = data.aws_iam_policy_document.monitoring.json
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
