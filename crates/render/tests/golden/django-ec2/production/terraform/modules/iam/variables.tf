# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
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

variable "group_name" {
  description = "The auto-scaling group that is deployed to."
  type        = string
}

variable "revision_parameter" {
  description = "The parameter with the commit that machines check out."
  type        = string
}
