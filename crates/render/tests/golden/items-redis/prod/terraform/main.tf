# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

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

  secrets        = var.secrets
  kms_key_arn    = module.kms.key_arn
  replica_region = var.recovery_region
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
      group      = "items-redis-admins"
      namespaces = []
    }
    deploy = {
      role_arn   = module.iam.role_arns["deploy"]
      policy     = "AmazonEKSAdminPolicy"
      group      = "items-redis-deployers"
      namespaces = [var.kubernetes_namespace]
    }
    developer = {
      role_arn   = module.iam.role_arns["developer"]
      policy     = "AmazonEKSViewPolicy"
      group      = "items-redis-developers"
      namespaces = [var.kubernetes_namespace]
    }
    readonly = {
      role_arn   = module.iam.role_arns["readonly"]
      policy     = "AmazonEKSViewPolicy"
      group      = "items-redis-viewers"
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
  secret_arns         = concat(values(module.secrets.secret_arns), [module.elasticache.secret_arn])
}

module "networking" {
  source = "./modules/networking"

  name_prefix               = var.name_prefix
  vpc_id                    = module.vpc.vpc_id
  cluster_security_group_id = module.eks.cluster_security_group_id
  private_route_table_ids   = module.vpc.private_route_table_ids
  gateway_endpoints         = var.gateway_endpoints
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
  secret_name             = "items-redis/prod/cache"
  enable_encryption       = var.enable_encryption
  subnet_ids              = module.vpc.database_subnet_ids
  security_group_id       = module.networking.redis_security_group_id
  log_retention_days      = var.log_retention_days
  kms_key_arn             = module.kms.key_arn
  replica_region          = var.recovery_region
}

module "cloudwatch" {
  source = "./modules/cloudwatch"

  name_prefix        = var.name_prefix
  notification_email = var.notification_email
  kms_key_arn        = module.kms.key_arn
  cpu_threshold      = var.cpu_alarm_threshold
  cpu_minutes        = var.cpu_alarm_minutes
  group_name         = module.eks.node_group
  cache_nodes        = module.elasticache.node_ids
}

module "recovery" {
  source = "./modules/recovery"

  providers = {
    aws = aws.recovery
  }

  name_prefix = var.name_prefix
}

module "budget" {
  source = "./modules/budget"

  name_prefix = var.name_prefix
  project     = var.project
  environment = var.environment
  limit       = var.monthly_budget
  topic_arn   = module.cloudwatch.topic_arn
}
