# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "cluster_security_group_id" {
  description = "The group of the cluster's nodes."
  type        = string
}

variable "private_route_table_ids" {
  description = "Routes that lead to the gateway endpoints."
  type        = list(string)
}

variable "gateway_endpoints" {
  description = "AWS services that are reached through a gateway."
  type        = list(string)

  validation {
    condition     = alltrue([for service in var.gateway_endpoints : contains(["dynamodb", "s3"], service)])
    error_message = "Only dynamodb and s3 have gateways."
  }
}
