# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

output "name" {
  description = "The budget."
  value       = aws_budgets_budget.this.name
}
