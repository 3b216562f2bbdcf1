//! Compiles interfaces, groups and attachments.

mod flow;

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use super::Before;
use crate::estate::RealmEstate;
use crate::hash::Map;
use crate::id::{Realm, SecurityGroupId, VpcId};
use crate::net::{Family, PortRange, Traffic};
use crate::resource::instance::InstanceState;
use crate::resource::load_balancer::BalancerKind;
use crate::resource::network_interface::InterfaceOwner;
use crate::resource::peering::PeeringState;
use crate::resource::routing::{NatGatewayState, RouteTable, RouteTarget};
use crate::resource::security_group::{RulePeer, SecurityGroupRule};
use crate::resource::vpc::{AclAction, NetworkAcl, NetworkAclEntry, Subnet};
use crate::ruleset::icmp;
use crate::snapshot::Problem;
use crate::snapshot::fabric::{
    Acl, AclRule, AgentPlace, BesideTcp, Exit, Fabric, Group, GroupRule, Interface, InterfaceIndex, Peer, Peering,
    RouteNet, Routes, SubnetNet, VpcNet,
};
use crate::verdict::Direction;

pub(super) fn compile(realm: &Realm, estate: &RealmEstate, before: Option<Before<'_>>) -> Fabric {
    let mut fabric = Fabric::default();
    let defaults = estate.security_groups.values().filter(|group| group.is_default());
    let defaults: BTreeMap<VpcId, SecurityGroupId> = defaults.map(|group| (group.vpc, group.id)).collect();
    for vpc in estate.vpcs.values() {
        fabric.vpcs.push(VpcNet {
            id: vpc.id,
            cidrs: vpc.cidrs().map(|(_, cidr)| cidr).collect(),
            ipv6_cidrs: vpc.ipv6_cidrs.iter().map(|(_, cidr)| *cidr).collect(),
            default_group: defaults.get(&vpc.id).copied(),
            has_resolver: vpc.enable_dns_support,
        });
    }
    let place = |subnet: &Subnet| {
        let ipv6 = subnet.ipv6_cidr.map(|(_, block)| block);
        (subnet.id, SubnetNet { vpc: subnet.vpc, block: subnet.cidr, ipv6 })
    };
    fabric.subnets.extend(estate.subnets.values().map(|subnet| place(subnet)));
    add_routes(estate, &mut fabric);
    for acl in estate.network_acls.values() {
        let compiled = Arc::new(compiled_acl(acl));
        // Where a VPC has no IPv6 blocks nothing can be sent that its ACLs would be asked about.
        let has_ipv6 = estate.vpcs.get(&acl.vpc).is_some_and(|vpc| !vpc.ipv6_cidrs.is_empty());
        if !compiled.is_open(Family::Ipv4) || has_ipv6 && !compiled.is_open(Family::Ipv6) {
            fabric.acls.extend(acl.associations.iter().map(|(_, subnet)| (*subnet, Arc::clone(&compiled))));
        }
    }
    add_interfaces(estate, &mut fabric);
    match before.and_then(|before| changed_groups(estate, before)) {
        Some(groups) => fabric.groups = groups,
        None => add_groups(estate, &mut fabric),
    }
    flow::add(realm, estate, &mut fabric);
    fabric.agents = agents(estate);
    // What is served on the machine of an agent is served nowhere else.
    let is_here = |agent| fabric.agent(agent).is_some_and(|agent| agent.is_here);
    let served: Vec<_> = estate.attachments.values().filter(|served| served.agent.is_none_or(is_here)).collect();
    for attachment in served {
        if let Some(index) = fabric.interface_by_id(attachment.interface) {
            fabric.attachments.entry(index).or_default().push((attachment.port, attachment.host));
        }
    }
    fabric
}

/// The agents by VPC and id; one whose VPC is gone carries nothing.
fn agents(estate: &RealmEstate) -> Vec<AgentPlace> {
    let known = estate.agents.values().filter(|agent| estate.vpcs.contains(&agent.vpc));
    let mut agents: Vec<AgentPlace> = known.map(|agent| AgentPlace::of(agent)).collect();
    agents.sort_by_key(|place| (place.vpc, place.id));
    agents
}

