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

  request_parameters = {
    "append:header.x-caller"     = "$context.authorizer.claims.sub"
    "overwrite:header.x-release" = "r${var.revision}"
  }

  # The provider empties a status whose mappings it changes, so these stay as they are.
  response_parameters {
    status_code = "200"
    mappings    = { "append:header.x-answered-by" = "$context.routeKey" }
  }
}

# Who may call the guarded route: the bearer of a token of this issuer, for this audience, with one of the route's scopes.
resource "aws_apigatewayv2_authorizer" "jwt" {
  api_id           = aws_apigatewayv2_api.http.id
  name             = "issuer-${var.revision}"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.issuer
    audience = ["orders", "orders-${var.revision}"]
  }
}

resource "aws_apigatewayv2_route" "guarded" {
  api_id               = aws_apigatewayv2_api.http.id
  route_key            = "GET /guarded"
  operation_name       = "guarded${var.revision}"
  authorization_type   = "JWT"
  authorizer_id        = aws_apigatewayv2_authorizer.jwt.id
  authorization_scopes = ["orders.read", "orders.read.${var.revision}"]
  target               = "integrations/${aws_apigatewayv2_integration.service.id}"
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

  # A route's own settings take the place of the default ones, whole.
  route_settings {
    route_key              = aws_apigatewayv2_route.hello.route_key
    throttling_burst_limit = 99 + var.revision
    throttling_rate_limit  = 199 + var.revision
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId = "$context.requestId"
      ip        = "$context.identity.sourceIp"
      route     = "$context.routeKey"
      status    = "$context.status"
      caller    = "$context.authorizer.claims.sub"
      error     = "$context.integrationErrorMessage"
      revision  = tostring(var.revision)
    })
  }
}
