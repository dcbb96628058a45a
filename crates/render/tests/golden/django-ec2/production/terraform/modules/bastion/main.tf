# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.

# The image that is asked for, or the newest Ubuntu 22.04 of Canonical.
data "aws_ami" "this" {
  most_recent = true
  owners      = ["099720109477", "amazon", "self"]
  # An image that is asked for stays usable when its owner lists it no longer.
  include_deprecated = var.image_id != null

  filter {
    name   = var.image_id == null ? "name" : "image-id"
    values = [var.image_id == null ? "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*" : var.image_id]
  }
}

# In a private subnet, without a key and without an open port: Session Manager is the only way in, and IAM says who may.
resource "aws_instance" "this" {
  ami                         = data.aws_ami.this.id
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [var.security_group_id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  associate_public_ip_address = false

  root_block_device {
    volume_type = "gp3"
    encrypted   = var.enable_encryption
    kms_key_id  = var.enable_encryption ? var.kms_key_arn : null
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  tags        = { Name = "${var.name_prefix}-bastion" }
  volume_tags = { Name = "${var.name_prefix}-bastion" }

  lifecycle {
    # A newer image is no reason to replace it.
    ignore_changes = [ami]
  }
}
