# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

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

# Where copies are kept, and where everything can be started again.
provider "aws" {
  alias  = "recovery"
  region = var.recovery_region

  default_tags {
    tags = local.tags
  }
}
