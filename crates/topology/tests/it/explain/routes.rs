//! What a request is told whose target is in a VPC that no route leads to.

use topology::reach::explain;
use topology::reason::Reason;
use topology::resource::peering::{PeeringEnd, PeeringState};
use topology::snapshot::fabric::Attached;
use topology::time::Moment;
use topology::trace::{HopKind, HopVerdict, Outcome};
use topology::way::{self, Destination, Way};

use super::{index, only, snapshot, trace};
use crate::world::{NODE_ENIS, TARGET_ENIS, TARGET_GROUP, World};

/// Does what a command about routes and peering connections does; whether it is one.
pub(super) fn run(world: &mut World, line: &str) -> bool {
    let words: Vec<_> = line.split(' ').collect();
    match &words[..] {
        ["aws", "ec2", "accept-vpc-peering-connection", "--vpc-peering-connection-id", id] => {
            let peering = world.estate.vpc_peering_connections.edit(&id.parse().unwrap()).unwrap();
            assert!(matches!(peering.state, PeeringState::PendingAcceptance(_)), "{line}");
            peering.state = PeeringState::Active;
        }
        [
            "aws",
            "ec2",
            verb @ ("create-route" | "replace-route"),
            "--route-table-id",
            table,
            "--destination-cidr-block",
            block,
            "--vpc-peering-connection-id",
            id,
        ] => {
            let table = table.parse().unwrap();
            let held = &world.estate.route_tables.get(&table).unwrap().routes;
            let is_held = held.iter().any(|route| route.destination == *block);
            assert_eq!(is_held, *verb == "replace-route", "{line}");
            world.put_route(table, block, id.parse().unwrap());
        }
        _ => return false,
    }
    true
}

/// A chain whose only target is in the VPC of another, whose group of targets admits it.
fn world(state: Option<PeeringState>) -> World {
    let mut world = World::open();
    world.add_chain(1);
    world.open_chain();
    let (beyond, group) = (world.address(TARGET_ENIS[0]), TARGET_GROUP);
    world.at_chain(0);
    let tcp = super::tcp(8080);
    let of_peer = |n| topology::resource::security_group::RulePeer::Group(topology::id::SecurityGroupId::from_bits(n));
    let (egress, ingress) = (topology::net::Direction::Egress, topology::net::Direction::Ingress);
    world.add_rule(50, crate::world::ALB_GROUP, (egress, tcp, of_peer(100 + group)));
    world.add_rule(51, 100 + group, (ingress, tcp, of_peer(crate::world::ALB_GROUP)));
    world.add_target_group(1, &[(beyond, 8080)]);
    if let Some(state) = state {
        world.add_peering(1, state);
    }
    world
}

