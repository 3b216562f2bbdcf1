//! Whatever groups, rules, ACLs, peering connections and routes there are, the commands that a denied request is told are all that is needed.

use proptest::prelude::*;
use topology::id::{NetworkAclId, SecurityGroupId};
use topology::net::{Family, PortRange, Traffic};
use topology::reach::explain;
use topology::resource::peering::PeeringState;
use topology::resource::security_group::RulePeer;
use topology::snapshot::fabric::Fabric;
use topology::time::Moment;
use topology::trace::HopVerdict;
use topology::verdict::{Direction, End, Flow, Verdict, verdict};

use super::{index, only, snapshot, tcp, trace};
use crate::world::{LINK_ENIS, NODE_ENIS, TARGET_ENIS, World};

/// Does what a command that is told does.
fn run(world: &mut World, n: u128, line: &str) {
    if line.contains("create-network-acl-entry") {
        return enter(world, line);
    }
    if super::routes::run(world, line) {
        return;
    }
    let (group, direction, traffic, peer) = parse(line);
    let group = (1..=5).chain(101..=103).find(|n| world.sg(*n) == group).unwrap();
    world.add_rule(n, group, (direction, traffic, peer));
}

/// `create-network-acl-entry` as a shell and the AWS CLI read it.
pub(super) fn enter(world: &mut World, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    let ["aws", "ec2", "create-network-acl-entry", "--network-acl-id", acl, side, "--rule-number", number, rest @ ..] =
        &words[..]
    else {
        panic!("{line}")
    };
    let ["--protocol", "tcp", "--port-range", ports, "--cidr-block", block, "--rule-action", "allow"] = rest else {
        panic!("{line}")
    };
    let direction = if *side == "--egress" { Direction::Egress } else { Direction::Ingress };
    let (from, to) = ports.strip_prefix("From=").and_then(|ports| ports.split_once(",To=")).unwrap();
    let (acl, number): (NetworkAclId, u16) = (acl.parse().unwrap(), number.parse().unwrap());
    let taken = &world.estate.network_acls.get(&acl).unwrap().entries;
    let is_taken = taken.iter().any(|entry| (entry.rule_number, entry.egress) == (number, *side == "--egress"));
    assert!(!is_taken && (1..=32_766).contains(&number), "{line}");
    world.add_entry(acl, (number, direction, true), (Some((from.parse().unwrap(), to.parse().unwrap())), block));
}

/// A command about a group as a shell and the AWS CLI read it.
fn parse(line: &str) -> (SecurityGroupId, Direction, Traffic, RulePeer) {
    let (plain, quoted) = line.split_once(" '").unwrap();
    let words: Vec<_> = plain.split(' ').collect();
    let direction = match words[2] {
        "authorize-security-group-ingress" => Direction::Ingress,
        "authorize-security-group-egress" => Direction::Egress,
        other => panic!("{other}"),
    };
    assert_eq!((&words[..2], words[3], words[5]), (&["aws", "ec2"][..], "--group-id", "--ip-permissions"));
    let quoted = quoted.strip_suffix('\'').unwrap();
    let fields: Vec<_> = quoted.splitn(4, ',').map(|field| field.split_once('=').unwrap()).collect();
    assert_eq!(fields[0], ("IpProtocol", "tcp"));
    assert_eq!((fields[1].0, fields[2]), ("FromPort", ("ToPort", fields[1].1)));
    let inner = fields[3].1.strip_prefix("[{").and_then(|text| text.strip_suffix("}]")).unwrap();
    let peer = match (fields[3].0, inner.split_once('=').unwrap()) {
        ("UserIdGroupPairs", ("GroupId", id)) => RulePeer::Group(id.parse().unwrap()),
        ("IpRanges", ("CidrIp", block)) => RulePeer::Ipv4(block.parse().unwrap()),
        other => panic!("{other:?}"),
    };
    (words[4].parse().unwrap(), direction, tcp(fields[1].1.parse().unwrap()), peer)
}

