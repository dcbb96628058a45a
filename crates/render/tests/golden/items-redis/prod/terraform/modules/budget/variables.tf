# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "project" {
  description = "The project: a tag of everything."
  type        = string
}

variable "environment" {
  description = "The environment: a tag of everything, and part of some names."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.environment))
    error_message = "Lower case letters, digits and hyphens."
  }
}

variable "limit" {
  description = "US dollars a month."
  type        = number

  validation {
    condition     = var.limit > 0
    error_message = "More than nothing."
  }
}

variable "topic_arn" {
  description = "Who hears of it."
  type        = string
}
