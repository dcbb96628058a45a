terraform {
  required_version = ">= 1.6.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

module "network" {
  source = "./modules/network"

  cidr = var.cidr
}

output "vpc_id" {
  description = "The network"
  value       = module.network.vpc_id
}
