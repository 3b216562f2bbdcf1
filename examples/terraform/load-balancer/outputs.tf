output "vpc_id" {
  value = aws_vpc.main.id
}

output "client_security_group_id" {
  value = aws_security_group.client.id
}

output "target_security_group_id" {
  value = aws_security_group.target.id
}

output "listener_arns" {
  value = merge({ "80" = aws_lb_listener.http.arn }, { for port, listener in aws_lb_listener.https : port => listener.arn })
}

output "target_group_arns" {
  value = { for name, group in aws_lb_target_group.group : name => group.arn }
}

output "target_ips" {
  value = [for subnet in aws_subnet.private : cidrhost(subnet.cidr_block, 10)]
}

output "edge_listener_arns" {
  value = { "10443" = aws_lb_listener.edge_tcp.arn, "10444" = aws_lb_listener.edge_tls.arn }
}

output "edge_target_group_arns" {
  value = { balancer = aws_lb_target_group.balancer.arn, direct = aws_lb_target_group.direct.arn }
}
