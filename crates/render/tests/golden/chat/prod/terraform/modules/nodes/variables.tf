# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "node_name" {
  description = "What the names of the nodes begin with."
  type        = string
}

variable "node_count" {
  description = "How many nodes."
  type        = number

  validation {
    condition     = var.node_count >= 1 && var.node_count <= 100
    error_message = "Between 1 and 100."
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
  description = "Class of the machines."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "A class of EC2 such as t3.medium."
  }
}

variable "key_name" {
  description = "EC2 key pair for emergencies; null: Session Manager only."
  type        = string
}

variable "disk_size" {
  description = "GiB of each node's disk."
  type        = number

  validation {
    condition     = var.disk_size >= 8 && var.disk_size <= 16384
    error_message = "Between 8 and 16384."
  }
}

variable "subnet_ids" {
  description = "Subnets of the nodes."
  type        = list(string)
}

variable "security_group_id" {
  description = "The nodes' group."
  type        = string
}

variable "target_group_arn" {
  description = "Where the load balancer finds them."
  type        = string
}

variable "topic_arn" {
  description = "Who hears of a machine that had to be started again."
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
