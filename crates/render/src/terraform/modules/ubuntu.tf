# Ubuntu 22.04 of its maker, where the file names no image.
data "aws_ami" "ubuntu" {
  count = var.image_id == null ? 1 : 0

  most_recent = true
  owners      = ["099720109477"]

  filter {
    name   = "name"
    values = ["ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*"]
  }
}
