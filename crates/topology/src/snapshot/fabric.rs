//! Interfaces, addresses, security groups and attachments of one realm, indexed for verdicts and dialling.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Problem;
use super::logs::LogPlace;
use crate::hash::Map;
use crate::id::{
    AgentId, FlowLogId, InstanceId, LogGroupName, NatGatewayId, NetworkAclId, NetworkInterfaceId, Realm, RouteTableId,
    SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcId, VpcPeeringConnectionId, Zone,
};
use crate::net::{Direction, Family, PortRange, Traffic};
use crate::resource::agent::{Agent, Standing};
use crate::resource::attachment::ServedAt;
use crate::resource::flow_log::{FlowFormat, FlowInterval, FlowTraffic};

/// The place of an interface in [`Fabric::interfaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceIndex(pub u32);

/// An interface as traffic sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its id.
    pub id: NetworkInterfaceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its zone.
    pub zone: Zone,
    /// Its primary private address.
    pub private_ip: Ipv4Addr,
    /// Its IPv6 address, the first of several; `None` where it has none.
    pub ipv6: Option<Ipv6Addr>,
    /// The groups it carries.
    pub groups: Vec<SecurityGroupId>,
    /// Whether groups judge it: a network load balancer that was made without any has nodes that nothing judges (NLB user guide, "Update
    /// the security groups for your Network Load Balancer", 2026-11).
    pub is_judged: bool,
}

impl Interface {
    /// The address that it sends from and is reached at, if it has one of this family.
    #[must_use]
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4 => Some(self.private_ip.into()),
            Family::Ipv6 => self.ipv6.map(IpAddr::from),
        }
    }
}

/// Whom a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Addresses of a block: no connection of the other family matches it.
    Cidr(IpNet),
    /// Interfaces that carry this group, whichever of their addresses is meant.
    Group(SecurityGroupId),
    /// Addresses of a prefix list, resolved.
    Prefixes(Vec<IpNet>),
}

/// A rule of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// What it lets through.
    pub traffic: Traffic,
    /// From or to whom.
    pub peer: Peer,
}

/// A security group with its rules, in id order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The name, for explanations.
    pub name: String,
    /// Whether it is its VPC's default group.
    pub is_default: bool,
    /// What may come in.
    pub ingress: Vec<GroupRule>,
    /// What may go out.
    pub egress: Vec<GroupRule>,
}

/// A rule of a network ACL, as far as it speaks of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AclRule {
    /// Its number: the lowest that matches decides.
    pub number: u16,
    /// Whether it lets through.
    pub allows: bool,
    /// The ports that it is about.
    pub ports: PortRange,
    /// The other ends that it is about, and with them the family.
    pub block: IpNet,
}

/// What a list of a network ACL says beside TCP, each by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BesideTcp {
    /// Of UDP.
    pub udp: Vec<AclRule>,
    /// Of the family's ICMP: types times 256 and codes are in the place of ports.
    pub icmp: Vec<AclRule>,
    /// Of every other protocol: its number is in the place of ports.
    pub protocols: Vec<AclRule>,
}

impl BesideTcp {
    /// The numbers of protocols that [`Self::protocols`] is about: all but those of the family's ICMP, TCP and UDP.
    #[must_use]
    pub const fn protocols(family: Family) -> [(u16, u16); 4] {
        match family {
            Family::Ipv4 => [(0, 0), (2, 5), (7, 16), (18, 255)],
            Family::Ipv6 => [(0, 5), (7, 16), (18, 57), (59, 255)],
        }
    }
}

/// The network ACL of a subnet, its rules by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// Its id.
    pub id: NetworkAclId,
    /// What may come into the subnet.
    pub ingress: Vec<AclRule>,
    /// What may leave it.
    pub egress: Vec<AclRule>,
    /// What may come in beside TCP.
    pub ingress_beside: BesideTcp,
    /// What may leave beside TCP.
    pub egress_beside: BesideTcp,
    /// The numbers that are taken, also by rules that speak of something else.
    pub taken: Vec<(Direction, u16)>,
}

