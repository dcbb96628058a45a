resource "aws_vpc" "this" {
  cidr_blocks = "10.0.0.0/16"
}
