//! Names of the model as Rust names. Only text to text; what is named is the writers' business.

pub(crate) fn capitalized(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|c| c.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}

pub(crate) fn pascal(service: &str) -> String {
    match service {
        "apigateway" => "ApiGateway".to_owned(),
        "apigatewayv2" => "ApiGatewayV2".to_owned(),
        other => capitalized(other),
    }
}

pub(crate) fn constant(name: &str) -> String {
    snake(name).trim_start_matches('_').to_ascii_uppercase()
}

/// A member or operation name as a Rust identifier.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "return" | "match" | "where" | "static" | "ref" | "enum" | "impl" | "in" | "for" | "use" | "as" => {
            snake + "_"
        }
        _ => snake,
    }
}

/// `DNSName` -> `dns_name`, `PrivateIPv4Address` -> `private_ipv4_address`, `SSLPolicies` -> `ssl_policies`.
fn snake(name: &str) -> String {
    let name = name.replace("IPv", "Ipv").replace("ARNs", "Arns");
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            let after_lower = chars[i - 1].is_ascii_lowercase() || chars[i - 1].is_ascii_digit();
            let before_lower = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
            if after_lower || (before_lower && chars[i - 1].is_ascii_uppercase()) {
                out.push('_');
            }
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_rust_identifiers() {
        let rows = [
            ("DNSName", "dns_name"),
            ("PrivateIPv4Address", "private_ipv4_address"),
            ("DescribeSSLPolicies", "describe_ssl_policies"),
            ("EnableResourceNameDnsAAAARecord", "enable_resource_name_dns_aaaa_record"),
            ("Type", "type_"),
            ("CidrIpv6", "cidr_ipv6"),
            ("logGroupName", "log_group_name"),
            ("providerARNs", "provider_arns"),
        ];
        for (model, rust) in rows {
            assert_eq!(field(model), rust, "{model}");
        }
    }
}
