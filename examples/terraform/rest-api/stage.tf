resource "aws_cloudwatch_log_group" "access" {
  name              = "/tidegate/${var.name}"
  retention_in_days = var.revision > 1 ? 14 : 7
}

# A deployment is a frozen copy: another one is made whenever something that it holds changes.
resource "aws_api_gateway_deployment" "pets" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  description = "revision ${var.revision}"

  triggers = {
    redeployment = sha1("${var.revision} ${file("${path.module}/api.tf")}")
  }

  # What is frozen must be there first.
  depends_on = [
    aws_api_gateway_integration.get_pet,
    aws_api_gateway_integration.create_pet,
    aws_api_gateway_integration_response.created,
    aws_api_gateway_integration.health,
    aws_api_gateway_integration_response.health,
    aws_api_gateway_gateway_response.bad_body,
  ]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "live" {
  rest_api_id   = aws_api_gateway_rest_api.pets.id
  deployment_id = aws_api_gateway_deployment.pets.id
  stage_name    = "live"
  description   = "revision ${var.revision}"
  variables     = { release = "r${var.revision}" }

  documentation_version = aws_api_gateway_documentation_version.pets.version

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      id       = "$context.requestId"
      resource = "$context.resourcePath"
      status   = "$context.status"
      key      = "$context.identity.apiKeyId"
      release  = "r${var.revision}"
    })
  }
}

resource "aws_api_gateway_method_settings" "all" {
  rest_api_id = aws_api_gateway_rest_api.pets.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    throttling_rate_limit  = 999 + var.revision
    throttling_burst_limit = 499 + var.revision
  }
}

resource "aws_api_gateway_api_key" "client" {
  name        = "${var.name}-client"
  description = "revision ${var.revision}"
}

resource "aws_api_gateway_usage_plan" "basic" {
  name        = "${var.name}-${var.revision}"
  description = "revision ${var.revision}"

  api_stages {
    api_id = aws_api_gateway_rest_api.pets.id
    stage  = aws_api_gateway_stage.live.stage_name

    throttle {
      path        = "${aws_api_gateway_resource.pets.path}/POST"
      rate_limit  = 99 + var.revision
      burst_limit = 49 + var.revision
    }
  }

  quota_settings {
    limit  = 999 + var.revision
    period = "DAY"
  }

  throttle_settings {
    rate_limit  = 199 + var.revision
    burst_limit = 99 + var.revision
  }
}

resource "aws_api_gateway_usage_plan_key" "client" {
  usage_plan_id = aws_api_gateway_usage_plan.basic.id
  key_id        = aws_api_gateway_api_key.client.id
  key_type      = "API_KEY"
}
