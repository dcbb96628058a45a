# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

locals {
  # On everything: whose it is, and who may change it.
  tags = merge(
    {
      Project     = var.project
      Environment = var.environment
      ManagedBy   = "wharf"
    },
    var.tags,
  )
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }
}
