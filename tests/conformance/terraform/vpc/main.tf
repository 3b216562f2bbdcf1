# What the vpc module makes of its `complete`, `network-acls`, `ipv6-dualstack` and `secondary-cidr-blocks` examples.
# Left out: groups of subnets of RDS, Redshift and ElastiCache, VPN and customer gateways, flow logs (their services are not
# here).

locals {
  public  = [for k, _ in local.azs : cidrsubnet("10.0.0.0/16", 8, k)]
  private = [for k, _ in local.azs : cidrsubnet("10.0.0.0/16", 8, k + 10)]
  second  = [for k, _ in local.azs : cidrsubnet("10.1.0.0/16", 8, k)]

  inbound = [
    { rule_number = 100, rule_action = "allow", from_port = 80, to_port = 80, protocol = "tcp", cidr_block = "0.0.0.0/0" },
    { rule_number = 110, rule_action = "allow", from_port = 443, to_port = 443, protocol = "tcp", cidr_block = "0.0.0.0/0" },
    { rule_number = 120, rule_action = "allow", from_port = 22, to_port = 22, protocol = "tcp", cidr_block = "0.0.0.0/0" },
    { rule_number = 140, rule_action = "allow", icmp_code = -1, icmp_type = 8, protocol = "icmp", cidr_block = "10.0.0.0/22" },
    { rule_number = 150, rule_action = "deny", protocol = "-1", ipv6_cidr_block = "::/0" },
  ]
  outbound = [
    { rule_number = 100, rule_action = "allow", from_port = 80, to_port = 80, protocol = "tcp", cidr_block = "0.0.0.0/0" },
    { rule_number = 900, rule_action = "allow", from_port = 1024, to_port = 65535, protocol = "udp", cidr_block = "0.0.0.0/0" },
  ]
}

resource "aws_vpc" "this" {
  cidr_block                           = "10.0.0.0/16"
  assign_generated_ipv6_cidr_block     = true
  instance_tenancy                     = "default"
  enable_dns_hostnames                 = true
  enable_dns_support                   = true
  enable_network_address_usage_metrics = true
  tags                                 = { Name = var.name }
}

resource "aws_vpc_ipv4_cidr_block_association" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.1.0.0/16"
}

resource "aws_vpc_dhcp_options" "this" {
  domain_name          = "service.consul"
  domain_name_servers  = ["127.0.0.1", "10.10.0.2"]
  ntp_servers          = ["169.254.169.123"]
  netbios_name_servers = ["10.0.0.3"]
  netbios_node_type    = "2"
  tags                 = { Name = var.name }
}

resource "aws_vpc_dhcp_options_association" "this" {
  vpc_id          = aws_vpc.this.id
  dhcp_options_id = aws_vpc_dhcp_options.this.id
}

resource "aws_subnet" "public" {
  count                                          = length(local.azs)
  vpc_id                                         = aws_vpc.this.id
  availability_zone                              = local.azs[count.index]
  cidr_block                                     = local.public[count.index]
  ipv6_cidr_block                                = cidrsubnet(aws_vpc.this.ipv6_cidr_block, 8, count.index)
  assign_ipv6_address_on_creation                = true
  map_public_ip_on_launch                        = true
  enable_dns64                                   = true
  enable_resource_name_dns_a_record_on_launch    = true
  enable_resource_name_dns_aaaa_record_on_launch = true
  private_dns_hostname_type_on_launch            = "ip-name"
  tags                                           = { Name = "${var.name}-public-${local.azs[count.index]}" }
}

resource "aws_subnet" "private" {
  count                               = length(local.azs)
  vpc_id                              = aws_vpc.this.id
  availability_zone                   = local.azs[count.index]
  cidr_block                          = local.private[count.index]
  private_dns_hostname_type_on_launch = "resource-name"
  tags                                = { Name = "${var.name}-private-${local.azs[count.index]}" }
}

resource "aws_subnet" "second" {
  count             = length(local.azs)
  vpc_id            = aws_vpc_ipv4_cidr_block_association.this.vpc_id
  availability_zone = local.azs[count.index]
  cidr_block        = local.second[count.index]
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_egress_only_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id

  timeouts {
    create = "5m"
  }
}

