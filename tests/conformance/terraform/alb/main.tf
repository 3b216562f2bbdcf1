# What the alb module makes of its `complete-alb` example.
# Waits for the load-balancer work: authentication by Cognito and OpenID Connect, trust stores. Left out: access and connection logs (their bucket; see `alb-logs`), records of Route 53, WAF, a Lambda target (their services
# are not here).

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  count             = length(local.azs)
  vpc_id            = aws_vpc.this.id
  availability_zone = local.azs[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index + 48)
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-"
  description = "Security group for ${var.name} application load balancer"
  vpc_id      = aws_vpc.this.id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each          = { all_http = [80, 82], all_https = [443, 445] }
  security_group_id = aws_security_group.this.id
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[1]
  cidr_ipv4         = "0.0.0.0/0"
  description       = "web traffic"
}

resource "aws_vpc_security_group_egress_rule" "this" {
  security_group_id = aws_security_group.this.id
  ip_protocol       = "-1"
  cidr_ipv4         = aws_vpc.this.cidr_block
}

resource "aws_acm_certificate" "this" {
  certificate_body = file("${var.certificate}.crt")
  private_key      = file("${var.certificate}.key")
}

resource "aws_lb" "this" {
  name                                        = var.name
  load_balancer_type                          = "application"
  internal                                    = false
  subnets                                     = aws_subnet.public[*].id
  security_groups                             = [aws_security_group.this.id]
  client_keep_alive                           = 7200
  desync_mitigation_mode                      = "defensive"
  drop_invalid_header_fields                  = true
  enable_cross_zone_load_balancing            = true
  enable_deletion_protection                  = false
  enable_http2                                = true
  enable_tls_version_and_cipher_suite_headers = true
  enable_waf_fail_open                        = true
  enable_xff_client_port                      = true
  idle_timeout                                = 60
  ip_address_type                             = "ipv4"
  preserve_host_header                        = true
  xff_header_processing_mode                  = "append"

  timeouts {
    create = "10m"
  }
}

resource "aws_lb_target_group" "this" {
  for_each                          = toset(["one", "two"])
  name_prefix                       = "${substr(each.key, 0, 3)}-"
  protocol                          = "HTTP"
  protocol_version                  = "HTTP1"
  port                              = 80
  target_type                       = "ip"
  vpc_id                            = aws_vpc.this.id
  deregistration_delay              = 10
  load_balancing_algorithm_type     = each.key == "one" ? "weighted_random" : "round_robin"
  load_balancing_cross_zone_enabled = "use_load_balancer_configuration"
  slow_start                        = each.key == "one" ? 0 : 30

  stickiness {
    enabled         = each.key == "two"
    type            = "app_cookie"
    cookie_name     = "SESSION"
    cookie_duration = 3600
  }

  health_check {
    enabled             = true
    interval            = 30
    path                = "/healthz"
    port                = "traffic-port"
    healthy_threshold   = 3
    unhealthy_threshold = 3
    timeout             = 6
    protocol            = "HTTP"
    matcher             = "200-399"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_target_group_attachment" "this" {
  for_each         = { one = 10, two = 20 }
  target_group_arn = aws_lb_target_group.this[each.key].arn
  target_id        = cidrhost(aws_subnet.public[0].cidr_block, each.value)
  port             = 80
}

resource "aws_lb_listener" "redirect" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "weighted" {
  load_balancer_arn = aws_lb.this.arn
  port              = 81
  protocol          = "HTTP"

  default_action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.this["one"].arn
        weight = 60
      }
      target_group {
        arn    = aws_lb_target_group.this["two"].arn
        weight = 40
      }
      stickiness {
        enabled  = true
        duration = 3600
      }
    }
  }
}

resource "aws_lb_listener" "fixed" {
  load_balancer_arn = aws_lb.this.arn
  port              = 82
  protocol          = "HTTP"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "Fixed message"
      status_code  = "200"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  certificate_arn   = aws_acm_certificate.this.arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["one"].arn
  }
}

resource "aws_lb_listener_rule" "fixed" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 3

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "200"
      message_body = "This is a fixed response"
    }
  }

  condition {
    http_header {
      http_header_name = "x-Gimme-Fixed-Response"
      values           = ["yes", "please", "right now"]
    }
  }
}

resource "aws_lb_listener_rule" "weighted" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 4

  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.this["one"].arn
        weight = 2
      }
      target_group {
        arn    = aws_lb_target_group.this["two"].arn
        weight = 1
      }
      stickiness {
        enabled  = true
        duration = 3600
      }
    }
  }

  condition {
    query_string {
      key   = "weighted"
      value = "true"
    }
  }

  condition {
    path_pattern {
      values = ["/some/path"]
    }
  }
}

resource "aws_lb_listener_rule" "redirect" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 5000

  action {
    type = "redirect"
    redirect {
      status_code = "HTTP_302"
      host        = "www.youtube.com"
      path        = "/watch"
      query       = "v=dQw4w9WgXcQ"
      protocol    = "HTTPS"
    }
  }

  condition {
    query_string {
      key   = "video"
      value = "random"
    }
  }
  condition {
    host_header {
      values = ["*.example.com"]
    }
  }
  condition {
    http_request_method {
      values = ["GET", "HEAD"]
    }
  }
  condition {
    source_ip {
      values = ["10.0.0.0/8"]
    }
  }
}
