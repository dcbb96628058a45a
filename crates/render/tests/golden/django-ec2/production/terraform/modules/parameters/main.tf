# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

# What machines and people look up instead of being told.
resource "aws_ssm_parameter" "this" {
  for_each = var.parameters

  name  = each.key
  type  = "String"
  value = each.value
}
