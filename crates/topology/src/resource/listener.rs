//! Listeners, rules and conditions. What rules do stands in [`super::action`].

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Tags;
use super::action::Action;
use super::attribute::{AttributeError, Attributes, Owner};
use super::gate::{Gate, Order};
use super::load_balancer::BalancerKind;
use super::pattern::{Patterns, Transforms};
use super::trust_store::MutualAuthentication;
use crate::arn::CertificateArn;
use crate::id::{ListenerId, ListenerRuleId, LoadBalancerId};

/// What a listener speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListenerProtocol {
    /// `HTTP`
    Http,
    /// `TCP`, of a network load balancer.
    Tcp,
    /// `TLS`, of a network load balancer: what clients send within it goes on as bytes.
    Tls {
        /// The default certificate's ARN.
        certificate: CertificateArn,
        /// The security policy's name.
        ssl_policy: String,
        /// Further certificates' ARNs, chosen by SNI.
        extra_certificates: Vec<CertificateArn>,
        /// What is agreed with clients by ALPN, where that was said.
        alpn: Option<AlpnPolicy>,
    },
    /// `HTTPS`
    Https {
        /// The default certificate's ARN.
        certificate: CertificateArn,
        /// The security policy's name.
        ssl_policy: String,
        /// Further certificates' ARNs, chosen by SNI.
        extra_certificates: Vec<CertificateArn>,
        /// What is asked of clients' certificates. Left out where nothing is, as before there was anything to ask.
        #[serde(default, skip_serializing_if = "MutualAuthentication::is_off")]
        mutual: MutualAuthentication,
    },
}

/// What a TLS listener of a network load balancer agrees on by ALPN (NLB user guide, "ALPN policies", 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AlpnPolicy {
    /// `None`: nothing is agreed.
    #[default]
    None,
    /// `HTTP1Only`
    Http1Only,
    /// `HTTP2Only`
    Http2Only,
    /// `HTTP2Optional`: HTTP/1.1 before HTTP/2.
    Http2Optional,
    /// `HTTP2Preferred`: HTTP/2 before HTTP/1.1.
    Http2Preferred,
}

impl AlpnPolicy {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Http1Only, Self::Http2Only, Self::Http2Optional, Self::Http2Preferred, Self::None];

    /// The name that AWS gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Http1Only => "HTTP1Only",
            Self::Http2Only => "HTTP2Only",
            Self::Http2Optional => "HTTP2Optional",
            Self::Http2Preferred => "HTTP2Preferred",
        }
    }

    /// The protocols that are taken, the preferred one first.
    #[must_use]
    pub const fn protocols(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Http1Only => &["http/1.1", "http/1.0"],
            Self::Http2Only => &["h2"],
            Self::Http2Optional => &["http/1.1", "http/1.0", "h2"],
            Self::Http2Preferred => &["h2", "http/1.1", "http/1.0"],
        }
    }
}

impl ListenerProtocol {
    /// The certificates that it presents, the default one and the others, where it speaks TLS.
    #[must_use]
    pub const fn certificates(&self) -> Option<(&CertificateArn, &Vec<CertificateArn>)> {
        match self {
            Self::Http | Self::Tcp => None,
            Self::Https { certificate, extra_certificates, .. } | Self::Tls { certificate, extra_certificates, .. } => {
                Some((certificate, extra_certificates))
            }
        }
    }

    /// The certificates besides the default one, to be changed, where it speaks TLS.
    pub const fn extra_certificates_mut(&mut self) -> Option<&mut Vec<CertificateArn>> {
        match self {
            Self::Http | Self::Tcp => None,
            Self::Https { extra_certificates, .. } | Self::Tls { extra_certificates, .. } => Some(extra_certificates),
        }
    }

    /// The name of its security policy, where it speaks TLS.
    #[must_use]
    pub fn ssl_policy(&self) -> Option<&str> {
        match self {
            Self::Http | Self::Tcp => None,
            Self::Https { ssl_policy, .. } | Self::Tls { ssl_policy, .. } => Some(ssl_policy),
        }
    }

    /// What it agrees on by ALPN, where that was said.
    #[must_use]
    pub const fn alpn(&self) -> Option<AlpnPolicy> {
        match self {
            Self::Tls { alpn, .. } => *alpn,
            Self::Http | Self::Tcp | Self::Https { .. } => None,
        }
    }

