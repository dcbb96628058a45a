# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

# Made once for the account, by ./bootstrap or by hand. A backend takes no variables.
terraform {
  backend "s3" {
    bucket  = "django-app-terraform-state"
    key     = "django-app/staging/terraform.tfstate"
    region  = "us-east-1"
    encrypt = true
    # Two people, or two jobs, never apply at once. Terraform 1.10 and later can do without the table: use_lockfile = true.
    dynamodb_table = "django-app-terraform-locks"
  }
}
