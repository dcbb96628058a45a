# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}