impl Group {
    /// What is let through in this direction.
    #[must_use]
    pub fn rules(&self, direction: Direction) -> &[GroupRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    pub(crate) fn rules_mut(&mut self, direction: Direction) -> &mut Vec<GroupRule> {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }
}

impl Acl {
    /// One of its lists.
    #[must_use]
    pub fn rules(&self, direction: Direction) -> &[AclRule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    pub(crate) fn rules_mut(&mut self, direction: Direction) -> &mut Vec<AclRule> {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    /// What is said of this direction beside TCP.
    #[must_use]
    pub const fn beside(&self, direction: Direction) -> &BesideTcp {
        match direction {
            Direction::Ingress => &self.ingress_beside,
            Direction::Egress => &self.egress_beside,
        }
    }

    /// Whether it lets everything of a family through, so that nobody needs to ask it.
    pub(crate) fn is_open(&self, family: Family) -> bool {
        const EVERY: &[(u16, u16)] = &[(0, u16::MAX)];
        let is_open = |rules: &[AclRule], all: &[(u16, u16)]| {
            let mut first = rules.iter().filter(|rule| Family::of_block(&rule.block) == family);
            all.iter().all(|(from, to)| {
                first.next().is_some_and(|rule| {
                    rule.allows && rule.block.prefix_len() == 0 && (rule.ports.from(), rule.ports.to()) == (*from, *to)
                })
            })
        };
        [Direction::Ingress, Direction::Egress].into_iter().all(|direction| {
            let BesideTcp { udp, icmp, protocols } = self.beside(direction);
            [self.rules(direction), udp, icmp].into_iter().all(|rules| is_open(rules, EVERY))
                && is_open(protocols, &BesideTcp::protocols(family))
        })
    }
}

/// A VPC peering connection that somebody may accept, or has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peering {
    /// Its id.
    pub id: VpcPeeringConnectionId,
    /// The VPC that asked, and the one that was asked.
    pub vpcs: (VpcId, VpcId),
    /// Whether it was accepted, so that it carries traffic.
    pub is_active: bool,
}

impl Peering {
    /// The VPC at its other end, seen from this one; `None` where this one is at neither.
    #[must_use]
    pub fn other(&self, vpc: VpcId) -> Option<VpcId> {
        match self.vpcs {
            (one, other) if one == vpc => Some(other),
            (one, other) if other == vpc => Some(one),
            _ => None,
        }
    }
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteNet {
    /// The addresses that it is about.
    pub block: IpNet,
    /// Whether a prefix list says so.
    pub of_list: bool,
    /// The peering connection that it leads through; `None` where it leads elsewhere.
    pub peering: Option<VpcPeeringConnectionId>,
    /// The gateway by which it leads out; `None` where it leads elsewhere, or the gateway carries nothing.
    pub exit: Option<Exit>,
}

/// A way out of a VPC, to the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The VPC's internet gateway, for interfaces with a public address.
    Internet,
    /// A public NAT gateway, in this subnet.
    Nat(NatGatewayId, SubnetId),
}

/// The route table of a subnet: the routes that leave its VPC, those of the longest prefix first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    /// Its id.
    pub id: RouteTableId,
    /// The routes.
    pub routes: Vec<RouteNet>,
}

impl Routes {
    /// The route that decides for an address: that of the longest prefix, and among these one that is no prefix list's.
    #[must_use]
    pub fn deciding(&self, address: IpAddr) -> Option<&RouteNet> {
        self.routes.iter().find(|route| route.block.contains(&address))
    }

    /// Puts a route in its place; one for the same addresses goes.
    pub(crate) fn put(&mut self, route: RouteNet) {
        self.routes.retain(|other| (other.block, other.of_list) != (route.block, route.of_list));
        let rank = |route: &RouteNet| (std::cmp::Reverse(route.block.prefix_len()), route.of_list);
        self.routes.insert(self.routes.partition_point(|before| rank(before) <= rank(&route)), route);
    }
}

/// A subnet's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubnetNet {
    /// Its VPC.
    pub vpc: VpcId,
    /// Its block.
    pub block: Ipv4Net,
    /// Its IPv6 block, if it has one.
    pub ipv6: Option<Ipv6Net>,
}

impl SubnetNet {
    /// Its block of the family of an address, if that lies in it.
    #[must_use]
    pub fn block_of(&self, address: IpAddr) -> Option<IpNet> {
        let block = match address {
            IpAddr::V4(_) => Some(IpNet::V4(self.block)),
            IpAddr::V6(_) => self.ipv6.map(IpNet::V6),
        };
        block.filter(|block| block.contains(&address))
    }
}

/// A flow log, as what writes its records needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowLog {
    /// Its id.
    pub id: FlowLogId,
    /// Whose it is.
    pub realm: Realm,
    /// Which connections it tells of.
    pub traffic: FlowTraffic,
    /// What a record says.
    pub format: FlowFormat,
    /// For how long connections are put together.
    pub interval: FlowInterval,
    /// Where its records go.
    pub to: FlowTo,
}

impl FlowLog {
    /// The stream of a log group that records of this interface go to.
    #[must_use]
    pub fn stream(&self, interface: NetworkInterfaceId) -> String {
        let what = match self.traffic {
            FlowTraffic::Accept => "accept",
            FlowTraffic::Reject => "reject",
            FlowTraffic::All => "all",
        };
        format!("{interface}-{what}")
    }
}

