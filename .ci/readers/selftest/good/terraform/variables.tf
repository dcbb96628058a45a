variable "cidr" {
  description = "Addresses of the network"
  type        = string
}
