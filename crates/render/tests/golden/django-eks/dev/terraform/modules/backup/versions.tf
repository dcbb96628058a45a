# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

terraform {
  required_version = ">= 1.6.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}
