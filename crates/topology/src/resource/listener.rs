//! Listeners, rules, conditions and actions.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Tags;
use super::load_balancer::{Attribute, AttributeValue, attribute_value};
use crate::id::{ListenerId, ListenerRuleId, LoadBalancerId, TargetGroupId};

/// What a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerProtocol {
    /// `HTTP`
    Http,
    /// `TCP`, of a network load balancer; a record.
    Tcp,
    /// `HTTPS`, a record until TLS listeners carry traffic.
    Https {
        /// The default certificate's ARN.
        certificate: String,
        /// The security policy's name.
        ssl_policy: String,
        /// Further certificates' ARNs, chosen by SNI.
        extra_certificates: Vec<String>,
    },
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    /// Its id.
    pub id: ListenerId,
    /// Its load balancer.
    pub load_balancer: LoadBalancerId,
    /// Its port, unique on the load balancer.
    pub port: u16,
    /// What it speaks.
    pub protocol: ListenerProtocol,
    /// The id of its default rule.
    pub default_rule: ListenerRuleId,
    /// The action of its default rule.
    pub default_action: Action,
    /// The attributes that were set, by key.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

/// Every attribute of an application load balancer's listener (ELBv2 API reference, ListenerAttribute, 2026-11) that plain
/// HTTP gives a meaning to, in key order.
pub const ATTRIBUTES: &[Attribute] = &[
    ("routing.http.response.access_control_allow_credentials.header_value", "", AttributeValue::Text),
    ("routing.http.response.access_control_allow_headers.header_value", "", AttributeValue::Text),
    ("routing.http.response.access_control_allow_methods.header_value", "", AttributeValue::Text),
    ("routing.http.response.access_control_allow_origin.header_value", "", AttributeValue::Text),
    ("routing.http.response.access_control_expose_headers.header_value", "", AttributeValue::Text),
    ("routing.http.response.access_control_max_age.header_value", "", AttributeValue::Text),
    ("routing.http.response.content_security_policy.header_value", "", AttributeValue::Text),
    ("routing.http.response.server.enabled", "true", AttributeValue::Boolean),
    ("routing.http.response.strict_transport_security.header_value", "", AttributeValue::Text),
    ("routing.http.response.x_content_type_options.header_value", "", AttributeValue::Text),
    ("routing.http.response.x_frame_options.header_value", "", AttributeValue::Text),
];

/// Every attribute of an application load balancer's HTTPS listener: those of a plain one, and the names under which targets get
/// what the client's TLS says (ELBv2 API reference, ListenerAttribute; ALB user guide, "HTTP header modification", 2026-11).
pub const HTTPS_ATTRIBUTES: &[Attribute] = &{
    const NAMES: [Attribute; 8] = [
        header("routing.http.request.x_amzn_mtls_clientcert.header_name", "X-Amzn-Mtls-Clientcert"),
        header("routing.http.request.x_amzn_mtls_clientcert_issuer.header_name", "X-Amzn-Mtls-Clientcert-Issuer"),
        header("routing.http.request.x_amzn_mtls_clientcert_leaf.header_name", "X-Amzn-Mtls-Clientcert-Leaf"),
        header(
            "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
            "X-Amzn-Mtls-Clientcert-Serial-Number",
        ),
        header("routing.http.request.x_amzn_mtls_clientcert_subject.header_name", "X-Amzn-Mtls-Clientcert-Subject"),
        header("routing.http.request.x_amzn_mtls_clientcert_validity.header_name", "X-Amzn-Mtls-Clientcert-Validity"),
        header("routing.http.request.x_amzn_tls_cipher_suite.header_name", "X-Amzn-Tls-Cipher-Suite"),
        header("routing.http.request.x_amzn_tls_version.header_name", "X-Amzn-Tls-Version"),
    ];
    let mut all = [NAMES[0]; NAMES.len() + ATTRIBUTES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < NAMES.len() { NAMES[at] } else { ATTRIBUTES[at - NAMES.len()] };
        at += 1;
    }
    all
};

const fn header(key: &'static str, name: &'static str) -> Attribute {
    (key, name, AttributeValue::HeaderName)
}

/// Every attribute of a network load balancer's TCP listener (ELBv2 API reference, ListenerAttribute, 2026-11).
pub const TCP_ATTRIBUTES: &[Attribute] = &[("tcp.idle_timeout.seconds", "350", AttributeValue::Integer(60, 6000))];

impl Listener {
    /// The attributes that it has, in key order.
    #[must_use]
    pub const fn attribute_table(&self) -> &'static [Attribute] {
        match self.protocol {
            ListenerProtocol::Http => ATTRIBUTES,
            ListenerProtocol::Https { .. } => HTTPS_ATTRIBUTES,
            ListenerProtocol::Tcp => TCP_ATTRIBUTES,
        }
    }

    /// The value of an attribute; empty for an unknown key.
    #[must_use]
    pub fn attribute(&self, key: &str) -> &str {
        attribute_value(&self.attributes, self.attribute_table(), key).unwrap_or_default()
    }
}

/// A rule other than the default rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListenerRule {
    /// Its id.
    pub id: ListenerRuleId,
    /// Its listener.
    pub listener: ListenerId,
    /// 1–50000, unique on the listener.
    pub priority: u32,
    /// All must hold; one at least.
    pub conditions: Vec<RuleCondition>,
    /// What is done.
    pub action: Action,
    /// Its tags.
    pub tags: Tags,
}

/// A condition; its values are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleCondition {
    /// `host-header`
    HostHeader(Vec<String>),
    /// `path-pattern`
    PathPattern(Vec<String>),
    /// `http-header`
    HttpHeader {
        /// The header's name, as given.
        name: String,
        /// Patterns.
        values: Vec<String>,
    },
    /// `http-request-method`
    Method(Vec<String>),
    /// `query-string`: key and value patterns.
    QueryString(Vec<(Option<String>, String)>),
    /// `source-ip`
    SourceIp(Vec<IpNet>),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// `forward`
    Forward {
        /// Groups and weights 0–999; one at least.
        groups: Vec<(TargetGroupId, u32)>,
        /// How long group stickiness would last, in seconds, 1–604800, once it is served: it is off. Kept, since who gave it
        /// looks for it.
        stickiness_s: Option<u32>,
    },
    /// `fixed-response`
    FixedResponse {
        /// 2XX, 4XX or 5XX.
        status: u16,
        /// One of five media types.
        content_type: Option<String>,
        /// At most 1024 characters.
        body: Option<String>,
    },
    /// `redirect`
    Redirect {
        /// 301 or 302.
        status: u16,
        /// Scheme or `#{protocol}`.
        protocol: String,
        /// Host, default `#{host}`.
        host: String,
        /// Port, default `#{port}`.
        port: String,
        /// Path, default `/#{path}`.
        path: String,
        /// Query, default `#{query}`.
        query: String,
    },
}

impl Action {
    /// The target groups it sends to.
    pub fn target_groups(&self) -> impl Iterator<Item = TargetGroupId> {
        let groups: &[(TargetGroupId, u32)] = match self {
            Self::Forward { groups, .. } => groups,
            Self::FixedResponse { .. } | Self::Redirect { .. } => &[],
        };
        groups.iter().map(|(group, _)| *group)
    }
}
