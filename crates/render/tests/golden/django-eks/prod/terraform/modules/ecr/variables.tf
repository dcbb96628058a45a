# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

variable "repositories" {
  description = "What the repositories are called."
  type        = list(string)
}

variable "kept_images" {
  description = "How many images of each are kept."
  type        = number

  validation {
    condition     = var.kept_images >= 1 && var.kept_images <= 1000
    error_message = "Between 1 and 1000."
  }
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
