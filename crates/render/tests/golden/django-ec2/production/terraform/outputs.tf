# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

output "alarm_topic_arn" {
  description = "Where alarms go."
  value       = module.cloudwatch.topic_arn
}

output "alb_dns_name" {
  description = "Where the application is reached."
  value       = module.alb.dns_name
}

output "asg_name" {
  description = "The auto-scaling group."
  value       = module.asg.group_name
}

output "backup_vault_arn" {
  description = "Where the backups are."
  value       = one(module.backup[*].vault_arn)
}

output "bastion_instance_id" {
  description = "The bastion: aws ssm start-session --target ID."
  value       = module.bastion.instance_id
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

output "rds_primary_zone" {
  description = "Zone that the primary is meant for, and the one that it is in: RDS chooses that of a Multi-AZ instance itself. To move it: aws rds reboot-db-instance --force-failover"
  value       = module.rds.primary_zone
}

output "rds_secret_arn" {
  description = "Host, user and password, in Secrets Manager."
  value       = module.rds.secret_arn
}

output "role_arns" {
  description = "Roles by what they are for."
  value       = module.iam.role_arns
}

output "secret_arns" {
  description = "The secrets, by name."
  value       = module.secrets.secret_arns
}

output "static_bucket" {
  description = "What it is called."
  value       = module.s3_static.bucket
}

output "vpc_id" {
  description = "The VPC."
  value       = module.vpc.vpc_id
}
