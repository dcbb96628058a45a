# Made by wharf from wharf.yaml (django-app, environment staging). Change that file and render again.

variable "aws_region" {
  description = "The region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "A region of AWS such as us-east-1."
  }
}

variable "environment" {
  description = "The environment: a tag of everything, and part of some names."
  type        = string
  default     = "staging"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]*$", var.environment))
    error_message = "Lower case letters, digits and hyphens."
  }
}

variable "project" {
  description = "The project: a tag of everything."
  type        = string
  default     = "django-app"
}

variable "tags" {
  description = "Further tags of everything."
  type        = map(string)
  default     = {}
}

variable "name_prefix" {
  description = "What the names of resources begin with."
  type        = string
  default     = "django-app-staging"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "Lower case letters, digits and hyphens; at most 40, so that every suffix has room."
  }
}

variable "kubernetes_namespace" {
  description = "Namespace of the application."
  type        = string
  default     = "django-app-staging"
}

# The network: subnets, routes, NAT, flow logs.

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0))
    error_message = "A range of IPv4 addresses such as 10.0.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones; each has one subnet of each kind."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b", "us-east-1c"]

  validation {
    condition     = length(var.availability_zones) >= 2
    error_message = "At least two zones: load balancers and databases need them."
  }
}

variable "public_subnet_cidrs" {
  description = "Subnets of load balancers and NAT gateways, one for each zone."
  type        = list(string)
  default     = ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]

  validation {
    condition     = alltrue([for cidr in var.public_subnet_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "private_subnet_cidrs" {
  description = "Subnets of the services, one for each zone."
  type        = list(string)
  default     = ["10.0.11.0/24", "10.0.12.0/24", "10.0.13.0/24"]

  validation {
    condition     = alltrue([for cidr in var.private_subnet_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "database_subnet_cidrs" {
  description = "Subnets of the stores, one for each zone; without a way to the internet."
  type        = list(string)
  default     = ["10.0.21.0/24", "10.0.22.0/24", "10.0.23.0/24"]

  validation {
    condition     = alltrue([for cidr in var.database_subnet_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "nat_gateways" {
  description = "How private subnets reach the internet: one gateway, one in each zone, or not at all."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per_zone", "none"], var.nat_gateways)
    error_message = "One of single, per_zone, none."
  }
}

variable "enable_flow_logs" {
  description = "Keep a log of every connection."
  type        = bool
  default     = true
}

variable "flow_log_group" {
  description = "Log group of the flow logs."
  type        = string
  default     = "/aws/vpc/django-app-staging/flowlogs"
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A number of days that CloudWatch knows, such as 7, 14, 30, 90 or 365."
  }
}

# Who may do what: people with a second factor, and the pipeline.

variable "cluster_name" {
  description = "The cluster."
  type        = string
  default     = "django-app-staging"
}

variable "github_repository" {
  description = "The repository whose workflows may deploy."
  type        = string
  default     = "example/django-app"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "An owner and a name, such as example/app."
  }
}

variable "create_github_oidc_provider" {
  description = "Make GitHub's identity provider; false where another environment of the account has made it."
  type        = bool
  default     = true
}

variable "repositories" {
  description = "Repositories that images are pushed to."
  type        = list(string)
  default     = ["django-app"]
}

variable "image_refs" {
  description = "Branches and tags of the repository whose images are pushed."
  type        = list(string)
  default     = ["refs/heads/develop", "refs/heads/main", "refs/heads/staging", "refs/tags/v*"]
}

# Repositories of the images.

variable "create_repositories" {
  description = "Make the repositories; false where another environment of the account has made them."
  type        = bool
  default     = true
}

variable "kept_images" {
  description = "How many images of each are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.kept_images >= 1 && var.kept_images <= 1000
    error_message = "Between 1 and 1000."
  }
}

# The application's secrets, and what replaces them in time.

variable "enable_secret_rotation" {
  description = "Replace generated secrets regularly."
  type        = bool
  default     = true
}

variable "secrets" {
  description = "Secrets by name: how many characters of which properties are made up (an empty name: the whole value), which of them are replaced, and after how many days."
  type        = map(object({ description = string, generated = map(number), rotated = map(number), rotate_days = number }))
  default = {
    django-app-staging = {
      description = "Signs sessions and tokens"
      generated = {
        secret_key = 50
      }
      rotated = {
        secret_key = 50
      }
      rotate_days = 90
    }
    "django-app/staging/pagerduty-key" = {
      description = "Integration key of the on-call service"
      generated   = {}
      rotated     = {}
      rotate_days = null
    }
    "django-app/staging/slack-webhook" = {
      description = "Incoming webhook of #alerts"
      generated   = {}
      rotated     = {}
      rotate_days = null
    }
  }
}

# The cluster, its nodes, and the roles of what runs on it.

variable "kubernetes_version" {
  description = "Version of Kubernetes."
  type        = string
  default     = "1.28"

  validation {
    condition     = can(regex("^1\\.[0-9]+$", var.kubernetes_version))
    error_message = "A minor version such as 1.28."
  }
}

variable "api_access_cidrs" {
  description = "From where the Kubernetes API is reached, with an IAM identity: narrow it to your pipeline and your people."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.api_access_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "node_group_name" {
  description = "What the group of nodes is called."
  type        = string
  default     = "django-app-staging-nodes"
}

variable "instance_type" {
  description = "Class of the machines."
  type        = string
  default     = "t3.medium"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "A class of EC2 such as t3.medium."
  }
}

variable "spot" {
  description = "Buy the nodes at spot prices; AWS may take them back at any time."
  type        = bool
  default     = false
}

variable "min_nodes" {
  description = "Fewest nodes."
  type        = number
  default     = 1
}

variable "desired_nodes" {
  description = "How many nodes at first; scaling decides from then on."
  type        = number
  default     = 2
}

variable "max_nodes" {
  description = "Most nodes."
  type        = number
  default     = 4
}

variable "node_disk_size" {
  description = "GiB of each node's disk."
  type        = number
  default     = 50

  validation {
    condition     = var.node_disk_size >= 8 && var.node_disk_size <= 16384
    error_message = "Between 8 and 16384."
  }
}

variable "enable_encryption" {
  description = "Encrypt disks and stores with the environment's key."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuse to be deleted."
  type        = bool
  default     = true
}

# Who may talk to whom: security groups, and endpoints of AWS services.

variable "interface_endpoints" {
  description = "AWS services that are reached within the VPC."
  type        = list(string)
  default     = ["ecr.api", "ecr.dkr", "sts", "logs", "secretsmanager"]
}

variable "gateway_endpoints" {
  description = "AWS services that are reached through a gateway."
  type        = list(string)
  default     = ["s3"]

  validation {
    condition     = alltrue([for service in var.gateway_endpoints : contains(["dynamodb", "s3"], service)])
    error_message = "Only dynamodb and s3 have gateways."
  }
}

# PostgreSQL: encrypted, over TLS only, with backups.

variable "db_identifier" {
  description = "What it is called (store `db`)."
  type        = string
  default     = "django-app-staging-db"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.db_identifier))
    error_message = "A letter, then letters, digits and hyphens; at most 63."
  }
}

variable "db_engine_version" {
  description = "Exact version of PostgreSQL (store `db`)."
  type        = string
  default     = "15.2"

  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.db_engine_version))
    error_message = "A version such as 16.4."
  }
}

variable "db_instance_class" {
  description = "Class of the instance (store `db`)."
  type        = string
  default     = "db.t3.micro"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.db_instance_class))
    error_message = "A class of RDS such as db.t3.micro."
  }
}

