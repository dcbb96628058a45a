# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

variable "identifier" {
  description = "What it is called (store `db`)."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.identifier))
    error_message = "A letter, then letters, digits and hyphens; at most 63."
  }
}

variable "engine_version" {
  description = "Exact version of PostgreSQL (store `db`)."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.engine_version))
    error_message = "A version such as 16.4."
  }
}

variable "instance_class" {
  description = "Class of the instance (store `db`)."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "A class of RDS such as db.t3.micro."
  }
}

variable "allocated_storage" {
  description = "GiB at first (store `db`)."
  type        = number

  validation {
    condition     = var.allocated_storage >= 20 && var.allocated_storage <= 65536
    error_message = "Between 20 and 65536."
  }
}

variable "max_allocated_storage" {
  description = "GiB at most, grown by itself; null: fixed (store `db`)."
  type        = number
}

variable "storage_type" {
  description = "Kind of storage (store `db`)."
  type        = string

  validation {
    condition     = contains(["gp2", "gp3", "io1", "io2"], var.storage_type)
    error_message = "One of gp2, gp3, io1, io2."
  }
}

variable "database_name" {
  description = "The first database (store `db`)."
  type        = string
}

variable "username" {
  description = "The administrator (store `db`)."
  type        = string
}

variable "multi_az" {
  description = "Keep a standby in another zone (store `db`)."
  type        = bool
}

variable "backup_retention_days" {
  description = "How many days backups are kept, for a restore to any second of them (store `db`)."
  type        = number

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "Between 1 and 35."
  }
}

variable "backup_window" {
  description = "When the daily backup is made, UTC (store `db`)."
  type        = string

  validation {
    condition     = can(regex("^([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])$", var.backup_window))
    error_message = "A window such as 03:00-04:00."
  }
}

variable "maintenance_window" {
  description = "When AWS may work on it, UTC (store `db`)."
  type        = string

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.maintenance_window))
    error_message = "A window such as sun:04:00-sun:05:00."
  }
}

variable "deletion_protection" {
  description = "Refuse to be deleted (store `db`)."
  type        = bool
}

variable "secret_name" {
  description = "What Secrets Manager calls host, user and password."
  type        = string
}

variable "monitoring_role_name" {
  description = "What the role of enhanced monitoring is called."
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
