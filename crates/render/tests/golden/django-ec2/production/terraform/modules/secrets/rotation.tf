# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

locals {
  rotated = { for name, secret in var.secrets : name => secret if var.enable_rotation && secret.rotate_days != null }
}

data "archive_file" "rotation" {
  type        = "zip"
  source_file = "${path.module}/rotate.py"
  output_path = "${path.module}/rotate.zip"
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "rotation_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "rotation" {
  statement {
    sid = "Rotate"
    actions = [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetSecretValue",
      "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [for name in keys(local.rotated) : aws_secretsmanager_secret.this[name].arn]
  }

  statement {
    sid     = "MakeUp"
    actions = ["secretsmanager:GetRandomPassword"]
    # The action knows no resource.
    resources = ["*"]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.rotation.arn}:*"]
  }
}

resource "aws_iam_role" "rotation" {
  name               = "${var.name_prefix}-rotation"
  assume_role_policy = data.aws_iam_policy_document.rotation_assume.json
}

resource "aws_iam_role_policy" "rotation" {
  name   = "rotate"
  role   = aws_iam_role.rotation.id
  policy = data.aws_iam_policy_document.rotation.json
}

resource "aws_cloudwatch_log_group" "rotation" {
  name              = "/aws/lambda/${var.name_prefix}-rotation"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "rotation" {
  function_name    = "${var.name_prefix}-rotation"
  description      = "Replaces the generated secrets of ${var.name_prefix}"
  role             = aws_iam_role.rotation.arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "rotate.handler"
  filename         = data.archive_file.rotation.output_path
  source_code_hash = data.archive_file.rotation.output_base64sha256
  timeout          = 30
  kms_key_arn      = var.kms_key_arn

  environment {
    variables = {
      # Which properties of which secret are made up anew, and how long they are.
      GENERATED = jsonencode({ for name, secret in local.rotated : aws_secretsmanager_secret.this[name].arn => secret.rotated })
    }
  }

  depends_on = [
    aws_cloudwatch_log_group.rotation,
    aws_iam_role_policy.rotation,
  ]
}

resource "aws_lambda_permission" "rotation" {
  statement_id   = "secrets-manager"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.rotation.function_name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = local.rotated

  secret_id           = aws_secretsmanager_secret.this[each.key].id
  rotation_lambda_arn = aws_lambda_function.rotation.arn

  rotation_rules {
    automatically_after_days = each.value.rotate_days
  }

  depends_on = [
    aws_lambda_permission.rotation,
    aws_secretsmanager_secret_version.this,
  ]
}
