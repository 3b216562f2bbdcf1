//! What time does to one realm, moved by hand.

use topology::id::{SecurityGroupId, TargetGroupId, VpcId};
use topology::resource::Tags;
use topology::resource::health_check::{HealthCheck, Pace, Probe};
use topology::resource::routing::NatGateway;
use topology::resource::target_group::{
    HttpVersion, NewTargetGroup, Registered, Target, TargetGroup, TargetGroupKind, TargetZone,
};
use topology::resource::vpc_link::VpcLink;

use super::*;
use crate::realm;

const START: Moment = Moment(1_795_341_600_000);
const READY: Moment = START.plus_ms(20);

struct Place {
    draft: Arc<RealmEstate>,
    mint: Mint,
    vpc: VpcId,
}

/// A realm with its default VPC.
fn place() -> Place {
    let mut mint = Mint::new(7);
    let mut estate = RealmEstate::default();
    realm::furnish(&mut estate, &mut mint, &"us-east-1".parse().unwrap());
    let vpc = estate.vpcs.values().next().unwrap().id;
    Place { draft: Arc::new(estate), mint, vpc }
}

impl Place {
    /// A link that is PENDING until [`READY`], with an interface in two subnets.
    fn link(&mut self) -> VpcLinkId {
        let id = VpcLinkId::from_bits(self.mint.bits());
        let estate = Arc::make_mut(&mut self.draft);
        let link = VpcLink {
            id,
            name: "link".to_owned(),
            vpc: self.vpc,
            subnets: estate.subnets.values().take(2).map(|subnet| subnet.id).collect(),
            groups: Vec::new(),
            interfaces: Vec::new(),
            state: VpcLinkState::Inactive,
            created: START,
            last_used: START,
            tags: Tags::new(),
        };
        estate.vpc_links.insert(id, link);
        link::provision(estate, &mut self.mint, id, READY);
        id
    }

    fn state_of(&self, link: VpcLinkId) -> VpcLinkState {
        self.draft.vpc_links.get(&link).unwrap().state.clone()
    }

    /// Moves on and says whether anything changed.
    fn moves(&mut self, now: Moment) -> bool {
        let before = Arc::clone(&self.draft);
        advance(&mut self.draft, now);
        !Arc::ptr_eq(&before, &self.draft)
    }

    fn use_link(&mut self, link: VpcLinkId, now: Moment) {
        link_used(&mut self.draft, &mut self.mint, (link, now, now.plus_ms(20)));
    }
}

#[test]
fn a_link_idle_for_sixty_days_is_inactive_until_it_is_used() {
    let mut place = place();
    let link = place.link();
    assert!(place.moves(READY));
    assert_eq!(place.state_of(link), VpcLinkState::Available);
    assert_eq!(place.draft.network_interfaces.len(), 2);

    let idle = READY.plus_ms(LINK_IDLE_MS);
    assert!(!place.moves(idle.plus_ms(-1)), "a day too early");
    assert!(place.moves(idle));
    assert_eq!(place.state_of(link), VpcLinkState::Inactive);
    assert!(place.draft.network_interfaces.is_empty());
    assert!(place.draft.vpc_links.get(&link).unwrap().interfaces.is_empty());

    place.use_link(link, idle);
    assert_eq!(place.state_of(link), VpcLinkState::Pending(idle.plus_ms(20)));
    assert_eq!(place.draft.network_interfaces.len(), 2);
    assert!(place.moves(idle.plus_ms(20)));
    assert_eq!(place.state_of(link), VpcLinkState::Available);
}

#[test]
fn a_link_that_is_used_now_and_then_stays_available() {
    let mut place = place();
    let link = place.link();
    place.moves(READY);
    let half = READY.plus_ms(LINK_IDLE_MS / 2);
    place.use_link(link, half);
    place.moves(READY.plus_ms(LINK_IDLE_MS));
    assert_eq!(place.state_of(link), VpcLinkState::Available);
    place.moves(half.plus_ms(LINK_IDLE_MS));
    assert_eq!(place.state_of(link), VpcLinkState::Inactive);
}

