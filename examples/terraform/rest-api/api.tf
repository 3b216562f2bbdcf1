resource "aws_api_gateway_rest_api" "pets" {
  name               = "${var.name}-${var.revision}"
  description        = "revision ${var.revision}"
  binary_media_types = var.revision > 1 ? ["image/png", "image/gif"] : ["image/png"]

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_vpc_link" "private" {
  name        = "${var.name}-${var.revision}"
  description = "revision ${var.revision}"
  target_arns = [aws_lb.network.arn]
}

# What a pet is, and what is checked of a request before it goes on.
resource "aws_api_gateway_model" "owner" {
  rest_api_id  = aws_api_gateway_rest_api.pets.id
  name         = "Owner"
  content_type = "application/json"
  description  = "revision ${var.revision}"
  schema = jsonencode({
    "$schema"  = "http://json-schema.org/draft-04/schema#"
    type       = "object"
    required   = ["email"]
    properties = { email = { type = "string", pattern = "^[^@]+@[^@]+$" } }
  })
}

resource "aws_api_gateway_model" "pet" {
  rest_api_id  = aws_api_gateway_rest_api.pets.id
  name         = "Pet"
  content_type = "application/json"
  description  = "revision ${var.revision}"
  schema = jsonencode({
    "$schema" = "http://json-schema.org/draft-04/schema#"
    type      = "object"
    required  = ["name", "kind"]
    properties = {
      name  = { type = "string", minLength = 1, maxLength = 19 + var.revision }
      kind  = { type = "string", enum = ["cat", "dog"] }
      age   = { type = "integer", minimum = 0, maximum = 40 }
      owner = { "$ref" = "https://apigateway.amazonaws.com/restapis/${aws_api_gateway_rest_api.pets.id}/models/${aws_api_gateway_model.owner.name}" }
    }
  })
}

resource "aws_api_gateway_request_validator" "all" {
  rest_api_id                 = aws_api_gateway_rest_api.pets.id
  name                        = "all-${var.revision}"
  validate_request_body       = true
  validate_request_parameters = true
}

resource "aws_api_gateway_resource" "pets" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  parent_id   = aws_api_gateway_rest_api.pets.root_resource_id
  path_part   = "pets"
}

resource "aws_api_gateway_resource" "pet" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  parent_id   = aws_api_gateway_resource.pets.id
  path_part   = "{petId}"
}

resource "aws_api_gateway_resource" "health" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  parent_id   = aws_api_gateway_rest_api.pets.root_resource_id
  path_part   = "health-v${var.revision}"
}

# GET /pets/{petId}: through the link, with a key.
resource "aws_api_gateway_method" "get_pet" {
  rest_api_id      = aws_api_gateway_rest_api.pets.id
  resource_id      = aws_api_gateway_resource.pet.id
  http_method      = "GET"
  authorization    = "NONE"
  api_key_required = true
  operation_name   = "GetPet${var.revision}"

  request_parameters = {
    "method.request.path.petId"         = true
    "method.request.querystring.expand" = var.revision > 1
  }
}

resource "aws_api_gateway_integration" "get_pet" {
  rest_api_id             = aws_api_gateway_rest_api.pets.id
  resource_id             = aws_api_gateway_resource.pet.id
  http_method             = aws_api_gateway_method.get_pet.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "GET"
  uri                     = "http://${aws_lb.network.dns_name}/pets/{petId}"
  connection_type         = "VPC_LINK"
  connection_id           = aws_api_gateway_vpc_link.private.id
  timeout_milliseconds    = 28000 + var.revision

  request_parameters = {
    "integration.request.path.petId"       = "method.request.path.petId"
    "integration.request.header.x-release" = "'r${var.revision}'"
  }
}

# POST /pets: checked by the model, mapped by templates, answered by the gateway itself.
resource "aws_api_gateway_method" "create_pet" {
  rest_api_id          = aws_api_gateway_rest_api.pets.id
  resource_id          = aws_api_gateway_resource.pets.id
  http_method          = "POST"
  authorization        = "NONE"
  api_key_required     = true
  operation_name       = "CreatePet${var.revision}"
  request_validator_id = aws_api_gateway_request_validator.all.id
  request_models       = { "application/json" = aws_api_gateway_model.pet.name }
}

