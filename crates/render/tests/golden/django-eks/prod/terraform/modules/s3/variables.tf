# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

variable "bucket" {
  description = "What it is called, everywhere in AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Lower case letters, digits, dots and hyphens; 3 to 63."
  }
}

variable "versioned" {
  description = "Keep old versions of objects (bucket `backups`)."
  type        = bool
}

variable "archive_after_days" {
  description = "After how many days objects go to cheaper storage; null: never (bucket `backups`)."
  type        = number
}

variable "expire_after_days" {
  description = "After how many days objects are deleted; null: never (bucket `backups`)."
  type        = number
}

variable "kms_key_arn" {
  description = "The key that data is encrypted with."
  type        = string
}

variable "replication_role_name" {
  description = "What the role that copies objects is called."
  type        = string
}

variable "replica_bucket_arn" {
  description = "The copy in the recovery region."
  type        = string
}

variable "replica_kms_key_arn" {
  description = "The key of the recovery region."
  type        = string
}
