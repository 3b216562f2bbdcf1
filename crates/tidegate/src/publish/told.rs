//! What is told of what is published: where it answers, who may reach what, the calls that built it, and the Terraform that is the same.
//! Values in, text out.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::document;
use super::private::{ADDRESS, LISTENER_PORT, PORT, Private, name};
use super::public::Api;
use super::wish::Wish;

/// All that is told.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) wish: &'a Wish,
    pub(super) to: SocketAddr,
    pub(super) private: &'a Private,
    pub(super) api: &'a Api,
    /// The key that clients need.
    pub(super) key: Option<String>,
    /// Where it answers: the name first.
    pub(super) urls: Vec<String>,
    /// The lines of the AWS CLI that made the changes.
    pub(super) calls: Vec<String>,
}

impl Told<'_> {
    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let Self { wish, private, api, .. } = self;
        json!({
            "host": wish.host.as_str(),
            "urls": self.urls,
            "api": api.id,
            "stage": api.kind.stage(),
            "link": private.link,
            "load_balancer": private.load_balancer,
            "target_group": private.target_group,
            "to": self.to,
            "attach": self.attach(),
            "api_key": self.key,
            "calls": self.calls,
            "terraform": terraform(wish, self.to),
        })
    }

    fn attach(&self) -> String {
        let Private { vpc, groups, .. } = self.private;
        format!("tidegate attach --vpc {vpc} --security-group {} {ADDRESS}:{PORT} {}", groups.service, self.to)
    }

    /// The same by other means, and then, where a person looks, what stands.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { wish, private, to, .. } = self;
        let mut lines = Vec::new();
        if self.calls.is_empty() {
            lines.push("# Nothing had to be changed.".to_owned());
        } else {
            lines.push("# The same by the AWS CLI:".to_owned());
            lines.extend(self.calls.iter().cloned());
            lines.push(self.attach());
        }
        lines.push(String::new());
        lines.push("# The same by Terraform:".to_owned());
        lines.extend(terraform(wish, *to).lines().map(str::to_owned));
        lines.push(String::new());
        lines.push(format!("{} is published.", wish.host));
        lines.push(String::new());
        for (at, url) in self.urls.iter().enumerate() {
            lines.push(format!("{:<14} {url}", if at == 0 { "answers at" } else { "" }));
        }
        lines.extend(self.attempt().map(|attempt| format!("{:<14} {attempt}", "try")));
        lines.push(String::new());
        lines.push(format!("{:<14} {}", "anyone", guards(wish)));
        lines.extend(self.key.as_ref().map(|key| format!("{:<14} x-api-key: {key}", "the key")));
        let alone = |who: &str, what: &str, group: &str| format!("{who:<14} {what}: {group} admits it alone");
        let listener = format!("the load balancer, at port {LISTENER_PORT}");
        lines.push(alone("the link", &listener, &private.groups.balancer));
        lines.push(alone("the balancer", &format!("the service, at {ADDRESS}:{PORT}"), &private.groups.service));
        lines.push(format!("{:<14} nothing of it; who reaches {to} itself is not for Tidegate to say", "nobody else"));
        lines
    }

    /// A request that a person may type, with the certificate of the development authority.
    fn attempt(&self) -> Option<String> {
        let (url, host) = (self.urls.first()?, &self.wish.host);
        let port = url.strip_prefix("https://")?.split('/').next()?.rsplit(':').next()?;
        let trust = if self.wish.certificate.is_none() && !self.wish.acme { " --cacert <(tidegate ca)" } else { "" };
        Some(format!("curl{trust} --resolve {host}:{port}:127.0.0.1 {url}"))
    }
}