/// Where records of a flow log go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowTo {
    /// To a log group, each interface's to a stream of its own.
    Group(LogGroupName),
    /// To files.
    Files(Arc<LogPlace>),
}

/// An interface whose connections flow logs tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The interface.
    pub interface: Interface,
    /// The instance that it is of.
    pub instance: Option<InstanceId>,
    /// The flow logs.
    pub logs: Arc<[Arc<FlowLog>]>,
}

/// A VPC's address space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcNet {
    /// The VPC.
    pub id: VpcId,
    /// Its blocks.
    pub cidrs: Vec<Ipv4Net>,
    /// Its IPv6 blocks.
    pub ipv6_cidrs: Vec<Ipv6Net>,
    /// The group of interfaces that name none.
    pub default_group: Option<SecurityGroupId>,
    /// Whether its resolver answers (`enableDnsSupport`).
    pub has_resolver: bool,
}

impl VpcNet {
    /// Whether an address is one of its own.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.cidrs.iter().any(|block| block.contains(&address)),
            IpAddr::V6(address) => self.ipv6_cidrs.iter().any(|block| block.contains(&address)),
        }
    }

    /// The address of its resolver, whether that answers or not: the third of its first block (Amazon VPC user guide, "Amazon DNS server", 2026-11).
    #[must_use]
    pub fn resolver_address(&self) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::from_bits(self.cidrs.first()?.network().to_bits() + 2))
    }

    /// Where its resolver answers, if it does.
    #[must_use]
    pub fn resolver(&self) -> Option<Ipv4Addr> {
        self.resolver_address().filter(|_| self.has_resolver)
    }
}

/// An agent, as what carries its VPC needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentPlace {
    /// Its id.
    pub id: AgentId,
    /// The VPC whose interfaces it carries.
    pub vpc: VpcId,
    /// The zones in which it does; empty is every zone of the VPC.
    pub zones: BTreeSet<Zone>,
    /// The blocks of the VPC that are real addresses in its network.
    pub native: Vec<Ipv4Net>,
    /// The newest generation of its certificate.
    pub generation: u64,
    /// Whether it may carry anything: neither quarantined nor revoked.
    pub is_active: bool,
    /// Whether it is this process.
    pub is_here: bool,
    /// Whether it has come with the newest generation, so that it may come with no other.
    pub is_settled: bool,
}

impl AgentPlace {
    pub(crate) fn of(agent: &Agent) -> Self {
        Self {
            id: agent.id,
            vpc: agent.vpc,
            zones: agent.zones.clone(),
            native: agent.native.clone(),
            generation: agent.generation,
            is_active: agent.standing == Standing::Active,
            is_here: agent.standing == Standing::Here,
            is_settled: agent.fallback.is_none(),
        }
    }

    /// Whether it carries interfaces of this zone.
    #[must_use]
    pub fn carries(&self, zone: &Zone) -> bool {
        self.zones.is_empty() || self.zones.contains(zone)
    }
}

/// Where an attached private address is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// Something listens there, on the host.
    Host(SocketAddr),
    /// A program has the interface itself: it says what is open.
    Inside,
    /// The address is attached, but nothing serves this port: a connection is refused.
    PortClosed,
    /// No workload has the address: a connection meets silence.
    Nothing,
}

/// The private networks of one realm. Cloned only to ask what would be if a rule were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fabric {
    /// Every interface.
    pub interfaces: Vec<Interface>,
    /// Every group.
    pub groups: Map<SecurityGroupId, Arc<Group>>,
    /// Every VPC.
    pub vpcs: Vec<VpcNet>,
    /// Where every subnet is.
    pub subnets: Map<SubnetId, SubnetNet>,
    /// The network ACLs of subnets; not of those whose ACL lets everything through.
    pub acls: Map<SubnetId, Arc<Acl>>,
    /// The route table of every subnet.
    pub routes: Map<SubnetId, Arc<Routes>>,
    /// Every peering connection that is there to be accepted or used.
    pub peerings: Vec<Peering>,
    /// The interfaces whose connections flow logs tell of.
    pub flow_logs: Map<InterfaceIndex, Arc<Logged>>,
    pub(crate) by_address: Map<(VpcId, IpAddr), InterfaceIndex>,
    pub(crate) by_id: Map<NetworkInterfaceId, InterfaceIndex>,
    /// The interfaces of links and load balancers.
    pub(crate) of_services: BTreeSet<InterfaceIndex>,
    /// The interfaces that have a public address.
    pub(crate) public: BTreeSet<NetworkInterfaceId>,
    /// Attachments by interface; port `None` stands for every port.
    pub(crate) attachments: Map<InterfaceIndex, Vec<(Option<u16>, ServedAt)>>,
    /// Interfaces and rules that dangle.
    pub problems: Vec<Problem>,
    /// Every agent, by VPC and id; also one that is quarantined or revoked.
    pub agents: Vec<AgentPlace>,
}

