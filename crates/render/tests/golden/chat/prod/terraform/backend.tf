# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

# Made once for the account, by ./bootstrap or by hand. A backend takes no variables.
terraform {
  backend "s3" {
    bucket  = "chat-app-terraform-state"
    key     = "chat-app/prod/terraform.tfstate"
    region  = "us-east-1"
    encrypt = true
    # Two people, or two jobs, never apply at once. Terraform 1.10 and later can do without the table: use_lockfile = true.
    dynamodb_table = "chat-app-terraform-locks"
  }
}