resource "aws_route" "public_ipv6" {
  route_table_id              = aws_route_table.public.id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  count          = length(local.azs)
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  count          = length(local.azs)
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private.id
}

resource "aws_eip" "nat" {
  domain     = "vpc"
  tags       = { Name = var.name }
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route" "private_nat" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

resource "aws_route" "private_ipv6_egress" {
  route_table_id              = aws_route_table.private.id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.this.id
}

resource "aws_network_acl" "public" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = aws_subnet.public[*].id
  tags       = { Name = "${var.name}-public" }
}

resource "aws_network_acl_rule" "public_inbound" {
  count           = length(local.inbound)
  network_acl_id  = aws_network_acl.public.id
  egress          = false
  rule_number     = local.inbound[count.index].rule_number
  rule_action     = local.inbound[count.index].rule_action
  from_port       = lookup(local.inbound[count.index], "from_port", null)
  to_port         = lookup(local.inbound[count.index], "to_port", null)
  icmp_code       = lookup(local.inbound[count.index], "icmp_code", null)
  icmp_type       = lookup(local.inbound[count.index], "icmp_type", null)
  protocol        = local.inbound[count.index].protocol
  cidr_block      = lookup(local.inbound[count.index], "cidr_block", null)
  ipv6_cidr_block = lookup(local.inbound[count.index], "ipv6_cidr_block", null)
}

resource "aws_network_acl_rule" "public_outbound" {
  count          = length(local.outbound)
  network_acl_id = aws_network_acl.public.id
  egress         = true
  rule_number    = local.outbound[count.index].rule_number
  rule_action    = local.outbound[count.index].rule_action
  from_port      = local.outbound[count.index].from_port
  to_port        = local.outbound[count.index].to_port
  protocol       = local.outbound[count.index].protocol
  cidr_block     = local.outbound[count.index].cidr_block
}

resource "aws_default_network_acl" "this" {
  default_network_acl_id = aws_vpc.this.default_network_acl_id
  subnet_ids             = null

  ingress {
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    protocol   = "-1"
    rule_no    = 100
    to_port    = 0
  }

  egress {
    action          = "allow"
    from_port       = 0
    ipv6_cidr_block = "::/0"
    protocol        = "-1"
    rule_no         = 101
    to_port         = 0
  }

  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

resource "aws_default_route_table" "default" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  tags                   = { Name = "${var.name}-default" }
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-default" }
}

data "aws_vpc_endpoint_service" "this" {
  for_each     = { s3 = "Gateway", dynamodb = "Gateway", ecs = "Interface" }
  service      = each.key
  service_type = each.value
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = data.aws_vpc_endpoint_service.this["s3"].service_name
  vpc_endpoint_type = "Gateway"
}

resource "aws_vpc_endpoint_route_table_association" "s3" {
  vpc_endpoint_id = aws_vpc_endpoint.s3.id
  route_table_id  = aws_route_table.private.id
}

resource "aws_vpc_endpoint" "dynamodb" {
  vpc_id            = aws_vpc.this.id
  service_name      = data.aws_vpc_endpoint_service.this["dynamodb"].service_name
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id, aws_route_table.public.id]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "dynamodb:*"
      Resource  = "*"
      Condition = { StringNotEquals = { "aws:sourceVpc" = aws_vpc.this.id } }
    }]
  })
}

resource "aws_security_group" "endpoints" {
  name_prefix = "${var.name}-endpoints-"
  description = "VPC endpoint security group"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group_rule" "endpoints" {
  security_group_id = aws_security_group.endpoints.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "HTTPS from VPC"
  cidr_blocks       = [aws_vpc.this.cidr_block]
}

resource "aws_vpc_endpoint" "ecs" {
  vpc_id              = aws_vpc.this.id
  service_name        = data.aws_vpc_endpoint_service.this["ecs"].service_name
  vpc_endpoint_type   = "Interface"
  security_group_ids  = [aws_security_group.endpoints.id]
  subnet_ids          = aws_subnet.private[*].id
  private_dns_enabled = true
}
