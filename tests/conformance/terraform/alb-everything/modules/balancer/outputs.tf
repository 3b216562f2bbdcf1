output "load_balancer" {
  value = aws_lb.this
}

output "security_group_id" {
  value = aws_security_group.this.id
}

output "listeners" {
  value = aws_lb_listener.this
}

output "target_groups" {
  value = aws_lb_target_group.this
}

output "rules" {
  value     = aws_lb_listener_rule.this
  sensitive = true
}
