# A listener that verifies its clients by a trust store, as the provider's own pages write it. The bundle is a file below `s3.root`.

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  count             = 2
  vpc_id            = aws_vpc.this.id
  availability_zone = local.azs[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
}

resource "aws_security_group" "this" {
  name   = var.name
  vpc_id = aws_vpc.this.id
}

resource "aws_lb" "this" {
  name            = var.name
  internal        = true
  subnets         = aws_subnet.this[*].id
  security_groups = [aws_security_group.this.id]
}

resource "aws_acm_certificate" "this" {
  certificate_body = file("${var.certificate}.crt")
  private_key      = file("${var.certificate}.key")
}

variable "bundle" {
  type    = string
  default = "clients.pem"
}

variable "revoked" {
  type    = string
  default = "clients.crl"
}

variable "names" {
  type    = string
  default = "on"
}

resource "aws_lb_trust_store" "this" {
  name                             = var.name
  ca_certificates_bundle_s3_bucket = "trust"
  ca_certificates_bundle_s3_key    = var.bundle
}

resource "aws_lb_trust_store_revocation" "this" {
  trust_store_arn       = aws_lb_trust_store.this.arn
  revocations_s3_bucket = "trust"
  revocations_s3_key    = var.revoked
}

resource "aws_lb_listener" "verify" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  certificate_arn   = aws_acm_certificate.this.arn

  mutual_authentication {
    mode                             = "verify"
    trust_store_arn                  = aws_lb_trust_store.this.arn
    ignore_client_certificate_expiry = false
    advertise_trust_store_ca_names   = var.names
  }

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "200"
    }
  }
}

resource "aws_lb_listener" "passthrough" {
  load_balancer_arn = aws_lb.this.arn
  port              = 444
  protocol          = "HTTPS"
  certificate_arn   = aws_acm_certificate.this.arn

  mutual_authentication {
    mode = "passthrough"
  }

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "200"
    }
  }
}

output "trust_store" {
  value = aws_lb_trust_store.this.arn
}
