# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.cloudwatch.topic_arn
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

output "nat_addresses" {
  description = "Where requests of the services come from: for the allow lists of others."
  value       = module.vpc.nat_addresses
}

output "private_subnet_ids" {
  description = "Subnets of the services, in the order of the zones."
  value       = module.vpc.private_subnet_ids
}

output "recovery_key_arn" {
  description = "The key of the recovery region."
  value       = module.recovery.key_arn
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

output "vpc_id" {
  description = "The VPC."
  value       = module.vpc.vpc_id
}
