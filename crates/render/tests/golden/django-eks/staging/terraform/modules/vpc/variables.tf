# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0))
    error_message = "A range of IPv4 addresses such as 10.0.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones; each has one subnet of each kind."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2
    error_message = "At least two zones: load balancers and databases need them."
  }
}

variable "public_subnet_cidrs" {
  description = "Subnets of load balancers and NAT gateways, one for each zone."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.public_subnet_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "private_subnet_cidrs" {
  description = "Subnets of the services, one for each zone."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.private_subnet_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "database_subnet_cidrs" {
  description = "Subnets of the stores, one for each zone; without a way to the internet."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.database_subnet_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "nat_gateways" {
  description = "How private subnets reach the internet: one gateway, one in each zone, or not at all."
  type        = string

  validation {
    condition     = contains(["single", "per_zone", "none"], var.nat_gateways)
    error_message = "One of single, per_zone, none."
  }
}

variable "enable_flow_logs" {
  description = "Keep a log of every connection."
  type        = bool
}

variable "flow_log_group" {
  description = "Log group of the flow logs."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A number of days that CloudWatch knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "The key that data is encrypted with."
  type        = string
}
