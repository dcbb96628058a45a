# The image that is asked for, or the newest Ubuntu 22.04 of Canonical.
data "aws_ami" "this" {
  most_recent = true
  owners      = ["099720109477", "amazon", "self"]

  filter {
    name   = var.image_id == null ? "name" : "image-id"
    values = [var.image_id == null ? "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*" : var.image_id]
  }
}
