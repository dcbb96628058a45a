data "aws_partition" "current" {}
<% if hook %>

data "aws_caller_identity" "current" {}
<% endif %>

data "aws_iam_policy_document" "instance_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  name               = "${var.name_prefix}-<<what>>"
  assume_role_policy = data.aws_iam_policy_document.instance_assume.json
}

# Session Manager instead of SSH<% if agent %>, and the agent that sends logs and figures<% endif %>.
resource "aws_iam_role_policy_attachment" "instance" {
  for_each = toset([
    "AmazonSSMManagedInstanceCore",
    <% if agent %>
    "CloudWatchAgentServerPolicy",
    <% endif %>
    <% if ecr %>
    "AmazonEC2ContainerRegistryReadOnly",
    <% endif %>
    <% if volumes %>
    # The driver of the cluster's volumes.
    "service-role/AmazonEBSCSIDriverPolicy",
    <% endif %>
  ])

  role       = aws_iam_role.instance.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name_prefix}-<<what>>"
  role = aws_iam_role.instance.name
}
<% if access %>

data "aws_iam_policy_document" "instance" {
  <% if parameters %>
  statement {
    sid       = "Addresses"
    actions   = ["ssm:GetParameter"]
    resources = var.parameter_arns
  }

  <% endif %>
  <% if hook %>
  statement {
    sid       = "Revision"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${data.aws_partition.current.partition}:ssm:*:${data.aws_caller_identity.current.account_id}:parameter${var.revision_parameter}"]
  }

  <% endif %>
  <% if secrets %>
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }

  <% endif %>
  <% if buckets %>
  statement {
    sid       = "Buckets"
    actions   = ["s3:ListBucket"]
    resources = var.bucket_arns
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [for arn in var.bucket_arns : "${arn}/*"]
  }

  <% endif %>
  <% if secrets or buckets %>
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  <% endif %>
  <% if hook %>
  statement {
    sid       = "Ready"
    actions   = ["autoscaling:CompleteLifecycleAction"]
    resources = ["arn:${data.aws_partition.current.partition}:autoscaling:*:${data.aws_caller_identity.current.account_id}:autoScalingGroup:*:autoScalingGroupName/${var.group_name}"]
  }
  <% endif %>
}

resource "aws_iam_role_policy" "instance" {
  name   = "application"
  role   = aws_iam_role.instance.id
  policy = data.aws_iam_policy_document.instance.json
}
<% endif %>
