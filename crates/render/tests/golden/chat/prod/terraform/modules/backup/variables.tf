# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "schedule" {
  description = "When backups are made, UTC."
  type        = string

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.schedule))
    error_message = "A schedule such as cron(0 5 ? * * *)."
  }
}

variable "retention_days" {
  description = "How many days they are kept."
  type        = number

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 36500
    error_message = "Between 1 and 36500."
  }
}

variable "resource_arns" {
  description = "What is backed up."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "The key that data is encrypted with."
  type        = string
}

variable "recovery_vault_arn" {
  description = "Where copies go: the vault of the recovery region."
  type        = string
}
