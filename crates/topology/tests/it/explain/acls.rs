//! What a request is told that a network ACL denies.

use topology::net::Direction;
use topology::reach::explain;
use topology::reason::Reason;
use topology::trace::{HopKind, HopVerdict};

use super::{commands, index, judged_hop, only, trace};
use crate::world::{LINK_ENIS, NODE_ENIS, TARGET_ENIS, World};

/// What an ACL of zone `a`'s subnet says of a request to a target in zone `b`, and which command mends it: one for whatever crosses there,
/// replies to zone `b`'s node too.
#[test]
fn a_network_acl_that_denies_is_named_with_the_entry_that_is_missing() {
    let (ingress, egress) = (Direction::Ingress, Direction::Egress);
    let open = ((100, egress, true), (None, "0.0.0.0/0"));
    let replies = ((100, ingress, true), (Some((1024, 65535)), "0.0.0.0/0"));
    for (name, entries, told_by, command) in [
        ("both are open", vec![open, replies], None, None),
        (
            "nothing may leave",
            vec![replies],
            Some("no rule of ACL lets tcp 8080 leave SUBNET for PEER"),
            Some(
                "--egress --rule-number 100 --protocol tcp --port-range From=1024,To=65535 --cidr-block 10.0.0.128/25",
            ),
        ),
        (
            "a rule denies before another allows",
            vec![((90, egress, false), (Some((8000, 9000)), "10.0.0.0/16")), open, replies],
            Some("rule 90 of ACL does not let tcp 8080 leave SUBNET for PEER"),
            Some("--egress --rule-number 89 --protocol tcp --port-range From=1024,To=65535 --cidr-block 10.0.0.128/25"),
        ),
        (
            "replies may not come back to every port",
            vec![
                open,
                ((100, ingress, true), (Some((32768, 65535)), "0.0.0.0/0")),
                ((110, ingress, true), (Some((8080, 8080)), "0.0.0.0/0")),
            ],
            Some("no rule of ACL lets replies to tcp 1024-65535 enter SUBNET from PEER"),
            Some(
                "--ingress --rule-number 120 --protocol tcp --port-range From=1024,To=65535 --cidr-block 10.0.0.128/25",
            ),
        ),
    ] {
        let mut world = World::open();
        world.add_acl(1, &[0]);
        for (numbered, said) in entries {
            world.add_entry(world.acl(1), numbered, said);
        }
        let snapshot = super::snapshot(&world);
        let fabric = &only(&snapshot).fabric;
        let at = |n| index(&world, fabric, n);
        // Within a subnet nobody asks.
        assert_eq!(judged_hop(fabric, at(LINK_ENIS[0]), at(NODE_ENIS[0]), 80).reason, None, "{name}");
        let mut crossing = trace(&world, &snapshot, 200);
        crossing.hops.truncate(8);
        crossing.hops.push(judged_hop(fabric, at(NODE_ENIS[0]), at(TARGET_ENIS[1]), 8080));
        let told = explain(&snapshot, &crossing);
        let last = told.hops.iter().rev().find(|hop| hop.verdict.is_some()).unwrap();
        let (acl, subnet) = (world.acl(1).to_string(), world.subnet(0).to_string());
        match told_by {
            None => assert_eq!((last.verdict, &told.fix), (Some(HopVerdict::Pass), &Vec::new()), "{name}"),
            Some(words) => {
                let peer = world.address(TARGET_ENIS[1]).to_string();
                let words = words.replace("ACL", &acl).replace("SUBNET", &subnet).replace("PEER", &peer);
                let denied = (HopKind::NetworkAcl, Some(Reason::NaclDenied), acl.as_str());
                assert_eq!((last.kind, last.reason, last.id.as_str()), denied, "{name}");
                assert!(
                    last.detail.contains(&words) && last.detail.contains("SUBNET_ACL_RESTRICTION"),
                    "{}",
                    last.detail
                );
            }
        }
        if let Some(command) = command {
            let whole =
                format!("aws ec2 create-network-acl-entry --network-acl-id {acl} {command} --rule-action allow");
            assert!(told.fix.contains(&whole), "{name}: {:?}", told.fix);
        }
        for line in &told.fix {
            commands::enter(&mut world, line);
        }
        let after = super::snapshot(&world);
        let fabric = &only(&after).fabric;
        let mended =
            judged_hop(fabric, index(&world, fabric, NODE_ENIS[0]), index(&world, fabric, TARGET_ENIS[1]), 8080);
        assert_eq!(mended.reason, None, "{name}: {:?}", told.fix);
    }
}
