# Made by wharf from wharf.yaml (django-app, environment eks). Change that file and render again.

data "aws_default_tags" "current" {}

data "aws_iam_policy_document" "node_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "node" {
  name               = "${var.name_prefix}-node"
  assume_role_policy = data.aws_iam_policy_document.node_assume.json
}

# What a node itself needs; pods have roles of their own.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset([
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonSSMManagedInstanceCore",
  ])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.key}"
}

resource "aws_launch_template" "node" {
  name_prefix = "${var.node_group_name}-"

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = var.node_disk_size
      volume_type           = "gp3"
      encrypted             = var.enable_encryption
      kms_key_id            = var.enable_encryption ? var.kms_key_arn : null
      delete_on_termination = true
    }
  }

  # IMDSv2 only, and one hop: a pod cannot take the node's role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(data.aws_default_tags.current.tags, { Name = var.node_group_name })
    }
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = var.node_group_name
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = var.subnet_ids
  instance_types  = [var.instance_type]
  ami_type        = "AL2023_x86_64_STANDARD"
  capacity_type   = var.spot ? "SPOT" : "ON_DEMAND"

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  scaling_config {
    min_size     = var.min_nodes
    desired_size = var.desired_nodes
    max_size     = var.max_nodes
  }

  update_config {
    max_unavailable = 1
  }

  lifecycle {
    # The cluster autoscaler decides from then on.
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [
    aws_eks_addon.network,
    aws_iam_role_policy_attachment.node,
  ]
}

# Before the nodes: without a network they do not become ready. The CNI enforces NetworkPolicies.
resource "aws_eks_addon" "network" {
  for_each = {
    kube-proxy = null
    vpc-cni    = jsonencode({ enableNetworkPolicy = "true" })
  }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

# After them: they run on nodes.
resource "aws_eks_addon" "this" {
  for_each = {
    aws-ebs-csi-driver = aws_iam_role.controller["ebs-csi"].arn
    coredns            = null
    # Figures for the horizontal pod autoscalers.
    metrics-server = null
  }

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this]
}
