//! What AWS publishes and we repeat as constants: security policies and account limits.

use topology::resource::ssl_policy::SslPolicy;
use wire::Fault;
use wire::elbv2 as shapes;

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

/// The policy of this name.
pub(super) fn ssl_policy(name: &str) -> Result<SslPolicy, Fault> {
    SslPolicy::named(name).ok_or_else(|| Fault::new("SSLPolicyNotFound", 400, format!("SSL policy '{name}' not found")))
}

pub(super) fn ssl_policies(input: &shapes::DescribeSSLPoliciesInput) -> Result<Vec<shapes::SslPolicy>, Fault> {
    let named = input.names.iter().flatten().map(|name| ssl_policy(name)).collect::<Result<Vec<_>, _>>()?;
    let wanted = |policy: &SslPolicy| named.is_empty() || named.contains(policy);
    Ok(SslPolicy::all().filter(wanted).map(shape).collect())
}

fn shape(policy: SslPolicy) -> shapes::SslPolicy {
    let ciphers = policy.suites().into_iter().zip(1..);
    let cipher =
        |(name, priority): (&str, i64)| shapes::Cipher { name: Some(name.to_owned()), priority: Some(priority) };
    shapes::SslPolicy {
        ciphers: Some(ciphers.map(cipher).collect()),
        name: Some(policy.name()),
        ssl_protocols: Some(policy.protocols().iter().map(|protocol| (*protocol).to_owned()).collect()),
        supported_load_balancer_types: Some(vec!["application".to_owned(), "network".to_owned()]),
    }
}

pub(super) fn limits() -> Vec<shapes::Limit> {
    let shape =
        |(name, max): &(&str, &str)| shapes::Limit { max: Some((*max).to_owned()), name: Some((*name).to_owned()) };
    LIMITS.iter().map(shape).collect()
}
