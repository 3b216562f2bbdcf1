resource "aws_lb" "internal" {
  name               = var.name
  internal           = true
  load_balancer_type = "application"
  subnets            = [aws_subnet.tier["edge-0"].id, aws_subnet.tier["edge-1"].id]
  security_groups    = [aws_security_group.tier["alb"].id]
}

resource "aws_lb_target_group" "web" {
  name                 = var.name
  port                 = var.port
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.main.id
  deregistration_delay = 1

  health_check {
    path                = "/health"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

# The addresses that `tidegate run --ip` gives to the programs of the web tier.
resource "aws_lb_target_group_attachment" "web" {
  count            = 2
  target_group_arn = aws_lb_target_group.web.arn
  target_id        = cidrhost(aws_subnet.tier["web-${count.index}"].cidr_block, 10)
  port             = var.port
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.internal.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_apigatewayv2_api" "http" {
  name          = var.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_vpc_link" "private" {
  name               = var.name
  subnet_ids         = [aws_subnet.tier["edge-0"].id, aws_subnet.tier["edge-1"].id]
  security_group_ids = [aws_security_group.tier["link"].id]
}

resource "aws_apigatewayv2_integration" "web" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = aws_lb_listener.http.arn
  connection_type        = "VPC_LINK"
  connection_id          = aws_apigatewayv2_vpc_link.private.id
  payload_format_version = "1.0"
}

resource "aws_apigatewayv2_route" "anything" {
  api_id    = aws_apigatewayv2_api.http.id
  route_key = "$default"
  target    = "integrations/${aws_apigatewayv2_integration.web.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true
}
