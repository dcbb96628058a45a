# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.cloudwatch.topic_arn
}

output "backup_vault_arn" {
  description = "Where the backups are."
  value       = one(module.backup[*].vault_arn)
}

output "backups_bucket" {
  description = "What it is called."
  value       = module.s3_backups.bucket
}

output "cluster_endpoint" {
  description = "Its API."
  value       = module.eks.cluster_endpoint
}

output "cluster_name" {
  description = "The cluster."
  value       = module.eks.cluster_name
}

output "controller_role_arns" {
  description = "Roles of the controllers, for the annotation `eks.amazonaws.com/role-arn` of their service accounts."
  value       = module.eks.controller_role_arns
}

output "efs_file_system_id" {
  description = "The file system, for the storage class."
  value       = module.efs.file_system_id
}

output "nat_addresses" {
  description = "Where requests of the services come from: for the allow lists of others."
  value       = module.vpc.nat_addresses
}

output "private_subnet_ids" {
  description = "Subnets of the services, in the order of the zones."
  value       = module.vpc.private_subnet_ids
}

output "rds_endpoint" {
  description = "Host and port of the primary."
  value       = module.rds.endpoint
}

output "rds_secret_arn" {
  description = "Host, user and password, in Secrets Manager."
  value       = module.rds.secret_arn
}

output "redis_endpoint" {
  description = "Host of the primary."
  value       = module.elasticache.address
}

output "redis_reader_endpoint" {
  description = "Host of the readers."
  value       = module.elasticache.reader_address
}

output "redis_secret_arn" {
  description = "Host and token, in Secrets Manager."
  value       = module.elasticache.secret_arn
}

output "repository_urls" {
  description = "Where images are pushed to, by repository."
  value       = one(module.ecr[*].repository_urls)
}

output "role_arns" {
  description = "Roles by what they are for."
  value       = module.iam.role_arns
}

output "secret_arns" {
  description = "The secrets, by name."
  value       = module.secrets.secret_arns
}

output "service_role_arns" {
  description = "Roles of the services, for the annotation `eks.amazonaws.com/role-arn` of their service accounts."
  value       = module.eks.service_role_arns
}

output "static_bucket" {
  description = "What it is called."
  value       = module.s3_static.bucket
}

output "vpc_id" {
  description = "The VPC."
  value       = module.vpc.vpc_id
}

output "web_acl_arn" {
  description = "The firewall."
  value       = one(module.waf[*].arn)
}
