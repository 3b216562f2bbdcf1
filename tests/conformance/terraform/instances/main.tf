# Instances as targets: groups of the default type, reached through an HTTP API, a link and an internal load balancer.

variable "revision" {
  type    = number
  default = 1
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "private" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
  availability_zone = local.azs[count.index]
}

resource "aws_security_group" "all" {
  for_each = toset(["link", "balancer", "instance", "extra"])
  name     = "${var.name}-${each.key}"
  vpc_id   = aws_vpc.main.id

  ingress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = [aws_vpc.main.cidr_block]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "plain" {
  ami                    = "ami-0123456789abcdef0"
  instance_type          = "m5.large"
  subnet_id              = aws_subnet.private[0].id
  vpc_security_group_ids = concat([aws_security_group.all["instance"].id], var.revision > 1 ? [aws_security_group.all["extra"].id] : [])
  tags                   = { Name = "${var.name}-plain-${var.revision}" }
}

resource "aws_instance" "described" {
  ami                                  = "ami-0123456789abcdef0"
  instance_type                        = "t3.micro"
  subnet_id                            = aws_subnet.private[1].id
  private_ip                           = "10.0.1.50"
  associate_public_ip_address          = false
  vpc_security_group_ids               = [aws_security_group.all["instance"].id]
  key_name                             = "ops"
  user_data                            = "#!/bin/sh\nexec orders\n"
  monitoring                           = true
  source_dest_check                    = false
  disable_api_termination              = var.revision > 1
  instance_initiated_shutdown_behavior = "terminate"

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }

  credit_specification {
    cpu_credits = "standard"
  }
}

resource "aws_lb_target_group" "orders" {
  name                 = "${var.name}-orders"
  port                 = 8080
  protocol             = "HTTP"
  vpc_id               = aws_vpc.main.id
  deregistration_delay = 0

  health_check {
    path     = "/health"
    interval = 5
    timeout  = 2
  }
}

resource "aws_lb_target_group_attachment" "plain" {
  target_group_arn = aws_lb_target_group.orders.arn
  target_id        = aws_instance.plain.id
}

resource "aws_lb_target_group_attachment" "described" {
  target_group_arn = aws_lb_target_group.orders.arn
  target_id        = aws_instance.described.id
  port             = 9090
}

resource "aws_lb" "main" {
  name               = var.name
  internal           = true
  load_balancer_type = "application"
  subnets            = aws_subnet.private[*].id
  security_groups    = [aws_security_group.all["balancer"].id]
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.orders.arn
  }
}

resource "aws_apigatewayv2_api" "main" {
  name          = var.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_vpc_link" "main" {
  name               = var.name
  subnet_ids         = aws_subnet.private[*].id
  security_group_ids = [aws_security_group.all["link"].id]
}

resource "aws_apigatewayv2_integration" "main" {
  api_id             = aws_apigatewayv2_api.main.id
  integration_type   = "HTTP_PROXY"
  integration_method = "ANY"
  integration_uri    = aws_lb_listener.http.arn
  connection_type    = "VPC_LINK"
  connection_id      = aws_apigatewayv2_vpc_link.main.id
}

resource "aws_apigatewayv2_route" "main" {
  api_id    = aws_apigatewayv2_api.main.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.main.id}"
}

resource "aws_apigatewayv2_stage" "main" {
  api_id      = aws_apigatewayv2_api.main.id
  name        = "$default"
  auto_deploy = true
}

output "api" {
  value = aws_apigatewayv2_api.main.id
}

output "target_group" {
  value = aws_lb_target_group.orders.arn
}

output "instances" {
  value = { plain = "${aws_instance.plain.id}:8080", described = "${aws_instance.described.id}:9090" }
}
