# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

variable "secrets" {
  description = "Secrets by name: how many characters of which properties are made up (an empty name: the whole value), which of them are replaced, and after how many days."
  type        = map(object({ description = string, generated = map(number), rotated = map(number), rotate_days = number }))
}

variable "kms_key_arn" {
  description = "The key that data is encrypted with."
  type        = string
}

variable "replica_region" {
  description = "The recovery region, where copies are kept."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.replica_region))
    error_message = "A region of AWS such as us-west-2."
  }
}
