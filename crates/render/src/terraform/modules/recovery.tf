# What is needed to start again in the recovery region when the first one is lost. Everything here is in that region.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "AccountDecides"
    actions   = ["kms:*"]
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

<% if postgres %>
# Snapshots and transaction logs: a database can be restored here to any second of the retention.
resource "aws_db_instance_automated_backups_replication" "this" {
  for_each = var.database_arns

  source_db_instance_arn = each.value
  retention_period       = var.backup_retention_days
  kms_key_id             = aws_kms_key.this.arn
}

<% endif %>
<% if backup %>
resource "aws_backup_vault" "this" {
  name        = "${var.name_prefix}-recovery"
  kms_key_arn = aws_kms_key.this.arn
}

<% endif %>
<% if buckets %>
resource "aws_s3_bucket" "replica" {
  for_each = var.buckets

  bucket = each.value
}

resource "aws_s3_bucket_public_access_block" "replica" {
  for_each = var.buckets

  bucket = aws_s3_bucket.replica[each.key].id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "replica" {
  for_each = var.buckets

  bucket = aws_s3_bucket.replica[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  for_each = var.buckets

  bucket = aws_s3_bucket.replica[each.key].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

data "aws_iam_policy_document" "replica" {
  for_each = var.buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.replica[each.key].arn, "${aws_s3_bucket.replica[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "replica" {
  for_each = var.buckets

  bucket = aws_s3_bucket.replica[each.key].id
  policy = data.aws_iam_policy_document.replica[each.key].json
}
<% endif %>
