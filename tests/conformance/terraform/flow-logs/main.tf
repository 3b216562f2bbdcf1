# Flow logs of a VPC, a subnet and an interface, into a log group and a bucket.

variable "revision" {
  type    = number
  default = 1
}

resource "aws_vpc" "this" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.20.1.0/24"
}

resource "aws_network_interface" "this" {
  subnet_id = aws_subnet.this.id
}

resource "aws_cloudwatch_log_group" "this" {
  name = "/${var.name}/flows"
}

resource "aws_flow_log" "vpc" {
  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  iam_role_arn    = "arn:aws:iam::000000000000:role/flows"
  log_destination = aws_cloudwatch_log_group.this.arn

  tags = { Name = "vpc", Revision = var.revision }
}

resource "aws_flow_log" "subnet" {
  subnet_id                = aws_subnet.this.id
  traffic_type             = "REJECT"
  log_destination_type     = "s3"
  log_destination          = "arn:aws:s3:::ex-flows/subnets/"
  log_format               = "$${version} $${interface-id} $${srcaddr} $${dstaddr} $${action}"
  max_aggregation_interval = 60

  destination_options {
    file_format                = "plain-text"
    hive_compatible_partitions = false
    per_hour_partition         = false
  }
}

resource "aws_flow_log" "interface" {
  eni_id               = aws_network_interface.this.id
  traffic_type         = "ACCEPT"
  log_destination_type = "s3"
  log_destination      = "arn:aws:s3:::ex-flows"
}
