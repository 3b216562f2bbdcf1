# A stage of a REST API that shows a client certificate to its backend, as the provider's own pages write it.

variable "backend" {
  type    = string
  default = "https://localhost:1/"
}

variable "revision" {
  type    = number
  default = 1
}

resource "aws_api_gateway_client_certificate" "this" {
  description = "revision ${var.revision}"
}

resource "aws_api_gateway_rest_api" "this" {
  name = var.name
}

resource "aws_api_gateway_method" "this" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_rest_api.this.root_resource_id
  http_method   = "GET"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "this" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_rest_api.this.root_resource_id
  http_method             = aws_api_gateway_method.this.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "GET"
  uri                     = var.backend
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  depends_on  = [aws_api_gateway_integration.this]
}

resource "aws_api_gateway_stage" "shown" {
  rest_api_id           = aws_api_gateway_rest_api.this.id
  deployment_id         = aws_api_gateway_deployment.this.id
  stage_name            = "shown"
  client_certificate_id = aws_api_gateway_client_certificate.this.id
}

resource "aws_api_gateway_stage" "plain" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = "plain"
}

output "api" {
  value = aws_api_gateway_rest_api.this.id
}

output "resource" {
  value = aws_api_gateway_rest_api.this.root_resource_id
}

output "certificate" {
  value = aws_api_gateway_client_certificate.this.id
}

output "pem" {
  value = aws_api_gateway_client_certificate.this.pem_encoded_certificate
}
