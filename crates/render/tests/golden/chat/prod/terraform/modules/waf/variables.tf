# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "rate_limit" {
  description = "Requests of one address within five minutes; more are refused."
  type        = number

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000
    error_message = "Between 10 and 2000000000."
  }
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

variable "load_balancer_arn" {
  description = "The load balancer that it stands before."
  type        = string
}
