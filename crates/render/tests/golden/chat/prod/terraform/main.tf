# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

# Buckets carry the account's number, since their names are one for all of AWS.
data "aws_caller_identity" "current" {}

module "kms" {
  source = "./modules/kms"

  name_prefix = var.name_prefix
}

module "vpc" {
  source = "./modules/vpc"

  name_prefix          = var.name_prefix
  vpc_cidr             = var.vpc_cidr
  availability_zones   = var.availability_zones
  public_subnet_cidrs  = var.public_subnet_cidrs
  private_subnet_cidrs = var.private_subnet_cidrs
  nat_gateways         = var.nat_gateways
  enable_flow_logs     = var.enable_flow_logs
  flow_log_group       = var.flow_log_group
  log_retention_days   = var.log_retention_days
  kms_key_arn          = module.kms.key_arn
}

module "iam" {
  source = "./modules/iam"

  name_prefix            = var.name_prefix
  environment            = var.environment
  github_repository      = var.github_repository
  create_github_provider = var.create_github_oidc_provider
}

module "networking" {
  source = "./modules/networking"

  name_prefix             = var.name_prefix
  vpc_id                  = module.vpc.vpc_id
  vpc_cidr                = module.vpc.vpc_cidr
  app_port                = var.app_port
  private_subnet_ids      = module.vpc.private_subnet_ids
  interface_endpoints     = var.interface_endpoints
  private_route_table_ids = module.vpc.private_route_table_ids
  gateway_endpoints       = var.gateway_endpoints
}

module "rds" {
  source = "./modules/rds"

  identifier            = var.db_identifier
  engine_version        = var.db_engine_version
  instance_class        = var.db_instance_class
  allocated_storage     = var.db_allocated_storage
  max_allocated_storage = var.db_max_allocated_storage
  storage_type          = var.db_storage_type
  database_name         = var.db_database_name
  username              = var.db_username
  primary_zone          = var.db_primary_zone
  multi_az              = var.db_multi_az
  replica_zone          = var.db_replica_zone
  backup_retention_days = var.db_backup_retention_days
  backup_window         = var.db_backup_window
  maintenance_window    = var.db_maintenance_window
  deletion_protection   = var.db_deletion_protection
  secret_name           = "chat-app/prod/db"
  monitoring_role_name  = "${var.name_prefix}-db-monitoring"
  enable_encryption     = var.enable_encryption
  subnet_ids            = module.vpc.private_subnet_ids
  security_group_id     = module.networking.rds_security_group_id
  log_retention_days    = var.log_retention_days
  kms_key_arn           = module.kms.key_arn
  replica_region        = var.recovery_region
}

module "elasticache" {
  source = "./modules/elasticache"

  name_prefix             = var.name_prefix
  identifier              = var.cache_identifier
  engine_version          = var.cache_engine_version
  node_type               = var.cache_node_type
  node_count              = var.cache_node_count
  snapshot_retention_days = var.cache_snapshot_retention_days
  snapshot_window         = var.cache_snapshot_window
  maintenance_window      = var.cache_maintenance_window
  secret_name             = "chat-app/prod/cache"
  enable_encryption       = var.enable_encryption
  subnet_ids              = module.vpc.private_subnet_ids
  security_group_id       = module.networking.redis_security_group_id
  log_retention_days      = var.log_retention_days
  kms_key_arn             = module.kms.key_arn
  replica_region          = var.recovery_region
}

module "s3_backups" {
  source = "./modules/s3"

  bucket                = "${var.name_prefix}-backups-${data.aws_caller_identity.current.account_id}"
  versioned             = var.backups_bucket_versioned
  archive_after_days    = var.backups_bucket_archive_after_days
  expire_after_days     = var.backups_bucket_expire_after_days
  kms_key_arn           = module.kms.key_arn
  replication_role_name = "${var.name_prefix}-backups-replication"
  replica_bucket_arn    = module.recovery.bucket_arns["backups"]
  replica_kms_key_arn   = module.recovery.key_arn
}

module "alb" {
  source = "./modules/alb"

  name_prefix           = var.name_prefix
  name                  = "${var.name_prefix}-alb"
  target_group_name     = "${var.name_prefix}-app"
  internet_facing       = var.internet_facing
  vpc_id                = module.vpc.vpc_id
  subnet_ids            = module.vpc.public_subnet_ids
  security_group_id     = module.networking.alb_security_group_id
  app_port              = var.app_port
  health_check_path     = var.health_check_path
  health_check_interval = var.health_check_interval
  health_check_timeout  = var.health_check_timeout
  healthy_threshold     = var.healthy_threshold
  unhealthy_threshold   = var.unhealthy_threshold
  deregistration_delay  = var.deregistration_delay
  idle_timeout          = var.idle_timeout
  enable_https          = var.certificate_arn != null
  certificate_arn       = var.certificate_arn
  deletion_protection   = var.deletion_protection
  log_retention_days    = var.log_retention_days
}

module "waf" {
  source = "./modules/waf"
  count  = var.enable_waf ? 1 : 0

  name_prefix        = var.name_prefix
  rate_limit         = var.rate_limit
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.kms.key_arn
  load_balancer_arn  = module.alb.arn
}

module "nodes" {
  source = "./modules/nodes"

  name_prefix       = var.name_prefix
  node_name         = var.node_name
  node_count        = var.node_count
  image_id          = var.ami_id
  instance_type     = var.instance_type
  key_name          = var.key_name
  disk_size         = var.disk_size
  subnet_ids        = module.vpc.private_subnet_ids
  security_group_id = module.networking.app_security_group_id
  target_group_arn  = module.alb.target_group_arn
  topic_arn         = module.cloudwatch.topic_arn
  enable_encryption = var.enable_encryption
  kms_key_arn       = module.kms.key_arn
}

module "cloudwatch" {
  source = "./modules/cloudwatch"

  name_prefix        = var.name_prefix
  notification_email = var.notification_email
  kms_key_arn        = module.kms.key_arn
  cpu_threshold      = var.cpu_alarm_threshold
  cpu_minutes        = var.cpu_alarm_minutes
  instance_ids       = module.nodes.instance_ids
  load_balancer      = module.alb.arn_suffix
  target_group       = module.alb.target_group_arn_suffix
  databases          = [var.db_identifier]
  cache_nodes        = module.elasticache.node_ids
}

module "backup" {
  source = "./modules/backup"
  count  = var.enable_backup ? 1 : 0

  name_prefix        = var.name_prefix
  schedule           = var.backup_schedule
  retention_days     = var.backup_vault_retention_days
  resource_arns      = [module.rds.arn]
  kms_key_arn        = module.kms.key_arn
  recovery_vault_arn = module.recovery.vault_arn
}

module "recovery" {
  source = "./modules/recovery"

  providers = {
    aws = aws.recovery
  }

  name_prefix = var.name_prefix
  database_arns = {
    "db" = module.rds.arn
  }
  backup_retention_days = var.recovery_retention_days
  buckets = {
    "backups" = substr("replica-${var.name_prefix}-backups-${data.aws_caller_identity.current.account_id}", 0, 63)
  }
}

module "budget" {
  source = "./modules/budget"

  name_prefix = var.name_prefix
  project     = var.project
  environment = var.environment
  limit       = var.monthly_budget
  topic_arn   = module.cloudwatch.topic_arn
}