#[test]
fn an_inactive_link_whose_group_or_subnet_is_gone_fails_when_it_is_used() {
    for gone in ["group", "subnet"] {
        let mut place = place();
        let link = place.link();
        place.moves(READY.plus_ms(LINK_IDLE_MS));
        let estate = Arc::make_mut(&mut place.draft);
        let why = if gone == "group" {
            let group = SecurityGroupId::from_bits(place.mint.wide());
            estate.vpc_links.edit(&link).unwrap().groups.push(group);
            format!("The security group {group} does not exist")
        } else {
            let subnet = *estate.vpc_links.get(&link).unwrap().subnets.last().unwrap();
            estate.subnets.remove(&subnet);
            format!("The subnet {subnet} does not exist")
        };
        place.use_link(link, READY.plus_ms(LINK_IDLE_MS));
        assert_eq!(place.state_of(link), VpcLinkState::Failed(why));
        assert!(place.draft.network_interfaces.is_empty(), "{gone}");
    }
}

#[test]
fn uses_within_a_minute_are_not_written_down() {
    let mut place = place();
    let link = place.link();
    place.moves(READY);
    let before = Arc::clone(&place.draft);
    place.use_link(link, READY.plus_ms(LINK_USE_GRAIN_MS - 1));
    assert!(Arc::ptr_eq(&before, &place.draft));
}

#[test]
fn a_deleted_link_goes_with_its_interfaces() {
    let mut place = place();
    let link = place.link();
    place.moves(READY);
    let until = READY.plus_ms(1000);
    Arc::make_mut(&mut place.draft).vpc_links.edit(&link).unwrap().state = VpcLinkState::Deleting(until);
    assert!(!place.moves(until.plus_ms(-1)));
    assert!(place.moves(until));
    assert!(place.draft.vpc_links.is_empty());
    assert!(place.draft.network_interfaces.is_empty());
    assert_eq!(next_change(&place.draft), None);
}

#[test]
fn a_long_jump_of_the_clock_leads_through_every_state() {
    let mut place = place();
    let link = place.link();
    let subnet = place.draft.subnets.values().next().unwrap().id;
    let id = NatGatewayId::from_bits(place.mint.wide());
    let nat = NatGateway {
        id,
        vpc: place.vpc,
        subnet,
        allocation: None,
        interface: None,
        private_ip: "172.31.0.4".parse().unwrap(),
        state: NatGatewayState::Deleting(READY),
        created: START,
        deleted: Some(START),
        tags: Tags::new(),
    };
    Arc::make_mut(&mut place.draft).nat_gateways.insert(id, nat);
    place.moves(READY.plus_ms(LINK_IDLE_MS));
    assert_eq!(place.state_of(link), VpcLinkState::Inactive);
    assert!(place.draft.nat_gateways.is_empty());
}

#[test]
fn a_draining_target_is_forgotten_when_its_delay_is_over() {
    let mut place = place();
    let id = TargetGroupId::from_bits(place.mint.bits());
    let target = |last, draining_until| Target {
        instance: None,
        address: [172, 31, 0, last].into(),
        port: 80,
        zone: TargetZone::All,
        draining_until,
    };
    let over = START.plus_ms(300_000);
    let pace = Pace { interval_s: 30, timeout_s: 5, healthy_threshold: 5, unhealthy_threshold: 2 };
    let probe = Probe::Http { is_secure: false, path: "/".parse().unwrap(), matcher: "200".parse().unwrap() };
    let mut group = TargetGroup::new(NewTargetGroup {
        id,
        name: "orders".to_owned(),
        vpc: place.vpc,
        kind: TargetGroupKind::Http(Registered::Ip, HttpVersion::Http1),
        family: topology::net::Family::Ipv4,
        port: 80,
        health_check: HealthCheck::new(None, probe, pace).unwrap(),
        tags: Tags::new(),
    })
    .unwrap();
    group.set_targets(vec![target(10, None), target(11, Some(over))]).unwrap();
    Arc::make_mut(&mut place.draft).target_groups.insert(id, group);
    assert_eq!(next_change(&place.draft), Some(over));
    assert!(!place.moves(over.plus_ms(-1)));
    assert!(place.moves(over));
    assert_eq!(place.draft.target_groups.get(&id).unwrap().targets(), [target(10, None)]);
    assert_eq!(next_change(&place.draft), None);
}
