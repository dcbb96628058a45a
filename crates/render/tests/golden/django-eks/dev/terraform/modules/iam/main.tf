# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

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

# Who may do what within the cluster is decided there, by access entries; these roles only find it.
resource "aws_iam_role" "person" {
  for_each = {
    developer = "Works in the namespace of the application"
    readonly  = "Looks at the namespace of the application"
  }

  name                 = "${var.name_prefix}-${each.key}"
  description          = each.value
  assume_role_policy   = data.aws_iam_policy_document.with_mfa.json
  max_session_duration = 28800
}

data "aws_iam_policy_document" "find_cluster" {
  statement {
    actions   = ["eks:DescribeCluster"]
    resources = [local.cluster_arn]
  }
}

resource "aws_iam_role_policy" "find_cluster" {
  for_each = aws_iam_role.person

  name   = "find-cluster"
  role   = each.value.id
  policy = data.aws_iam_policy_document.find_cluster.json
}

locals {
  cluster_arn = "arn:${data.aws_partition.current.partition}:eks:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:cluster/${var.cluster_name}"
}
