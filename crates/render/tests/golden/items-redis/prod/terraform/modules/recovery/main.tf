# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

# What is needed to start again in the recovery region when the first one is lost. Everything here is in that region.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "key" {
  statement {
    sid     = "AccountDecides"
    actions = ["kms:*"]
    # In a key's own policy, `*` is the key.
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "Copies of ${var.name_prefix} in the recovery region"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name_prefix}-recovery"
  target_key_id = aws_kms_key.this.key_id
}
