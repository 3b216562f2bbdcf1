# A root module as teams write them around a module of their own: maps of listeners, rules and groups in which everything may be left out. The
# first load balancer sets every argument that an application load balancer here can have, the second one none.

variable "revision" {
  description = "Another number changes whatever AWS changes in place, and replaces nothing."
  type        = number
  default     = 1
}

variable "more_certificates" {
  description = "Paths of further certificates and their keys, without .crt and .key."
  type        = list(string)
  default     = []
}

locals {
  is_first = var.revision == 1
  tags     = { Owner = "clients", Round = tostring(var.revision) }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_subnet" "this" {
  for_each          = { for at, zone in local.azs : zone => cidrsubnet(aws_vpc.this.cidr_block, 8, at) }
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "${var.name}-${each.key}" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "${var.name}-offices"
  address_family = "IPv4"
  max_entries    = 3

  entry {
    cidr        = "198.51.100.0/24"
    description = "an office"
  }
}

resource "aws_security_group" "callers" {
  name   = "${var.name}-callers"
  vpc_id = aws_vpc.this.id
}

resource "aws_acm_certificate" "this" {
  for_each         = toset(concat([var.certificate], var.more_certificates))
  certificate_body = file("${each.value}.crt")
  private_key      = file("${each.value}.key")
  tags             = { Name = basename(each.value) }

  lifecycle {
    create_before_destroy = true
  }
}

module "everything" {
  source  = "./modules/balancer"
  name    = "${var.name}-all"
  vpc_id  = aws_vpc.this.id
  subnets = values(aws_subnet.this)[*].id
  tags    = local.tags

  ingress = {
    web    = { from_port = 80, cidr_ipv4 = "0.0.0.0/0", description = "revision ${var.revision}" }
    tls    = { from_port = 443, to_port = 444 + var.revision, cidr_ipv4 = aws_vpc.this.cidr_block, tags = { Kind = "tls" } }
    office = { from_port = 8443, prefix_list_id = aws_ec2_managed_prefix_list.offices.id }
    caller = { from_port = 80, to_port = 90, group = aws_security_group.callers.id }
    itself = { ip_protocol = "-1", itself = true }
    ping   = { ip_protocol = "icmp", from_port = -1, to_port = -1, cidr_ipv4 = aws_vpc.this.cidr_block }
    six    = { from_port = 443, cidr_ipv6 = "::/0" }
    not    = { enabled = false }
  }
  egress = {
    targets = { from_port = 8000, to_port = 8999 + var.revision, cidr_ipv4 = aws_vpc.this.cidr_block }
    udp     = { ip_protocol = "udp", from_port = 53, cidr_ipv4 = "${cidrhost(aws_vpc.this.cidr_block, 2)}/32" }
  }

  load_balancer = {
    internal                                    = false
    ip_address_type                             = "ipv4"
    security_groups                             = [aws_security_group.callers.id]
    subnet_mapping                              = [for subnet in aws_subnet.this : { subnet_id = subnet.id }]
    client_keep_alive                           = 60 * var.revision
    desync_mitigation_mode                      = local.is_first ? "monitor" : "strictest"
    drop_invalid_header_fields                  = local.is_first
    enable_cross_zone_load_balancing            = true
    enable_deletion_protection                  = false
    enable_http2                                = local.is_first
    enable_tls_version_and_cipher_suite_headers = local.is_first
    enable_waf_fail_open                        = local.is_first
    enable_xff_client_port                      = local.is_first
    enable_zonal_shift                          = local.is_first
    idle_timeout                                = 3999 + var.revision - 1
    preserve_host_header                        = local.is_first
    xff_header_processing_mode                  = local.is_first ? "preserve" : "remove"
    access_logs                                 = { bucket = "logs", prefix = "all-${var.revision}" }
    timeouts                                    = { create = "5m", update = "5m", delete = "5m" }
  }

  trust_stores = {
    clients = { bucket = "trust", key = local.is_first ? "clients.pem" : "others.pem", tags = { Kind = "clients" } }
    named   = { name_prefix = "tr-", bucket = "trust", key = "versioned.pem", version = local.is_first ? "one" : "two" }
  }

