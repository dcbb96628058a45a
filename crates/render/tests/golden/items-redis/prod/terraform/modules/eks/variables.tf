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
  description = "What the cluster is called."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", var.cluster_name))
    error_message = "Letters, digits, hyphens and underscores; at most 100."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]+$", var.kubernetes_version))
    error_message = "A minor version such as 1.28."
  }
}

variable "api_access_cidrs" {
  description = "From where the Kubernetes API is reached, with an IAM identity: narrow it to your pipeline and your people."
  type        = list(string)

  validation {
    condition     = alltrue([for cidr in var.api_access_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Ranges of IPv4 addresses such as 10.0.1.0/24."
  }
}

variable "access" {
  description = "Who may do what: a role, a policy of EKS, a group of the manifests, and in which namespaces (none: everywhere)."
  type        = map(object({ role_arn = string, policy = string, group = string, namespaces = list(string) }))
}

variable "subnet_ids" {
  description = "Subnets of the nodes."
  type        = list(string)
}

variable "node_group_name" {
  description = "What the group of nodes is called."
  type        = string
}

variable "instance_type" {
  description = "Class of the machines."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "A class of EC2 such as t3.medium."
  }
}

variable "spot" {
  description = "Buy the nodes at spot prices; AWS may take them back at any time."
  type        = bool
}

variable "min_nodes" {
  description = "Fewest nodes."
  type        = number
}

variable "desired_nodes" {
  description = "How many nodes at first; scaling decides from then on."
  type        = number
}

variable "max_nodes" {
  description = "Most nodes."
  type        = number
}

variable "node_disk_size" {
  description = "GiB of each node's disk."
  type        = number

  validation {
    condition     = var.node_disk_size >= 8 && var.node_disk_size <= 16384
    error_message = "Between 8 and 16384."
  }
}

variable "enable_encryption" {
  description = "Encrypt disks and stores with the environment's key."
  type        = bool
}

variable "deletion_protection" {
  description = "Refuse to be deleted."
  type        = bool
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

variable "namespace" {
  description = "Namespace of the application."
  type        = string
}

variable "secret_arns" {
  description = "Secrets that the External Secrets Operator reads."
  type        = list(string)
}
