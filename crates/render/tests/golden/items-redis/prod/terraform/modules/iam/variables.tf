# Made by wharf from wharf.yaml (items-redis, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "cluster_name" {
  description = "The cluster."
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

variable "github_repository" {
  description = "The repository whose workflows may deploy."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "An owner and a name, such as example/app."
  }
}

variable "create_github_provider" {
  description = "Make GitHub's identity provider; false where another environment of the account has made it."
  type        = bool
}

variable "repositories" {
  description = "Repositories that images are pushed to."
  type        = list(string)
}

variable "image_refs" {
  description = "Branches and tags of the repository whose images are pushed."
  type        = list(string)
}
