data "aws_availability_zones" "here" {
  state = "available"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = var.name }
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, 10 + count.index)
  availability_zone = data.aws_availability_zones.here.names[count.index]
  tags              = { Name = "${var.name}-private-${count.index}" }
}

# Clients -> load balancer, load balancer -> targets: each hop is judged where it leaves and where it arrives.
resource "aws_security_group" "client" {
  name        = "${var.name}-client"
  description = "who may call the load balancer"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-client" }
}

resource "aws_security_group" "alb" {
  name        = "${var.name}-alb"
  description = "internal load balancer"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-alb" }
}

resource "aws_security_group" "target" {
  name        = "${var.name}-target"
  description = "private services"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-target" }
}

locals {
  ports = toset(["80", "443", "8443"])
}

resource "aws_vpc_security_group_egress_rule" "client_to_alb" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.client.id
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = each.key
  to_port                      = each.key
  description                  = "to the load balancer, revision ${var.revision}"
}

resource "aws_vpc_security_group_ingress_rule" "alb_from_client" {
  for_each                     = local.ports
  security_group_id            = aws_security_group.alb.id
  referenced_security_group_id = aws_security_group.client.id
  ip_protocol                  = "tcp"
  from_port                    = each.key
  to_port                      = each.key
  description                  = "from clients, revision ${var.revision}"
}

resource "aws_vpc_security_group_egress_rule" "alb_to_target" {
  security_group_id            = aws_security_group.alb.id
  referenced_security_group_id = aws_security_group.target.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8084
  description                  = "to the targets, revision ${var.revision}"
}

resource "aws_vpc_security_group_ingress_rule" "target_from_alb" {
  security_group_id            = aws_security_group.target.id
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8084
  description                  = "from the load balancer, revision ${var.revision}"
}
