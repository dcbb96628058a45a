# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "image_id" {
  description = "Machine image; null: the newest Ubuntu 22.04."
  type        = string

  validation {
    condition     = var.image_id == null || can(regex("^ami-[0-9a-f]{8,17}$", var.image_id))
    error_message = "An image such as ami-0c02fb55956c7d316, or null."
  }
}

variable "instance_type" {
  description = "Class of the bastion."
  type        = string
}

variable "subnet_id" {
  description = "Where it stands."
  type        = string
}

variable "security_group_id" {
  description = "Its group."
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
