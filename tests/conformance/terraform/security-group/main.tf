# What the security-group module makes of its `complete` example.

data "aws_vpc" "default" {
  default = true
}

data "aws_security_group" "default" {
  name   = "default"
  vpc_id = data.aws_vpc.default.id
}

data "aws_prefix_list" "s3" {
  name = "com.amazonaws.${data.aws_region.current.name}.s3"
}

data "aws_ec2_managed_prefix_list" "cloudfront" {
  name = "com.amazonaws.global.cloudfront.origin-facing"
}

resource "aws_ec2_managed_prefix_list" "office" {
  name           = "${var.name}-office"
  address_family = "IPv4"
  max_entries    = 5

  entry {
    cidr        = "192.0.2.0/24"
    description = "Office"
  }
}

resource "aws_security_group" "main" {
  name        = "${var.name}-main"
  description = "Security group which is used as an argument in complete-sg"
  vpc_id      = data.aws_vpc.default.id
}

resource "aws_security_group" "this" {
  name_prefix            = "${var.name}-complete-"
  description            = "Security group with all available arguments set (this is just an example)"
  vpc_id                 = data.aws_vpc.default.id
  revoke_rules_on_delete = false
  tags                   = { Cash = "king", Department = "kingdom" }

  timeouts {
    create = "10m"
    delete = "15m"
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  named = {
    https-443-tcp   = { from = 443, to = 443, protocol = "tcp", cidrs = ["10.10.0.0/16"] }
    postgresql-tcp  = { from = 5432, to = 5432, protocol = "tcp", cidrs = ["0.0.0.0/0", "2.2.2.2/32"] }
    custom-30       = { from = 30, to = 40, protocol = "6", cidrs = ["10.10.0.0/20"] }
    all-icmp        = { from = -1, to = -1, protocol = "icmp", cidrs = ["30.30.30.30/32"] }
    carp            = { from = 0, to = 0, protocol = "112", cidrs = ["10.10.0.0/16"] }
    consul-serf-wan = { from = 8302, to = 8302, protocol = "udp", cidrs = ["40.40.40.40/32"] }
  }
}

resource "aws_security_group_rule" "ingress_with_cidr_blocks" {
  for_each          = local.named
  security_group_id = aws_security_group.this.id
  type              = "ingress"
  cidr_blocks       = each.value.cidrs
  description       = "Ingress Rule ${each.key}"
  from_port         = each.value.from
  to_port           = each.value.to
  protocol          = each.value.protocol
}

resource "aws_security_group_rule" "ingress_with_ipv6_cidr_blocks" {
  security_group_id = aws_security_group.this.id
  type              = "ingress"
  ipv6_cidr_blocks  = ["2001:db8::/64"]
  description       = "ipv6"
  from_port         = 300
  to_port           = 400
  protocol          = "tcp"
}

resource "aws_security_group_rule" "ingress_with_source_security_group_id" {
  security_group_id        = aws_security_group.this.id
  type                     = "ingress"
  source_security_group_id = data.aws_security_group.default.id
  description              = "mysql"
  from_port                = 3306
  to_port                  = 3306
  protocol                 = "tcp"
}

resource "aws_security_group_rule" "computed_source" {
  security_group_id        = aws_security_group.this.id
  type                     = "ingress"
  source_security_group_id = aws_security_group.main.id
  from_port                = 50
  to_port                  = 60
  protocol                 = "tcp"
}

resource "aws_security_group_rule" "ingress_with_self" {
  security_group_id = aws_security_group.this.id
  type              = "ingress"
  self              = true
  from_port         = 0
  to_port           = 0
  protocol          = "-1"
}

resource "aws_security_group_rule" "ingress_with_prefix_list_ids" {
  security_group_id = aws_security_group.this.id
  type              = "ingress"
  prefix_list_ids   = [data.aws_ec2_managed_prefix_list.cloudfront.id, aws_ec2_managed_prefix_list.office.id]
  description       = "https from the edge and the office"
  from_port         = 443
  to_port           = 443
  protocol          = "tcp"
}

resource "aws_security_group_rule" "egress_with_prefix_list_ids" {
  security_group_id = aws_security_group.this.id
  type              = "egress"
  prefix_list_ids   = [data.aws_prefix_list.s3.id]
  from_port         = 443
  to_port           = 443
  protocol          = "tcp"
}

resource "aws_security_group_rule" "egress_with_cidr_blocks" {
  security_group_id = aws_security_group.this.id
  type              = "egress"
  cidr_blocks       = ["0.0.0.0/0"]
  ipv6_cidr_blocks  = ["::/0"]
  from_port         = 0
  to_port           = 0
  protocol          = "-1"
}

# The newer resources, one rule each.
resource "aws_vpc_security_group_ingress_rule" "edge" {
  security_group_id = aws_security_group.main.id
  prefix_list_id    = data.aws_ec2_managed_prefix_list.cloudfront.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = { Name = "edge" }
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.main.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
