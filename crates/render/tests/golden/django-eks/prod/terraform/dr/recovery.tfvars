# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

aws_region                  = "us-west-2"
recovery_region             = "us-east-2"
name_prefix                 = "django-app-prod-dr"
availability_zones          = ["us-west-2a", "us-west-2b", "us-west-2c"]
create_github_oidc_provider = false
create_repositories         = false
