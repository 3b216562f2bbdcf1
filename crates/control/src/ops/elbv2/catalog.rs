//! What AWS publishes and we repeat as constants: security policies and account limits.

use wire::Fault;
use wire::elbv2 as shapes;

/// Policies and the protocols they admit, newest first (ALB user guide, "Security policies", 2026-11).
const SSL_POLICIES: &[(&str, &[&str])] = &[
    ("ELBSecurityPolicy-TLS13-1-3-2021-06", &["TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-1-2021-06", &["TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-0-2021-06", &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", &["TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", &["TLSv1.2", "TLSv1.3"]),
    ("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", &["TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-2-2017-01", &["TLSv1.2"]),
    ("ELBSecurityPolicy-TLS-1-1-2017-01", &["TLSv1.1", "TLSv1.2"]),
    ("ELBSecurityPolicy-2016-08", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
];

/// Limits by name (ALB user guide, "Quotas", 2026-11).
const LIMITS: &[(&str, &str)] = &[
    ("application-load-balancers", "50"),
    ("listeners-per-application-load-balancer", "50"),
    ("rules-per-application-load-balancer", "100"),
    ("target-groups", "3000"),
    ("target-groups-per-action-on-application-load-balancer", "5"),
    ("target-groups-per-application-load-balancer", "100"),
    ("targets-per-application-load-balancer", "1000"),
    ("certificates-per-application-load-balancer", "25"),
];

pub(super) fn is_ssl_policy(name: &str) -> bool {
    SSL_POLICIES.iter().any(|(known, _)| *known == name)
}

pub(super) fn ssl_policies(input: &shapes::DescribeSSLPoliciesInput) -> Result<Vec<shapes::SslPolicy>, Fault> {
    let names = input.names.as_deref().unwrap_or_default();
    if let Some(unknown) = names.iter().find(|name| !is_ssl_policy(name)) {
        return Err(Fault::new("SSLPolicyNotFound", 400, format!("SSL policy '{unknown}' not found")));
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let shape = |(name, protocols): &(&str, &[&str])| shapes::SslPolicy {
        ciphers: None,
        name: Some((*name).to_owned()),
        ssl_protocols: Some(protocols.iter().map(|protocol| (*protocol).to_owned()).collect()),
        supported_load_balancer_types: Some(vec!["application".to_owned()]),
    };
    Ok(SSL_POLICIES.iter().filter(|(name, _)| wanted(name)).map(shape).collect())
}

pub(super) fn limits() -> Vec<shapes::Limit> {
    let shape =
        |(name, max): &(&str, &str)| shapes::Limit { max: Some((*max).to_owned()), name: Some((*name).to_owned()) };
    LIMITS.iter().map(shape).collect()
}
