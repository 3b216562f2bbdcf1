//! Where a connection in a private network leads: who judges it, and what answers it. The one place that decides it; who dials, who
//! probes and who explains ask the same.
//!
//! A denial is silence, never a refusal. An address of a VPC that no workload has is silent too; a port of an attached address that
//! nothing serves refuses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::id::{NetworkAclId, NetworkInterfaceId, RouteTableId, VpcId};
use crate::net::{Family, PortRange, is_private_target};
use crate::reason::Reason;
use crate::snapshot::fabric::{Attached, Exit, Fabric, InterfaceIndex};
use crate::trace::{Hop, HopId, HopKind, Leg, Sender};
use crate::verdict::acl::AclDenial;
use crate::verdict::exit::{NoExit, exit};
use crate::verdict::route::{self, Leads};
use crate::verdict::{Direction, End, Flow, Verdict, verdict};

/// To where a connection is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// To an interface of the realm, at its address of this family.
    Interface(InterfaceIndex, Family),
    /// To an address as it is seen in a VPC.
    Address(VpcId, IpAddr),
}

/// What answers at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is served there, on the host.
    Host(SocketAddr),
    /// A program in the private network has the address itself.
    Inside,
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
    /// What drops it.
    pub by: Dropped,
}

/// What drops a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The groups of one end; or nobody, and nothing is there.
    Groups,
    /// A network ACL: in which of its lists, and whether for replies.
    Acl(NetworkAclId, Direction, bool),
    /// A route table, or that there is none.
    Routes(Option<RouteTableId>),
}

impl Denial {
    fn new(reason: Reason, leg: Leg) -> Self {
        Self { reason, leg, by: Dropped::Groups }
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
            Verdict::AclDenied(AclDenial { acl, direction, of_replies, .. }) => {
                Err(Self { reason: Reason::NaclDenied, leg, by: Dropped::Acl(acl, direction, of_replies) })
            }
            Verdict::Unrouted(denial) => Err(Self { reason: Reason::NoRoute, leg, by: Dropped::Routes(denial.table) }),
        }
    }

    /// The step of a trace that ends with it.
    #[must_use]
    pub fn hop(&self) -> Hop {
        let (kind, id) = match self.by {
            Dropped::Groups => (HopKind::SecurityGroup, HopId::None),
            Dropped::Acl(acl, ..) => (HopKind::NetworkAcl, HopId::NetworkAcl(acl)),
            Dropped::Routes(table) => (HopKind::RouteTable, table.map_or(HopId::None, HopId::RouteTable)),
        };
        Hop::stop(kind, id, self.reason, 0).with_leg(self.leg)
    }
}

impl Destination {
    /// Of which family the connection is.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Interface(_, family) => family,
            Self::Address(_, address) => Family::of(address),
        }
    }

    /// The end that groups are asked of when this one sends: what has the address, in the VPC itself or where a route of the sender's
    /// leads, where something has it.
    #[must_use]
    pub fn end(self, fabric: &Fabric, from: End) -> End {
        match self {
            Self::Interface(index, _) => End::Interface(index),
            Self::Address(vpc, address) => {
                let own = fabric.interface_at(vpc, address);
                let found = own.or_else(|| match route::leads(fabric, from.interface(fabric)?, address) {
                    Leads::Peer(other) => fabric.interface_at(other, address),
                    Leads::Local | Leads::Outside | Leads::Nowhere => None,
                });
                found.map_or(End::Address(address), End::Interface)
            }
        }
    }

    /// The VPC whose address it is for this sender, where it is one's.
    pub(crate) fn vpc(self, fabric: &Fabric, from: End) -> Option<VpcId> {
        match self {
            Self::Interface(index, _) => fabric.interface(index).map(|interface| interface.vpc),
            Self::Address(vpc, address) if fabric.vpc_contains(vpc, address) => Some(vpc),
            Self::Address(_, address) => match route::leads(fabric, from.interface(fabric)?, address) {
                Leads::Peer(other) => Some(other),
                Leads::Local | Leads::Outside | Leads::Nowhere => None,
            },
        }
    }
}

/// Who sends, for an interface that sees this address: what has it in the interface's own VPC, or where a route of its own leads.
#[must_use]
pub fn sender(fabric: &Fabric, seen_by: InterfaceIndex, address: IpAddr) -> End {
    match fabric.interface(seen_by) {
        Some(receiver) => Destination::Address(receiver.vpc, address).end(fabric, End::Interface(seen_by)),
        None => End::Address(address),
    }
}

