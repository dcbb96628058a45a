# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

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

variable "log_groups" {
  description = "Log groups of the application."
  type        = list(string)
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A number of days that CloudWatch knows, such as 7, 14, 30, 90 or 365."
  }
}

variable "group_name" {
  description = "The auto-scaling group that is watched."
  type        = string
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
