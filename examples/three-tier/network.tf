data "aws_availability_zones" "here" {
  state = "available"
}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, 2)
  tiers = { edge = 0, web = 10, app = 20, data = 30 }
  # One subnet of each tier in each zone.
  places = { for pair in setproduct(keys(local.tiers), [0, 1]) : "${pair[0]}-${pair[1]}" => { tier = pair[0], zone = pair[1] } }
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = var.name }
}

# No route leads out: the way in is the VPC link, and there is none out.
resource "aws_subnet" "tier" {
  for_each          = local.places
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, local.tiers[each.value.tier] + each.value.zone)
  availability_zone = local.zones[each.value.zone]
  tags              = { Name = "${var.name}-${each.key}" }
}