/// What answers at a destination when this one asks, whatever is let through.
#[must_use]
pub fn answers(fabric: &Fabric, (from, to): (End, Destination), port: u16) -> Way {
    let vpc = to.vpc(fabric, from);
    if vpc.is_some_and(|vpc| fabric.is_elsewhere(vpc)) {
        return Way::Silent(Reason::LinkNoConnector);
    }
    let native = |address| match vpc {
        Some(vpc) if fabric.is_native(vpc, address) => Way::Host(SocketAddr::from((address, port))),
        _ => Way::Silent(Reason::NoInterface),
    };
    match to.end(fabric, from) {
        End::Interface(index) => match (fabric.attached(index, port), fabric.interface(index)) {
            (Attached::Host(host), _) => Way::Host(host),
            (Attached::Inside, _) => Way::Inside,
            (Attached::PortClosed, _) => Way::Closed,
            (Attached::Nothing, Some(interface)) => {
                interface.address(to.family()).map_or(Way::Silent(Reason::NoInterface), native)
            }
            (Attached::Nothing, None) => Way::Silent(Reason::NoInterface),
        },
        End::Address(address) if vpc.is_some() => native(address),
        // No route leads into another VPC, and public addresses are never dialled from a private network.
        End::Address(address) if fabric.any_vpc_contains(address) || !is_private_target(address) => {
            Way::Silent(Reason::NoRoute)
        }
        End::Address(address) => Way::Host(SocketAddr::from((address, port))),
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
    (from, seen_as): (InterfaceIndex, Option<IpAddr>),
    to: Destination,
    port: u16,
) -> Result<Open, Denial> {
    let sender = End::Interface(from);
    let (end, way) = (to.end(fabric, sender), answers(fabric, (sender, to), port));
    let flow = Flow { from: sender, to: end, family: to.family(), port, seen_as };
    let leg = leg(fabric, flow);
    let is_nobodys = matches!((end, way), (End::Address(_), Way::Silent(Reason::NoInterface)));
    let judged = Denial::by(verdict(fabric, flow), leg);
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
pub fn enter(fabric: &Fabric, from: IpAddr, to: InterfaceIndex, port: u16) -> Result<Leg, Denial> {
    let flow = entering(from, to, port);
    Denial::by(verdict(fabric, flow), leg(fabric, flow))
}

/// A connection from an address that no interface has to an interface.
#[must_use]
pub const fn entering(from: IpAddr, to: InterfaceIndex, port: u16) -> Flow {
    Flow { from: End::Address(from), to: End::Interface(to), family: Family::of(from), port, seen_as: None }
}

/// Judges a connection from an interface to an address beyond every VPC, and says by which way out it leaves.
///
/// # Errors
/// What denies it: that no way leads out, else the interface's groups or an ACL.
pub fn leave(fabric: &Fabric, sender: InterfaceIndex, receiver: Ipv4Addr, port: u16) -> Result<Exit, Denial> {
    let (from, to, family) = (End::Interface(sender), End::Address(receiver.into()), Family::Ipv4);
    let flow = Flow { from, to, family, port, seen_as: None };
    let leg = leg(fabric, flow);
    let gone = Denial::new(Reason::NoInterface, leg);
    let (interface, ports) = (fabric.interface(sender).ok_or(gone)?, PortRange::new(port, port).ok_or(gone)?);
    let exit = exit(fabric, interface, receiver, ports).map_err(|why| match why {
        NoExit::Route(_, table) => Denial { reason: Reason::NoRoute, leg, by: Dropped::Routes(table) },
        NoExit::PublicAddress => Denial::new(Reason::NoRoute, leg),
        NoExit::Acl(acl, direction, of_replies) => {
            Denial { reason: Reason::NaclDenied, leg, by: Dropped::Acl(acl, direction, of_replies) }
        }
    })?;
    Denial::by(verdict(fabric, flow), leg).map(|_leg| exit)
}

/// The ends of a connection; no rule has decided yet.
#[must_use]
pub fn leg(fabric: &Fabric, flow: Flow) -> Leg {
    let nowhere = || match flow.family {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let to_address = flow.to.address(fabric, flow.family).unwrap_or_else(nowhere);
    let receiver = flow.to.interface(fabric).map(|interface| interface.id);
    let from = match flow.from {
        End::Address(address) => Sender::Address(address),
        End::Interface(index) => {
            fabric.interface(index).map_or(Sender::Gone, |interface| Sender::Interface(interface.id))
        }
    };
    Leg { from, to: receiver, to_address, port: flow.port, deciding_rule: None, nearest_rule: None }
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
