# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

# GitHub's workflows prove who they are with a token of GitHub's: there are no keys to be lost.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_github_provider ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

# An account has one: where another environment made it, it is looked up.
data "aws_iam_openid_connect_provider" "github" {
  count = var.create_github_provider ? 0 : 1

  url = "https://token.actions.githubusercontent.com"
}

locals {
  github_provider_arn = one(concat(
    aws_iam_openid_connect_provider.github[*].arn,
    data.aws_iam_openid_connect_provider.github[*].arn,
  ))
}

# Only jobs of this repository that run in this environment, whose approvals are set at GitHub.
data "aws_iam_policy_document" "github_assume" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.github_repository}:environment:${var.environment}"]
    }
  }
}

# Deploys, and nothing else.
resource "aws_iam_role" "deploy" {
  name                 = "${var.name_prefix}-deploy"
  description          = "Deployments of ${var.github_repository} to ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.github_assume.json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "deploy" {
  # Who it is: what a workflow logs first.
  statement {
    sid     = "Identity"
    actions = ["sts:GetCallerIdentity"]
    # The action knows no resource.
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "deploy" {
  name   = "deploy"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.deploy.json
}

# Pull requests see what would change: `terraform plan -refresh=false -lock=false`, which reads the state but no secret of
# AWS, and changes nothing, not even the lock.
data "aws_iam_policy_document" "preview_assume" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = ["repo:${var.github_repository}:pull_request"]
    }
  }
}

resource "aws_iam_role" "preview" {
  name                 = "${var.name_prefix}-preview"
  description          = "Terraform plans of pull requests of ${var.github_repository}"
  assume_role_policy   = data.aws_iam_policy_document.preview_assume.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy_attachment" "preview" {
  role       = aws_iam_role.preview.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/ReadOnlyAccess"
}

# Applies this configuration. It may not touch identities beyond those whose names begin as this environment's.
resource "aws_iam_role" "provision" {
  name                 = "${var.name_prefix}-provision"
  description          = "Terraform of ${var.github_repository} for ${var.environment}"
  assume_role_policy   = data.aws_iam_policy_document.github_assume.json
  max_session_duration = 7200
}

resource "aws_iam_role_policy_attachment" "provision" {
  role       = aws_iam_role.provision.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/PowerUserAccess"
}

data "aws_iam_policy_document" "provision" {
  statement {
    sid     = "ReadIdentities"
    actions = ["iam:Get*", "iam:List*"]
    # Reading of lists: AWS knows no resource for it.
    resources = ["*"]
  }

  statement {
    sid = "OwnIdentities"
    actions = [
      "iam:AddRoleToInstanceProfile",
      "iam:AttachRolePolicy",
      "iam:CreateInstanceProfile",
      "iam:CreateRole",
      "iam:DeleteInstanceProfile",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:PassRole",
      "iam:PutRolePolicy",
      "iam:RemoveRoleFromInstanceProfile",
      "iam:TagInstanceProfile",
      "iam:TagRole",
      "iam:UntagInstanceProfile",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = [
      "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:instance-profile/${var.name_prefix}-*",
      "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:role/${var.name_prefix}-*",
    ]
  }

  statement {
    sid = "OwnIssuers"
    actions = [
      "iam:CreateOpenIDConnectProvider",
      "iam:DeleteOpenIDConnectProvider",
      "iam:TagOpenIDConnectProvider",
      "iam:UpdateOpenIDConnectProviderThumbprint",
    ]
    resources = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/*"]
  }
}

resource "aws_iam_role_policy" "provision" {
  name   = "identities"
  role   = aws_iam_role.provision.id
  policy = data.aws_iam_policy_document.provision.json
}
