# Made by wharf from wharf.yaml (chat-app, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "database_arns" {
  description = "Databases whose backups are replicated."
  type        = map(string)
}

variable "backup_retention_days" {
  description = "How many days they are kept there."
  type        = number

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "Between 1 and 35."
  }
}

variable "buckets" {
  description = "What the copies of the buckets are called."
  type        = map(string)
}
