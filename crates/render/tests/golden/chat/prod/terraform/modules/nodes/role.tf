# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

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
  name               = "${var.name_prefix}-node"
  assume_role_policy = data.aws_iam_policy_document.instance_assume.json
}

# Session Manager instead of SSH, and the agent that sends logs and figures.
resource "aws_iam_role_policy_attachment" "instance" {
  for_each = toset([
    "AmazonSSMManagedInstanceCore",
    "CloudWatchAgentServerPolicy",
    # The driver of the cluster's volumes.
    "service-role/AmazonEBSCSIDriverPolicy",
  ])

  role       = aws_iam_role.instance.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name_prefix}-node"
  role = aws_iam_role.instance.name
}