resource "aws_api_gateway_integration" "create_pet" {
  rest_api_id          = aws_api_gateway_rest_api.pets.id
  resource_id          = aws_api_gateway_resource.pets.id
  http_method          = aws_api_gateway_method.create_pet.http_method
  type                 = "MOCK"
  passthrough_behavior = "NEVER"
  timeout_milliseconds = 28000 + var.revision

  request_templates = {
    "application/json" = "#set($pet = $input.path('$')){\"statusCode\": #if($pet.kind == 'cat')201#{else}202#end}"
  }
}

resource "aws_api_gateway_method_response" "created" {
  for_each        = toset(["201", "202"])
  rest_api_id     = aws_api_gateway_rest_api.pets.id
  resource_id     = aws_api_gateway_resource.pets.id
  http_method     = aws_api_gateway_method.create_pet.http_method
  status_code     = each.key
  response_models = { "application/json" = "Empty" }

  response_parameters = {
    "method.response.header.x-release" = true
    "method.response.header.x-stage"   = var.revision > 1
  }
}

resource "aws_api_gateway_integration_response" "created" {
  for_each          = aws_api_gateway_method_response.created
  rest_api_id       = aws_api_gateway_rest_api.pets.id
  resource_id       = aws_api_gateway_resource.pets.id
  http_method       = aws_api_gateway_method.create_pet.http_method
  status_code       = each.key
  selection_pattern = each.key
  depends_on        = [aws_api_gateway_integration.create_pet]

  response_parameters = {
    "method.response.header.x-release" = "'r${var.revision}'"
    "method.response.header.x-stage"   = "context.stage"
  }
  response_templates = {
    "application/json" = "{\"revision\": ${var.revision}, \"by\": \"$context.identity.apiKeyId\"}"
  }
}

# GET /health-vN: open to all, answered by the gateway itself.
resource "aws_api_gateway_method" "health" {
  rest_api_id    = aws_api_gateway_rest_api.pets.id
  resource_id    = aws_api_gateway_resource.health.id
  http_method    = "GET"
  authorization  = "NONE"
  operation_name = "Health${var.revision}"
}

resource "aws_api_gateway_integration" "health" {
  rest_api_id       = aws_api_gateway_rest_api.pets.id
  resource_id       = aws_api_gateway_resource.health.id
  http_method       = aws_api_gateway_method.health.http_method
  type              = "MOCK"
  request_templates = { "application/json" = "{\"statusCode\": 200, \"revision\": ${var.revision}}" }
}

resource "aws_api_gateway_method_response" "health" {
  rest_api_id         = aws_api_gateway_rest_api.pets.id
  resource_id         = aws_api_gateway_resource.health.id
  http_method         = aws_api_gateway_method.health.http_method
  status_code         = "200"
  response_parameters = { "method.response.header.x-release" = var.revision > 1 }
}

resource "aws_api_gateway_integration_response" "health" {
  rest_api_id        = aws_api_gateway_rest_api.pets.id
  resource_id        = aws_api_gateway_resource.health.id
  http_method        = aws_api_gateway_method.health.http_method
  status_code        = aws_api_gateway_method_response.health.status_code
  response_templates = { "application/json" = "{\"healthy\": true, \"revision\": ${var.revision}}" }
  depends_on         = [aws_api_gateway_integration.health]
}

# What clients see of a body that is no pet.
resource "aws_api_gateway_gateway_response" "bad_body" {
  rest_api_id        = aws_api_gateway_rest_api.pets.id
  response_type      = "BAD_REQUEST_BODY"
  status_code        = tostring(421 + var.revision)
  response_templates = { "application/json" = "{\"message\": $context.error.messageString, \"revision\": ${var.revision}}" }

  # The sentence quotes names in double quotes: it stands better in a header than in a text of JSON.
  response_parameters = {
    "gatewayresponse.header.x-release" = "'r${var.revision}'"
    "gatewayresponse.header.x-why"     = "context.error.validationErrorString"
  }
}
