# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

output "instance_ids" {
  description = "Nodes by number."
  value       = { for name, node in aws_instance.this : name => node.id }
}

output "private_ips" {
  description = "Their addresses, for the Ansible inventory."
  value       = { for name, node in aws_instance.this : name => node.private_ip }
}

output "role_arn" {
  description = "What the nodes may do."
  value       = aws_iam_role.instance.arn
}