#[test]
fn what_leads_into_another_vpc_is_told_step_by_step() {
    let (pending, ended) =
        (PeeringState::PendingAcceptance(Moment(9)), PeeringState::Ended(PeeringEnd::Deleted, Moment(9)));
    let (to, back) = ("10.0.1.0/25", "10.0.0.0/25");
    let accept = "aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id PCX";
    let create = |n: u128, block: &str| {
        format!(
            "aws ec2 create-route --route-table-id TABLE{n} --destination-cidr-block {block} --vpc-peering-connection-id PCX"
        )
    };
    let replace = |n, block| create(n, block).replace("create-route", "replace-route");
    let joined = "no peering connection joins OWN with a VPC that has PEER";
    let none = "no route in TABLE0 of OWN leads to PEER, as one through PCX would";
    let other = "the route for 10.0.1.0/24 in TABLE0 of OWN does not lead to PEER, as one through PCX would";
    for (name, state, there, returning, sentence, commands) in [
        ("not joined", None, vec![], vec![], joined, vec![]),
        (
            "joined once",
            Some(ended),
            vec![("10.0.0.0/8", true)],
            vec![(back, true)],
            "the route for 10.0.0.0/8 in TABLE0 of OWN leads through PCX, where nothing has PEER",
            vec![],
        ),
        (
            "not accepted",
            Some(pending),
            vec![("10.0.1.0/24", true)],
            vec![],
            "PCX leads there from OWN, but is not accepted yet",
            vec![accept.to_owned(), create(100, back)],
        ),
        ("no route", Some(PeeringState::Active), vec![], vec![], none, vec![create(0, to), create(100, back)]),
        (
            "a route that leads elsewhere",
            Some(PeeringState::Active),
            vec![("10.0.1.0/24", false), ("0.0.0.0/0", true)],
            vec![("0.0.0.0/0", true)],
            other,
            vec![create(0, to)],
        ),
        (
            "one that is as narrow as the subnet",
            Some(PeeringState::Active),
            vec![(to, false), ("10.0.1.0/24", true)],
            vec![(back, true)],
            "the route for 10.0.1.0/25 in TABLE0 of OWN does not lead to PEER, as one through PCX would",
            vec![replace(0, to)],
        ),
        (
            "no way back",
            Some(PeeringState::Active),
            vec![("10.0.0.0/8", true)],
            vec![(back, false)],
            "replies to NODE: the route for 10.0.0.0/25 in TABLE100 of PEERVPC does not lead to NODE, as one through PCX would",
            vec![replace(100, back)],
        ),
        ("both ways", Some(PeeringState::Active), vec![(to, true)], vec![("10.0.0.0/24", true)], "", vec![]),
    ] {
        let mut world = world(state);
        let id = world.peering();
        let led = |routes: Vec<(&'static str, bool)>| {
            routes.into_iter().map(|(block, is_led)| (block, is_led.then_some(id))).collect::<Vec<_>>()
        };
        let (there, returning) = (led(there), led(returning));
        let tables = |world: &mut World, routes: &[_]| {
            world.add_table(0, routes);
            world.add_table(1, &[]);
            (world.table(0), world.vpc(), world.address(TARGET_ENIS[0]), world.address(NODE_ENIS[0]))
        };
        let (own, vpc, _, node) = tables(&mut world, &there);
        world.at_chain(1);
        let (theirs, peer_vpc, peer, _) = tables(&mut world, &returning);
        world.at_chain(0);
        // Only zone a's node is looked at: that of zone b sends there too.
        world.estate.load_balancers.edit(&world.balancer()).unwrap().zones.truncate(1);
        let plain = |text: &str| {
            let text = text.replace("TABLE100", &theirs.to_string()).replace("TABLE0", &own.to_string());
            let text = text.replace("PEERVPC", &peer_vpc.to_string()).replace("OWN", &vpc.to_string());
            text.replace("PCX", &id.to_string()).replace("PEER", &peer.to_string()).replace("NODE", &node.to_string())
        };
        let before = super::snapshot(&world);
        let fabric = &only(&before).fabric;
        let mut asked = trace(&world, &before, 504);
        asked.hops.truncate(8);
        let to = Destination::Address(world.vpc(), peer.into());
        let from = index(&world, fabric, NODE_ENIS[0]);
        match way::ask(fabric, from, to, 8080) {
            Ok(open) => {
                assert!(commands.is_empty() && sentence.is_empty(), "{name}");
                assert_eq!(open.leg.to, Some(topology::id::NetworkInterfaceId::from_bits(105)), "{name}");
                assert_eq!(
                    fabric.attached(fabric.interface_by_id(open.leg.to.unwrap()).unwrap(), 1),
                    Attached::Nothing
                );
                continue;
            }
            Err(denial) => asked.hops.push(denial.hop()),
        }
        asked.reason = Some(Reason::NoRoute);
        let told = explain(&before, &asked);
        let last = told.hops.iter().rev().find(|hop| hop.verdict.is_some()).unwrap();
        assert_eq!(
            (last.kind, last.reason, last.verdict),
            (HopKind::RouteTable, Some(Reason::NoRoute), Some(HopVerdict::Fail))
        );
        assert_eq!(asked.outcome(), Outcome::Failed, "no route is a failure, as the contract says");
        assert!(last.detail.contains(&plain(sentence)), "{name}: {} {}", last.detail, plain(sentence));
        assert!(last.detail.contains("NO_ROUTE_TO_DESTINATION"), "{name}: {}", last.detail);
        assert_eq!(told.fix, commands.iter().map(|line| plain(line)).collect::<Vec<_>>(), "{name}");
        for line in &told.fix {
            assert!(run(&mut world, line), "{line}");
        }
        let after = super::snapshot(&world);
        assert_eq!(way::ask(&only(&after).fabric, from, to, 8080).is_ok(), !commands.is_empty(), "{name}");
    }
}

/// The same address in two VPCs is two places: which one is meant the route tables say, and without one neither is.
#[test]
fn overlapping_addresses_never_meet() {
    let mut world = world(None);
    world.add_chain(2);
    let twin = world.vpc();
    // The third VPC has the addresses of the second.
    world.estate.vpcs.edit(&twin).unwrap().cidr = "10.0.1.0/24".parse().unwrap();
    let (subnet, eni) = (world.subnet(0), world.eni(TARGET_ENIS[0]));
    world.estate.subnets.edit(&subnet).unwrap().cidr = "10.0.1.0/25".parse().unwrap();
    world.at_chain(1);
    let beyond = world.address(TARGET_ENIS[0]);
    world.at_chain(2);
    world.estate.network_interfaces.edit(&eni).unwrap().private_ip = beyond;
    world.add_table(0, &[]);
    world.at_chain(0);
    world.add_table(0, &[("10.0.1.0/24", Some(topology::id::VpcPeeringConnectionId::from_bits(201)))]);
    world.at_chain(2);
    world.add_peering(0, PeeringState::Active);
    world.at_chain(0);
    let led = |world: &World| {
        let snapshot = snapshot(world);
        let fabric = &only(&snapshot).fabric;
        let from = topology::verdict::End::Interface(index(world, fabric, NODE_ENIS[0]));
        let to = Destination::Address(world.vpc(), beyond.into());
        assert_ne!(
            way::answers(fabric, (from, to), 8080),
            Way::Host(([10, 0, 1, 8], 8080).into()),
            "never the host's network"
        );
        to.end(fabric, from).interface(fabric).map(|interface| interface.vpc)
    };
    assert_eq!(led(&world), Some(twin));
    let (table, second) = (world.table(0), topology::id::VpcPeeringConnectionId::from_bits(1));
    world.add_peering(1, PeeringState::Active);
    world.put_route(table, "10.0.1.0/24", second);
    assert_eq!(led(&world), Some(topology::id::VpcId::from_bits(2)));
    world.estate.route_tables.remove(&table);
    assert_eq!(led(&world), None);
}