    /// The name that AWS gives it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Tcp => "TCP",
            Self::Tls { .. } => "TLS",
            Self::Https { .. } => "HTTPS",
        }
    }

    /// The kind of load balancer whose listeners speak it.
    #[must_use]
    pub const fn kind(&self) -> BalancerKind {
        match self {
            Self::Http | Self::Https { .. } => BalancerKind::Application,
            Self::Tcp | Self::Tls { .. } => BalancerKind::Network,
        }
    }

    /// Whether rules of listeners that speak it may ask this of a request.
    ///
    /// # Errors
    /// When they ask anything, and it is not HTTPS.
    pub fn admits(&self, gate: Option<&Gate>) -> Result<(), ListenerError> {
        match (self, gate) {
            (_, None) | (Self::Https { .. }, _) => Ok(()),
            (Self::Http | Self::Tcp | Self::Tls { .. }, Some(gate)) => Err(ListenerError::Gate(gate.check.type_name())),
        }
    }

    /// What is asked of clients' certificates.
    #[must_use]
    pub const fn mutual(&self) -> MutualAuthentication {
        match self {
            Self::Http | Self::Tcp | Self::Tls { .. } => MutualAuthentication::Off,
            Self::Https { mutual, .. } => *mutual,
        }
    }

    const fn owner(&self) -> Owner {
        match self {
            Self::Http => Owner::HttpListener,
            Self::Https { .. } => Owner::HttpsListener,
            Self::Tcp | Self::Tls { .. } => Owner::TcpListener,
        }
    }
}

/// A listener. What it speaks, what its default rule does and which attributes it has fit each other and the kind of its load
/// balancer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Listener {
    /// Its id.
    pub id: ListenerId,
    /// Its load balancer.
    pub load_balancer: LoadBalancerId,
    /// Its port, unique on the load balancer.
    pub port: u16,
    /// The id of its default rule.
    pub default_rule: ListenerRuleId,
    /// Its tags.
    pub tags: Tags,
    /// The place that was given to its default action, where nothing is asked before it.
    pub default_order: Option<Order>,
    protocol: ListenerProtocol,
    default_gate: Option<Gate>,
    default_action: Action,
    attributes: Attributes,
}

/// What a listener is made of.
#[derive(Debug, Clone)]
pub struct NewListener {
    /// Its id.
    pub id: ListenerId,
    /// Its load balancer.
    pub load_balancer: LoadBalancerId,
    /// The kind of its load balancer.
    pub kind: BalancerKind,
    /// Its port.
    pub port: u16,
    /// What it speaks.
    pub protocol: ListenerProtocol,
    /// The id of its default rule.
    pub default_rule: ListenerRuleId,
    /// What is asked before the action of its default rule.
    pub default_gate: Option<Gate>,
    /// The action of its default rule.
    pub default_action: Action,
    /// Its tags.
    pub tags: Tags,
}

