//! Where a connection in a private network leads: who judges it, and what answers it. The one place that decides it; who dials, who
//! probes and who explains ask the same.
//!
//! A denial is silence, never a refusal. An address of a VPC that no workload has is silent too; a port of an attached address that
//! nothing serves refuses.

use std::net::{Ipv4Addr, SocketAddr};

use crate::id::{NetworkAclId, NetworkInterfaceId, VpcId};
use crate::net::is_private_target;
use crate::reason::Reason;
use crate::snapshot::fabric::{Attached, Fabric, InterfaceIndex};
use crate::trace::{Hop, HopId, HopKind, Leg, Sender};
use crate::verdict::acl::AclDenial;
use crate::verdict::{Direction, End, Flow, Verdict, verdict};

/// To where a connection is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To an interface of the realm.
    Interface(InterfaceIndex),
    /// To an address as it is seen in a VPC.
    Address(VpcId, Ipv4Addr),
}

/// What answers at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is served there.
    Host(SocketAddr),
    /// It is attached, but not this port: a connection is refused.
    Closed,
    /// Nothing answers, for this reason.
    Silent(Reason),
}

/// A connection that the groups allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// The ends, and the rule that allowed.
    pub leg: Leg,
    /// The sender.
    pub from: NetworkInterfaceId,
    /// What answers.
    pub way: Way,
}

/// A connection that is dropped without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The ends, and the rule that came nearest.
    pub leg: Leg,
    /// The network ACL that drops it, if one does.
    pub acl: Option<NetworkAclId>,
}

impl Denial {
    fn new(reason: Reason, leg: Leg) -> Self {
        Self { reason, leg, acl: None }
    }

    fn by(verdict: Verdict, mut leg: Leg) -> Result<Leg, Self> {
        match verdict {
            Verdict::Allowed { egress, ingress } => {
                leg.deciding_rule = ingress.or(egress);
                Ok(leg)
            }
            Verdict::Denied { direction, nearest } => {
                leg.nearest_rule = nearest;
                Err(Self::new(direction.denied(), leg))
            }
            Verdict::AclDenied(AclDenial { acl, .. }) => Err(Self { reason: Reason::NaclDenied, leg, acl: Some(acl) }),
        }
    }

    /// The step of a trace that ends with it.
    #[must_use]
    pub fn hop(&self) -> Hop {
        let (kind, id) =
            self.acl.map_or((HopKind::SecurityGroup, HopId::None), |acl| (HopKind::NetworkAcl, HopId::NetworkAcl(acl)));
        Hop::stop(kind, id, self.reason, 0).with_leg(self.leg)
    }
}

impl Destination {
    /// The end that groups are asked of: what has the address, where something has it.
    #[must_use]
    pub fn end(self, fabric: &Fabric) -> End {
        match self {
            Self::Interface(index) => End::Interface(index),
            Self::Address(vpc, address) => {
                fabric.interface_at(vpc, address).map_or(End::Address(address), End::Interface)
            }
        }
    }
}

/// What answers at a destination, whoever asks.
#[must_use]
pub fn answers(fabric: &Fabric, to: Destination, port: u16) -> Way {
    match (to.end(fabric), to) {
        (End::Interface(index), _) => match fabric.attached(index, port) {
            Attached::Host(host) => Way::Host(host),
            Attached::PortClosed => Way::Closed,
            Attached::Nothing => Way::Silent(Reason::NoInterface),
        },
        (End::Address(address), Destination::Address(vpc, _)) if fabric.vpc_contains(vpc, address) => {
            Way::Silent(Reason::NoInterface)
        }
        // VPCs are not joined to one another, and public addresses are never dialled from a private network.
        (End::Address(address), _) if fabric.any_vpc_contains(address) || !is_private_target(address) => {
            Way::Silent(Reason::NoRoute)
        }
        (End::Address(address), _) => Way::Host(SocketAddr::from((address, port))),
    }
}

/// Judges a connection from an interface, and says where it leads.
///
/// # Errors
/// The side that denies, the sender's first; that nothing has an address of the VPC comes before what the groups say, since nobody
/// would answer.
pub fn ask(fabric: &Fabric, from: InterfaceIndex, to: Destination, port: u16) -> Result<Open, Denial> {
    ask_as(fabric, (from, None), to, port)
}

/// The same for a sender whom the receiver sees as another address, if as one.
///
/// # Errors
/// As [`ask`].
pub fn ask_as(
    fabric: &Fabric,
    (from, seen_as): (InterfaceIndex, Option<Ipv4Addr>),
    to: Destination,
    port: u16,
) -> Result<Open, Denial> {
    let (end, way) = (to.end(fabric), answers(fabric, to, port));
    let leg = leg(fabric, End::Interface(from), end, port);
    let is_nobodys = matches!((end, way), (End::Address(_), Way::Silent(Reason::NoInterface)));
    let judged = Denial::by(verdict(fabric, Flow { from: End::Interface(from), to: end, port, seen_as }), leg);
    let leg = judged.map_err(|denial| if is_nobodys { Denial::new(Reason::NoInterface, leg) } else { denial })?;
    match leg.from {
        Sender::Interface(from) => Ok(Open { leg, from, way }),
        Sender::Address(_) | Sender::Gone => Err(Denial::new(Reason::NoInterface, leg)),
    }
}

/// Judges a connection that comes from this address, which no interface has, to an interface: the receiver's side alone has a say.
///
/// # Errors
/// That the receiver's groups deny it.
pub fn enter(fabric: &Fabric, from: Ipv4Addr, to: InterfaceIndex, port: u16) -> Result<Leg, Denial> {
    let flow = Flow { from: End::Address(from), to: End::Interface(to), port, seen_as: None };
    Denial::by(verdict(fabric, flow), leg(fabric, End::Address(from), End::Interface(to), port))
}

/// The ends of a connection; no rule has decided yet.
#[must_use]
pub fn leg(fabric: &Fabric, from: End, to: End, port: u16) -> Leg {
    let (receiver, to_address) = match to {
        End::Address(address) => (None, address),
        End::Interface(index) => fabric
            .interface(index)
            .map_or((None, Ipv4Addr::UNSPECIFIED), |interface| (Some(interface.id), interface.private_ip)),
    };
    let from = match from {
        End::Address(address) => Sender::Address(address),
        End::Interface(index) => {
            fabric.interface(index).map_or(Sender::Gone, |interface| Sender::Interface(interface.id))
        }
    };
    Leg { from, to: receiver, to_address, port, deciding_rule: None, nearest_rule: None }
}

impl Direction {
    /// Why a connection is dropped that the groups of this side deny.
    #[must_use]
    pub const fn denied(self) -> Reason {
        match self {
            Self::Egress => Reason::SgEgressDenied,
            Self::Ingress => Reason::SgIngressDenied,
        }
    }
}
