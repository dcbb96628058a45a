# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

locals {
  # Five minutes are what EC2 measures without detailed monitoring, and what all alarms count in.
  period = 300
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  for_each = var.instance_ids

  alarm_name          = "${var.name_prefix}-node-${each.key}-cpu-high"
  alarm_description   = "Node ${each.key} needs more CPU than it has: CPU above ${var.cpu_threshold}% for ${var.cpu_minutes} minutes"
  namespace           = "AWS/EC2"
  metric_name         = "CPUUtilization"
  dimensions          = { InstanceId = each.value }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.cpu_threshold
  period              = local.period
  evaluation_periods  = ceil(var.cpu_minutes * 60 / local.period)
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "unhealthy_targets" {
  alarm_name          = "${var.name_prefix}-unhealthy-targets"
  alarm_description   = "A machine does not answer its health check; see the target group for the reason"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = { LoadBalancer = var.load_balancer, TargetGroup = var.target_group }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 5
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name_prefix}-errors"
  alarm_description   = "More than 5% of the requests fail"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 1
  # Without requests none fails.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "rate"
    label       = "Failed requests, %"
    expression  = "100 * FILL(errors, 0) / requests"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "HTTPCode_Target_5XX_Count"
      dimensions  = { LoadBalancer = var.load_balancer }
      stat        = "Sum"
      period      = local.period
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = "AWS/ApplicationELB"
      metric_name = "RequestCount"
      dimensions  = { LoadBalancer = var.load_balancer }
      stat        = "Sum"
      period      = local.period
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "database_cpu" {
  for_each = toset(var.databases)

  alarm_name          = "${each.key}-cpu-high"
  alarm_description   = "The database needs more CPU than it has: CPU above ${var.cpu_threshold}% for ${var.cpu_minutes} minutes"
  namespace           = "AWS/RDS"
  metric_name         = "CPUUtilization"
  dimensions          = { DBInstanceIdentifier = each.key }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.cpu_threshold
  period              = local.period
  evaluation_periods  = ceil(var.cpu_minutes * 60 / local.period)
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  for_each = toset(var.databases)

  alarm_name          = "${each.key}-storage-low"
  alarm_description   = "The database has less than 2 GiB left"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = each.key }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 2 * 1024 * 1024 * 1024
  period              = local.period
  evaluation_periods  = 1
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
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