/// Peering connections that are there to be accepted or used, and the route table of each subnet: its own, else its VPC's main one.
fn add_routes(estate: &RealmEstate, fabric: &mut Fabric) {
    let live = estate.vpc_peering_connections.values().filter_map(|peering| {
        let is_active = match peering.state {
            PeeringState::Initiating(_) | PeeringState::PendingAcceptance(_) => false,
            PeeringState::Active => true,
            PeeringState::Provisioning(_) | PeeringState::Ended(..) => return None,
        };
        Some(Peering { id: peering.id, vpcs: (peering.requester, peering.accepter), is_active })
    });
    fabric.peerings.extend(live);
    let mut main: BTreeMap<VpcId, Arc<Routes>> = BTreeMap::new();
    for table in estate.route_tables.values() {
        let compiled = Arc::new(compiled_routes(estate, table));
        for association in &table.associations {
            match association.subnet {
                Some(subnet) => drop(fabric.routes.insert(subnet, Arc::clone(&compiled))),
                None => drop(main.insert(table.vpc, Arc::clone(&compiled))),
            }
        }
    }
    for subnet in estate.subnets.values() {
        if let Some(routes) = main.get(&subnet.vpc) {
            fabric.routes.entry(subnet.id).or_insert_with(|| Arc::clone(routes));
        }
    }
}

/// The routes of a table that lead out of its VPC.
fn compiled_routes(estate: &RealmEstate, table: &RouteTable) -> Routes {
    let mut routes = Routes { id: table.id, routes: Vec::new() };
    for route in table.routes.iter().filter(|route| route.target != RouteTarget::Local) {
        let peering = match route.target {
            RouteTarget::VpcPeeringConnection(id) => Some(id),
            _ => None,
        };
        let exit = exit(estate, table.vpc, route.target);
        if let Ok(block) = route.destination.parse::<IpNet>() {
            routes.put(RouteNet { block, of_list: false, peering, exit });
        } else if let Some(list) = route.destination.parse().ok().and_then(|id| estate.prefix_lists.get(&id)) {
            let of_list = true;
            list.entries.iter().for_each(|entry| routes.put(RouteNet { block: entry.cidr, of_list, peering, exit }));
        }
    }
    routes
}

/// The gateway that a route of a VPC leads out by, where that carries anything.
fn exit(estate: &RealmEstate, vpc: VpcId, target: RouteTarget) -> Option<Exit> {
    match target {
        RouteTarget::InternetGateway(id) => {
            estate.internet_gateways.get(&id).filter(|gateway| gateway.vpc == Some(vpc)).map(|_| Exit::Internet)
        }
        RouteTarget::NatGateway(id) => {
            let gateway = estate.nat_gateways.get(&id)?;
            // That of another VPC is not reached.
            let carries =
                gateway.vpc == vpc && gateway.state == NatGatewayState::Available && gateway.allocation.is_some();
            carries.then_some(Exit::Nat(id, gateway.subnet))
        }
        RouteTarget::Local
        | RouteTarget::EgressOnlyInternetGateway(_)
        | RouteTarget::NetworkInterface(_)
        | RouteTarget::VpcEndpoint(_)
        | RouteTarget::VpcPeeringConnection(_) => None,
    }
}

/// The rules of an ACL, by protocol.
fn compiled_acl(acl: &NetworkAcl) -> Acl {
    let (ingress, egress) = (compiled_list(acl, Direction::Ingress), compiled_list(acl, Direction::Egress));
    let direction = |entry: &NetworkAclEntry| if entry.egress { Direction::Egress } else { Direction::Ingress };
    Acl {
        id: acl.id,
        ingress: ingress.0,
        egress: egress.0,
        ingress_beside: ingress.1,
        egress_beside: egress.1,
        taken: acl.entries.iter().map(|entry| (direction(entry), entry.rule_number)).collect(),
    }
}

