# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "identifier" {
  description = "What it is called (store `cache`)."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.identifier))
    error_message = "A letter, then letters, digits and hyphens; at most 40."
  }
}

variable "engine_version" {
  description = "Version of Redis (store `cache`)."
  type        = string

  validation {
    condition     = can(regex("^[5-7](\\.[0-9x]+)*$", var.engine_version))
    error_message = "A version such as 7.0."
  }
}

variable "node_type" {
  description = "Class of the nodes (store `cache`)."
  type        = string

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.node_type))
    error_message = "A class of ElastiCache such as cache.t3.micro."
  }
}

variable "node_count" {
  description = "How many nodes; from two on, another takes over by itself (store `cache`)."
  type        = number

  validation {
    condition     = var.node_count >= 1 && var.node_count <= 6
    error_message = "Between 1 and 6."
  }
}

variable "snapshot_retention_days" {
  description = "How many days snapshots are kept (store `cache`)."
  type        = number

  validation {
    condition     = var.snapshot_retention_days >= 0 && var.snapshot_retention_days <= 35
    error_message = "Between 0 and 35."
  }
}

variable "snapshot_window" {
  description = "When the daily backup is made, UTC (store `cache`)."
  type        = string

  validation {
    condition     = can(regex("^([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])$", var.snapshot_window))
    error_message = "A window such as 03:00-04:00."
  }
}

variable "maintenance_window" {
  description = "When AWS may work on it, UTC (store `cache`)."
  type        = string

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.maintenance_window))
    error_message = "A window such as sun:04:00-sun:05:00."
  }
}

variable "secret_name" {
  description = "What Secrets Manager calls host and token."
  type        = string
}

variable "enable_encryption" {
  description = "Encrypt disks and stores with the environment's key."
  type        = bool
}

variable "subnet_ids" {
  description = "Subnets of the store."
  type        = list(string)
}

variable "security_group_id" {
  description = "The group that says who reaches it."
  type        = string
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

variable "replica_region" {
  description = "The recovery region, where copies are kept."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.replica_region))
    error_message = "A region of AWS such as us-west-2."
  }
}
