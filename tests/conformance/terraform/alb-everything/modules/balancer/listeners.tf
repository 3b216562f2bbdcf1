resource "aws_lb_trust_store" "this" {
  for_each                                 = var.trust_stores
  name                                     = try(each.value.name_prefix, null) == null ? "${var.name}-${each.key}" : null
  name_prefix                              = try(each.value.name_prefix, null)
  ca_certificates_bundle_s3_bucket         = each.value.bucket
  ca_certificates_bundle_s3_key            = each.value.key
  ca_certificates_bundle_s3_object_version = try(each.value.version, null)
  tags                                     = merge(var.tags, try(each.value.tags, {}))
}

resource "aws_lb_listener" "this" {
  for_each                 = var.listeners
  load_balancer_arn        = aws_lb.this.arn
  port                     = try(each.value.port, 80)
  protocol                 = try(each.value.protocol, "HTTP")
  ssl_policy               = try(each.value.ssl_policy, null)
  alpn_policy              = try(each.value.alpn_policy, null)
  certificate_arn          = try(each.value.certificate_arn, null)
  tcp_idle_timeout_seconds = try(each.value.tcp_idle_timeout_seconds, null)
  tags                     = merge(var.tags, try(each.value.tags, {}))

  routing_http_request_x_amzn_mtls_clientcert_header_name               = try(each.value.headers.request_x_amzn_mtls_clientcert_header_name, null)
  routing_http_request_x_amzn_mtls_clientcert_issuer_header_name        = try(each.value.headers.request_x_amzn_mtls_clientcert_issuer_header_name, null)
  routing_http_request_x_amzn_mtls_clientcert_leaf_header_name          = try(each.value.headers.request_x_amzn_mtls_clientcert_leaf_header_name, null)
  routing_http_request_x_amzn_mtls_clientcert_serial_number_header_name = try(each.value.headers.request_x_amzn_mtls_clientcert_serial_number_header_name, null)
  routing_http_request_x_amzn_mtls_clientcert_subject_header_name       = try(each.value.headers.request_x_amzn_mtls_clientcert_subject_header_name, null)
  routing_http_request_x_amzn_mtls_clientcert_validity_header_name      = try(each.value.headers.request_x_amzn_mtls_clientcert_validity_header_name, null)
  routing_http_request_x_amzn_tls_cipher_suite_header_name              = try(each.value.headers.request_x_amzn_tls_cipher_suite_header_name, null)
  routing_http_request_x_amzn_tls_version_header_name                   = try(each.value.headers.request_x_amzn_tls_version_header_name, null)
  routing_http_response_access_control_allow_credentials_header_value   = try(each.value.headers.response_access_control_allow_credentials_header_value, null)
  routing_http_response_access_control_allow_headers_header_value       = try(each.value.headers.response_access_control_allow_headers_header_value, null)
  routing_http_response_access_control_allow_methods_header_value       = try(each.value.headers.response_access_control_allow_methods_header_value, null)
  routing_http_response_access_control_allow_origin_header_value        = try(each.value.headers.response_access_control_allow_origin_header_value, null)
  routing_http_response_access_control_expose_headers_header_value      = try(each.value.headers.response_access_control_expose_headers_header_value, null)
  routing_http_response_access_control_max_age_header_value             = try(each.value.headers.response_access_control_max_age_header_value, null)
  routing_http_response_content_security_policy_header_value            = try(each.value.headers.response_content_security_policy_header_value, null)
  routing_http_response_server_enabled                                  = try(each.value.headers.response_server_enabled, null)
  routing_http_response_strict_transport_security_header_value          = try(each.value.headers.response_strict_transport_security_header_value, null)
  routing_http_response_x_content_type_options_header_value             = try(each.value.headers.response_x_content_type_options_header_value, null)
  routing_http_response_x_frame_options_header_value                    = try(each.value.headers.response_x_frame_options_header_value, null)

  dynamic "mutual_authentication" {
    for_each = try([each.value.mutual_authentication], [])
    content {
      mode                             = mutual_authentication.value.mode
      trust_store_arn                  = try(aws_lb_trust_store.this[mutual_authentication.value.trust_store].arn, null)
      ignore_client_certificate_expiry = try(mutual_authentication.value.ignore_client_certificate_expiry, null)
      advertise_trust_store_ca_names   = try(mutual_authentication.value.advertise_trust_store_ca_names, null)
    }
  }

  dynamic "default_action" {
    for_each = try(each.value.actions, [])
    content {
      type             = default_action.value.type
      order            = try(default_action.value.order, null)
      target_group_arn = try(aws_lb_target_group.this[default_action.value.target_group].arn, null)

      dynamic "forward" {
        for_each = try([default_action.value.forward], [])
        content {
          dynamic "target_group" {
            for_each = forward.value.target_groups
            content {
              arn    = aws_lb_target_group.this[target_group.value.key].arn
              weight = try(target_group.value.weight, null)
            }
          }
          dynamic "stickiness" {
            for_each = try([forward.value.stickiness], [])
            content {
              duration = try(stickiness.value.duration, 60)
              enabled  = try(stickiness.value.enabled, null)
            }
          }
        }
      }

      dynamic "redirect" {
        for_each = try([default_action.value.redirect], [])
        content {
          host        = try(redirect.value.host, null)
          path        = try(redirect.value.path, null)
          port        = try(redirect.value.port, null)
          protocol    = try(redirect.value.protocol, null)
          query       = try(redirect.value.query, null)
          status_code = redirect.value.status_code
        }
      }

      dynamic "fixed_response" {
        for_each = try([default_action.value.fixed_response], [])
        content {
          content_type = fixed_response.value.content_type
          message_body = try(fixed_response.value.message_body, null)
          status_code  = try(fixed_response.value.status_code, null)
        }
      }

      dynamic "authenticate_oidc" {
        for_each = try([default_action.value.authenticate_oidc], [])
        content {
          issuer                              = authenticate_oidc.value.issuer
          authorization_endpoint              = authenticate_oidc.value.authorization_endpoint
          token_endpoint                      = authenticate_oidc.value.token_endpoint
          user_info_endpoint                  = authenticate_oidc.value.user_info_endpoint
          client_id                           = authenticate_oidc.value.client_id
          client_secret                       = authenticate_oidc.value.client_secret
          authentication_request_extra_params = try(authenticate_oidc.value.authentication_request_extra_params, null)
          on_unauthenticated_request          = try(authenticate_oidc.value.on_unauthenticated_request, null)
          scope                               = try(authenticate_oidc.value.scope, null)
          session_cookie_name                 = try(authenticate_oidc.value.session_cookie_name, null)
          session_timeout                     = try(authenticate_oidc.value.session_timeout, null)
        }
      }

      dynamic "authenticate_cognito" {
        for_each = try([default_action.value.authenticate_cognito], [])
        content {
          user_pool_arn                       = authenticate_cognito.value.user_pool_arn
          user_pool_client_id                 = authenticate_cognito.value.user_pool_client_id
          user_pool_domain                    = authenticate_cognito.value.user_pool_domain
          authentication_request_extra_params = try(authenticate_cognito.value.authentication_request_extra_params, null)
          on_unauthenticated_request          = try(authenticate_cognito.value.on_unauthenticated_request, null)
          scope                               = try(authenticate_cognito.value.scope, null)
          session_cookie_name                 = try(authenticate_cognito.value.session_cookie_name, null)
          session_timeout                     = try(authenticate_cognito.value.session_timeout, null)
        }
      }
    }
  }

  timeouts {
    create = try(each.value.timeouts.create, null)
    update = try(each.value.timeouts.update, null)
  }
}

