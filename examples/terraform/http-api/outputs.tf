output "api_id" {
  value = aws_apigatewayv2_api.http.id
}

output "api_endpoint" {
  value = aws_apigatewayv2_api.http.api_endpoint
}

output "invoke_url_host" {
  description = "By host name; *.localhost is loopback for browsers and curl."
  value       = "http://${aws_apigatewayv2_api.http.id}.execute-api.${var.region}.localhost:${element(split(":", var.endpoint), 2)}"
}

output "invoke_url_path" {
  description = "By path, for clients that cannot set a host name."
  value       = "${var.endpoint}/_aws/execute-api/${aws_apigatewayv2_api.http.id}"
}

output "document_api_id" {
  value = aws_apigatewayv2_api.document.id
}

output "access_log_group" {
  value = aws_cloudwatch_log_group.access.name
}

output "vpc_id" {
  value = aws_vpc.main.id
}

output "target_group_arn" {
  value = aws_lb_target_group.service.arn
}

output "target_security_group_id" {
  value = aws_security_group.target.id
}

output "target_ips" {
  value = aws_lb_target_group_attachment.service[*].target_id
}

output "target_port" {
  value = var.target_port
}
