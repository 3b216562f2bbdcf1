# Each tier lets in the one before it and nothing else, and reaches the one behind it and nothing else.
locals {
  chain = ["link", "alb", "web", "app", "data"]
  hops = {
    for at in range(length(local.chain) - 1) : "${local.chain[at]}-to-${local.chain[at + 1]}" => {
      from = local.chain[at]
      to   = local.chain[at + 1]
      port = local.chain[at + 1] == "alb" ? 80 : var.port
    }
  }
}

resource "aws_security_group" "tier" {
  for_each    = toset(local.chain)
  name        = "${var.name}-${each.key}"
  description = "the tier ${each.key}"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "hop" {
  for_each                     = local.hops
  security_group_id            = aws_security_group.tier[each.value.from].id
  referenced_security_group_id = aws_security_group.tier[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "hop" {
  for_each                     = local.hops
  security_group_id            = aws_security_group.tier[each.value.to].id
  referenced_security_group_id = aws_security_group.tier[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}
