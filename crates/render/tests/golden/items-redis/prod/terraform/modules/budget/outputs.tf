# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

output "name" {
  description = "The budget."
  value       = aws_budgets_budget.this.name
}
