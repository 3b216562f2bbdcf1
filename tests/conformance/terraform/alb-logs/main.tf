# A load balancer that keeps an access log, as the provider's own page writes it. The bucket is a folder below `s3.root`.

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  availability_zone = local.azs[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
}

resource "aws_security_group" "this" {
  name   = var.name
  vpc_id = aws_vpc.this.id
}

variable "prefix" {
  type    = string
  default = "shop"
}

resource "aws_lb" "this" {
  name            = var.name
  internal        = true
  subnets         = aws_subnet.this[*].id
  security_groups = [aws_security_group.this.id]

  access_logs {
    bucket  = "my-logs"
    prefix  = var.prefix
    enabled = true
  }

  connection_logs {
    bucket  = "my-logs"
    prefix  = var.prefix
    enabled = true
  }
}

output "load_balancer" {
  value = aws_lb.this.arn
}
