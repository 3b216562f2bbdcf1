output "url" {
  description = "By path, for clients that cannot set a host name."
  value       = "${var.endpoint}/_aws/execute-api/${aws_apigatewayv2_api.http.id}"
}

output "load_balancer" {
  description = "The name that programs of the VPC resolve."
  value       = aws_lb.internal.dns_name
}

output "target_group_arn" {
  value = aws_lb_target_group.web.arn
}

output "subnets" {
  value = { for place, subnet in aws_subnet.tier : place => subnet.id }
}

output "groups" {
  value = { for tier, group in aws_security_group.tier : tier => group.id }
}
