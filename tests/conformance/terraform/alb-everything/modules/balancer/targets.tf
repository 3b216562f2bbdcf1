resource "aws_lb_target_group" "this" {
  for_each                           = var.target_groups
  name                               = try(each.value.name_prefix, null) == null ? "${var.name}-${each.key}" : null
  name_prefix                        = try(each.value.name_prefix, null)
  port                               = try(each.value.port, 80)
  protocol                           = try(each.value.protocol, "HTTP")
  protocol_version                   = try(each.value.protocol_version, null)
  target_type                        = try(each.value.target_type, "ip")
  ip_address_type                    = try(each.value.ip_address_type, null)
  vpc_id                             = try(each.value.vpc_id, var.vpc_id)
  connection_termination             = try(each.value.connection_termination, null)
  deregistration_delay               = try(each.value.deregistration_delay, null)
  lambda_multi_value_headers_enabled = try(each.value.lambda_multi_value_headers_enabled, null)
  load_balancing_algorithm_type      = try(each.value.load_balancing_algorithm_type, null)
  load_balancing_anomaly_mitigation  = try(each.value.load_balancing_anomaly_mitigation, null)
  load_balancing_cross_zone_enabled  = try(each.value.load_balancing_cross_zone_enabled, null)
  preserve_client_ip                 = try(each.value.preserve_client_ip, null)
  proxy_protocol_v2                  = try(each.value.proxy_protocol_v2, null)
  slow_start                         = try(each.value.slow_start, null)
  tags                               = merge(var.tags, try(each.value.tags, {}))

  dynamic "health_check" {
    for_each = try([each.value.health_check], [])
    content {
      enabled             = try(health_check.value.enabled, null)
      healthy_threshold   = try(health_check.value.healthy_threshold, null)
      unhealthy_threshold = try(health_check.value.unhealthy_threshold, null)
      interval            = try(health_check.value.interval, null)
      timeout             = try(health_check.value.timeout, null)
      matcher             = try(health_check.value.matcher, null)
      path                = try(health_check.value.path, null)
      port                = try(health_check.value.port, null)
      protocol            = try(health_check.value.protocol, null)
    }
  }

  dynamic "stickiness" {
    for_each = try([each.value.stickiness], [])
    content {
      type            = stickiness.value.type
      enabled         = try(stickiness.value.enabled, true)
      cookie_duration = try(stickiness.value.cookie_duration, null)
      cookie_name     = try(stickiness.value.cookie_name, null)
    }
  }

  dynamic "target_failover" {
    for_each = try(each.value.target_failover, [])
    content {
      on_deregistration = target_failover.value.on_deregistration
      on_unhealthy      = target_failover.value.on_unhealthy
    }
  }

  dynamic "target_group_health" {
    for_each = try([each.value.target_group_health], [])
    content {
      dynamic "dns_failover" {
        for_each = try([target_group_health.value.dns_failover], [])
        content {
          minimum_healthy_targets_count      = try(dns_failover.value.minimum_healthy_targets_count, null)
          minimum_healthy_targets_percentage = try(dns_failover.value.minimum_healthy_targets_percentage, null)
        }
      }
      dynamic "unhealthy_state_routing" {
        for_each = try([target_group_health.value.unhealthy_state_routing], [])
        content {
          minimum_healthy_targets_count      = try(unhealthy_state_routing.value.minimum_healthy_targets_count, null)
          minimum_healthy_targets_percentage = try(unhealthy_state_routing.value.minimum_healthy_targets_percentage, null)
        }
      }
    }
  }

  dynamic "target_health_state" {
    for_each = try([each.value.target_health_state], [])
    content {
      enable_unhealthy_connection_termination = target_health_state.value.enable_unhealthy_connection_termination
      unhealthy_draining_interval             = try(target_health_state.value.unhealthy_draining_interval, null)
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_target_group_attachment" "this" {
  for_each          = { for name, group in var.target_groups : name => group if try(group.target_id, null) != null }
  target_group_arn  = aws_lb_target_group.this[each.key].arn
  target_id         = each.value.target_id
  port              = try(each.value.target_port, each.value.port, null)
  availability_zone = try(each.value.availability_zone, null)
}

resource "aws_lb_target_group_attachment" "more" {
  for_each          = var.attachments
  target_group_arn  = aws_lb_target_group.this[each.value.target_group].arn
  target_id         = each.value.target_id
  port              = try(each.value.port, var.target_groups[each.value.target_group].port, null)
  availability_zone = try(each.value.availability_zone, null)
}
