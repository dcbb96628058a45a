# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "group_name" {
  description = "What the auto-scaling group is called."
  type        = string
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

variable "min_size" {
  description = "Fewest machines."
  type        = number
}

variable "desired_capacity" {
  description = "How many machines at first; scaling decides from then on."
  type        = number
}

variable "max_size" {
  description = "Most machines."
  type        = number
}

variable "cpu_target" {
  description = "CPU that the group aims at, in percent."
  type        = number

  validation {
    condition     = var.cpu_target >= 1 && var.cpu_target <= 100
    error_message = "Between 1 and 100."
  }
}

variable "health_check_grace_period" {
  description = "How long a new machine may take before its health counts, in seconds."
  type        = number
}

variable "ready_hook" {
  description = "The lifecycle hook that a machine completes once its application answers."
  type        = string
}

variable "boot_timeout" {
  description = "How long that may take, in seconds."
  type        = number

  validation {
    condition     = var.boot_timeout >= 30 && var.boot_timeout <= 7200
    error_message = "Between 30 and 7200."
  }
}

variable "disk_size" {
  description = "GiB of each machine's disk."
  type        = number

  validation {
    condition     = var.disk_size >= 8 && var.disk_size <= 16384
    error_message = "Between 8 and 16384."
  }
}

variable "subnet_ids" {
  description = "Subnets of the machines."
  type        = list(string)
}

variable "security_group_id" {
  description = "The machines' group."
  type        = string
}

variable "target_group_arn" {
  description = "Where the load balancer finds them."
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

variable "revision_parameter" {
  description = "The parameter with the commit that machines check out; the pipeline writes it."
  type        = string
}

variable "parameter_arns" {
  description = "Parameters that machines look addresses up in."
  type        = list(string)
}

variable "secret_arns" {
  description = "Secrets that the application reads."
  type        = list(string)
}

variable "bucket_arns" {
  description = "Buckets that the application uses."
  type        = list(string)
}
