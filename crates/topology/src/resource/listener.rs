//! Listeners, rules and conditions. What rules do stands in [`super::action`].

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Tags;
use super::action::Action;
use super::attribute::{AttributeError, Attributes, Owner};
use super::load_balancer::BalancerKind;
use crate::arn::CertificateArn;
use crate::id::{ListenerId, ListenerRuleId, LoadBalancerId};

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
        certificate: CertificateArn,
        /// The security policy's name.
        ssl_policy: String,
        /// Further certificates' ARNs, chosen by SNI.
        extra_certificates: Vec<CertificateArn>,
    },
}

impl ListenerProtocol {
    /// The name that AWS gives it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Tcp => "TCP",
            Self::Https { .. } => "HTTPS",
        }
    }

    /// The kind of load balancer whose listeners speak it.
    #[must_use]
    pub const fn kind(&self) -> BalancerKind {
        match self {
            Self::Http | Self::Https { .. } => BalancerKind::Application,
            Self::Tcp => BalancerKind::Network,
        }
    }

    const fn owner(&self) -> Owner {
        match self {
            Self::Http => Owner::HttpListener,
            Self::Https { .. } => Owner::HttpsListener,
            Self::Tcp => Owner::TcpListener,
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
    protocol: ListenerProtocol,
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
        let NewListener { id, load_balancer, kind, port, protocol, default_rule, default_action, tags } = wanted;
        check(kind, &protocol, &default_action)?;
        let attributes = Attributes::new(protocol.owner());
        Ok(Self { id, load_balancer, port, default_rule, tags, protocol, default_action, attributes })
    }

    /// What it speaks.
    #[must_use]
    pub const fn protocol(&self) -> &ListenerProtocol {
        &self.protocol
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
    /// When its load balancer does not speak it.
    pub fn set_protocol(&mut self, protocol: ListenerProtocol) -> Result<(), ListenerError> {
        check(self.protocol.kind(), &protocol, &self.default_action)?;
        self.attributes = self.attributes.handed_to(protocol.owner());
        self.protocol = protocol;
        Ok(())
    }

    /// Gives its default rule another action.
    ///
    /// # Errors
    /// When its load balancer cannot do what the action says.
    pub fn set_default_action(&mut self, action: Action) -> Result<(), ListenerError> {
        check(self.protocol.kind(), &self.protocol, &action)?;
        self.default_action = action;
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

fn check(kind: BalancerKind, protocol: &ListenerProtocol, action: &Action) -> Result<(), ListenerError> {
    if protocol.kind() != kind {
        return Err(ListenerError::Protocol(kind, protocol.as_str()));
    }
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
    default_action: Action,
    attributes: BTreeMap<String, String>,
    tags: Tags,
}

impl TryFrom<Stored> for Listener {
    type Error = ListenerError;
    fn try_from(kept: Stored) -> Result<Self, ListenerError> {
        let Stored { id, load_balancer, port, protocol, default_rule, default_action, attributes, tags } = kept;
        check(protocol.kind(), &protocol, &default_action)?;
        let attributes = Attributes::stored(protocol.owner(), attributes).map_err(ListenerError::Attribute)?;
        Ok(Self { id, load_balancer, port, default_rule, tags, protocol, default_action, attributes })
    }
}

impl From<Listener> for Stored {
    fn from(listener: Listener) -> Self {
        let Listener { id, load_balancer, port, default_rule, tags, protocol, default_action, attributes } = listener;
        Self { id, load_balancer, port, protocol, default_rule, default_action, attributes: attributes.kept(), tags }
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