variable "db_allocated_storage" {
  description = "GiB at first (store `db`)."
  type        = number
  default     = 20

  validation {
    condition     = var.db_allocated_storage >= 20 && var.db_allocated_storage <= 65536
    error_message = "Between 20 and 65536."
  }
}

variable "db_max_allocated_storage" {
  description = "GiB at most, grown by itself; null: fixed (store `db`)."
  type        = number
  default     = 40
}

variable "db_storage_type" {
  description = "Kind of storage (store `db`)."
  type        = string
  default     = "gp3"

  validation {
    condition     = contains(["gp2", "gp3", "io1", "io2"], var.db_storage_type)
    error_message = "One of gp2, gp3, io1, io2."
  }
}

variable "db_database_name" {
  description = "The first database (store `db`)."
  type        = string
  default     = "django_app"
}

variable "db_username" {
  description = "The administrator (store `db`)."
  type        = string
  default     = "wharf"
}

variable "db_multi_az" {
  description = "Keep a standby in another zone (store `db`)."
  type        = bool
  default     = true
}

variable "db_backup_retention_days" {
  description = "How many days backups are kept, for a restore to any second of them (store `db`)."
  type        = number
  default     = 7

  validation {
    condition     = var.db_backup_retention_days >= 1 && var.db_backup_retention_days <= 35
    error_message = "Between 1 and 35."
  }
}

variable "db_backup_window" {
  description = "When the daily backup is made, UTC (store `db`)."
  type        = string
  default     = "03:00-04:00"

  validation {
    condition     = can(regex("^([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])$", var.db_backup_window))
    error_message = "A window such as 03:00-04:00."
  }
}

variable "db_maintenance_window" {
  description = "When AWS may work on it, UTC (store `db`)."
  type        = string
  default     = "sun:04:00-sun:05:00"

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.db_maintenance_window))
    error_message = "A window such as sun:04:00-sun:05:00."
  }
}

variable "db_deletion_protection" {
  description = "Refuse to be deleted (store `db`)."
  type        = bool
  default     = true
}

# Redis: encrypted at rest and in transit, with a token.

