# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

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

variable "instance_ids" {
  description = "The nodes, by number."
  type        = map(string)
}

variable "load_balancer" {
  description = "The load balancer, as CloudWatch knows it."
  type        = string
}

variable "target_group" {
  description = "The target group, as CloudWatch knows it."
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
