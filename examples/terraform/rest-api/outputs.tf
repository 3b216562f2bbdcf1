output "api_id" {
  value = aws_api_gateway_rest_api.pets.id
}

output "api_key" {
  value     = aws_api_gateway_api_key.client.value
  sensitive = true
}

output "invoke_url_host" {
  description = "By host name; *.localhost is loopback for browsers and curl."
  value       = "http://${aws_api_gateway_rest_api.pets.id}.execute-api.${var.region}.localhost:${element(split(":", var.endpoint), 2)}/${aws_api_gateway_stage.live.stage_name}"
}

output "invoke_url_path" {
  description = "By path, for clients that cannot set a host name."
  value       = "${var.endpoint}/_aws/execute-api/${aws_api_gateway_rest_api.pets.id}/${aws_api_gateway_stage.live.stage_name}"
}

output "access_log_group" {
  value = aws_cloudwatch_log_group.access.name
}
