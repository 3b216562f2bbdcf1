//! A network ACL before a target in a subnet of its own: silence for what it denies, and the end of kept connections.

use tokio::time::Instant;
use topology::id::{NetworkAclAssociationId, NetworkAclId, SubnetId};
use topology::resource::vpc::{AclAction, NetworkAcl, NetworkAclEntry};
use topology::trace::{HopId, HopKind, HopVerdict};

use crate::estate::{Chain, TARGET_INTERFACE, TARGET_PORT, VPC};
use crate::scene::{Backend, OK, Scene};

const ACL: NetworkAclId = NetworkAclId::from_bits(5);
const APART: SubnetId = SubnetId::from_bits(77);
const REPLIES: (u16, u16) = (1024, 65535);

/// The target's subnet is one of its own, with an ACL that has no entries.
fn guarded(chain: &mut Chain) {
    let near = chain.estate.network_interfaces.get(&TARGET_INTERFACE).unwrap().subnet;
    let mut subnet = chain.estate.subnets.get(&near).unwrap().as_ref().clone();
    (subnet.id, subnet.cidr) = (APART, "10.0.7.0/24".parse().unwrap());
    chain.estate.subnets.insert(APART, subnet);
    chain.estate.network_interfaces.edit(&TARGET_INTERFACE).unwrap().subnet = APART;
    let acl = NetworkAcl {
        id: ACL,
        vpc: VPC,
        is_default: false,
        entries: Vec::new(),
        associations: vec![(NetworkAclAssociationId::from_bits(5), APART)],
        tags: Default::default(),
    };
    chain.estate.network_acls.insert(ACL, acl);
}

fn enter(chain: &mut Chain, rule_number: u16, egress: bool, action: AclAction, ports: (u16, u16)) {
    let entry = NetworkAclEntry {
        rule_number,
        egress,
        protocol: 6,
        action,
        cidr: Some("10.0.0.0/16".to_owned()),
        ipv6_cidr: None,
        ports: Some(ports),
        icmp: None,
    };
    chain.estate.network_acls.edit(&ACL).unwrap().entries.push(entry);
}

#[tokio::test(start_paused = true)]
async fn a_denial_by_an_acl_is_as_silent_as_one_by_a_group() {
    for with_request in [false, true] {
        let backend = Backend::answering(OK).await;
        let scene = Scene::with(&backend, |chain| {
            guarded(chain);
            if with_request {
                enter(chain, 100, false, AclAction::Allow, (TARGET_PORT, TARGET_PORT));
            }
        })
        .await;
        let start = Instant::now();
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (504, "NACL_DENIED"), "replies denied: {with_request}");
        assert_eq!(start.elapsed().as_secs(), 10);
        let last = *scene.trace(&answer).hops.last().unwrap();
        assert_eq!((last.kind, last.id, last.verdict), (HopKind::NetworkAcl, HopId::NetworkAcl(ACL), HopVerdict::Deny));
        assert_eq!(last.leg.unwrap().port, TARGET_PORT);
        assert_eq!(backend.connections(), 0, "not even a probe got through");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_denies_closes_idle_connections_and_blocks_the_next_request() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::with(&backend, |chain| {
        guarded(chain);
        enter(chain, 100, false, AclAction::Allow, (TARGET_PORT, TARGET_PORT));
        enter(chain, 100, true, AclAction::Allow, REPLIES);
    })
    .await;
    assert_eq!(scene.get("/").await.status, 200);
    assert_eq!(scene.plane.idle_upstreams(), 1);
    scene.change(|chain| enter(chain, 90, true, AclAction::Deny, (3389, 3389)));
    assert_eq!(scene.plane.idle_upstreams(), 0);
    assert_eq!(scene.get("/").await.outcome(), "NACL_DENIED");
    assert_eq!(backend.heads().len(), 1);
}
