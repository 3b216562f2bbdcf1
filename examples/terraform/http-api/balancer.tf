resource "aws_lb" "internal" {
  name               = var.name
  internal           = true
  load_balancer_type = "application"
  subnets            = aws_subnet.private[*].id
  security_groups    = [aws_security_group.alb.id]
  idle_timeout       = 59 + var.revision
}

resource "aws_lb_target_group" "service" {
  name                 = var.name
  port                 = var.target_port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.main.id
  deregistration_delay = 9 + var.revision

  health_check {
    path                = "/health"
    interval            = 4 + var.revision
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

# Addresses that `tidegate attach` (or `tidegate run`) gives to a program; see the README.
resource "aws_lb_target_group_attachment" "service" {
  count            = 2
  target_group_arn = aws_lb_target_group.service.arn
  target_id        = cidrhost(aws_subnet.private[count.index].cidr_block, 10)
  port             = var.target_port
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.internal.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "no rule, revision ${var.revision}"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "service" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 10 * var.revision

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.service.arn
  }

  condition {
    path_pattern {
      values = var.revision > 1 ? ["/*", "/v${var.revision}/*"] : ["/*"]
    }
  }
}