/// Every connection that a request, or a probe, may open in this chain.
fn flows(world: &World, fabric: &Fabric, health_port: Option<u16>) -> Vec<Flow> {
    let at = |n| End::Interface(index(world, fabric, n));
    let mut flows: Vec<Flow> = std::iter::zip(LINK_ENIS, NODE_ENIS)
        .map(|(link, node)| Flow { from: at(link), to: at(node), family: Family::Ipv4, port: 80, seen_as: None })
        .collect();
    let mut ends: Vec<End> = TARGET_ENIS.map(at).to_vec();
    ends.push(End::Address(OUTSIDE.parse().unwrap()));
    ends.extend(peer(world, fabric));
    for node in NODE_ENIS {
        for to in &ends {
            for port in [Some(8080), health_port].into_iter().flatten() {
                flows.push(Flow { from: at(node), to: *to, family: Family::Ipv4, port, seen_as: None });
            }
        }
    }
    flows
}

const OUTSIDE: &str = "192.168.7.9";

/// The target in the other VPC, where a peering connection joins the two.
fn peer(world: &World, fabric: &Fabric) -> Option<End> {
    let is_joined = world.estate.vpc_peering_connections.contains(&world.peering());
    is_joined.then(|| End::Interface(index(world, fabric, 100 + TARGET_ENIS[0])))
}

fn any_rule() -> impl Strategy<Value = (u128, Direction, Traffic, Result<u128, &'static str>)> {
    let direction = prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)];
    let traffic = prop_oneof![
        Just(Traffic::All),
        Just(tcp(80)),
        Just(tcp(8080)),
        Just(Traffic::Tcp(PortRange::new(80, 9000).unwrap())),
        Just(Traffic::Udp(PortRange::ALL)),
    ];
    let blocks = ["0.0.0.0/0", "10.0.0.0/25", "10.0.0.128/25", "10.0.0.4/32", "192.168.0.0/16"];
    let peer = prop_oneof![(1u128..=5).prop_map(Ok), proptest::sample::select(blocks.to_vec()).prop_map(Err)];
    (1u128..=5, direction, traffic, peer)
}

/// What may be between the two VPCs: a peering connection, and the routes of zone `a` on this side and of the target's on the other.
type Joined = (Option<PeeringState>, Vec<(&'static str, bool)>, Vec<(&'static str, bool)>);

fn any_peering() -> impl Strategy<Value = Joined> {
    let until = Moment(i64::MAX);
    let states =
        [None, Some(PeeringState::PendingAcceptance(until)), Some(PeeringState::Active), Some(PeeringState::Active)];
    let routes = |blocks: &[&'static str]| {
        let block = proptest::sample::select(blocks.to_vec());
        let routes = proptest::collection::hash_map(block, proptest::bool::weighted(0.7), 0..=3);
        routes.prop_map(|routes| routes.into_iter().collect::<Vec<_>>())
    };
    // Whatever is no VPC's would be lost behind a default route through a peering connection, and no command brings that back.
    let there = routes(&["10.0.0.0/8", "10.0.1.0/24", "10.0.1.0/25", "10.0.1.8/32"]);
    let back = routes(&["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/25", "10.0.0.128/25"]);
    (proptest::sample::select(states.to_vec()), there, back)
}

fn join(world: &mut World, (state, there, back): Joined) {
    let through = |routes: Vec<(&'static str, bool)>, id| {
        routes.into_iter().map(|(block, is_led)| (block, is_led.then_some(id))).collect::<Vec<_>>()
    };
    let id = world.peering();
    if let Some(state) = state {
        world.add_peering(1, state);
    }
    let (there, back) = (through(there, id), through(back, id));
    world.add_table(0, &there);
    world.add_table(1, &[]);
    world.at_chain(1);
    world.add_table(0, &back);
    world.add_table(1, &[]);
    world.at_chain(0);
}

type Entry = ((u16, Direction, bool), (Option<(u16, u16)>, &'static str));

/// Entries of one ACL, numbered from 10 in tens, so that there is room before each.
fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let direction = prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)];
    let ports = prop_oneof![
        3 => Just(None),
        1 => Just(Some((80, 80))),
        1 => Just(Some((8080, 8080))),
        2 => Just(Some((1024, 65535))),
        1 => Just(Some((3389, 3389))),
    ];
    let blocks = ["0.0.0.0/0", "10.0.0.0/25", "10.0.0.128/25", "10.0.0.4/32", "192.168.0.0/16"];
    let block = proptest::sample::select(blocks.to_vec());
    let entry = (direction, proptest::bool::weighted(0.7), ports, block);
    proptest::collection::vec(entry, 0..=6).prop_map(|entries| {
        let numbered = (10..).step_by(10).zip(entries);
        numbered
            .map(|(number, (direction, allows, ports, block))| ((number, direction, allows), (ports, block)))
            .collect()
    })
}