/// What a client needs to reach the service.
pub(super) fn guards(wish: &Wish) -> String {
    let below = if wish.path.is_empty() { "everything".to_owned() } else { format!("{} and what is below", wish.path) };
    let mut text = match &wish.jwt {
        Some(jwt) => {
            let scopes =
                if jwt.scopes.is_empty() { String::new() } else { format!(" and scope {}", jwt.scopes.join(" or ")) };
            format!("{below}, with a token of {} for {}{scopes}", jwt.issuer, jwt.audience.join(" or "))
        }
        None if wish.api_key => format!("{below}, with the key"),
        None => format!("{below}, with no credentials"),
    };
    if let Some((rate, burst)) = wish.limit {
        text.push_str(&format!("; {rate} requests a second, {burst} at once"));
    }
    if !wish.cors.is_empty() {
        text.push_str(&format!("; pages of {}", wish.cors.join(", ")));
    }
    text
}

/// Text within a string of Terraform.
fn quoted(value: &Value) -> String {
    value.to_string().replace("${", "$${").replace("%{", "%%{")
}

/// The same as a configuration of Terraform; the attachment is tidegate's own.
fn terraform(wish: &Wish, to: SocketAddr) -> String {
    let (name, host) = (name(&wish.host), wish.host.as_str());
    let (path, codes) = wish.health.as_deref().map_or(("/", "200-499"), |path| (path, "200"));
    let (cert, key) = wish.certificate.as_ref().map_or_else(
        || (format!("{host}.crt"), format!("{host}.key")),
        |(cert, key)| (cert.display().to_string(), key.display().to_string()),
    );
    let (certificate, arn) = match wish.acme {
        true => (asked_for(host), "aws_acm_certificate_validation.this.certificate_arn"),
        false => (given(&cert, &key), "aws_acm_certificate.this.arn"),
    };
    let shared = format!(
        r#"resource "aws_vpc" "this" {{
  cidr_block = "10.97.0.0/16"
}}
data "aws_availability_zones" "these" {{}}
resource "aws_subnet" "private" {{
  count             = 2
  vpc_id            = aws_vpc.this.id
  cidr_block        = "10.97.${{count.index}}.0/24"
  availability_zone = data.aws_availability_zones.these.names[count.index]
}}
resource "aws_security_group" "this" {{
  for_each = toset(["link", "alb", "service"])
  name     = "{name}-${{each.key}}"
  vpc_id   = aws_vpc.this.id
}}
locals {{
  ways = {{ link = ["alb", {LISTENER_PORT}], alb = ["service", {PORT}] }}
}}
resource "aws_vpc_security_group_egress_rule" "this" {{
  for_each                     = local.ways
  security_group_id            = aws_security_group.this[each.key].id
  referenced_security_group_id = aws_security_group.this[each.value[0]].id
  ip_protocol                  = "tcp"
  from_port                    = each.value[1]
  to_port                      = each.value[1]
}}
resource "aws_vpc_security_group_ingress_rule" "this" {{
  for_each                     = local.ways
  security_group_id            = aws_security_group.this[each.value[0]].id
  referenced_security_group_id = aws_security_group.this[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = each.value[1]
  to_port                      = each.value[1]
}}
resource "aws_lb" "this" {{
  name               = "{name}"
  internal           = true
  load_balancer_type = "application"
  subnets            = aws_subnet.private[*].id
  security_groups    = [aws_security_group.this["alb"].id]
}}
resource "aws_lb_target_group" "this" {{
  name        = "{name}"
  protocol    = "HTTP"
  port        = {PORT}
  vpc_id      = aws_vpc.this.id
  target_type = "ip"
  health_check {{
    path                = "{path}"
    matcher             = "{codes}"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }}
}}
resource "aws_lb_target_group_attachment" "this" {{
  target_group_arn = aws_lb_target_group.this.arn
  target_id        = "{ADDRESS}" # tidegate attach --vpc VPC --security-group SERVICE_GROUP {ADDRESS}:{PORT} {to}
  port             = {PORT}
}}
resource "aws_lb_listener" "this" {{
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTP"
  port              = {LISTENER_PORT}
  default_action {{
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }}
}}
resource "aws_apigatewayv2_vpc_link" "this" {{
  name               = "{name}"
  subnet_ids         = aws_subnet.private[*].id
  security_group_ids = [aws_security_group.this["link"].id]
}}
{certificate}resource "aws_apigatewayv2_domain_name" "this" {{
  domain_name = "{host}"
  domain_name_configuration {{
    certificate_arn = {arn}
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }}
}}
"#
    );
    shared + &if wish.api_key { rest(wish) } else { http(wish) }
}

