# An internal network load balancer in the manner of the module's `complete-nlb`, whose nodes have the addresses that are asked for.

resource "aws_lb" "network" {
  name                             = "${var.name}-nlb"
  load_balancer_type               = "network"
  internal                         = true
  enable_cross_zone_load_balancing = true

  dynamic "subnet_mapping" {
    for_each = aws_subnet.public
    content {
      subnet_id            = subnet_mapping.value.id
      private_ipv4_address = cidrhost(subnet_mapping.value.cidr_block, 99)
    }
  }
}
