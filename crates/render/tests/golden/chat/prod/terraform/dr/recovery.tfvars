# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

aws_region                  = "us-west-2"
recovery_region             = "us-east-2"
name_prefix                 = "chat-app-prod-dr"
availability_zones          = ["us-west-2a", "us-west-2b"]
create_github_oidc_provider = false
db_primary_zone             = "us-west-2b"
db_replica_zone             = "us-west-2a"
