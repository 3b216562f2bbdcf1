resource "aws_cloudwatch_log_group" "access" {
  name              = "/tidegate/${var.name}"
  retention_in_days = var.revision > 1 ? 14 : 7
}

resource "aws_apigatewayv2_api" "http" {
  name          = var.name
  protocol_type = "HTTP"
  description   = "revision ${var.revision}"

  cors_configuration {
    allow_origins = ["https://example.com"]
    allow_methods = ["GET", "POST"]
    allow_headers = ["content-type", "authorization"]
    max_age       = 299 + var.revision
  }
}

# The only way into the private subnets. Its subnets and groups are fixed for its lifetime, as on AWS; only the name changes.
resource "aws_apigatewayv2_vpc_link" "private" {
  name               = "${var.name}-${var.revision}"
  subnet_ids         = aws_subnet.private[*].id
  security_group_ids = [aws_security_group.link.id]
}

# The listener's ARN, not the load balancer's.
resource "aws_apigatewayv2_integration" "service" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = aws_lb_listener.http.arn
  connection_type        = "VPC_LINK"
  connection_id          = aws_apigatewayv2_vpc_link.private.id
  payload_format_version = "1.0"
  timeout_milliseconds   = 29000 + var.revision
}

resource "aws_apigatewayv2_route" "hello" {
  api_id         = aws_apigatewayv2_api.http.id
  route_key      = "GET /hello"
  operation_name = "hello${var.revision}"
  target         = "integrations/${aws_apigatewayv2_integration.service.id}"
}

resource "aws_apigatewayv2_route" "anything" {
  api_id         = aws_apigatewayv2_api.http.id
  route_key      = "ANY /{proxy+}"
  operation_name = "anything${var.revision}"
  target         = "integrations/${aws_apigatewayv2_integration.service.id}"
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true
  description = "revision ${var.revision}"

  # Settings without limits mean limits of zero: give both.
  default_route_settings {
    throttling_burst_limit = 499 + var.revision
    throttling_rate_limit  = 999 + var.revision
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId = "$context.requestId"
      ip        = "$context.identity.sourceIp"
      route     = "$context.routeKey"
      status    = "$context.status"
      error     = "$context.integrationErrorMessage"
      revision  = tostring(var.revision)
    })
  }
}
