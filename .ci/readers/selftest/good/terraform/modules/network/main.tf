variable "cidr" {
  description = "Addresses of the network"
  type        = string
}

resource "aws_vpc" "this" {
  cidr_block = var.cidr
}

resource "aws_launch_template" "this" {
  name_prefix = "web-"
  user_data   = base64encode(templatefile("${path.module}/user_data.sh.tftpl", { port = 8000 }))
}

output "vpc_id" {
  description = "The network"
  value       = aws_vpc.this.id
}
