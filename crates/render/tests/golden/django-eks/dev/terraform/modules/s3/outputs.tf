# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

output "bucket" {
  description = "What it is called."
  value       = aws_s3_bucket.this.bucket
}

output "arn" {
  description = "The bucket."
  value       = aws_s3_bucket.this.arn
}
