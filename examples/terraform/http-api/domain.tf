# A name of one's own in front of the API, with a certificate. Left out while no certificate is named: see the README.

locals {
  named = var.certificate == "" ? 0 : 1
}

resource "aws_acm_certificate" "front" {
  count            = local.named
  certificate_body = file("${var.certificate}.crt")
  private_key      = file("${var.certificate}.key")
  tags             = { Name = var.name }
}

resource "aws_apigatewayv2_domain_name" "front" {
  count       = local.named
  domain_name = var.domain_name

  domain_name_configuration {
    certificate_arn = aws_acm_certificate.front[0].arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

# Several levels are allowed; the longest key that fits wins.
resource "aws_apigatewayv2_api_mapping" "front" {
  count           = local.named
  api_id          = aws_apigatewayv2_api.http.id
  domain_name     = aws_apigatewayv2_domain_name.front[0].id
  stage           = aws_apigatewayv2_stage.default.id
  api_mapping_key = "v${var.revision}/orders"
}