fn any_world() -> impl Strategy<Value = (World, Option<u16>)> {
    let groups = proptest::collection::vec(proptest::collection::vec(1u128..=5, 1..=3), 6);
    let rules = proptest::collection::vec(any_rule(), 0..=10);
    let health = prop_oneof![Just(None), Just(Some(8080)), Just(Some(9090))];
    let acls = proptest::collection::vec(proptest::option::of(any_entries()), 2);
    (groups, rules, acls, health, any_peering()).prop_map(|(groups, rules, acls, health, joined)| {
        let mut world = World::closed();
        world.add_chain(1);
        let beyond = world.address(TARGET_ENIS[0]);
        world.at_chain(0);
        join(&mut world, joined);
        world.add_group(4, "default");
        world.add_group(5, "other");
        let inside = TARGET_ENIS.map(|n| (world.address(n), 8080));
        let outside = OUTSIDE.parse().unwrap();
        world.add_target_group(1, &[inside[0], inside[1], (outside, 8080), (beyond, 8080)]);
        let group = world.target_group(1);
        world.probe_port(group, health);
        for (n, groups) in (1..).zip(groups) {
            let id = world.eni(n);
            let groups = groups.iter().map(|group| world.sg(*group)).collect();
            world.estate.network_interfaces.edit(&id).unwrap().groups = groups;
        }
        for (n, (group, direction, traffic, peer)) in (1..).zip(rules) {
            let peer = match peer {
                Ok(group) => RulePeer::Group(world.sg(group)),
                Err(block) => RulePeer::Ipv4(block.parse().unwrap()),
            };
            world.add_rule(n, group, (direction, traffic, peer));
        }
        for (at, entries) in (0..).zip(acls).filter_map(|(at, entries)| Some((at, entries?))) {
            world.add_acl(at, &[at]);
            for (numbered, said) in entries {
                world.add_entry(world.acl(at), numbered, said);
            }
        }
        (world, health)
    })
}

fn allowed(fabric: &Fabric, flow: Flow) -> bool {
    matches!(verdict(fabric, flow), Verdict::Allowed { .. })
}

proptest! {
    #[test]
    fn after_the_commands_every_connection_is_allowed((mut world, health) in any_world()) {
        let before = snapshot(&world);
        let told = explain(&before, &trace(&world, &before, 200));
        let denied = told.hops.iter().any(|hop| hop.verdict == Some(HopVerdict::Deny));
        prop_assert_eq!(told.fix.is_empty(), !denied, "a denied request and nobody else is told what to do");
        for hop in told.hops.iter().filter(|hop| hop.verdict.is_none()) {
            let fabric = &only(&before).fabric;
            let from = End::Interface(fabric.interface_by_id(hop.from.unwrap()).unwrap());
            let to = hop.to.and_then(|id| fabric.interface_by_id(id)).map(End::Interface);
            let to = to.unwrap_or(End::Address(OUTSIDE.parse().unwrap()));
            prop_assert!(!allowed(fabric, Flow { from, to, family: Family::Ipv4, port: hop.port.unwrap(), seen_as: None }), "reach denies what verdict allows");
        }
        for (n, line) in (50..).zip(&told.fix) {
            run(&mut world, n, line);
        }
        let after = snapshot(&world);
        let fabric = &only(&after).fabric;
        let closed: Vec<_> = flows(&world, fabric, health).into_iter().filter(|flow| !allowed(fabric, *flow)).map(|flow| (flow, verdict(fabric, flow))).collect();
        prop_assert!(closed.is_empty() || !denied, "beyond the commands {:#?} this is needed: {closed:#?}", told.fix);
        let mut unique = told.fix.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), told.fix.len(), "no command stands twice");
    }
}
