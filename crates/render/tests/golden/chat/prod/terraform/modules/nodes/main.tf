# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

data "aws_region" "current" {}

# The image that is asked for, or the newest Ubuntu 22.04 of Canonical.
data "aws_ami" "this" {
  most_recent = true
  owners      = ["099720109477", "amazon", "self"]
  # An image that is asked for stays usable when its owner lists it no longer.
  include_deprecated = var.image_id != null

  filter {
    name   = var.image_id == null ? "name" : "image-id"
    values = [var.image_id == null ? "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*" : var.image_id]
  }

  lifecycle {
    # Said by the plan, not by machines that come and go.
    postcondition {
      condition     = self.image_owner_alias != "amazon" || can(regex("(?i)ubuntu", self.name))
      error_message = "${self.name} is not Ubuntu 22.04, which the machines are set up for: ami_id = null takes the newest."
    }
  }
}

# Named machines instead of a group: Ansible joins them to the cluster one by one.
resource "aws_instance" "this" {
  for_each = local.nodes

  ami                    = data.aws_ami.this.id
  instance_type          = var.instance_type
  subnet_id              = each.value
  vpc_security_group_ids = [var.security_group_id]
  iam_instance_profile   = aws_iam_instance_profile.this.name
  key_name               = var.key_name
  monitoring             = true

  root_block_device {
    volume_size = var.disk_size
    volume_type = "gp3"
    encrypted   = var.enable_encryption
    kms_key_id  = var.enable_encryption ? var.kms_key_arn : null
  }

  # Two hops, so that pods which write backups may use the node's role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  tags        = { Name = "${var.node_name}-${each.key}" }
  volume_tags = { Name = "${var.node_name}-${each.key}" }

  lifecycle {
    # A newer image replaces nodes one by one, by hand: they hold pods, and one of them the control plane.
    ignore_changes = [ami]
  }
}

locals {
  # Numbered from 1, over the zones in turn.
  nodes = { for index in range(var.node_count) : tostring(index + 1) => var.subnet_ids[index % length(var.subnet_ids)] }
}

resource "aws_lb_target_group_attachment" "this" {
  for_each = local.nodes

  target_group_arn = var.target_group_arn
  target_id        = aws_instance.this[each.key].id
}

# A machine whose hardware fails starts again elsewhere, with its disk and its address.
resource "aws_cloudwatch_metric_alarm" "recover" {
  for_each = local.nodes

  alarm_name          = "${var.node_name}-${each.key}-recover"
  alarm_description   = "The machine under node ${each.key} does not answer; AWS starts it again elsewhere"
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed_System"
  dimensions          = { InstanceId = aws_instance.this[each.key].id }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 2
  alarm_actions       = ["arn:${data.aws_partition.current.partition}:automate:${data.aws_region.current.region}:ec2:recover", var.topic_arn]
}
