# Rules of each kind of condition and of action, on the first HTTPS listener.
locals {
  listener = aws_lb_listener.https["443"].arn
}

resource "aws_lb_listener_rule" "weighted" {
  listener_arn = local.listener
  priority     = 10
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.group["web"].arn
        weight = 90
      }
      target_group {
        arn    = aws_lb_target_group.group["canary"].arn
        weight = 9 + var.revision
      }
      stickiness {
        enabled  = true
        duration = 600
      }
    }
  }
  condition {
    path_pattern {
      values = var.revision > 1 ? ["/shop/*", "/store/*"] : ["/shop/*"]
    }
  }
}

resource "aws_lb_listener_rule" "calls" {
  for_each     = { calls = 20, streams = 21 }
  listener_arn = local.listener
  priority     = each.value
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.group[each.key].arn
  }
  condition {
    path_pattern {
      values = ["/${each.key}.*"]
    }
  }
}

resource "aws_lb_listener_rule" "by_host" {
  listener_arn = local.listener
  priority     = 30
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.group["secured"].arn
  }
  condition {
    host_header {
      values = ["secured.*", "*.secured.example.com"]
    }
  }
}

resource "aws_lb_listener_rule" "by_header" {
  listener_arn = local.listener
  priority     = 40
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.group["busy"].arn
  }
  condition {
    http_header {
      http_header_name = "X-Busy"
      values           = ["yes", "revision-${var.revision}"]
    }
  }
  condition {
    http_request_method {
      values = ["GET", "POST"]
    }
  }
}

resource "aws_lb_listener_rule" "by_query" {
  listener_arn = local.listener
  priority     = 50
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "application/json"
      message_body = jsonencode({ revision = var.revision })
      status_code  = "200"
    }
  }
  condition {
    query_string {
      key   = "show"
      value = "revision"
    }
  }
}

resource "aws_lb_listener_rule" "by_source" {
  listener_arn = local.listener
  priority     = 60
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "not from here, revision ${var.revision}"
      status_code  = "403"
    }
  }
  condition {
    source_ip {
      values = ["192.0.2.0/24"]
    }
  }
}

resource "aws_lb_listener_rule" "moved" {
  listener_arn = local.listener
  priority     = 70
  action {
    type = "redirect"
    redirect {
      host        = "#{host}"
      path        = "/shop/#{path}"
      query       = "revision=${var.revision}&#{query}"
      status_code = "HTTP_301"
    }
  }
  condition {
    path_pattern {
      values = ["/old/*"]
    }
  }
}

resource "aws_lb_listener_rule" "login" {
  listener_arn = local.listener
  priority     = 80
  action {
    type  = "authenticate-oidc"
    order = 1
    authenticate_oidc {
      issuer                     = var.issuer
      authorization_endpoint     = "${var.issuer}/authorize"
      token_endpoint             = "${var.issuer}/token"
      user_info_endpoint         = "${var.issuer}/userinfo"
      client_id                  = "shop"
      client_secret              = "not-a-secret"
      session_timeout            = 3599 + var.revision
      on_unauthenticated_request = "authenticate"
    }
  }
  action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.group["web"].arn
  }
  condition {
    path_pattern {
      values = ["/account", "/account/*"]
    }
  }
}
