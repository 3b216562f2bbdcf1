# Rules of each kind of condition and of action, on the first HTTPS listener.
locals {
  listener = aws_lb_listener.https["443"].arn
}

# A question that browsers ask before another; the same of every path.
resource "aws_lb_listener_rule" "preflight" {
  listener_arn = local.listener
  priority     = 5
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "revision ${var.revision}"
      status_code  = "200"
    }
  }
  condition {
    http_request_method {
      values = ["OPTIONS"]
    }
  }
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

# From the private subnets; whoever comes from elsewhere falls to the next rule. In another revision that is everybody.
resource "aws_lb_listener_rule" "from_here" {
  listener_arn = local.listener
  priority     = 55
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "from here"
      status_code  = "200"
    }
  }
  condition {
    source_ip {
      values = var.revision > 1 ? ["192.0.2.0/24"] : aws_subnet.private[*].cidr_block
    }
  }
  condition {
    path_pattern {
      values = ["/admin", "/admin/*"]
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

# Conditions of five kinds, all of which have to hold; a rule has five values at most.
resource "aws_lb_listener_rule" "by_all" {
  listener_arn = local.listener
  priority     = 75
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.group["session"].arn
  }
  condition {
    host_header {
      values = ["api.example.com"]
    }
  }
  condition {
    path_pattern {
      values = ["/session-${var.revision}/*"]
    }
  }
  condition {
    http_header {
      http_header_name = "Accept"
      values           = ["*json*"]
    }
  }
  condition {
    http_request_method {
      values = ["GET"]
    }
  }
  condition {
    source_ip {
      values = [aws_vpc.main.cidr_block]
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

resource "aws_lb_listener_rule" "members" {
  listener_arn = local.listener
  priority     = 90
  action {
    type  = "authenticate-cognito"
    order = 1
    authenticate_cognito {
      user_pool_arn       = "arn:aws:cognito-idp:${var.region}:000000000000:userpool/${var.user_pool.id}"
      user_pool_client_id = var.user_pool.client
      user_pool_domain    = var.user_pool.domain
      session_cookie_name = "Members"
      session_timeout     = 3599 + var.revision
      scope               = "openid email"
    }
  }
  action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.group["busy"].arn
  }
  condition {
    path_pattern {
      values = ["/members/*"]
    }
  }
}