locals {
  certificates = merge([
    for listener_key, listener in var.listeners : {
      for name, arn in lookup(listener, "more_certificates", {}) : "${listener_key}/${name}" => { listener = listener_key, arn = arn }
    }
  ]...)

  rules = merge([
    for listener_key, listener in var.listeners : {
      for rule_key, rule in lookup(listener, "rules", {}) : "${listener_key}/${rule_key}" => merge(rule, { listener = listener_key })
    }
  ]...)
}

resource "aws_lb_listener_certificate" "this" {
  for_each        = local.certificates
  listener_arn    = aws_lb_listener.this[each.value.listener].arn
  certificate_arn = each.value.arn
}

resource "aws_lb_listener_rule" "this" {
  for_each     = local.rules
  listener_arn = aws_lb_listener.this[each.value.listener].arn
  priority     = try(each.value.priority, null)
  tags         = merge(var.tags, { Name = each.key }, try(each.value.tags, {}))

  dynamic "action" {
    for_each = each.value.actions
    content {
      type             = action.value.type
      order            = try(action.value.order, null)
      target_group_arn = try(aws_lb_target_group.this[action.value.target_group].arn, null)

      dynamic "forward" {
        for_each = try([action.value.forward], [])
        content {
          dynamic "target_group" {
            for_each = forward.value.target_groups
            content {
              arn    = aws_lb_target_group.this[target_group.value.key].arn
              weight = try(target_group.value.weight, null)
            }
          }
          dynamic "stickiness" {
            for_each = try([forward.value.stickiness], [])
            content {
              duration = try(stickiness.value.duration, 60)
              enabled  = try(stickiness.value.enabled, null)
            }
          }
        }
      }

      dynamic "redirect" {
        for_each = try([action.value.redirect], [])
        content {
          host        = try(redirect.value.host, null)
          path        = try(redirect.value.path, null)
          port        = try(redirect.value.port, null)
          protocol    = try(redirect.value.protocol, null)
          query       = try(redirect.value.query, null)
          status_code = redirect.value.status_code
        }
      }

      dynamic "fixed_response" {
        for_each = try([action.value.fixed_response], [])
        content {
          content_type = fixed_response.value.content_type
          message_body = try(fixed_response.value.message_body, null)
          status_code  = try(fixed_response.value.status_code, null)
        }
      }

      dynamic "authenticate_oidc" {
        for_each = try([action.value.authenticate_oidc], [])
        content {
          issuer                              = authenticate_oidc.value.issuer
          authorization_endpoint              = authenticate_oidc.value.authorization_endpoint
          token_endpoint                      = authenticate_oidc.value.token_endpoint
          user_info_endpoint                  = authenticate_oidc.value.user_info_endpoint
          client_id                           = authenticate_oidc.value.client_id
          client_secret                       = authenticate_oidc.value.client_secret
          authentication_request_extra_params = try(authenticate_oidc.value.authentication_request_extra_params, null)
          on_unauthenticated_request          = try(authenticate_oidc.value.on_unauthenticated_request, null)
          scope                               = try(authenticate_oidc.value.scope, null)
          session_cookie_name                 = try(authenticate_oidc.value.session_cookie_name, null)
          session_timeout                     = try(authenticate_oidc.value.session_timeout, null)
        }
      }

      dynamic "authenticate_cognito" {
        for_each = try([action.value.authenticate_cognito], [])
        content {
          user_pool_arn                       = authenticate_cognito.value.user_pool_arn
          user_pool_client_id                 = authenticate_cognito.value.user_pool_client_id
          user_pool_domain                    = authenticate_cognito.value.user_pool_domain
          authentication_request_extra_params = try(authenticate_cognito.value.authentication_request_extra_params, null)
          on_unauthenticated_request          = try(authenticate_cognito.value.on_unauthenticated_request, null)
          scope                               = try(authenticate_cognito.value.scope, null)
          session_cookie_name                 = try(authenticate_cognito.value.session_cookie_name, null)
          session_timeout                     = try(authenticate_cognito.value.session_timeout, null)
        }
      }
    }
  }

  dynamic "condition" {
    for_each = each.value.conditions
    content {
      dynamic "host_header" {
        for_each = try([condition.value.host_header], [])
        content {
          values = flatten([host_header.value])
        }
      }
      dynamic "path_pattern" {
        for_each = try([condition.value.path_pattern], [])
        content {
          values = flatten([path_pattern.value])
        }
      }
      dynamic "http_request_method" {
        for_each = try([condition.value.http_request_method], [])
        content {
          values = flatten([http_request_method.value])
        }
      }
      dynamic "source_ip" {
        for_each = try([condition.value.source_ip], [])
        content {
          values = flatten([source_ip.value])
        }
      }
      dynamic "http_header" {
        for_each = try([condition.value.http_header], [])
        content {
          http_header_name = http_header.value.name
          values           = flatten([http_header.value.values])
        }
      }
      dynamic "query_string" {
        for_each = try(flatten([condition.value.query_string]), [])
        content {
          key   = try(query_string.value.key, null)
          value = query_string.value.value
        }
      }
    }
  }
}