impl Fabric {
    /// The agents of a VPC, by id. A VPC with any is carried by agents alone, even if none of them may carry anything now.
    #[must_use]
    pub fn agents_of(&self, vpc: VpcId) -> &[AgentPlace] {
        let begin = self.agents.partition_point(|place| place.vpc < vpc);
        let end = self.agents.partition_point(|place| place.vpc <= vpc);
        self.agents.get(begin..end).unwrap_or_default()
    }

    /// Whether other processes carry a VPC: it has agents, and none of them is here.
    #[must_use]
    pub fn is_elsewhere(&self, vpc: VpcId) -> bool {
        let agents = self.agents_of(vpc);
        !agents.is_empty() && !agents.iter().any(|agent| agent.is_here)
    }

    /// Whether an address of a VPC is a real one in the network of this process. An IPv6 address is none.
    #[must_use]
    pub fn is_native(&self, vpc: VpcId, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        let here = self.agents_of(vpc).iter().filter(|agent| agent.is_here);
        here.flat_map(|agent| &agent.native).any(|block| block.contains(&address))
    }

    /// The agent of this id.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> Option<&AgentPlace> {
        self.agents.iter().find(|place| place.id == id)
    }

    /// The interface at this place.
    #[must_use]
    pub fn interface(&self, index: InterfaceIndex) -> Option<&Interface> {
        self.interfaces.get(index.0 as usize)
    }

    /// The interface of this id.
    #[must_use]
    pub fn interface_by_id(&self, id: NetworkInterfaceId) -> Option<InterfaceIndex> {
        self.by_id.get(&id).copied()
    }

    /// The interface that has this address in this VPC.
    #[must_use]
    pub fn interface_at(&self, vpc: VpcId, address: IpAddr) -> Option<InterfaceIndex> {
        self.by_address.get(&(vpc, address)).copied()
    }

    /// Whether the address lies in this VPC.
    #[must_use]
    pub fn vpc_contains(&self, vpc: VpcId, address: IpAddr) -> bool {
        self.vpcs.iter().any(|net| net.id == vpc && net.contains(address))
    }

    /// Whether the address lies in any VPC of the realm.
    #[must_use]
    pub fn any_vpc_contains(&self, address: IpAddr) -> bool {
        self.vpcs.iter().any(|net| net.contains(address))
    }

    /// The VPC at the other end of a peering connection, seen from this one; `None` where the connection is not active, or this one is at
    /// neither end.
    pub(crate) fn peer(&self, id: VpcPeeringConnectionId, vpc: VpcId) -> Option<VpcId> {
        self.peerings.iter().find(|peering| peering.id == id && peering.is_active)?.other(vpc)
    }

    /// Whether there is anybody at an interface: a link, a node of a load balancer, or a program. At others nobody answers.
    #[must_use]
    pub fn is_inhabited(&self, index: InterfaceIndex) -> bool {
        let is_there =
            |interface: &Interface| self.interface_at(interface.vpc, interface.private_ip.into()) == Some(index);
        let has_somebody = self.of_services.contains(&index) || self.attachments.contains_key(&index);
        has_somebody && self.interface(index).is_some_and(is_there)
    }

    /// Whether an interface has a public address: nothing is reached there, but it may leave by an internet gateway.
    #[must_use]
    pub fn has_public_address(&self, interface: NetworkInterfaceId) -> bool {
        self.public.contains(&interface)
    }

    /// The ports of interfaces that programs of the host are attached to, one by one.
    pub fn ports_of_the_host(&self) -> impl Iterator<Item = (NetworkInterfaceId, u16)> {
        self.attachments.iter().flat_map(|(index, list)| {
            let id = self.interface(*index).map(|interface| interface.id);
            let ports = list.iter().filter(|(_, at)| at.host().is_some()).filter_map(|(port, _)| *port);
            id.into_iter().flat_map(move |id| ports.clone().map(move |port| (id, port)))
        })
    }

    /// Where a connection to this interface and port ends. An exact port wins over "every port", and a port of the host over a program that
    /// has the interface.
    #[must_use]
    pub fn attached(&self, index: InterfaceIndex, port: u16) -> Attached {
        let Some(list) = self.attachments.get(&index) else {
            return Attached::Nothing;
        };
        let exact = list.iter().find(|(at, _)| *at == Some(port));
        match exact.or_else(|| list.iter().find(|(at, _)| at.is_none())) {
            Some((_, ServedAt::Host(host))) => Attached::Host(*host),
            Some((_, ServedAt::Inside)) => Attached::Inside,
            None if list.iter().any(|(_, at)| *at == ServedAt::Inside) => Attached::Inside,
            None => Attached::PortClosed,
        }
    }
}
