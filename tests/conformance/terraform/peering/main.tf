# VPCs that peering connections join: one that is accepted where it is asked for, one by a resource of its own, routes both ways, and a
# group that a rule names across.

variable "revision" {
  type    = number
  default = 1
}

resource "aws_vpc" "hub" {
  cidr_block = "10.10.0.0/16"
}

resource "aws_vpc" "spoke" {
  for_each   = { one = "10.11.0.0/16", two = "10.12.0.0/16" }
  cidr_block = each.value
}

resource "aws_vpc_peering_connection" "one" {
  vpc_id      = aws_vpc.hub.id
  peer_vpc_id = aws_vpc.spoke["one"].id
  auto_accept = true

  accepter {
    allow_remote_vpc_dns_resolution = false
  }

  requester {
    allow_remote_vpc_dns_resolution = false
  }

  tags = { Name = "hub-one", Revision = var.revision }
}

resource "aws_vpc_peering_connection" "two" {
  vpc_id      = aws_vpc.hub.id
  peer_vpc_id = aws_vpc.spoke["two"].id
  auto_accept = false
}

resource "aws_vpc_peering_connection_accepter" "two" {
  vpc_peering_connection_id = aws_vpc_peering_connection.two.id
  auto_accept               = true
}

resource "aws_route" "to_one" {
  route_table_id            = aws_vpc.hub.main_route_table_id
  destination_cidr_block    = aws_vpc.spoke["one"].cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.one.id
}

resource "aws_route" "from_one" {
  route_table_id            = aws_vpc.spoke["one"].main_route_table_id
  destination_cidr_block    = aws_vpc.hub.cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.one.id
}

resource "aws_route_table" "two" {
  vpc_id = aws_vpc.spoke["two"].id

  route {
    cidr_block                = aws_vpc.hub.cidr_block
    vpc_peering_connection_id = aws_vpc_peering_connection_accepter.two.id
  }
}

resource "aws_security_group" "hub" {
  name   = "${var.name}-hub"
  vpc_id = aws_vpc.hub.id
}

resource "aws_security_group" "one" {
  name   = "${var.name}-one"
  vpc_id = aws_vpc.spoke["one"].id
}

resource "aws_vpc_security_group_ingress_rule" "from_hub" {
  security_group_id            = aws_security_group.one.id
  referenced_security_group_id = aws_security_group.hub.id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 80

  depends_on = [aws_vpc_peering_connection.one]
}

resource "aws_security_group_rule" "to_one" {
  type                     = "egress"
  security_group_id        = aws_security_group.hub.id
  source_security_group_id = aws_security_group.one.id
  protocol                 = "tcp"
  from_port                = 80
  to_port                  = 80

  depends_on = [aws_vpc_peering_connection.one]
}

data "aws_vpc_peering_connection" "two" {
  id         = aws_vpc_peering_connection_accepter.two.id
  depends_on = [aws_route_table.two]
}

output "accepted" {
  value = data.aws_vpc_peering_connection.two.status
}
