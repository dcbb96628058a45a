# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

output "role_arns" {
  description = "Roles by what they are for."
  value = merge(
    { admin = aws_iam_role.admin.arn },
    { for name, role in aws_iam_role.person : name => role.arn },
    { deploy = aws_iam_role.deploy.arn },
    { images = aws_iam_role.images.arn },
    { preview = aws_iam_role.preview.arn },
    { provision = aws_iam_role.provision.arn },
  )
}
