# With every attribute that an internal load balancer of ours can follow.
resource "aws_lb" "internal" {
  name                                        = var.name
  internal                                    = true
  load_balancer_type                          = "application"
  subnets                                     = aws_subnet.private[*].id
  security_groups                             = [aws_security_group.alb.id]
  idle_timeout                                = 59 + var.revision
  client_keep_alive                           = 3599 + var.revision
  enable_http2                                = true
  drop_invalid_header_fields                  = var.revision > 1
  desync_mitigation_mode                      = var.revision > 1 ? "strictest" : "defensive"
  preserve_host_header                        = var.revision > 1
  xff_header_processing_mode                  = "append"
  enable_xff_client_port                      = var.revision > 1
  enable_tls_version_and_cipher_suite_headers = true

  # s3://logs/balancer/... is the folder logs/balancer below the directory of buckets (`s3.root`).
  access_logs {
    bucket  = "logs"
    prefix  = "balancer-${var.revision}"
    enabled = true
  }
}

resource "aws_acm_certificate" "shown" {
  count            = length(var.certificates)
  certificate_body = file("${var.certificates[count.index]}.crt")
  private_key      = file("${var.certificates[count.index]}.key")
  tags             = { Name = "${var.name}-${count.index}" }
}

# Who signed the certificates of clients: s3://trust/KEY is the file trust/KEY below the directory of buckets.
resource "aws_lb_trust_store" "clients" {
  name                             = "${var.name}-clients"
  ca_certificates_bundle_s3_bucket = "trust"
  ca_certificates_bundle_s3_key    = var.client_bundle
}

# Plain HTTP leads to HTTPS.
resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.internal.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"
    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = var.revision > 1 ? "HTTP_302" : "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  for_each          = { "443" = "ELBSecurityPolicy-TLS13-1-2-2021-06", "8443" = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" }
  load_balancer_arn = aws_lb.internal.arn
  port              = each.key
  protocol          = "HTTPS"
  ssl_policy        = var.revision > 1 ? "ELBSecurityPolicy-TLS13-1-3-2021-06" : each.value
  certificate_arn   = aws_acm_certificate.shown[0].arn

  routing_http_response_server_enabled                         = var.revision == 1
  routing_http_response_strict_transport_security_header_value = "max-age=${var.revision * 3600}"

  # Clients of the second one show a certificate of theirs, which the trust store judges.
  dynamic "mutual_authentication" {
    for_each = each.key == "8443" ? [aws_lb_trust_store.clients.arn] : []
    content {
      mode                             = "verify"
      trust_store_arn                  = mutual_authentication.value
      advertise_trust_store_ca_names   = var.revision > 1 ? "on" : "off"
      ignore_client_certificate_expiry = var.revision > 1
    }
  }

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "no rule, revision ${var.revision}"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_certificate" "more" {
  for_each        = aws_lb_listener.https
  listener_arn    = each.value.arn
  certificate_arn = aws_acm_certificate.shown[1].arn
}
