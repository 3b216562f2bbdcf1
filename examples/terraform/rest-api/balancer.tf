# A link of version 1 leads to a network load balancer; behind it stands the application load balancer that has the rules.

resource "aws_lb" "network" {
  name                             = "${var.name}-nlb"
  internal                         = true
  load_balancer_type               = "network"
  subnets                          = aws_subnet.private[*].id
  enable_cross_zone_load_balancing = var.revision > 1
}

resource "aws_lb" "application" {
  name               = "${var.name}-alb"
  internal           = true
  load_balancer_type = "application"
  subnets            = aws_subnet.private[*].id
  security_groups    = [aws_security_group.alb.id]
  idle_timeout       = 59 + var.revision
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.application.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "revision ${var.revision}"
      status_code  = "200"
    }
  }
}

resource "aws_lb_target_group" "application" {
  name        = var.name
  port        = 80
  protocol    = "TCP"
  target_type = "alb"
  vpc_id      = aws_vpc.main.id

  health_check {
    protocol = "HTTP"
    path     = "/health"
    matcher  = "200-399"
    interval = 29 + var.revision
  }
}

# The listener first: the network load balancer would find nothing on its port.
resource "aws_lb_target_group_attachment" "application" {
  target_group_arn = aws_lb_target_group.application.arn
  target_id        = aws_lb.application.arn
  port             = 80
  depends_on       = [aws_lb_listener.http]
}

resource "aws_lb_listener" "tcp" {
  load_balancer_arn = aws_lb.network.arn
  port              = 80
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.application.arn
  }
}
