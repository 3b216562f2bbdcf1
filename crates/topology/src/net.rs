//! Addresses, ports and protocols as security groups speak of them.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Which of the two protocols of the internet: a connection has one, and rules of the other say nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Whether it is IPv4, which goes without saying.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// That of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// That of a block.
    #[must_use]
    pub const fn of_block(block: &IpNet) -> Self {
        match block {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// An inclusive range of ports with `from <= to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PortRange {
    from: u16,
    to: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { from: 0, to: u16::MAX };

    /// The range, or `None` when it runs backwards.
    #[must_use]
    pub const fn new(from: u16, to: u16) -> Option<Self> {
        if from <= to { Some(Self { from, to }) } else { None }
    }

    /// This port and all above.
    #[must_use]
    pub const fn from_port(from: u16) -> Self {
        Self { from, to: u16::MAX }
    }

    /// The first port.
    #[must_use]
    pub const fn from(self) -> u16 {
        self.from
    }

    /// The last port.
    #[must_use]
    pub const fn to(self) -> u16 {
        self.to
    }

    /// Whether `port` lies within.
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }
}

/// What a security-group rule lets through: a protocol with what that protocol has instead of ports.
///
/// ICMP carries type and code, −1 meaning all, as EC2's IpPermission does (EC2 API reference, IpPermission, 2026-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Traffic {
    /// Every protocol and port (`-1`).
    All,
    /// TCP to these ports.
    Tcp(PortRange),
    /// UDP to these ports.
    Udp(PortRange),
    /// ICMP of this type and code.
    Icmp {
        /// Type, −1 for all.
        kind: i16,
        /// Code, −1 for all.
        code: i16,
    },
    /// ICMPv6 of this type and code.
    Icmpv6 {
        /// Type, −1 for all.
        kind: i16,
        /// Code, −1 for all.
        code: i16,
    },
    /// Another IP protocol by number; ports play no part.
    Other(u8),
}

impl Traffic {
    /// Whether a TCP connection to `port` is covered.
    #[must_use]
    pub const fn covers_tcp(self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Tcp(ports) => ports.contains(port),
            Self::Udp(_) | Self::Icmp { .. } | Self::Icmpv6 { .. } => false,
            Self::Other(number) => number == 6,
        }
    }

    /// Whether TCP is covered at all, on some port.
    #[must_use]
    pub const fn is_tcp(self) -> bool {
        matches!(self, Self::All | Self::Tcp(_) | Self::Other(6))
    }

    /// The protocol as EC2 writes it: `-1`, a name, or a number.
    #[must_use]
    pub fn protocol(self) -> String {
        match self {
            Self::All => "-1".to_owned(),
            Self::Tcp(_) => "tcp".to_owned(),
            Self::Udp(_) => "udp".to_owned(),
            Self::Icmp { .. } => "icmp".to_owned(),
            Self::Icmpv6 { .. } => "icmpv6".to_owned(),
            Self::Other(number) => number.to_string(),
        }
    }

    /// `FromPort` and `ToPort` as EC2 writes them; both −1 where the protocol has none.
    #[must_use]
    pub fn from_to(self) -> (i64, i64) {
        match self {
            Self::All | Self::Other(_) => (-1, -1),
            Self::Tcp(ports) | Self::Udp(ports) => (i64::from(ports.from), i64::from(ports.to)),
            Self::Icmp { kind, code } | Self::Icmpv6 { kind, code } => (i64::from(kind), i64::from(code)),
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all traffic"),
            Self::Tcp(p) if p.from == p.to => write!(f, "tcp {}", p.from),
            Self::Tcp(p) => write!(f, "tcp {}-{}", p.from, p.to),
            Self::Udp(p) if p.from == p.to => write!(f, "udp {}", p.from),
            Self::Udp(p) => write!(f, "udp {}-{}", p.from, p.to),
            Self::Icmp { kind, code } => write!(f, "icmp {kind}/{code}"),
            Self::Icmpv6 { kind, code } => write!(f, "icmpv6 {kind}/{code}"),
            Self::Other(number) => write!(f, "protocol {number}"),
        }
    }
}

/// Whether an `ip` target may lie here outside its VPC: RFC 1918 or RFC 6598 (ALB user guide, target groups, 2026-11).
#[must_use]
pub fn is_private_target(address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return false };
    let [a, b, ..] = address.octets();
    address.is_private() || (a == 100 && (64..128).contains(&b))
}

/// Which rules of a group are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Direction {
    /// What comes in at the receiver.
    Ingress,
    /// What leaves the sender.
    Egress,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backwards_ranges_do_not_construct() {
        assert!(PortRange::new(2, 1).is_none());
        assert!(PortRange::new(0, u16::MAX).is_some_and(|all| all == PortRange::ALL));
    }

    #[test]
    fn tcp_is_covered_by_all_by_its_number_and_by_its_ports() {
        let web = PortRange::new(80, 81).unwrap();
        let rows = [
            (Traffic::All, true),
            (Traffic::Other(6), true),
            (Traffic::Other(47), false),
            (Traffic::Tcp(web), true),
            (Traffic::Udp(web), false),
            (Traffic::Icmp { kind: -1, code: -1 }, false),
        ];
        for (traffic, expected) in rows {
            assert_eq!(traffic.covers_tcp(80), expected, "{traffic}");
        }
        assert!(!Traffic::Tcp(web).covers_tcp(82));
    }

    #[test]
    fn only_rfc1918_and_rfc6598_are_private_targets() {
        for (text, expected) in [
            ("10.0.0.1", true),
            ("172.31.0.1", true),
            ("192.168.9.9", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("8.8.8.8", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(is_private_target(text.parse().unwrap()), expected, "{text}");
        }
    }
}
