# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

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

data "aws_default_tags" "current" {}

resource "aws_launch_template" "this" {
  name_prefix   = "${var.name_prefix}-"
  image_id      = data.aws_ami.this.id
  instance_type = var.instance_type
  key_name      = var.key_name
  # Compressed, since EC2 takes 16 KB.
  user_data              = base64gzip(file("${path.module}/user_data.sh"))
  vpc_security_group_ids = [var.security_group_id]
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  block_device_mappings {
    device_name = data.aws_ami.this.root_device_name

    ebs {
      volume_size           = var.disk_size
      volume_type           = "gp3"
      encrypted             = var.enable_encryption
      kms_key_id            = var.enable_encryption ? var.kms_key_arn : null
      delete_on_termination = true
    }
  }

  # IMDSv2 only: a request that a program was tricked into reads no credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(data.aws_default_tags.current.tags, { Name = var.group_name })
    }
  }
}

resource "aws_autoscaling_group" "this" {
  name                = var.group_name
  min_size            = var.min_size
  desired_capacity    = var.desired_capacity
  max_size            = var.max_size
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = [var.target_group_arn]

  # A machine whose application does not answer is replaced, not only one that is off.
  health_check_type         = "ELB"
  health_check_grace_period = var.health_check_grace_period
  default_instance_warmup   = var.health_check_grace_period
  wait_for_capacity_timeout = "${var.boot_timeout}s"

  enabled_metrics = [
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupTotalInstances",
  ]

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  # New machines first, and only while enough of the old ones serve.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
      auto_rollback          = true
    }
  }

  # A machine gets traffic once its user data has reported that the application answers, and is replaced if it never does.
  initial_lifecycle_hook {
    name                 = var.ready_hook
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = var.boot_timeout
    default_result       = "ABANDON"
  }

  dynamic "tag" {
    for_each = merge(data.aws_default_tags.current.tags, { Name = var.group_name })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  lifecycle {
    # The scaling policy decides from then on.
    ignore_changes = [desired_capacity]
  }

  # A machine reads secrets and says that it is ready while it boots.
  depends_on = [
    aws_iam_role_policy.instance,
    aws_iam_role_policy_attachment.instance,
  ]
}

resource "aws_autoscaling_policy" "cpu" {
  name                   = "${var.name_prefix}-cpu"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.cpu_target

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
