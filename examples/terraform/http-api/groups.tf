# Link -> load balancer on 80, load balancer -> targets on their port. A group made by Terraform starts with no rule at all,
# so all four are needed: each hop is judged where it leaves and where it arrives.

resource "aws_security_group" "link" {
  name        = "${var.name}-link"
  description = "VPC link"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-link" }
}

resource "aws_security_group" "alb" {
  name        = "${var.name}-alb"
  description = "internal load balancer"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-alb" }
}

resource "aws_security_group" "target" {
  name        = "${var.name}-target"
  description = "private service"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-target" }
}

resource "aws_vpc_security_group_egress_rule" "link_to_alb" {
  security_group_id            = aws_security_group.link.id
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 80
  description                  = "to the load balancer, revision ${var.revision}"
}

resource "aws_vpc_security_group_ingress_rule" "alb_from_link" {
  security_group_id            = aws_security_group.alb.id
  referenced_security_group_id = aws_security_group.link.id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 80
  description                  = "from the link, revision ${var.revision}"
}

resource "aws_vpc_security_group_egress_rule" "alb_to_target" {
  security_group_id            = aws_security_group.alb.id
  referenced_security_group_id = aws_security_group.target.id
  ip_protocol                  = "tcp"
  from_port                    = var.target_port
  to_port                      = var.target_port
  description                  = "to the targets, revision ${var.revision}"
}

resource "aws_vpc_security_group_ingress_rule" "target_from_alb" {
  security_group_id            = aws_security_group.target.id
  referenced_security_group_id = aws_security_group.alb.id
  ip_protocol                  = "tcp"
  from_port                    = var.target_port
  to_port                      = var.target_port
  description                  = "from the load balancer, revision ${var.revision}"
}
