# What the apigateway-v2 module makes of its `complete-http` and `vpc-link-http` examples.
# Left out: Lambda integrations and authorizers, records of Route 53 (their services are not here).

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "private" {
  count             = length(local.azs)
  vpc_id            = aws_vpc.this.id
  availability_zone = local.azs[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
}

resource "aws_security_group" "this" {
  for_each    = toset(["api", "alb"])
  name        = "${var.name}-${each.key}"
  description = "API Gateway group for example usage"
  vpc_id      = aws_vpc.this.id
}

resource "aws_security_group_rule" "link" {
  security_group_id        = aws_security_group.this["api"].id
  type                     = "egress"
  protocol                 = "tcp"
  from_port                = 80
  to_port                  = 80
  source_security_group_id = aws_security_group.this["alb"].id
}

resource "aws_security_group_rule" "alb" {
  security_group_id        = aws_security_group.this["alb"].id
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 80
  to_port                  = 80
  source_security_group_id = aws_security_group.this["api"].id
}

resource "aws_lb" "this" {
  name               = var.name
  internal           = true
  load_balancer_type = "application"
  security_groups    = [aws_security_group.this["alb"].id]
  subnets            = aws_subnet.private[*].id
}

resource "aws_lb_listener" "this" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "from the load balancer"
      status_code  = "200"
    }
  }
}

resource "aws_apigatewayv2_vpc_link" "this" {
  name               = var.name
  security_group_ids = [aws_security_group.this["api"].id]
  subnet_ids         = aws_subnet.private[*].id
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = "My awesome HTTP API Gateway"
  protocol_type = "HTTP"
  version       = "1.0"

  cors_configuration {
    allow_headers = ["content-type", "x-amz-date", "authorization", "x-api-key", "x-amz-security-token", "x-amz-user-agent"]
    allow_methods = ["*"]
    allow_origins = ["*"]
  }
}

resource "aws_apigatewayv2_integration" "this" {
  api_id               = aws_apigatewayv2_api.this.id
  connection_type      = "VPC_LINK"
  connection_id        = aws_apigatewayv2_vpc_link.this.id
  integration_type     = "HTTP_PROXY"
  integration_method   = "ANY"
  integration_uri      = aws_lb_listener.this.arn
  timeout_milliseconds = 12000

  request_parameters = {
    "append:header.x-stage" = "$context.stage"
    "overwrite:path"        = "/"
  }

  response_parameters {
    status_code = 200
    mappings    = { "append:header.x-answered-by" = "api" }
  }
}

resource "aws_apigatewayv2_authorizer" "this" {
  api_id           = aws_apigatewayv2_api.this.id
  name             = "cognito"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    audience = ["d6a38afd-45d6-4874-d1aa-3c5c558aqcc2"]
    issuer   = "https://issuer.example.com"
  }
}

resource "aws_apigatewayv2_route" "this" {
  for_each  = toset(["ANY /", "GET /alb-internal-route", "$default"])
  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this.id}"
}

resource "aws_apigatewayv2_route" "guarded" {
  api_id               = aws_apigatewayv2_api.this.id
  route_key            = "GET /some-route-with-authorizer"
  authorization_type   = "JWT"
  authorizer_id        = aws_apigatewayv2_authorizer.this.id
  authorization_scopes = ["user.id", "user.email"]
  target               = "integrations/${aws_apigatewayv2_integration.this.id}"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = 7
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format = jsonencode({
      requestId        = "$context.requestId"
      routeKey         = "$context.routeKey"
      status           = "$context.status"
      integrationError = "$context.integrationErrorMessage"
    })
  }

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_burst_limit   = 100
    throttling_rate_limit    = 100
  }

  route_settings {
    route_key              = aws_apigatewayv2_route.guarded.route_key
    throttling_burst_limit = 50
    throttling_rate_limit  = 50
  }
}

resource "aws_acm_certificate" "this" {
  certificate_body = file("${var.certificate}.crt")
  private_key      = file("${var.certificate}.key")
}

resource "aws_apigatewayv2_domain_name" "this" {
  domain_name = "modules.example.com"

  domain_name_configuration {
    certificate_arn = aws_acm_certificate.this.arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this.id
  stage       = aws_apigatewayv2_stage.this.id
}
