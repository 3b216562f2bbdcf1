# What the API says of itself: parts, each about one place of it, and the version of them that the stage publishes.

resource "aws_api_gateway_documentation_part" "api" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  properties  = jsonencode({ info = { description = "Pets, revision ${var.revision}" } })

  location {
    type = "API"
  }
}

resource "aws_api_gateway_documentation_part" "not_found" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  properties  = jsonencode({ description = "There is no such pet (revision ${var.revision})." })

  # Of every method: the members are said because AWS answers what they are by themselves.
  location {
    type        = "RESPONSE"
    path        = "/"
    method      = "*"
    status_code = "404"
  }
}

resource "aws_api_gateway_documentation_version" "pets" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  version     = "1.0.0"
  description = "revision ${var.revision}"

  depends_on = [
    aws_api_gateway_documentation_part.api,
    aws_api_gateway_documentation_part.not_found,
  ]
}
