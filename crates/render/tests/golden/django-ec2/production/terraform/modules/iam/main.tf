# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}