/// What a list says of TCP, and what beside it.
fn compiled_list(acl: &NetworkAcl, direction: Direction) -> (Vec<AclRule>, BesideTcp) {
    const ALL: i16 = -1;
    const ICMP: i16 = 1;
    const ICMPV6: i16 = 58;
    const TCP: i16 = 6;
    const UDP: i16 = 17;
    let (mut tcp, mut beside) = (Vec::new(), BesideTcp::default());
    let mut entries: Vec<_> =
        acl.entries.iter().filter(|entry| entry.egress == (direction == Direction::Egress)).collect();
    entries.sort_by_key(|entry| entry.rule_number);
    for entry in entries {
        let named = entry.cidr.as_deref().or(entry.ipv6_cidr.as_deref());
        let Some(block) = named.and_then(|cidr| cidr.parse::<IpNet>().ok()) else { continue };
        let family = Family::of_block(&block);
        let rule = |(from, to): (u16, u16)| {
            let ports = PortRange::new(from, to)?;
            Some(AclRule { number: entry.rule_number, allows: entry.action == AclAction::Allow, ports, block })
        };
        let every = (0, u16::MAX);
        let ports = || rule(entry.ports.unwrap_or(every));
        match (entry.protocol, family) {
            (ALL, _) => {
                tcp.extend(rule(every));
                beside.udp.extend(rule(every));
                beside.icmp.extend(rule(every));
                beside.protocols.extend(BesideTcp::protocols(family).into_iter().filter_map(rule));
            }
            (TCP, _) => tcp.extend(ports()),
            (UDP, _) => beside.udp.extend(ports()),
            (ICMP, Family::Ipv4) | (ICMPV6, Family::Ipv6) => {
                let (kind, code) = entry.icmp.unwrap_or((ALL, ALL));
                beside.icmp.extend(icmp(Traffic::Icmp { kind, code }).and_then(rule));
            }
            // There are 256 protocols.
            (number, _) => beside.protocols.extend(u8::try_from(number).ok().and_then(|n| rule((n.into(), n.into())))),
        }
    }
    (tcp, beside)
}

fn add_interfaces(estate: &RealmEstate, fabric: &mut Fabric) {
    let associated = estate.addresses.values().filter_map(|address| address.association);
    fabric.public.extend(associated.map(|(_, interface)| interface));
    let count = estate.network_interfaces.len();
    fabric.interfaces.reserve(count);
    fabric.by_address.reserve(count);
    fabric.by_id.reserve(count);
    for interface in estate.network_interfaces.values() {
        let Some(subnet) = estate.subnets.get(&interface.subnet) else {
            fabric.problems.push(Problem::gone(interface.id, interface.subnet));
            continue;
        };
        let index = InterfaceIndex(u32::try_from(fabric.interfaces.len()).unwrap_or(u32::MAX));
        if !is_of_stopped(estate, interface.owner) {
            fabric.by_address.extend(interface.addresses().map(|address| ((interface.vpc, address), index)));
        }
        fabric.by_id.insert(interface.id, index);
        if matches!(interface.owner, InterfaceOwner::VpcLink(_) | InterfaceOwner::LoadBalancer(_)) {
            fabric.of_services.insert(index);
        }
        // What is placed into a subnet by Tidegate itself is launched there.
        if subnet.map_public_ip_on_launch && interface.owner == InterfaceOwner::Attachment {
            fabric.public.insert(interface.id);
        }
        fabric.interfaces.push(Interface {
            id: interface.id,
            vpc: interface.vpc,
            subnet: interface.subnet,
            zone: subnet.zone.clone(),
            private_ip: interface.private_ip,
            ipv6: interface.ipv6_addresses.first().copied(),
            groups: interface.groups.clone(),
            is_judged: !(interface.groups.is_empty() && is_of_network_balancer(estate, interface.owner)),
        });
    }
}

fn is_of_network_balancer(estate: &RealmEstate, owner: InterfaceOwner) -> bool {
    let InterfaceOwner::LoadBalancer(id) = owner else { return false };
    estate.load_balancers.get(&id).is_some_and(|balancer| balancer.kind() == BalancerKind::Network)
}

