# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

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
