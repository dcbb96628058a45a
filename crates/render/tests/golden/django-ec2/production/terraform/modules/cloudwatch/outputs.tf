# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

output "topic_arn" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
}
