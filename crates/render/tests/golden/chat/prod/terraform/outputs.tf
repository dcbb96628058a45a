# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.cloudwatch.topic_arn
}

output "alb_dns_name" {
  description = "Where the application is reached."
  value       = module.alb.dns_name
}

output "backup_vault_arn" {
  description = "Where the backups are."
  value       = one(module.backup[*].vault_arn)
}

output "backups_bucket" {
  description = "What it is called."
  value       = module.s3_backups.bucket
}

output "nat_addresses" {
  description = "Where requests of the services come from: for the allow lists of others."
  value       = module.vpc.nat_addresses
}

output "node_instance_ids" {
  description = "Nodes by number."
  value       = module.nodes.instance_ids
}

output "node_private_ips" {
  description = "Their addresses, for the Ansible inventory."
  value       = module.nodes.private_ips
}

output "private_subnet_ids" {
  description = "Subnets of the services, in the order of the zones."
  value       = module.vpc.private_subnet_ids
}

output "rds_endpoint" {
  description = "Host and port of the primary."
  value       = module.rds.endpoint
}

output "rds_primary_zone" {
  description = "Zone that the primary is meant for, and the one that it is in: RDS chooses that of a Multi-AZ instance itself. To move it: aws rds reboot-db-instance --force-failover"
  value       = module.rds.primary_zone
}

output "rds_replica_endpoint" {
  description = "Host and port of the read replica."
  value       = module.rds.replica_endpoint
}

output "rds_secret_arn" {
  description = "Host, user and password, in Secrets Manager."
  value       = module.rds.secret_arn
}

output "recovery_backup_ids" {
  description = "Replicated backups, by database."
  value       = module.recovery.replicated_backup_ids
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

output "role_arns" {
  description = "Roles by what they are for."
  value       = module.iam.role_arns
}

output "vpc_id" {
  description = "The VPC."
  value       = module.vpc.vpc_id
}