  target_groups = {
    web = {
      name_prefix                       = "web-"
      port                              = 8080
      protocol                          = "HTTP"
      protocol_version                  = "HTTP1"
      target_type                       = "ip"
      ip_address_type                   = "ipv4"
      deregistration_delay              = 10 * var.revision
      load_balancing_algorithm_type     = local.is_first ? "round_robin" : "least_outstanding_requests"
      load_balancing_cross_zone_enabled = local.is_first ? "true" : "use_load_balancer_configuration"
      slow_start                        = local.is_first ? 900 : 0
      stickiness                        = { type = "lb_cookie", cookie_duration = 86400 * var.revision }
      tags                              = { Kind = "web" }
      health_check = {
        enabled             = true
        healthy_threshold   = 1 + var.revision
        unhealthy_threshold = 2 + var.revision
        interval            = 9 + var.revision
        timeout             = 2 + var.revision
        matcher             = local.is_first ? "200,202-204" : "200-399"
        path                = "/health?deep=${var.revision}"
        port                = local.is_first ? "traffic-port" : "8081"
        protocol            = "HTTP"
      }
      target_group_health = {
        dns_failover            = { minimum_healthy_targets_count = "1", minimum_healthy_targets_percentage = local.is_first ? "off" : "50" }
        unhealthy_state_routing = { minimum_healthy_targets_count = var.revision, minimum_healthy_targets_percentage = local.is_first ? "25" : "off" }
      }
      target_id = cidrhost(aws_subnet.this[local.azs[0]].cidr_block, 10)
    }
    random = {
      port                              = 8080
      load_balancing_algorithm_type     = "weighted_random"
      load_balancing_anomaly_mitigation = local.is_first ? "on" : "off"
      load_balancing_cross_zone_enabled = "use_load_balancer_configuration"
      # An address of no subnet of ours is one of every zone.
      target_id         = "192.168.7.7"
      availability_zone = "all"
    }
    grpc = {
      port             = 8082
      protocol_version = "GRPC"
      health_check     = { path = "/grpc.health.v1.Health/Check", matcher = local.is_first ? "0" : "0-12", port = "traffic-port", protocol = "HTTP" }
      target_id        = cidrhost(aws_subnet.this[local.azs[1]].cidr_block, 10)
      target_port      = 9082
    }
    streams = {
      port             = 8083
      protocol         = "HTTPS"
      protocol_version = "HTTP2"
      health_check     = { protocol = "HTTPS", path = "/" }
    }
    secured   = { port = 8443, load_balancing_cross_zone_enabled = local.is_first ? "false" : "true", protocol = "HTTPS", health_check = { protocol = local.is_first ? "HTTPS" : "HTTP" } }
    instances = { port = 8080, target_type = "instance" }
    sticky = {
      name_prefix = "st-"
      stickiness  = { type = "app_cookie", cookie_name = local.is_first ? "SESSION" : "sid", cookie_duration = 600 * var.revision }
    }
    defaults = {}
  }
  attachments = {
    another = { target_group = "web", target_id = cidrhost(aws_subnet.this[local.azs[1]].cidr_block, 11) }
    port    = { target_group = "web", target_id = cidrhost(aws_subnet.this[local.azs[1]].cidr_block, 11), port = 8090 }
  }