/// Why there can be no such listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerError {
    /// Load balancers of its kind do not speak the protocol.
    Protocol(BalancerKind, &'static str),
    /// A network load balancer forwards, and does nothing else.
    Action(&'static str),
    /// Only a listener that speaks HTTPS asks for tokens and users.
    Gate(&'static str),
    /// An attribute is none of its.
    Attribute(AttributeError),
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(kind, name) => {
                write!(f, "Listener protocol '{name}' is not supported on load balancers with type '{}'", kind.as_str())
            }
            Self::Action(name) => {
                write!(f, "Actions of type '{name}' are not supported on Network Load Balancers")
            }
            Self::Gate(name) => write!(f, "Actions of type '{name}' are supported only on HTTPS listeners"),
            Self::Attribute(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenerError {}

impl Listener {
    /// A listener whose attributes are at their defaults.
    ///
    /// # Errors
    /// When its load balancer does not speak the protocol, or cannot do what the action says.
    pub fn new(wanted: NewListener) -> Result<Self, ListenerError> {
        let NewListener { id, load_balancer, kind, port, protocol, default_rule, default_gate, default_action, tags } =
            wanted;
        check(kind, &protocol, (default_gate.as_ref(), &default_action))?;
        let attributes = Attributes::new(protocol.owner());
        let default_order = None;
        Ok(Self {
            id,
            load_balancer,
            port,
            default_rule,
            tags,
            default_order,
            protocol,
            default_gate,
            default_action,
            attributes,
        })
    }

    /// What it speaks.
    #[must_use]
    pub const fn protocol(&self) -> &ListenerProtocol {
        &self.protocol
    }

    /// What is asked before the action of its default rule.
    #[must_use]
    pub const fn default_gate(&self) -> Option<&Gate> {
        self.default_gate.as_ref()
    }

    /// The action of its default rule.
    #[must_use]
    pub const fn default_action(&self) -> &Action {
        &self.default_action
    }

    /// Its attributes.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Makes it speak another protocol. Attributes that only the former has are forgotten.
    ///
    /// # Errors
    /// When its load balancer does not speak it, or its default rule asks what only the former can.
    pub fn set_protocol(&mut self, protocol: ListenerProtocol) -> Result<(), ListenerError> {
        check(self.protocol.kind(), &protocol, (self.default_gate(), &self.default_action))?;
        self.attributes = self.attributes.handed_to(protocol.owner());
        self.protocol = protocol;
        Ok(())
    }

    /// Gives its default rule another action.
    ///
    /// # Errors
    /// When its load balancer cannot do what the action says.
    pub fn set_default_action(&mut self, action: Action) -> Result<(), ListenerError> {
        check(self.protocol.kind(), &self.protocol, (self.default_gate(), &action))?;
        self.default_action = action;
        Ok(())
    }

    /// Puts a gate before the action of its default rule, or takes it away.
    ///
    /// # Errors
    /// When it does not speak HTTPS.
    pub fn set_default_gate(&mut self, gate: Option<Gate>) -> Result<(), ListenerError> {
        check(self.protocol.kind(), &self.protocol, (gate.as_ref(), &self.default_action))?;
        self.default_gate = gate;
        Ok(())
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// As [`Attributes::set`].
    pub fn set_attribute(&mut self, key: &str, value: &str) -> Result<(), AttributeError> {
        self.attributes.set(key, value)
    }
}

fn check(
    kind: BalancerKind,
    protocol: &ListenerProtocol,
    (gate, action): (Option<&Gate>, &Action),
) -> Result<(), ListenerError> {
    if protocol.kind() != kind {
        return Err(ListenerError::Protocol(kind, protocol.as_str()));
    }
    protocol.admits(gate)?;
    match (kind, action) {
        (BalancerKind::Application, _) | (BalancerKind::Network, Action::Forward(_)) => Ok(()),
        (BalancerKind::Network, Action::FixedResponse(_) | Action::Redirect(_)) => {
            Err(ListenerError::Action(action.type_name()))
        }
    }
}

/// How it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    id: ListenerId,
    load_balancer: LoadBalancerId,
    port: u16,
    protocol: ListenerProtocol,
    default_rule: ListenerRuleId,
    /// Left out where there is none, as before there could be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_gate: Option<Gate>,
    default_action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_order: Option<Order>,
    attributes: BTreeMap<String, String>,
    tags: Tags,
}

impl TryFrom<Stored> for Listener {
    type Error = ListenerError;
    fn try_from(kept: Stored) -> Result<Self, ListenerError> {
        let Stored { protocol, default_gate, default_action, .. } = &kept;
        check(protocol.kind(), protocol, (default_gate.as_ref(), default_action))?;
        let attributes = Attributes::stored(protocol.owner(), kept.attributes).map_err(ListenerError::Attribute)?;
        Ok(Self {
            id: kept.id,
            load_balancer: kept.load_balancer,
            port: kept.port,
            default_rule: kept.default_rule,
            tags: kept.tags,
            default_order: kept.default_order,
            protocol: kept.protocol,
            default_gate: kept.default_gate,
            default_action: kept.default_action,
            attributes,
        })
    }
}

impl From<Listener> for Stored {
    fn from(listener: Listener) -> Self {
        Self {
            id: listener.id,
            load_balancer: listener.load_balancer,
            port: listener.port,
            protocol: listener.protocol,
            default_rule: listener.default_rule,
            default_gate: listener.default_gate,
            default_action: listener.default_action,
            default_order: listener.default_order,
            attributes: listener.attributes.kept(),
            tags: listener.tags,
        }
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
    /// What is asked before the action. Only rules of listeners that speak HTTPS ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What is done.
    pub action: Action,
    /// The place that was given to the action, where nothing is asked before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What is rewritten of a request before it is forwarded.
    #[serde(default, skip_serializing_if = "Transforms::is_empty")]
    pub transforms: Transforms,
    /// Its tags.
    pub tags: Tags,
}

/// A condition; its values are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleCondition {
    /// `host-header`
    HostHeader(Patterns<true>),
    /// `path-pattern`
    PathPattern(Patterns<false>),
    /// `http-header`
    HttpHeader {
        /// The header's name, as given.
        name: String,
        /// Patterns of its values.
        values: Patterns<true>,
    },
    /// `http-request-method`
    Method(Vec<String>),
    /// `query-string`: key and value patterns.
    QueryString(Vec<(Option<String>, String)>),
    /// `source-ip`
    SourceIp(Vec<IpNet>),
}

#[cfg(test)]
mod tests {
    use super::super::action::{Redirect, RedirectParts, RedirectStatus};
    use super::super::gate::{Check, JwtValidation, JwtValidationParts};
    use super::*;
    use crate::id::TargetGroupId;

    fn made(kind: BalancerKind, protocol: ListenerProtocol, default_action: Action) -> Result<Listener, ListenerError> {
        Listener::new(NewListener {
            id: ListenerId::from_bits(1),
            load_balancer: LoadBalancerId::from_bits(2),
            kind,
            port: 80,
            protocol,
            default_rule: ListenerRuleId::from_bits(3),
            default_gate: None,
            default_action,
            tags: Tags::new(),
        })
    }

    fn forward() -> Action {
        Action::to(TargetGroupId::from_bits(4))
    }

    fn redirect() -> Action {
        let text = |text: &str| text.to_owned();
        let parts = RedirectParts {
            status: RedirectStatus::Found,
            protocol: text("HTTPS"),
            host: text("#{host}"),
            port: text("443"),
            path: text("/#{path}"),
            query: text("#{query}"),
        };
        Action::Redirect(Redirect::new(parts).unwrap())
    }

    #[test]
    fn a_network_load_balancer_forwards_and_does_nothing_else() {
        let words = made(BalancerKind::Network, ListenerProtocol::Tcp, redirect()).unwrap_err().to_string();
        assert_eq!(words, "Actions of type 'redirect' are not supported on Network Load Balancers");
        let mut listener = made(BalancerKind::Network, ListenerProtocol::Tcp, forward()).unwrap();
        assert_eq!(listener.set_default_action(redirect()), Err(ListenerError::Action("redirect")));
        assert_eq!(*listener.default_action(), forward());
        let kept = serde_json::to_string(&listener).unwrap();
        let kept =
            kept.replace(&serde_json::to_string(&forward()).unwrap(), &serde_json::to_string(&redirect()).unwrap());
        assert!(serde_json::from_str::<Listener>(&kept).unwrap_err().to_string().contains("'redirect'"));
    }

    #[test]
    fn a_listener_speaks_what_its_load_balancer_speaks() {
        for (kind, protocol) in
            [(BalancerKind::Network, ListenerProtocol::Http), (BalancerKind::Application, ListenerProtocol::Tcp)]
        {
            let name = protocol.as_str();
            assert_eq!(made(kind, protocol, forward()), Err(ListenerError::Protocol(kind, name)));
        }
        let mut listener = made(BalancerKind::Application, ListenerProtocol::Http, redirect()).unwrap();
        assert!(listener.set_protocol(ListenerProtocol::Tcp).is_err());
        assert_eq!(*listener.protocol(), ListenerProtocol::Http);
    }

    fn gate() -> Gate {
        let parts = JwtValidationParts {
            jwks_endpoint: "https://i.example/keys".to_owned(),
            issuer: "https://i.example".to_owned(),
            claims: Vec::new(),
        };
        Gate::new(Check::Jwt(JwtValidation::new(parts).unwrap()), (1, 2)).unwrap()
    }

    #[test]
    fn only_a_tls_listener_asks_for_tokens() {
        let arn = "arn:aws:acm:us-east-1:000000000000:certificate/00000000-0000-4000-8000-000000000001";
        let https = || ListenerProtocol::Https {
            certificate: arn.parse().unwrap(),
            ssl_policy: "ELBSecurityPolicy-2016-08".to_owned(),
            extra_certificates: Vec::new(),
            mutual: MutualAuthentication::Off,
        };
        let mut plain = made(BalancerKind::Application, ListenerProtocol::Http, forward()).unwrap();
        assert_eq!(plain.set_default_gate(Some(gate())), Err(ListenerError::Gate("jwt-validation")));
        let mut listener = made(BalancerKind::Application, https(), forward()).unwrap();
        assert!(!serde_json::to_string(&listener).unwrap().contains("default_gate"), "kept as before there were gates");
        listener.set_default_gate(Some(gate())).unwrap();
        assert_eq!(listener.set_protocol(ListenerProtocol::Http), Err(ListenerError::Gate("jwt-validation")));
        let kept = serde_json::to_string(&listener).unwrap();
        assert_eq!(serde_json::from_str::<Listener>(&kept).unwrap(), listener);
        let kept = kept.replace(&serde_json::to_string(&https()).unwrap(), "\"Http\"");
        assert!(serde_json::from_str::<Listener>(&kept).unwrap_err().to_string().contains("only on HTTPS listeners"));
    }

    #[test]
    fn a_tls_listener_has_a_certificate() {
        let kept = r#"{"Https":{"certificate":"","ssl_policy":"ELBSecurityPolicy-2016-08","extra_certificates":[]}}"#;
        assert!(serde_json::from_str::<ListenerProtocol>(kept).unwrap_err().to_string().contains("CertificateArn"));
    }
}
