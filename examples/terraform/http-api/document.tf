# The same private service behind an API that is written as an OpenAPI document.

resource "aws_apigatewayv2_api" "document" {
  name             = "${var.name}-document"
  protocol_type    = "HTTP"
  version          = "1.${var.revision}"
  fail_on_warnings = true

  body = jsonencode({
    openapi = "3.0.1"
    info    = { title = "${var.name}-document", version = "1.${var.revision}" }
    paths = {
      "/hello" = {
        get = {
          operationId                       = "hello${var.revision}"
          "x-amazon-apigateway-integration" = { "$ref" = "#/components/x-amazon-apigateway-integrations/service" }
        }
      }
      "/guarded" = {
        get = {
          security                          = [{ jwt = ["orders.read"] }]
          "x-amazon-apigateway-integration" = { "$ref" = "#/components/x-amazon-apigateway-integrations/service" }
        }
      }
    }
    components = {
      securitySchemes = {
        jwt = {
          type  = "oauth2"
          flows = {}
          "x-amazon-apigateway-authorizer" = {
            type             = "jwt"
            identitySource   = "$request.header.Authorization"
            jwtConfiguration = { issuer = var.issuer, audience = ["orders"] }
          }
        }
      }
      "x-amazon-apigateway-integrations" = {
        service = {
          type                 = "http_proxy"
          httpMethod           = "ANY"
          uri                  = aws_lb_listener.http.arn
          connectionType       = "VPC_LINK"
          connectionId         = aws_apigatewayv2_vpc_link.private.id
          payloadFormatVersion = "1.0"
          requestParameters    = { "append:header.x-revision" = tostring(var.revision) }
        }
      }
    }
  })
}

resource "aws_apigatewayv2_stage" "document" {
  api_id      = aws_apigatewayv2_api.document.id
  name        = "live"
  auto_deploy = true
  description = "revision ${var.revision}"
}
