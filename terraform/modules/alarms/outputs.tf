output "topic_arn" {
  description = "Topic of the alarms, for the budget and for others."
  value       = aws_sns_topic.this.arn
}

output "alarm_names" {
  description = "Alarms there are."
  value       = sort([for a in aws_cloudwatch_metric_alarm.this : a.alarm_name])
}
