# A network load balancer in front: one listener leads connections to the application load balancer, the other ends TLS and leads them to its targets.
resource "aws_lb" "edge" {
  name                             = "${var.name}-edge"
  internal                         = true
  load_balancer_type               = "network"
  subnets                          = aws_subnet.private[*].id
  security_groups                  = [aws_security_group.edge.id]
  enable_cross_zone_load_balancing = var.revision > 1
}

# Targets are told of a client's address by the application load balancer: it sees who connects to the network load balancer.
resource "aws_lb_target_group" "balancer" {
  name        = "${var.name}-balancer"
  port        = 443
  protocol    = "TCP"
  target_type = "alb"
  vpc_id      = aws_vpc.main.id

  health_check {
    protocol = "HTTPS"
    path     = "/x?show=revision"
    interval = 4 + var.revision
    timeout  = 2
  }
}

# The listener first: the network load balancer would find nothing on its port.
resource "aws_lb_target_group_attachment" "balancer" {
  target_group_arn = aws_lb_target_group.balancer.arn
  target_id        = aws_lb.internal.arn
  port             = 443
  depends_on       = [aws_lb_listener.https]
}

resource "aws_lb_target_group" "direct" {
  name                   = "${var.name}-direct"
  port                   = 8080
  protocol               = "TCP"
  target_type            = "ip"
  vpc_id                 = aws_vpc.main.id
  deregistration_delay   = 9 + var.revision
  preserve_client_ip     = false
  proxy_protocol_v2      = false
  connection_termination = var.revision > 1

  stickiness {
    type    = "source_ip"
    enabled = var.revision > 1
  }

  target_health_state {
    enable_unhealthy_connection_termination = var.revision == 1
  }

  health_check {
    protocol            = "TCP"
    interval            = 4 + var.revision
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_target_group_attachment" "direct" {
  count            = 2
  target_group_arn = aws_lb_target_group.direct.arn
  target_id        = cidrhost(aws_subnet.private[count.index].cidr_block, 10)
  port             = 8080
}

resource "aws_lb_listener" "edge_tcp" {
  load_balancer_arn        = aws_lb.edge.arn
  port                     = 10443
  protocol                 = "TCP"
  tcp_idle_timeout_seconds = 349 + var.revision

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.balancer.arn
  }
}

resource "aws_lb_listener" "edge_tls" {
  load_balancer_arn = aws_lb.edge.arn
  port              = 10444
  protocol          = "TLS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.shown[0].arn
  alpn_policy       = var.revision > 1 ? "HTTP1Only" : "None"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.direct.arn
  }
}

resource "aws_security_group" "edge" {
  name        = "${var.name}-edge"
  description = "network load balancer"
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.name}-edge" }
}

locals {
  # Who connects to whom, each judged where it leaves and where it arrives.
  edges = {
    client-10443 = { from = aws_security_group.client.id, to = aws_security_group.edge.id, port = 10443 }
    client-10444 = { from = aws_security_group.client.id, to = aws_security_group.edge.id, port = 10444 }
    balancer     = { from = aws_security_group.edge.id, to = aws_security_group.alb.id, port = 443 }
    targets      = { from = aws_security_group.edge.id, to = aws_security_group.target.id, port = 8080 }
  }
}

resource "aws_vpc_security_group_egress_rule" "edge" {
  for_each                     = local.edges
  security_group_id            = each.value.from
  referenced_security_group_id = each.value.to
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "${each.key}, revision ${var.revision}"
}

resource "aws_vpc_security_group_ingress_rule" "edge" {
  for_each                     = local.edges
  security_group_id            = each.value.to
  referenced_security_group_id = each.value.from
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "${each.key}, revision ${var.revision}"
}