  listeners = {
    http = {
      port    = 80
      actions = [{ type = "redirect", redirect = { protocol = "HTTPS", port = "443", host = "#{host}", path = "/#{path}", query = local.is_first ? "#{query}" : "a=b", status_code = local.is_first ? "HTTP_301" : "HTTP_302" } }]
      headers = {
        response_access_control_allow_origin_header_value = local.is_first ? "https://shop.example.com" : "*"
        response_content_security_policy_header_value     = "default-src 'self'; report-uri /csp/${var.revision}"
      }
      rules = {
        # Without a priority: the one behind the highest that there is when it is made, which may be 41.
        next  = { actions = [{ type = "fixed-response", fixed_response = { content_type = "text/css", status_code = "204" } }], conditions = [{ path_pattern = "/next" }] }
        forty = { priority = local.is_first ? 40 : 50, actions = [{ type = "forward", target_group = "defaults" }], conditions = [{ path_pattern = ["/forty", "/4?"] }] }
      }
    }
    https = {
      port              = 443
      protocol          = "HTTPS"
      ssl_policy        = local.is_first ? "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" : "ELBSecurityPolicy-FS-1-2-Res-2020-10"
      certificate_arn   = aws_acm_certificate.this[var.certificate].arn
      more_certificates = { for path in var.more_certificates : basename(path) => aws_acm_certificate.this[path].arn }
      tags              = { Kind = "https" }
      timeouts          = { create = "5m", update = "5m" }
      actions           = [{ type = "forward", target_group = "web", order = 1 }]
      headers = {
        request_x_amzn_tls_cipher_suite_header_name            = "X-Suite-${var.revision}"
        request_x_amzn_tls_version_header_name                 = "X-Tls-${var.revision}"
        response_access_control_allow_credentials_header_value = "true"
        response_access_control_allow_headers_header_value     = "X-One, X-Two${var.revision}"
        response_access_control_allow_methods_header_value     = local.is_first ? "GET, POST" : "GET"
        response_access_control_allow_origin_header_value      = "https://${var.revision}.example.com"
        response_access_control_expose_headers_header_value    = "X-Out-${var.revision}"
        response_access_control_max_age_header_value           = tostring(600 * var.revision)
        response_server_enabled                                = local.is_first
        response_strict_transport_security_header_value        = "max-age=${var.revision}; includeSubDomains; preload"
        response_x_content_type_options_header_value           = "nosniff"
        response_x_frame_options_header_value                  = local.is_first ? "DENY" : "SAMEORIGIN"
      }
      rules = {
        weighted = {
          priority = 10
          actions = [{ type = "forward", forward = {
            target_groups = [{ key = "web", weight = 100 * var.revision }, { key = "random", weight = 50 }, { key = "defaults", weight = 0 }]
            stickiness    = { enabled = true, duration = 3600 * var.revision }
          } }]
          conditions = [{ path_pattern = ["/a*", "/b?", "/c/*"] }]
        }
        plain_weights = {
          priority   = 11
          actions    = [{ type = "forward", order = 1, forward = { target_groups = [{ key = "defaults" }, { key = "random" }] } }]
          conditions = [{ host_header = ["*.example.com", "shop.???"] }]
        }
        one_group_of_weight = {
          priority   = 12
          actions    = [{ type = "forward", forward = { target_groups = [{ key = "web", weight = 7 * var.revision }], stickiness = { duration = 60, enabled = false } } }]
          conditions = [{ http_request_method = ["GET", "HEAD", "X-OWN"] }]
        }
        calls   = { priority = 20, actions = [{ type = "forward", target_group = "grpc" }], conditions = [{ path_pattern = "/shop.Orders/*" }] }
        secured = { priority = 21, actions = [{ type = "forward", target_group = local.is_first ? "secured" : "streams" }], conditions = [{ path_pattern = "/secured" }] }
        by_all = {
          priority = 30
          actions  = [{ type = "fixed-response", fixed_response = { content_type = "application/javascript", message_body = "// ${var.revision}", status_code = "503" } }]
          conditions = [
            { http_header = { name = "User-Agent", values = ["*Chrome*", "*Safari${var.revision}*"] } },
            { http_header = { name = "X-Own", values = "yes" } },
            { source_ip = ["192.0.2.0/24"] },
            { query_string = { value = "only-a-value-${var.revision}" } },
          ]
        }
        by_queries = {
          priority   = 31
          actions    = [{ type = "redirect", redirect = { host = "new-${var.revision}.example.com", status_code = "HTTP_302" } }]
          conditions = [{ query_string = [{ key = "version", value = "v${var.revision}" }, { key = "*page", value = "?" }] }, { source_ip = ["10.0.0.0/8", "2001:db8::/32"] }]
        }
        login = {
          priority   = 50
          conditions = [{ path_pattern = "/login" }]
          actions = [
            { type = "authenticate-oidc", order = 1, authenticate_oidc = {
              issuer                              = "https://login.example.com"
              authorization_endpoint              = "https://login.example.com/authorize"
              token_endpoint                      = "https://login.example.com/token"
              user_info_endpoint                  = "https://login.example.com/userinfo"
              client_id                           = "client-${var.revision}"
              client_secret                       = "secret-${var.revision}"
              authentication_request_extra_params = { prompt = "login", display = "page${var.revision}" }
              on_unauthenticated_request          = local.is_first ? "authenticate" : "deny"
              scope                               = "openid profile"
              session_cookie_name                 = "login${var.revision}"
              session_timeout                     = 600 * var.revision
            } },
            { type = "forward", order = 2, target_group = "web" },
          ]
        }
        members = {
          priority   = 51
          conditions = [{ path_pattern = "/members" }]
          actions = [
            { type = "authenticate-cognito", authenticate_cognito = {
              user_pool_arn              = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_abcDEF123"
              user_pool_client_id        = "client${var.revision}"
              user_pool_domain           = "members"
              on_unauthenticated_request = "allow"
            } },
            { type = "fixed-response", fixed_response = { content_type = "text/html", message_body = "<p>${var.revision}</p>", status_code = "200" } },
          ]
        }
        little = {
          priority   = 52
          conditions = [{ path_pattern = "/little" }]
          actions = [
            { type = "authenticate-oidc", authenticate_oidc = {
              issuer                 = "https://login.example.com"
              authorization_endpoint = "https://login.example.com/authorize"
              token_endpoint         = "https://login.example.com/token"
              user_info_endpoint     = "https://login.example.com/userinfo"
              client_id              = "all-else-left-out"
              client_secret          = "secret-${var.revision}"
            } },
            { type = "redirect", redirect = { path = "/", status_code = "HTTP_302" } },
          ]
        }
      }
    }
    verify = {
      port                  = 8443
      protocol              = "HTTPS"
      ssl_policy            = "ELBSecurityPolicy-TLS13-1-2-2021-06"
      certificate_arn       = aws_acm_certificate.this[var.certificate].arn
      mutual_authentication = { mode = "verify", trust_store = local.is_first ? "clients" : "named", ignore_client_certificate_expiry = local.is_first, advertise_trust_store_ca_names = local.is_first ? "on" : "off" }
      actions = [
        { type = "authenticate-oidc", authenticate_oidc = {
          issuer                 = "https://login.example.com"
          authorization_endpoint = "https://login.example.com/authorize"
          token_endpoint         = "https://login.example.com/token"
          user_info_endpoint     = "https://login.example.com/userinfo"
          client_id              = "of-a-listener"
          client_secret          = "secret-${var.revision}"
        } },
        { type = "forward", forward = { target_groups = [{ key = "web", weight = 1 }, { key = "random", weight = 2 * var.revision }], stickiness = { duration = 600, enabled = true } } },
      ]
      headers = {
        request_x_amzn_mtls_clientcert_issuer_header_name        = "X-Issuer-${var.revision}"
        request_x_amzn_mtls_clientcert_leaf_header_name          = "X-Leaf-${var.revision}"
        request_x_amzn_mtls_clientcert_serial_number_header_name = "X-Serial-${var.revision}"
        request_x_amzn_mtls_clientcert_subject_header_name       = "X-Subject-${var.revision}"
        request_x_amzn_mtls_clientcert_validity_header_name      = "X-Validity-${var.revision}"
      }
    }
    passed_on = {
      port                  = 8444
      protocol              = "HTTPS"
      certificate_arn       = aws_acm_certificate.this[var.certificate].arn
      mutual_authentication = { mode = local.is_first ? "passthrough" : "off" }
      actions               = [{ type = "fixed-response", fixed_response = { content_type = "text/plain", message_body = "revision ${var.revision}", status_code = "200" } }]
      headers               = { request_x_amzn_mtls_clientcert_header_name = "X-Chain-${var.revision}" }
    }
  }
}

# Whatever may be left out is.
module "bare" {
  source        = "./modules/balancer"
  name          = "${var.name}-bare"
  vpc_id        = aws_vpc.this.id
  subnets       = slice(values(aws_subnet.this)[*].id, 0, 2)
  load_balancer = { internal = true, name_prefix = "bare-" }
  target_groups = { web = {} }
  listeners = {
    http = {
      actions = [{ type = "forward", target_group = "web" }]
      rules   = { gone = { actions = [{ type = "fixed-response", fixed_response = { content_type = "text/plain", status_code = "410" } }], conditions = [{ path_pattern = "/gone" }] } }
    }
  }
}

output "listeners" {
  value = { for name, listener in module.everything.listeners : name => listener.arn }
}
