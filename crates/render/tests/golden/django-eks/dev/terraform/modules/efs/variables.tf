# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

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

variable "subnet_ids" {
  description = "Subnets of the nodes, by zone."
  type        = map(string)
}

variable "node_security_group_id" {
  description = "The group of the nodes."
  type        = string
}

variable "enable_encryption" {
  description = "Encrypt disks and stores with the environment's key."
  type        = bool
}

variable "kms_key_arn" {
  description = "The key that data is encrypted with."
  type        = string
}
