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
<% if set_up %>

  lifecycle {
    # Said by the plan, not by machines that come and go.
    postcondition {
      condition     = self.image_owner_alias != "amazon" || can(regex("(?i)ubuntu", self.name))
      error_message = "${self.name} is not Ubuntu 22.04, which the machines are set up for: ami_id = null takes the newest."
    }
  }
<% endif %>
}