/// At the address of an instance that does not run nobody answers, not even that nothing is there.
fn is_of_stopped(estate: &RealmEstate, owner: InterfaceOwner) -> bool {
    let InterfaceOwner::Instance(id) = owner else { return false };
    estate.instances.get(&id).is_none_or(|instance| instance.state != InstanceState::Running)
}

/// The groups as they were, but for those whose rules changed; `None` where more changed than rules, or something dangled.
fn changed_groups(estate: &RealmEstate, before: Before<'_>) -> Option<Map<SecurityGroupId, Arc<Group>>> {
    let (was, compiled) = (before.estate, &before.compiled.fabric);
    let are_same =
        was.security_groups.is_same(&estate.security_groups) && was.prefix_lists.is_same(&estate.prefix_lists);
    if !are_same || !compiled.problems.is_empty() {
        return None;
    }
    let mut groups = compiled.groups.clone();
    for (id, later) in was.security_group_rules.changes(&estate.security_group_rules) {
        if let Some(earlier) = was.security_group_rules.get(id) {
            rules_of(&mut groups, earlier)?.retain(|rule| rule.id != *id);
        }
        if let Some(later) = later {
            let rules = rules_of(&mut groups, later)?;
            let place = rules.partition_point(|rule| rule.id < *id);
            rules.insert(place, compiled_rule(estate, later));
        }
    }
    Some(groups)
}

/// The rules among which a rule is; `None` where its group is gone.
fn rules_of<'a>(
    groups: &'a mut Map<SecurityGroupId, Arc<Group>>,
    rule: &SecurityGroupRule,
) -> Option<&'a mut Vec<GroupRule>> {
    groups.get_mut(&rule.group).map(|group| Arc::make_mut(group).rules_mut(rule.direction))
}

fn compiled_rule(estate: &RealmEstate, rule: &SecurityGroupRule) -> GroupRule {
    GroupRule { id: rule.id, traffic: rule.traffic, peer: peer(estate, rule) }
}

fn add_groups(estate: &RealmEstate, fabric: &mut Fabric) {
    fabric.groups.reserve(estate.security_groups.len());
    for group in estate.security_groups.values() {
        let compiled = Group { name: group.name.clone(), is_default: group.is_default(), ..Group::default() };
        fabric.groups.insert(group.id, Arc::new(compiled));
    }
    for rule in estate.security_group_rules.values() {
        match rules_of(&mut fabric.groups, rule) {
            Some(rules) => rules.push(compiled_rule(estate, rule)),
            None => fabric.problems.push(Problem::gone(rule.id, rule.group)),
        }
    }
}

