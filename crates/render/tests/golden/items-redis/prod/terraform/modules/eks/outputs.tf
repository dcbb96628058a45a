# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

output "cluster_name" {
  description = "The cluster."
  value       = aws_eks_cluster.this.name
}

output "cluster_endpoint" {
  description = "Its API."
  value       = aws_eks_cluster.this.endpoint
}

output "cluster_security_group_id" {
  description = "The group of the control plane and the nodes."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "node_group" {
  description = "The auto-scaling group behind the nodes."
  value       = aws_eks_node_group.this.resources[0].autoscaling_groups[0].name
}

output "controller_role_arns" {
  description = "Roles of the controllers, for the annotation `eks.amazonaws.com/role-arn` of their service accounts."
  value       = { for name, role in aws_iam_role.controller : name => role.arn }
}