/// A certificate of files.
fn given(cert: &str, key: &str) -> String {
    format!(
        r#"resource "aws_acm_certificate" "this" {{
  certificate_body = file("{cert}")
  private_key      = file("{key}")
}}
"#
    )
}

/// A certificate that is asked for, and the wait until it is issued.
fn asked_for(host: &str) -> String {
    format!(
        r#"resource "aws_acm_certificate" "this" {{
  domain_name       = "{host}"
  validation_method = "DNS"
}}
resource "aws_acm_certificate_validation" "this" {{
  certificate_arn = aws_acm_certificate.this.arn
}}
"#
    )
}

/// References of Terraform where the document has ids.
fn placeholders() -> Private {
    Private {
        listener: "@aws_lb_listener.this.arn@".to_owned(),
        link: "@aws_apigatewayv2_vpc_link.this.id@".to_owned(),
        load_balancer: "@aws_lb.this.arn@".to_owned(),
        ..Private::default()
    }
}

/// The document as an expression: JSON is one, but for what it refers to.
fn body(document: &Value) -> String {
    let mut text = quoted(document);
    let Private { listener, link, load_balancer, .. } = placeholders();
    for reference in [listener, link, load_balancer] {
        text = text.replace(&format!("\"{reference}\""), reference.trim_matches('@'));
    }
    text
}

fn http(wish: &Wish) -> String {
    let host = wish.host.as_str();
    let limits = wish.limit.map(|(rate, burst)| {
        format!("  default_route_settings {{\n    throttling_rate_limit  = {rate}\n    throttling_burst_limit = {burst}\n  }}\n")
    });
    format!(
        r#"resource "aws_apigatewayv2_api" "this" {{
  name          = "{host}"
  protocol_type = "HTTP"
  version       = "{}"
  body          = jsonencode({})
}}
resource "aws_apigatewayv2_stage" "this" {{
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
{}}}
resource "aws_apigatewayv2_api_mapping" "this" {{
  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this.id
  stage       = aws_apigatewayv2_stage.this.id
}}
"#,
        wish.version,
        body(&document::http(wish, &placeholders())),
        limits.unwrap_or_default(),
    )
}

fn rest(wish: &Wish) -> String {
    let host = wish.host.as_str();
    let limits = wish.limit.map(|(rate, burst)| {
        format!("  throttle_settings {{\n    rate_limit  = {rate}\n    burst_limit = {burst}\n  }}\n")
    });
    format!(
        r#"resource "aws_api_gateway_rest_api" "this" {{
  name = "{host}"
  body = jsonencode({})
  endpoint_configuration {{
    types = ["REGIONAL"]
  }}
}}
resource "aws_api_gateway_deployment" "this" {{
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers    = {{ body = aws_api_gateway_rest_api.this.body }}
}}
resource "aws_api_gateway_stage" "this" {{
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = "live"
}}
resource "aws_api_gateway_api_key" "this" {{
  name = "{host}"
}}
resource "aws_api_gateway_usage_plan" "this" {{
  name = "{host}"
  api_stages {{
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.this.stage_name
  }}
{}}}
resource "aws_api_gateway_usage_plan_key" "this" {{
  usage_plan_id = aws_api_gateway_usage_plan.this.id
  key_id        = aws_api_gateway_api_key.this.id
  key_type      = "API_KEY"
}}
resource "aws_apigatewayv2_api_mapping" "this" {{
  api_id      = aws_api_gateway_rest_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this.id
  stage       = aws_api_gateway_stage.this.stage_name
}}
"#,
        body(&document::rest(wish, &placeholders())),
        limits.unwrap_or_default(),
    )
}
