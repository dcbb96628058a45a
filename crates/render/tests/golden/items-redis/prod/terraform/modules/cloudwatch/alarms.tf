# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

locals {
  # Five minutes are what EC2 measures without detailed monitoring, and what all alarms count in.
  period = 300
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  alarm_name          = "${var.name_prefix}-cpu-high"
  alarm_description   = "The machines need more CPU than they have: CPU above ${var.cpu_threshold}% for ${var.cpu_minutes} minutes"
  namespace           = "AWS/EC2"
  metric_name         = "CPUUtilization"
  dimensions          = { AutoScalingGroupName = var.group_name }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.cpu_threshold
  period              = local.period
  evaluation_periods  = ceil(var.cpu_minutes * 60 / local.period)
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_autoscaling_notification" "scaling" {
  group_names = [var.group_name]
  topic_arn   = aws_sns_topic.alarms.arn

  notifications = [
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
  ]
}

# Per node: the figures of a replication group are those of its members.
resource "aws_cloudwatch_metric_alarm" "cache_memory" {
  for_each = var.cache_nodes

  alarm_name          = "${each.key}-memory-high"
  alarm_description   = "Redis uses more than 90% of its memory, and will soon evict or refuse"
  namespace           = "AWS/ElastiCache"
  metric_name         = "DatabaseMemoryUsagePercentage"
  dimensions          = { CacheClusterId = each.value }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 90
  period              = local.period
  evaluation_periods  = 1
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
