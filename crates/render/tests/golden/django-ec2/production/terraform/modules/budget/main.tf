# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

resource "aws_budgets_budget" "this" {
  name         = "${var.name_prefix}-monthly"
  budget_type  = "COST"
  limit_amount = tostring(var.limit)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  # What carries this environment's tags: activate both once as cost allocation tags of the account.
  cost_filter {
    name = "TagKeyValue"
    values = [
      format("user:Environment$%s", var.environment),
      format("user:Project$%s", var.project),
    ]
  }

  # Early enough to do something about it …
  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "FORECASTED"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [var.topic_arn]
  }

  # … and when it has come true.
  notification {
    comparison_operator       = "GREATER_THAN"
    notification_type         = "ACTUAL"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [var.topic_arn]
  }
}
