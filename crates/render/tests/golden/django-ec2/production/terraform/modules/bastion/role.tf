# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

data "aws_partition" "current" {}

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
  name               = "${var.name_prefix}-bastion"
  assume_role_policy = data.aws_iam_policy_document.instance_assume.json
}

# Session Manager instead of SSH.
resource "aws_iam_role_policy_attachment" "instance" {
  for_each = toset([
    "AmazonSSMManagedInstanceCore",
  ])

  role       = aws_iam_role.instance.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name_prefix}-bastion"
  role = aws_iam_role.instance.name
}
