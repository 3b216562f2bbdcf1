locals {
  # Every group with its port and whatever sets it apart.
  groups = {
    web     = { port = 8080, protocol = "HTTP", version = "HTTP1", algorithm = "round_robin" }
    canary  = { port = 8081, protocol = "HTTP", version = "HTTP1", algorithm = "weighted_random" }
    session = { port = 8081, protocol = "HTTP", version = "HTTP1", algorithm = "round_robin" }
    busy    = { port = 8080, protocol = "HTTP", version = "HTTP1", algorithm = "least_outstanding_requests" }
    secured = { port = 8083, protocol = "HTTPS", version = "HTTP1", algorithm = "round_robin" }
    calls   = { port = 8082, protocol = "HTTP", version = "GRPC", algorithm = "round_robin" }
    streams = { port = 8084, protocol = "HTTP", version = "HTTP2", algorithm = "round_robin" }
  }
}

resource "aws_lb_target_group" "group" {
  for_each             = local.groups
  name                 = "${var.name}-${each.key}"
  port                 = each.value.port
  protocol             = each.value.protocol
  protocol_version     = each.value.version
  target_type          = "ip"
  vpc_id               = aws_vpc.main.id
  deregistration_delay = 9 + var.revision

  load_balancing_algorithm_type     = each.value.algorithm
  load_balancing_anomaly_mitigation = each.value.algorithm == "weighted_random" ? "on" : null
  load_balancing_cross_zone_enabled = each.key == "busy" ? "false" : "use_load_balancer_configuration"
  slow_start                        = each.key == "web" ? 29 + var.revision : 0

  stickiness {
    enabled         = contains(["web", "session"], each.key)
    type            = each.key == "session" ? "app_cookie" : "lb_cookie"
    cookie_name     = each.key == "session" ? "SESSION" : null
    cookie_duration = 3599 + var.revision
  }

  target_group_health {
    unhealthy_state_routing {
      minimum_healthy_targets_count = 1
    }
    dns_failover {
      minimum_healthy_targets_count = 1
    }
  }

  health_check {
    path                = each.value.version == "GRPC" ? "/AWS.ALB/healthcheck" : "/health"
    protocol            = each.value.protocol
    matcher             = each.value.version == "GRPC" ? "0-12" : "200-299"
    interval            = 4 + var.revision
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

# Addresses that `tidegate attach` (or `tidegate run`) gives to a program; see the README.
resource "aws_lb_target_group_attachment" "target" {
  for_each = {
    for pair in setproduct(keys(local.groups), [0, 1]) : "${pair[0]}-${pair[1]}" => { group = pair[0], at = pair[1] }
  }
  target_group_arn = aws_lb_target_group.group[each.value.group].arn
  target_id        = cidrhost(aws_subnet.private[each.value.at].cidr_block, 10)
  port             = local.groups[each.value.group].port
}
