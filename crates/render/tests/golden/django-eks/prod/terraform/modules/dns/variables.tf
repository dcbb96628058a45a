# Made by wharf from wharf.yaml (django-app, environment prod). Change that file and render again.

variable "zone_name" {
  description = "The hosted zone; it is there already."
  type        = string
}

variable "domain_name" {
  description = "The host that the certificate is for."
  type        = string
}

variable "alternative_names" {
  description = "Further hosts that it is for."
  type        = list(string)
}

variable "hosts" {
  description = "Hosts of the application."
  type        = list(string)
}

variable "load_balancer_name" {
  description = "The load balancer that the cluster's controller has made: set it after the first deployment; null: no records yet."
  type        = string
}
