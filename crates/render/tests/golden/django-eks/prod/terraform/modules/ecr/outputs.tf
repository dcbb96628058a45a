# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

output "repository_urls" {
  description = "Where images are pushed to, by repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}
