//! What target groups speak, and what is in them.

use super::super::attribute::Owner;
use super::super::health_check::Probe;
use super::Target;

/// What targets are registered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// Addresses: target type `ip`.
    Ip,
    /// Instances: target type `instance`.
    Instance,
}

impl Registered {
    pub(super) const fn target_type(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Instance => "instance",
        }
    }

    pub(super) fn admits(self, target: &Target) -> bool {
        target.instance.is_some() == (self == Self::Instance)
    }
}

/// The version of HTTP that targets are spoken to in (ALB user guide, "Target groups", 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HttpVersion {
    /// `HTTP1`: HTTP/1.1.
    #[default]
    Http1,
    /// `HTTP2`
    Http2,
    /// `GRPC`: HTTP/2, and calls of gRPC alone.
    Grpc,
}

impl HttpVersion {
    /// The version, as AWS has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP1",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
        }
    }

    /// The version of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Http1, Self::Http2, Self::Grpc].into_iter().find(|version| version.as_str() == name)
    }
}

/// What a target group speaks, and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetGroupKind {
    /// What gets HTTP of an application load balancer.
    Http(Registered, HttpVersion),
    /// The same within TLS.
    Https(Registered, HttpVersion),
    /// What gets connections of a network load balancer.
    Tcp(Registered),
    /// The same within TLS.
    Tls(Registered),
    /// One application load balancer that gets connections of a network load balancer.
    Alb,
}

impl TargetGroupKind {
    /// What targets are, as AWS has it.
    #[must_use]
    pub const fn target_type(self) -> &'static str {
        match self {
            Self::Http(by, _) | Self::Https(by, _) | Self::Tcp(by) | Self::Tls(by) => by.target_type(),
            Self::Alb => "alb",
        }
    }

    /// The protocol, as AWS has it.
    #[must_use]
    pub const fn protocol(self) -> &'static str {
        match self {
            Self::Http(..) => "HTTP",
            Self::Https(..) => "HTTPS",
            Self::Tcp(_) | Self::Alb => "TCP",
            Self::Tls(_) => "TLS",
        }
    }

    /// The version of the protocol, where it has one.
    #[must_use]
    pub const fn protocol_version(self) -> Option<&'static str> {
        match self.version() {
            Some(version) => Some(version.as_str()),
            None => None,
        }
    }

    /// The version of HTTP, where targets are spoken to in HTTP.
    #[must_use]
    pub const fn version(self) -> Option<HttpVersion> {
        match self {
            Self::Http(_, version) | Self::Https(_, version) => Some(version),
            Self::Tcp(_) | Self::Tls(_) | Self::Alb => None,
        }
    }

    /// Whether it is for network load balancers.
    #[must_use]
    pub const fn is_network(self) -> bool {
        match self {
            Self::Http(..) | Self::Https(..) => false,
            Self::Tcp(_) | Self::Tls(_) | Self::Alb => true,
        }
    }

    /// Whether targets are spoken to within TLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Https(..) | Self::Tls(_))
    }

    /// Whether targets see the client's address in place of a node's where nothing else is set (NLB user guide, "Client IP
    /// preservation", 2026-11).
    #[must_use]
    pub const fn preserves_client(self) -> bool {
        matches!(self, Self::Tcp(Registered::Instance) | Self::Tls(Registered::Instance) | Self::Alb)
    }

    /// Whether its targets are registered as instances.
    #[must_use]
    pub const fn is_of_instances(self) -> bool {
        match self {
            Self::Http(by, _) | Self::Https(by, _) | Self::Tcp(by) | Self::Tls(by) => {
                matches!(by, Registered::Instance)
            }
            Self::Alb => false,
        }
    }

    /// Whether it is for application load balancers.
    #[must_use]
    pub const fn is_web(self) -> bool {
        !self.is_network()
    }

    pub(super) const fn owner(self) -> Owner {
        if self.is_network() { Owner::TcpGroup } else { Owner::HttpGroup }
    }

    /// Whether targets may be probed so.
    pub(super) const fn is_probed_by(self, probe: &Probe) -> bool {
        match (self, probe) {
            (Self::Http(_, version) | Self::Https(_, version), probe) => {
                matches!(probe, Probe::Grpc { .. }) == matches!(version, HttpVersion::Grpc)
                    && !matches!(probe, Probe::Tcp)
            }
            (Self::Alb, Probe::Http { .. }) | (Self::Tcp(_) | Self::Tls(_), Probe::Http { .. } | Probe::Tcp) => true,
            (Self::Alb, Probe::Tcp | Probe::Grpc { .. }) | (Self::Tcp(_) | Self::Tls(_), Probe::Grpc { .. }) => false,
        }
    }
}