fn peer(estate: &RealmEstate, rule: &SecurityGroupRule) -> Peer {
    match rule.peer {
        RulePeer::Ipv4(block) => Peer::Cidr(block.into()),
        RulePeer::Ipv6(block) => Peer::Cidr(block.into()),
        RulePeer::Group(group) => Peer::Group(group),
        // A prefix list that is gone admits nobody.
        RulePeer::PrefixList(list) => Peer::Prefixes(
            estate.prefix_lists.get(&list).into_iter().flat_map(|l| &l.entries).map(|e| e.cidr).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NetworkAclId;

    fn entry(rule_number: u16, egress: bool, protocol: i16) -> NetworkAclEntry {
        let cidr = Some("0.0.0.0/0".to_owned());
        let (action, ipv6_cidr, ports, icmp) = (AclAction::Allow, None, None, None);
        NetworkAclEntry { rule_number, egress, protocol, action, cidr, ipv6_cidr, ports, icmp }
    }

    fn of_ipv6(entry: NetworkAclEntry) -> NetworkAclEntry {
        NetworkAclEntry { cidr: None, ipv6_cidr: Some("::/0".to_owned()), ..entry }
    }

    fn acl(entries: Vec<NetworkAclEntry>) -> Acl {
        let (id, vpc) = (NetworkAclId::from_bits(1), VpcId::from_bits(1));
        compiled_acl(&NetworkAcl {
            id,
            vpc,
            is_default: false,
            entries,
            associations: Vec::new(),
            tags: crate::resource::Tags::new(),
        })
    }

    #[test]
    fn only_an_acl_that_lets_every_protocol_through_need_not_be_asked() {
        let both = |protocol| vec![entry(100, false, protocol), entry(100, true, protocol)];
        assert!(acl(both(-1)).is_open(Family::Ipv4));
        for protocol in [1, 6, 17, 47] {
            assert!(!acl(both(protocol)).is_open(Family::Ipv4), "{protocol} alone");
            let denied = NetworkAclEntry { action: AclAction::Deny, ..entry(50, false, protocol) };
            assert!(!acl([both(-1), vec![denied]].concat()).is_open(Family::Ipv4), "all but {protocol}");
        }
        assert!(!acl(vec![entry(100, false, -1)]).is_open(Family::Ipv4), "nothing leaves");
        assert!(!acl(both(-1)).is_open(Family::Ipv6), "of IPv6 nothing is said");
        let of_both = acl([both(-1), both(-1).into_iter().map(of_ipv6).collect()].concat());
        assert!(of_both.is_open(Family::Ipv4) && of_both.is_open(Family::Ipv6));
    }

    #[test]
    fn each_protocol_has_its_own_rules_in_their_order() {
        let of = |number, protocol, ports, icmp| NetworkAclEntry { ports, icmp, ..entry(number, false, protocol) };
        let entries = vec![
            of(300, -1, None, None),
            of(100, 17, Some((53, 53)), None),
            of(110, 1, None, Some((8, -1))),
            of(120, 47, None, None),
        ];
        let compiled = acl(entries);
        let told = |rules: &[AclRule]| -> Vec<_> {
            rules.iter().map(|rule| (rule.number, rule.ports.from(), rule.ports.to())).collect()
        };
        let BesideTcp { udp, icmp, protocols } = &compiled.ingress_beside;
        assert_eq!(told(&compiled.ingress), [(300, 0, 65535)]);
        assert_eq!(told(udp), [(100, 53, 53), (300, 0, 65535)]);
        assert_eq!(told(icmp), [(110, 8 << 8, (8 << 8) | 255), (300, 0, 65535)]);
        assert_eq!(told(protocols), [(120, 47, 47), (300, 0, 0), (300, 2, 5), (300, 7, 16), (300, 18, 255)]);
        assert_eq!(compiled.egress_beside, BesideTcp::default());
    }

    #[test]
    fn icmp_is_that_of_the_family_and_of_the_other_one_is_a_protocol_like_others() {
        let of = |number, protocol, icmp| NetworkAclEntry { icmp, ..entry(number, false, protocol) };
        let echo = Some((128, 0));
        let four = [of(100, 1, Some((8, 0))), of(110, 58, echo)];
        let six = [of(200, 58, echo), of(210, 1, None), of(300, -1, None)].map(of_ipv6);
        let BesideTcp { udp, icmp, protocols } = acl([&four[..], &six[..]].concat()).ingress_beside;
        let told = |rules: &[AclRule], family: Family| -> Vec<_> {
            let of_family = rules.iter().filter(|rule| Family::of_block(&rule.block) == family);
            of_family.map(|rule| (rule.number, rule.ports.from(), rule.ports.to())).collect()
        };
        let ports = |kind: u16, code: u16| (kind << 8) | code;
        assert_eq!(told(&icmp, Family::Ipv4), [(100, ports(8, 0), ports(8, 0))]);
        assert_eq!(told(&icmp, Family::Ipv6), [(200, ports(128, 0), ports(128, 0)), (300, 0, 65535)]);
        assert_eq!(told(&protocols, Family::Ipv4), [(110, 58, 58)]);
        let every = [(210, 1, 1), (300, 0, 5), (300, 7, 16), (300, 18, 57), (300, 59, 255)];
        assert_eq!(told(&protocols, Family::Ipv6), every);
        assert_eq!(told(&udp, Family::Ipv6), [(300, 0, 65535)]);
    }
}
