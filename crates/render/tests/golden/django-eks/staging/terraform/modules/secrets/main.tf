# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

locals {
  # Every value that is made up, by `SECRET#PROPERTY`; the property of a value that is the whole secret is empty.
  generated = merge([
    for name, secret in var.secrets : {
      for property, length in secret.generated : "${name}#${property}" => length
    }
  ]...)
}

resource "aws_secretsmanager_secret" "this" {
  for_each = var.secrets

  name                    = each.key
  description             = each.value.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7
}

# First values. They are in the state, which is encrypted and which only the pipeline and deployers read, until the rotation
# replaces them.
resource "random_password" "this" {
  for_each = local.generated

  length  = each.value
  special = false
}

# A secret of which nothing is made up has no version here: somebody puts its value, see the README.
resource "aws_secretsmanager_secret_version" "this" {
  for_each = { for name, secret in var.secrets : name => secret if length(secret.generated) > 0 }

  secret_id = aws_secretsmanager_secret.this[each.key].id

  secret_string = try(
    random_password.this["${each.key}#"].result,
    jsonencode({ for property in keys(each.value.generated) : property => random_password.this["${each.key}#${property}"].result }),
  )

  lifecycle {
    # From then on the rotation, or a person, decides.
    ignore_changes = [secret_string]
  }
}