variable "cache_identifier" {
  description = "What it is called (store `cache`)."
  type        = string
  default     = "django-app-staging-cache"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.cache_identifier))
    error_message = "A letter, then letters, digits and hyphens; at most 40."
  }
}

variable "cache_engine_version" {
  description = "Version of Redis (store `cache`)."
  type        = string
  default     = "7.0"

  validation {
    condition     = can(regex("^[5-7](\\.[0-9x]+)*$", var.cache_engine_version))
    error_message = "A version such as 7.0."
  }
}

variable "cache_node_type" {
  description = "Class of the nodes (store `cache`)."
  type        = string
  default     = "cache.t3.micro"

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.cache_node_type))
    error_message = "A class of ElastiCache such as cache.t3.micro."
  }
}

variable "cache_node_count" {
  description = "How many nodes; from two on, another takes over by itself (store `cache`)."
  type        = number
  default     = 2

  validation {
    condition     = var.cache_node_count >= 1 && var.cache_node_count <= 6
    error_message = "Between 1 and 6."
  }
}

variable "cache_snapshot_retention_days" {
  description = "How many days snapshots are kept (store `cache`)."
  type        = number
  default     = 7

  validation {
    condition     = var.cache_snapshot_retention_days >= 0 && var.cache_snapshot_retention_days <= 35
    error_message = "Between 0 and 35."
  }
}

variable "cache_snapshot_window" {
  description = "When the daily backup is made, UTC (store `cache`)."
  type        = string
  default     = "03:00-04:00"

  validation {
    condition     = can(regex("^([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])$", var.cache_snapshot_window))
    error_message = "A window such as 03:00-04:00."
  }
}

variable "cache_maintenance_window" {
  description = "When AWS may work on it, UTC (store `cache`)."
  type        = string
  default     = "sun:04:00-sun:05:00"

  validation {
    condition     = can(regex("^(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):[0-2][0-9]:[0-5][0-9]$", var.cache_maintenance_window))
    error_message = "A window such as sun:04:00-sun:05:00."
  }
}

# A private bucket: encrypted, over TLS only, with rules for old objects.

variable "backups_bucket_versioned" {
  description = "Keep old versions of objects (bucket `backups`)."
  type        = bool
  default     = true
}

variable "backups_bucket_archive_after_days" {
  description = "After how many days objects go to cheaper storage; null: never (bucket `backups`)."
  type        = number
  default     = 30
}

variable "backups_bucket_expire_after_days" {
  description = "After how many days objects are deleted; null: never (bucket `backups`)."
  type        = number
  default     = 90
}

# A private bucket: encrypted, over TLS only, with rules for old objects.

variable "static_bucket_versioned" {
  description = "Keep old versions of objects (bucket `static`)."
  type        = bool
  default     = true
}

variable "static_bucket_archive_after_days" {
  description = "After how many days objects go to cheaper storage; null: never (bucket `static`)."
  type        = number
  default     = null
}

variable "static_bucket_expire_after_days" {
  description = "After how many days objects are deleted; null: never (bucket `static`)."
  type        = number
  default     = null
}

# The firewall before the load balancer.

variable "enable_waf" {
  description = "Put a web application firewall before the load balancer."
  type        = bool
  default     = true
}

variable "rate_limit" {
  description = "Requests of one address within five minutes; more are refused."
  type        = number
  default     = 30000

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000
    error_message = "Between 10 and 2000000000."
  }
}

# Alarms, who hears of them, and log groups.

variable "notification_email" {
  description = "Who hears of alarms; null: nobody yet."
  type        = string
  default     = "ops@example.com"

  validation {
    condition     = var.notification_email == null || can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", var.notification_email))
    error_message = "An e-mail address, or null."
  }
}

variable "cpu_alarm_threshold" {
  description = "CPU above this many percent …"
  type        = number
  default     = 80

  validation {
    condition     = var.cpu_alarm_threshold >= 1 && var.cpu_alarm_threshold <= 100
    error_message = "Between 1 and 100."
  }
}

variable "cpu_alarm_minutes" {
  description = "… for this many minutes raises an alarm."
  type        = number
  default     = 10
}

# Daily backups that live apart from what they are of.

variable "enable_backup" {
  description = "Keep backups in AWS Backup, beside those that the databases keep themselves."
  type        = bool
  default     = true
}

variable "backup_schedule" {
  description = "When backups are made, UTC."
  type        = string
  default     = "cron(0 5 ? * * *)"

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.backup_schedule))
    error_message = "A schedule such as cron(0 5 ? * * *)."
  }
}

variable "backup_vault_retention_days" {
  description = "How many days they are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_vault_retention_days >= 1 && var.backup_vault_retention_days <= 36500
    error_message = "Between 1 and 36500."
  }
}

# Says when the month becomes more expensive than planned.

variable "monthly_budget" {
  description = "US dollars a month."
  type        = number
  default     = 250

  validation {
    condition     = var.monthly_budget > 0
    error_message = "More than nothing."
  }
}
