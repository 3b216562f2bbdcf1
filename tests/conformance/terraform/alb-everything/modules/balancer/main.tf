resource "aws_security_group" "this" {
  name_prefix = "${var.name}-"
  description = "Traffic of ${var.name}"
  vpc_id      = var.vpc_id
  tags        = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each                     = { for name, rule in var.ingress : name => rule if try(rule.enabled, true) }
  security_group_id            = aws_security_group.this.id
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  from_port                    = try(each.value.from_port, null)
  to_port                      = try(each.value.to_port, each.value.from_port, null)
  cidr_ipv4                    = lookup(each.value, "cidr_ipv4", null)
  cidr_ipv6                    = lookup(each.value, "cidr_ipv6", null)
  prefix_list_id               = lookup(each.value, "prefix_list_id", null)
  referenced_security_group_id = try(each.value.itself, false) ? aws_security_group.this.id : try(each.value.group, null)
  description                  = try(each.value.description, each.key)
  tags                         = merge(var.tags, { Name = each.key }, try(each.value.tags, {}))
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each                     = { for name, rule in var.egress : name => rule if try(rule.enabled, true) }
  security_group_id            = aws_security_group.this.id
  ip_protocol                  = try(each.value.ip_protocol, "tcp")
  from_port                    = try(each.value.from_port, null)
  to_port                      = try(each.value.to_port, each.value.from_port, null)
  cidr_ipv4                    = lookup(each.value, "cidr_ipv4", null)
  cidr_ipv6                    = lookup(each.value, "cidr_ipv6", null)
  prefix_list_id               = lookup(each.value, "prefix_list_id", null)
  referenced_security_group_id = try(each.value.itself, false) ? aws_security_group.this.id : try(each.value.group, null)
  description                  = try(each.value.description, each.key)
  tags                         = merge(var.tags, { Name = each.key }, try(each.value.tags, {}))
}

locals {
  kind = try(var.load_balancer.load_balancer_type, "application")
}

resource "aws_lb" "this" {
  name                                        = try(var.load_balancer.name_prefix, null) == null ? var.name : null
  name_prefix                                 = try(var.load_balancer.name_prefix, null)
  load_balancer_type                          = local.kind
  internal                                    = try(var.load_balancer.internal, null)
  ip_address_type                             = try(var.load_balancer.ip_address_type, null)
  security_groups                             = concat([aws_security_group.this.id], try(var.load_balancer.security_groups, []))
  subnets                                     = try(var.load_balancer.subnet_mapping, null) == null ? var.subnets : null
  client_keep_alive                           = try(var.load_balancer.client_keep_alive, null)
  desync_mitigation_mode                      = try(var.load_balancer.desync_mitigation_mode, null)
  dns_record_client_routing_policy            = try(var.load_balancer.dns_record_client_routing_policy, null)
  drop_invalid_header_fields                  = try(var.load_balancer.drop_invalid_header_fields, null)
  enable_cross_zone_load_balancing            = try(var.load_balancer.enable_cross_zone_load_balancing, null)
  enable_deletion_protection                  = try(var.load_balancer.enable_deletion_protection, null)
  enable_http2                                = try(var.load_balancer.enable_http2, null)
  enable_tls_version_and_cipher_suite_headers = try(var.load_balancer.enable_tls_version_and_cipher_suite_headers, null)
  enable_waf_fail_open                        = try(var.load_balancer.enable_waf_fail_open, null)
  enable_xff_client_port                      = try(var.load_balancer.enable_xff_client_port, null)
  enable_zonal_shift                          = try(var.load_balancer.enable_zonal_shift, null)
  idle_timeout                                = try(var.load_balancer.idle_timeout, null)
  preserve_host_header                        = try(var.load_balancer.preserve_host_header, null)
  xff_header_processing_mode                  = try(var.load_balancer.xff_header_processing_mode, null)
  tags                                        = var.tags

  enforce_security_group_inbound_rules_on_private_link_traffic = try(var.load_balancer.enforce_inbound_rules, null)

  dynamic "subnet_mapping" {
    for_each = try(var.load_balancer.subnet_mapping, null) == null ? [] : var.load_balancer.subnet_mapping
    content {
      subnet_id            = subnet_mapping.value.subnet_id
      allocation_id        = lookup(subnet_mapping.value, "allocation_id", null)
      private_ipv4_address = lookup(subnet_mapping.value, "private_ipv4_address", null)
      ipv6_address         = lookup(subnet_mapping.value, "ipv6_address", null)
    }
  }

  dynamic "access_logs" {
    for_each = try([var.load_balancer.access_logs], [])
    content {
      bucket  = access_logs.value.bucket
      prefix  = try(access_logs.value.prefix, null)
      enabled = try(access_logs.value.enabled, true)
    }
  }

  timeouts {
    create = try(var.load_balancer.timeouts.create, null)
    update = try(var.load_balancer.timeouts.update, null)
    delete = try(var.load_balancer.timeouts.delete, null)
  }
}
