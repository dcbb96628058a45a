# Made by wharf from wharf.yaml (django-app, environment dev). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "notification_email" {
  description = "Who hears of alarms; null: nobody yet."
  type        = string

  validation {
    condition     = var.notification_email == null || can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.notification_email))
    error_message = "An e-mail address, or null."
  }
}

variable "kms_key_arn" {
  description = "The key that data is encrypted with."
  type        = string
}

variable "cpu_threshold" {
  description = "CPU above this many percent …"
  type        = number

  validation {
    condition     = var.cpu_threshold >= 1 && var.cpu_threshold <= 100
    error_message = "Between 1 and 100."
  }
}

variable "cpu_minutes" {
  description = "… for this many minutes raises an alarm."
  type        = number
}

variable "group_name" {
  description = "The auto-scaling group that is watched."
  type        = string
}

variable "databases" {
  description = "The databases."
  type        = list(string)
}

variable "cache_nodes" {
  description = "The nodes of the caches."
  type        = map(string)
}
