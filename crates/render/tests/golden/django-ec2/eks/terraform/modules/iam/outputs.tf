# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.

output "role_arns" {
  description = "Roles by what they are for."
  value = merge(
    { admin = aws_iam_role.admin.arn },
    { for name, role in aws_iam_role.person : name => role.arn },
  )
}
