# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "name" {
  description = "What the load balancer is called."
  type        = string

  validation {
    condition     = length(var.name) <= 32
    error_message = "At most 32 characters."
  }
}

variable "target_group_name" {
  description = "What the target group is called."
  type        = string

  validation {
    condition     = length(var.target_group_name) <= 32
    error_message = "At most 32 characters."
  }
}

variable "internet_facing" {
  description = "Whether the internet reaches it."
  type        = bool
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Where it stands: one subnet in each zone."
  type        = list(string)
}

variable "security_group_id" {
  description = "Its group."
  type        = string
}

variable "app_port" {
  description = "Where the machines take requests."
  type        = number
}

variable "health_check_path" {
  description = "What each machine is asked."
  type        = string
}

variable "health_check_interval" {
  description = "From check to check, in seconds."
  type        = number

  validation {
    condition     = var.health_check_interval >= 5 && var.health_check_interval <= 300
    error_message = "Between 5 and 300."
  }
}

variable "health_check_timeout" {
  description = "When a check without an answer has failed, in seconds."
  type        = number

  validation {
    condition     = var.health_check_timeout >= 2 && var.health_check_timeout <= 120
    error_message = "Between 2 and 120."
  }
}

variable "healthy_threshold" {
  description = "Checks in a row that have to pass."
  type        = number

  validation {
    condition     = var.healthy_threshold >= 2 && var.healthy_threshold <= 10
    error_message = "Between 2 and 10."
  }
}

variable "unhealthy_threshold" {
  description = "Checks in a row that have to fail."
  type        = number

  validation {
    condition     = var.unhealthy_threshold >= 2 && var.unhealthy_threshold <= 10
    error_message = "Between 2 and 10."
  }
}

variable "deregistration_delay" {
  description = "How long a machine that leaves may finish its requests, in seconds."
  type        = number

  validation {
    condition     = var.deregistration_delay >= 0 && var.deregistration_delay <= 3600
    error_message = "Between 0 and 3600."
  }
}

variable "idle_timeout" {
  description = "How long a connection may be silent, in seconds."
  type        = number

  validation {
    condition     = var.idle_timeout >= 1 && var.idle_timeout <= 4000
    error_message = "Between 1 and 4000."
  }
}

variable "enable_https" {
  description = "Serve HTTPS, and redirect HTTP to it."
  type        = bool
}

variable "certificate_arn" {
  description = "The certificate of ACM; null: HTTP only."
  type        = string

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "The ARN of a certificate, or null."
  }
}

variable "deletion_protection" {
  description = "Refuse to be deleted."
  type        = bool
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A number of days that CloudWatch knows, such as 7, 14, 30, 90 or 365."
  }
}
