# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

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
  cluster_name           = var.cluster_name
  environment            = var.environment
  github_repository      = var.github_repository
  create_github_provider = var.create_github_oidc_provider
  repositories           = var.repositories
  image_refs             = var.image_refs
}

module "ecr" {
  source = "./modules/ecr"
  count  = var.create_repositories ? 1 : 0

  repositories   = var.repositories
  kept_images    = var.kept_images
  kms_key_arn    = module.kms.key_arn
  replica_region = var.recovery_region
}

module "secrets" {
  source = "./modules/secrets"

  name_prefix        = var.name_prefix
  enable_rotation    = var.enable_secret_rotation
  log_retention_days = var.log_retention_days
  secrets            = var.secrets
  kms_key_arn        = module.kms.key_arn
  replica_region     = var.recovery_region
}

module "eks" {
  source = "./modules/eks"

  name_prefix        = var.name_prefix
  cluster_name       = var.cluster_name
  kubernetes_version = var.kubernetes_version
  api_access_cidrs   = var.api_access_cidrs
  access = {
    admin = {
      role_arn   = module.iam.role_arns["admin"]
      policy     = "AmazonEKSClusterAdminPolicy"
      group      = "django-app-admins"
      namespaces = []
    }
    deploy = {
      role_arn   = module.iam.role_arns["deploy"]
      policy     = "AmazonEKSAdminPolicy"
      group      = "django-app-deployers"
      namespaces = [var.kubernetes_namespace]
    }
    developer = {
      role_arn   = module.iam.role_arns["developer"]
      policy     = "AmazonEKSViewPolicy"
      group      = "django-app-developers"
      namespaces = [var.kubernetes_namespace]
    }
    readonly = {
      role_arn   = module.iam.role_arns["readonly"]
      policy     = "AmazonEKSViewPolicy"
      group      = "django-app-viewers"
      namespaces = [var.kubernetes_namespace]
    }
  }
  subnet_ids          = module.vpc.private_subnet_ids
  node_group_name     = var.node_group_name
  instance_type       = var.instance_type
  spot                = var.spot
  min_nodes           = var.min_nodes
  desired_nodes       = var.desired_nodes
  max_nodes           = var.max_nodes
  node_disk_size      = var.node_disk_size
  enable_encryption   = var.enable_encryption
  deletion_protection = var.deletion_protection
  log_retention_days  = var.log_retention_days
  kms_key_arn         = module.kms.key_arn
  namespace           = var.kubernetes_namespace
  secret_arns         = concat(values(module.secrets.secret_arns), [module.rds.secret_arn, module.elasticache.secret_arn])
  service_buckets = {
    web = [module.s3_static.arn]
  }
  service_role_names = {
    web = "${var.name_prefix}-web"
  }
  web_acl_arns = module.waf[*].arn
}

module "networking" {
  source = "./modules/networking"

  name_prefix               = var.name_prefix
  vpc_id                    = module.vpc.vpc_id
  vpc_cidr                  = module.vpc.vpc_cidr
  cluster_security_group_id = module.eks.cluster_security_group_id
  private_subnet_ids        = module.vpc.private_subnet_ids
  interface_endpoints       = var.interface_endpoints
  private_route_table_ids   = module.vpc.private_route_table_ids
  gateway_endpoints         = var.gateway_endpoints
}

module "efs" {
  source = "./modules/efs"

  name_prefix            = var.name_prefix
  vpc_id                 = module.vpc.vpc_id
  subnet_ids             = module.vpc.private_subnets
  node_security_group_id = module.eks.cluster_security_group_id
  enable_encryption      = var.enable_encryption
  kms_key_arn            = module.kms.key_arn
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
  multi_az              = var.db_multi_az
  backup_retention_days = var.db_backup_retention_days
  backup_window         = var.db_backup_window
  maintenance_window    = var.db_maintenance_window
  deletion_protection   = var.db_deletion_protection
  secret_name           = "django-app/prod/db"
  monitoring_role_name  = "${var.name_prefix}-db-monitoring"
  enable_encryption     = var.enable_encryption
  subnet_ids            = module.vpc.database_subnet_ids
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
  secret_name             = "django-app/prod/cache"
  enable_encryption       = var.enable_encryption
  subnet_ids              = module.vpc.database_subnet_ids
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

module "s3_static" {
  source = "./modules/s3"

  bucket                = "${var.name_prefix}-static-${data.aws_caller_identity.current.account_id}"
  versioned             = var.static_bucket_versioned
  archive_after_days    = var.static_bucket_archive_after_days
  expire_after_days     = var.static_bucket_expire_after_days
  kms_key_arn           = module.kms.key_arn
  replication_role_name = "${var.name_prefix}-static-replication"
  replica_bucket_arn    = module.recovery.bucket_arns["static"]
  replica_kms_key_arn   = module.recovery.key_arn
}

module "dns" {
  source = "./modules/dns"

  zone_name          = var.dns_zone
  domain_name        = var.domain_name
  alternative_names  = var.alternative_names
  hosts              = var.hosts
  load_balancer_name = var.ingress_load_balancer_name
}

module "waf" {
  source = "./modules/waf"
  count  = var.enable_waf ? 1 : 0

  name_prefix        = var.name_prefix
  rate_limit         = var.rate_limit
  log_retention_days = var.log_retention_days
  kms_key_arn        = module.kms.key_arn
}

module "cloudwatch" {
  source = "./modules/cloudwatch"

  name_prefix        = var.name_prefix
  notification_email = var.notification_email
  kms_key_arn        = module.kms.key_arn
  cpu_threshold      = var.cpu_alarm_threshold
  cpu_minutes        = var.cpu_alarm_minutes
  group_name         = module.eks.node_group
  databases          = [var.db_identifier]
  cache_nodes        = module.elasticache.node_ids
}

module "backup" {
  source = "./modules/backup"
  count  = var.enable_backup ? 1 : 0

  name_prefix        = var.name_prefix
  schedule           = var.backup_schedule
  retention_days     = var.backup_vault_retention_days
  resource_arns      = [module.rds.arn, module.efs.arn]
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
    "static"  = substr("replica-${var.name_prefix}-static-${data.aws_caller_identity.current.account_id}", 0, 63)
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
