# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# People of this account take a role, and only with a second factor.
data "aws_iam_policy_document" "with_mfa" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }

    condition {
      test     = "Bool"
      variable = "aws:MultiFactorAuthPresent"
      values   = ["true"]
    }
  }
}

# Everything in this account, for an hour at a time.
resource "aws_iam_role" "admin" {
  name                 = "${var.name_prefix}-admin"
  description          = "Administration of ${var.name_prefix}; needs a second factor"
  assume_role_policy   = data.aws_iam_policy_document.with_mfa.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy_attachment" "admin" {
  role       = aws_iam_role.admin.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AdministratorAccess"
}
