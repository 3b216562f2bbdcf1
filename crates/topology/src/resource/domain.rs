//! Custom domain names: the name with its certificate and trust store, the API mappings below it, and its routing rules.
//! Where traffic of a name goes is compiled elsewhere; nothing here reads a certificate.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::arn::CertificateArn;
use crate::id::{ApiId, ApiMappingId, HostName, RoutingRuleId, StageName};

/// Bytes of a label (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;

/// Whether this may stand where a wildcard does: one label of letters, digits, hyphens and underscores. A host comes from
/// outside and goes on in headers, so nothing else may.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether `pattern` (a name, or `*.` and a name: one label more) stands for `host`. Case is ignored.
#[must_use]
pub fn stands_for(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            host.split_once('.').is_some_and(|(label, rest)| is_label(label) && rest.eq_ignore_ascii_case(parent))
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// How requests to a domain name find their API (`routingMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RoutingMode {
    /// By API mappings.
    #[default]
    ApiMappingOnly,
    /// By routing rules.
    RoutingRuleOnly,
    /// By routing rules, then by API mappings.
    RoutingRuleThenApiMapping,
}

impl RoutingMode {
    /// Every mode, as AWS spells it.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::ApiMappingOnly, "API_MAPPING_ONLY"),
        (Self::RoutingRuleOnly, "ROUTING_RULE_ONLY"),
        (Self::RoutingRuleThenApiMapping, "ROUTING_RULE_THEN_API_MAPPING"),
    ];

    /// The mode as AWS spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(mode, _)| *mode == self).map_or("", |(_, name)| name)
    }
}

/// `mutualTlsAuthentication`, with what the trust store held when it was set: a restart reads no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutualTls {
    /// `s3://BUCKET/KEY`
    pub truststore_uri: String,
    /// The version of the object.
    pub truststore_version: Option<String>,
    /// The certificates in PEM.
    pub bundle: Arc<str>,
    /// What is wrong with some of them.
    pub warnings: Vec<String>,
}

/// A custom domain name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainName {
    /// The name in lower case, which is its key; `*.` and a name stands for one label more.
    pub name: HostName,
    /// The certificate's ARN.
    pub certificate_arn: CertificateArn,
    /// The ARN of a certificate that proves who owns the name (`ownershipVerificationCertificateArn`).
    #[serde(default)]
    pub ownership_certificate_arn: Option<CertificateArn>,
    /// `TLS_1_2`
    pub security_policy: String,
    /// `ipv4` or `dualstack`.
    pub ip_address_type: String,
    /// The first label of `apiGatewayDomainName`.
    pub target_label: String,
    /// Whether clients must show a certificate, and of whom.
    #[serde(default)]
    pub mutual_tls: Option<MutualTls>,
    /// How requests find their API.
    #[serde(default)]
    pub routing_mode: RoutingMode,
    /// Its tags.
    pub tags: Tags,
}

/// The mapping of an API's stage below a domain name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiMapping {
    /// Its id.
    pub id: ApiMappingId,
    /// Its domain name.
    pub domain_name: HostName,
    /// The API.
    pub api: ApiId,
    /// The stage.
    pub stage: StageName,
    /// The key, of one or several segments; empty catches all.
    pub key: String,
}

/// A condition of a routing rule; its values are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoutingCondition {
    /// `matchHeaders`: a header's name, whose case is ignored, and a pattern of its value, whose case counts.
    Headers(Vec<(String, String)>),
    /// `matchBasePaths`: what the path begins with, in whole segments; case counts.
    BasePaths(Vec<String>),
}

/// A routing rule of a domain name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRule {
    /// Its id.
    pub id: RoutingRuleId,
    /// Its domain name.
    pub domain_name: HostName,
    /// 1–1,000,000, unique below the name; the lowest is asked first.
    pub priority: u32,
    /// All must hold; none catches all.
    pub conditions: Vec<RoutingCondition>,
    /// The API whose stage is invoked.
    pub api: ApiId,
    /// The stage.
    pub stage: StageName,
    /// Whether the base path that matched is taken away.
    pub strip_base_path: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wildcards_table() {
        for (pattern, host, expected) in [
            ("api.example.com", "API.example.com", true),
            ("api.example.com", "x.api.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "A.EXAMPLE.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "a_b-1.example.com", true),
            ("*.example.com", "a,for=unknown.example.com", false),
            ("*.example.com", "a;x.example.com", false),
            ("*.example.com", "a=b.example.com", false),
            ("*.example.com", "a\"b.example.com", false),
            ("*.example.com", "a b.example.com", false),
            ("*.example.com", "*.example.com", false),
            ("*.example.com", "\u{fc}.example.com", false),
        ] {
            assert_eq!(stands_for(pattern, host), expected, "{pattern} for {host}");
        }
        for (length, expected) in [(63, true), (64, false)] {
            assert_eq!(
                stands_for("*.example.com", &format!("{}.example.com", "a".repeat(length))),
                expected,
                "{length}"
            );
        }
    }
}
