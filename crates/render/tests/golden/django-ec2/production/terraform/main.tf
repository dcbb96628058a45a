# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

# Buckets carry the account's number, since their names are one for all of AWS.
data "aws_caller_identity" "current" {}

module "kms" {
  source = "./modules/kms"

  name_prefix = var.name_prefix
}

module "vpc" {
  source = "./modules/vpc"

  name_prefix           = var.name_prefix
  vpc_cidr              = var.vpc_cidr
  availability_zones    = var.availability_zones
  public_subnet_cidrs   = var.public_subnet_cidrs
  private_subnet_cidrs  = var.private_subnet_cidrs
  database_subnet_cidrs = var.database_subnet_cidrs
  nat_gateways          = var.nat_gateways
  enable_flow_logs      = var.enable_flow_logs
  flow_log_group        = var.flow_log_group
  log_retention_days    = var.log_retention_days
  kms_key_arn           = module.kms.key_arn
}

module "iam" {
  source = "./modules/iam"

  name_prefix            = var.name_prefix
  environment            = var.environment
  github_repository      = var.github_repository
  create_github_provider = var.create_github_oidc_provider
  group_name             = "production-django-asg"
  revision_parameter     = "/django-app/production/revision"
}

module "secrets" {
  source = "./modules/secrets"

  name_prefix        = var.name_prefix
  enable_rotation    = var.enable_secret_rotation
  log_retention_days = var.log_retention_days
  secrets            = var.secrets
  kms_key_arn        = module.kms.key_arn
}

module "networking" {
  source = "./modules/networking"

  name_prefix         = var.name_prefix
  vpc_id              = module.vpc.vpc_id
  vpc_cidr            = module.vpc.vpc_cidr
  app_port            = var.app_port
  private_subnet_ids  = module.vpc.private_subnet_ids
  interface_endpoints = var.interface_endpoints
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
  backup_retention_days = var.db_backup_retention_days
  backup_window         = var.db_backup_window
  maintenance_window    = var.db_maintenance_window
  deletion_protection   = var.db_deletion_protection
  secret_name           = "django-app/production/db"
  monitoring_role_name  = "${var.name_prefix}-db-monitoring"
  enable_encryption     = var.enable_encryption
  subnet_ids            = module.vpc.database_subnet_ids
  security_group_id     = module.networking.rds_security_group_id
  log_retention_days    = var.log_retention_days
  kms_key_arn           = module.kms.key_arn
}

module "s3_static" {
  source = "./modules/s3"

  bucket             = "${var.environment}-django-static-${data.aws_caller_identity.current.account_id}"
  versioned          = var.static_bucket_versioned
  archive_after_days = var.static_bucket_archive_after_days
  expire_after_days  = var.static_bucket_expire_after_days
  kms_key_arn        = module.kms.key_arn
}

module "parameters" {
  source = "./modules/parameters"

  parameters = {
    "/DjangoApp/rds_endpoint"      = module.rds.address
    "/production-django/db/secret" = module.rds.secret_arn
  }
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

module "asg" {
  source = "./modules/asg"

  name_prefix               = var.name_prefix
  group_name                = "production-django-asg"
  image_id                  = var.ami_id
  instance_type             = var.instance_type
  key_name                  = var.key_name
  min_size                  = var.min_size
  desired_capacity          = var.desired_capacity
  max_size                  = var.max_size
  cpu_target                = var.cpu_target
  health_check_grace_period = var.health_check_grace_period
  ready_hook                = "production-django-ready"
  boot_timeout              = var.boot_timeout
  disk_size                 = var.disk_size
  subnet_ids                = module.vpc.private_subnet_ids
  security_group_id         = module.networking.app_security_group_id
  target_group_arn          = module.alb.target_group_arn
  enable_encryption         = var.enable_encryption
  kms_key_arn               = module.kms.key_arn
  revision_parameter        = "/django-app/production/revision"
  parameter_arns            = module.parameters.arns
  secret_arns               = concat(values(module.secrets.secret_arns), [module.rds.secret_arn])
  bucket_arns               = [module.s3_static.arn]
}

module "bastion" {
  source = "./modules/bastion"

  name_prefix       = var.name_prefix
  image_id          = var.ami_id
  instance_type     = var.bastion_instance_type
  subnet_id         = module.vpc.private_subnets["us-east-1a"]
  security_group_id = module.networking.bastion_security_group_id
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
  log_groups         = var.log_groups
  log_retention_days = var.log_retention_days
  group_name         = module.asg.group_name
  load_balancer      = module.alb.arn_suffix
  target_group       = module.alb.target_group_arn_suffix
  databases          = [var.db_identifier]
}

module "backup" {
  source = "./modules/backup"
  count  = var.enable_backup ? 1 : 0

  name_prefix    = var.name_prefix
  schedule       = var.backup_schedule
  retention_days = var.backup_vault_retention_days
  resource_arns  = [module.rds.arn]
  kms_key_arn    = module.kms.key_arn
}

module "budget" {
  source = "./modules/budget"

  name_prefix = var.name_prefix
  project     = var.project
  environment = var.environment
  limit       = var.monthly_budget
  topic_arn   = module.cloudwatch.topic_arn
}
