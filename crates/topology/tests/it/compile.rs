//! Compiling an estate in which something dangles: each case has its documented refusal, and its neighbours are unharmed.

use topology::compile::compile;
use topology::id::{
    AuthorizerId, ListenerId, LoadBalancerId, NetworkInterfaceId, SecurityGroupId, SubnetId, TargetGroupId, VpcLinkId,
};
use topology::net::Traffic;
use topology::reason::Reason;
use topology::resource::action::{Action as ActionResource, Forward as ForwardResource};
use topology::resource::http_api::{Authorization, Integration, IntegrationConnection};
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::security_group::RulePeer;
use topology::resource::target_group::TargetZone;
use topology::resource::vpc_link::VpcLinkState;
use topology::snapshot::balancer::{Action, TargetAt};
use topology::snapshot::fabric::Peer;
use topology::snapshot::gateway::{Connection, RouteAuthorization};
use topology::snapshot::{Problem, RealmSnapshot};
use topology::time::Moment;
use topology::verdict::Direction;

use crate::world::{ALB_GROUP, LINK_ENIS, NODE_ENIS, TARGET_ENIS, World, realm};

fn compiled(world: &World) -> (RealmSnapshot, Vec<Problem>) {
    let compiled = compile(&realm(), &world.estate);
    let problems = compiled.problems().cloned().collect();
    (compiled, problems)
}

/// What the API's only integration compiles to.
fn connection(world: &World) -> Connection {
    let (snapshot, _) = compiled(world);
    let deployed = snapshot.gateway.apis[0].stages[0].deployed.clone().unwrap();
    deployed.integrations[0].connection.clone()
}

fn arn(tail: &str) -> String {
    format!("arn:aws:elasticloadbalancing:us-east-1:000000000000:{tail}")
}

#[test]
fn a_whole_chain_compiles_without_problems_and_leads_to_its_listener() {
    let world = World::open();
    let (snapshot, problems) = compiled(&world);
    assert_eq!(problems, []);
    let Connection::Private { link, listener, .. } = connection(&world) else { panic!("{:?}", connection(&world)) };
    assert_eq!(snapshot.gateway.link(link).unwrap().interfaces.len(), 2);
    assert_eq!(snapshot.balancers.listener(listener).unwrap().arn, world.listener_arn());
}

#[test]
fn the_name_to_verify_goes_with_the_connection() {
    let mut world = World::open();
    let mut integration = world.integration_to(&world.listener_arn());
    integration.tls_server_name = Some("web.internal".to_owned());
    world.deploy(integration);
    let Connection::Private { server_name, .. } = connection(&world) else { panic!("{:?}", connection(&world)) };
    assert_eq!(server_name.as_deref(), Some("web.internal"));
}

#[test]
fn integrations_that_lead_nowhere_are_problems_with_their_reason() {
    let mut world = World::open();
    world.deploy(world.integration_to(&arn("listener/app/web/0000000000000001/00000000000000ff")));
    let (_, problems) = compiled(&world);
    let stages: Vec<_> = problems.iter().filter_map(|problem| problem.id.split('/').nth(1)).collect();
    assert_eq!(stages, ["$default", "dev"], "{problems:?}");
    assert!(problems.iter().all(|problem| problem.text.starts_with("LISTENER_NOT_FOUND: arn:aws:")), "{problems:?}");
}

#[test]
fn integrations_that_lead_nowhere_say_why() {
    type Change = fn(&mut World, &mut Integration);
    let rows: [(&str, Change, Reason); 13] = [
        (
            "the load balancer for its listener",
            |w, i| i.uri = arn(&format!("loadbalancer/app/web/{}", w.balancer())),
            Reason::IntegrationTargetNotListener,
        ),
        (
            "a target group for a listener",
            |w, i| i.uri = arn(&format!("targetgroup/orders/{}", w.target_group(1))),
            Reason::IntegrationTargetNotListener,
        ),
        (
            "a rule for a listener",
            |w, i| i.uri = arn(&format!("listener-rule/app/web/{}/{}/{}", w.balancer(), w.listener(), w.rule(1))),
            Reason::IntegrationTargetNotListener,
        ),
        (
            "a listener that never was",
            |w, i| i.uri = arn(&format!("listener/app/web/{}/{}", w.balancer(), ListenerId::from_bits(999))),
            Reason::ListenerNotFound,
        ),
        (
            "a listener of another account",
            |w, i| i.uri = w.listener_arn().replace("000000000000", "111111111111"),
            Reason::ListenerNotFound,
        ),
        (
            "a listener of another region",
            |w, i| i.uri = w.listener_arn().replace("us-east-1", "eu-west-1"),
            Reason::ListenerNotFound,
        ),
        (
            "a listener whose load balancer is of another kind",
            |w, i| i.uri = w.listener_arn().replace("/app/", "/net/"),
            Reason::ListenerNotFound,
        ),
        (
            "a Cloud Map service",
            |_, i| i.uri = "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-1".to_owned(),
            Reason::IntegrationUnsupported,
        ),
        (
            "a listener that is gone",
            |w, _| {
                let id = w.listener();
                w.estate.listeners.remove(&id);
            },
            Reason::ListenerNotFound,
        ),
        (
            "a load balancer that is gone",
            |w, _| {
                let id = w.balancer();
                w.estate.load_balancers.remove(&id);
            },
            Reason::ListenerNotFound,
        ),
        (
            "a link that is gone",
            |w, _| {
                let id = w.link();
                w.estate.vpc_links.remove(&id);
            },
            Reason::LinkNotFound,
        ),
        (
            "a text that is no link",
            |_, i| i.connection = IntegrationConnection::VpcLink("vpclink".to_owned()),
            Reason::LinkNotFound,
        ),
        (
            "an ARN instead of a URL on the internet",
            |_, i| i.connection = IntegrationConnection::Internet,
            Reason::IntegrationUnsupported,
        ),
    ];
    for (name, change, reason) in rows {
        let mut world = World::open();
        let mut integration = world.integration_to(&world.listener_arn());
        change(&mut world, &mut integration);
        world.deploy(integration);
        match connection(&world) {
            Connection::Broken { reason: found, meant } => {
                assert!(found == reason && !meant.is_empty(), "{name}: {found} {meant}")
            }
            other @ (Connection::Private { .. } | Connection::Internet(_) | Connection::Mock) => {
                panic!("{name}: {other:?}")
            }
        }
    }
}

#[test]
fn a_listener_in_another_vpc_than_the_link_is_refused() {
    let mut world = World::open();
    let link = world.link();
    world.estate.vpc_links.edit(&link).unwrap().vpc = topology::id::VpcId::from_bits(99);
    let expected = Connection::Broken { reason: Reason::ListenerNotInLinkVpc, meant: world.listener_arn() };
    assert_eq!(connection(&world), expected);
}

#[test]
fn a_link_is_closed_by_its_state() {
    let rows = [
        (VpcLinkState::Available, None),
        (VpcLinkState::Pending(Moment(1)), Some(Reason::LinkPending)),
        (VpcLinkState::Deleting(Moment(1)), Some(Reason::LinkNotFound)),
        (VpcLinkState::Failed("no address left".to_owned()), Some(Reason::LinkFailed)),
        (VpcLinkState::Inactive, Some(Reason::LinkInactive)),
    ];
    for (state, closed) in rows {
        let mut world = World::open();
        let link = world.link();
        world.estate.vpc_links.edit(&link).unwrap().state = state.clone();
        let (snapshot, problems) = compiled(&world);
        assert_eq!((snapshot.gateway.links[0].closed, problems), (closed, vec![]), "{state:?}");
        assert!(matches!(connection(&world), Connection::Private { .. }), "the state is asked when traffic comes");
    }
}

#[test]
fn a_target_is_placed_by_its_zone_and_its_address() {
    let zone = |name: &str| TargetZone::In(name.parse().unwrap());
    let world = World::open();
    let (inside, node) = (world.address(TARGET_ENIS[0]), world.address(NODE_ENIS[0]));
    let outside = "192.168.7.9".parse().unwrap();
    let rows = [
        ("in an enabled zone", inside, zone("us-east-1a"), TargetAt::Usable),
        ("in a zone that is not enabled", inside, zone("us-east-1c"), TargetAt::ZoneNotEnabled),
        ("outside the VPC", outside, TargetZone::All, TargetAt::Usable),
        ("outside the VPC, in a zone that is enabled", outside, zone("us-east-1b"), TargetAt::Usable),
        ("outside the VPC, in a zone that is not", outside, zone("us-east-1f"), TargetAt::ZoneNotEnabled),
        ("the load balancer itself", node, zone("us-east-1a"), TargetAt::AddressOfBalancer),
    ];
    for (name, address, zone, place) in rows {
        let mut world = World::open();
        world.add_target_group(1, &[(inside, 1), (address, 8080)]);
        let id = world.target_group(1);
        world.edit_targets(id, |targets| targets[1].zone = zone);
        let (snapshot, _) = compiled(&world);
        let targets = &snapshot.balancers.groups[0].targets;
        assert_eq!((targets[0].place, targets[1].place), (TargetAt::Usable, place), "{name}");
    }
}

#[test]
fn a_draining_target_gets_nothing_new() {
    let mut world = World::open();
    let id = world.target_group(1);
    world.edit_targets(id, |targets| targets[0].draining_until = Some(Moment(9)));
    let (snapshot, _) = compiled(&world);
    let left: Vec<_> = snapshot.balancers.groups[0].targets.iter().map(|target| target.address).collect();
    assert_eq!(left, [world.address(TARGET_ENIS[1])]);
}

#[test]
fn a_target_group_that_no_rule_names_is_not_probed() {
    let mut world = World::open();
    world.add_target_group(2, &[(world.address(TARGET_ENIS[0]), 9000)]);
    let (snapshot, _) = compiled(&world);
    let users: Vec<_> = snapshot.balancers.groups.iter().map(|group| group.balancer.is_some()).collect();
    assert_eq!(users, [true, false]);
}

#[test]
fn a_rule_whose_groups_are_gone_dangles_and_one_of_two_is_enough() {
    let mut world = World::open();
    let gone = TargetGroupId::from_bits(999);
    let forward = |groups: Vec<(TargetGroupId, u32)>| {
        let groups = groups.into_iter().map(|(group, weight)| (group, weight.try_into().unwrap()));
        ActionResource::Forward(ForwardResource::new(groups.collect(), Default::default()).unwrap())
    };
    world.add_listener_rule(2, vec![], forward(vec![(gone, 1)]));
    world.add_listener_rule(3, vec![], forward(vec![(gone, 5), (world.target_group(1), 2)]));
    let (snapshot, _) = compiled(&world);
    let rules = &snapshot.balancers.listeners[0].rules;
    assert_eq!(rules[0].action, Action::Dangling);
    let Action::Forward(forward) = &rules[1].action else { panic!("{:?}", rules[1].action) };
    assert_eq!((forward.groups.len(), forward.total_weight), (1, 2));
    assert!(rules[2].priority.is_none(), "the default rule is the last");
}

#[test]
fn rules_stand_in_the_order_of_their_priority() {
    let mut world = World::open();
    for n in [30, 2, 17] {
        world.add_listener_rule(n, vec![], world.forward(1));
    }
    let (snapshot, _) = compiled(&world);
    let found: Vec<_> = snapshot.balancers.listeners[0].rules.iter().map(|rule| rule.priority).collect();
    assert_eq!(found, [Some(2), Some(17), Some(30), None]);
}

#[test]
fn what_dangles_is_named_as_a_problem_and_left_out() {
    type Change = fn(&mut World) -> String;
    let rows: [(&str, Change); 4] = [
        ("an interface without its subnet", |w| {
            let id: NetworkInterfaceId = w.eni(TARGET_ENIS[0]);
            w.estate.network_interfaces.edit(&id).unwrap().subnet = SubnetId::from_bits(999);
            id.to_string()
        }),
        ("a rule without its group", |w| {
            let id = w.sgr(1);
            w.estate.security_group_rules.edit(&id).unwrap().group = SecurityGroupId::from_bits(999);
            id.to_string()
        }),
        ("a listener without its load balancer", |w| {
            let id = w.listener();
            w.estate.listeners.edit(&id).unwrap().load_balancer = LoadBalancerId::from_bits(999);
            id.to_string()
        }),
        ("a stage without its deployment", |w| {
            let id = w.deployment();
            w.estate.deployments.remove(&id);
            format!("{}/$default", w.api())
        }),
    ];
    for (name, change) in rows {
        let mut world = World::open();
        let id = change(&mut world);
        let (snapshot, problems) = compiled(&world);
        assert_eq!(problems.first().map(|problem| problem.id.as_str()), Some(id.as_str()), "{name}");
        assert_eq!(snapshot.gateway.apis.len(), 1, "{name}: the neighbours are unharmed");
    }
}

#[test]
fn links_and_load_balancers_leave_out_interfaces_that_are_gone() {
    let mut world = World::open();
    for n in [LINK_ENIS[0], NODE_ENIS[1]] {
        let id = world.eni(n);
        world.estate.network_interfaces.remove(&id);
    }
    let (snapshot, _) = compiled(&world);
    assert_eq!((snapshot.gateway.links[0].interfaces.len(), snapshot.balancers.balancers[0].nodes.len()), (1, 1));
    assert!(matches!(connection(&world), Connection::Private { .. }));
}

#[test]
fn rules_that_name_what_is_gone_admit_nobody() {
    let mut world = World::open();
    let list = RulePeer::PrefixList(topology::id::PrefixListId::from_bits(999));
    world.add_rule(9, ALB_GROUP, (Direction::Ingress, Traffic::All, list));
    let (snapshot, problems) = compiled(&world);
    assert_eq!(problems, []);
    let ingress = &snapshot.fabric.groups[&world.sg(ALB_GROUP)].ingress;
    assert_eq!(ingress.last().unwrap().peer, Peer::Prefixes(Vec::new()));
}

#[test]
fn routes_find_their_integration_and_fail_closed_without_their_authorizer() {
    let mut world = World::open();
    let id = world.deployment();
    let frozen = &mut world.estate.deployments.edit(&id).unwrap().frozen;
    let mut route = (*frozen.routes[0]).clone();
    route.key = "GET /orphan".parse().unwrap();
    route.target = Some(topology::id::IntegrationId::from_bits(999));
    let authorizer = AuthorizerId::from_bits(999);
    route.authorization = Authorization::Jwt { authorizer, scopes: Vec::new() };
    frozen.routes.push(route.into());
    let (snapshot, _) = compiled(&world);
    let deployed = snapshot.gateway.apis[0].stage("dev").unwrap().deployed.clone().unwrap();
    let found: Vec<_> = deployed.routes.iter().map(|route| (route.integration, route.authorization.clone())).collect();
    assert_eq!(found, [(Some(0), RouteAuthorization::None), (None, RouteAuthorization::Unsupported)]);
    assert_eq!(deployed.table.find("GET", "/orphan"), Some(1));
}

#[test]
fn stages_of_one_deployment_share_what_it_compiles_to() {
    let (snapshot, _) = compiled(&World::open());
    let stages = &snapshot.gateway.apis[0].stages;
    let [first, second] = stages.as_slice() else { panic!("{}", stages.len()) };
    let of = |stage: &topology::snapshot::gateway::Stage| stage.deployed.clone().unwrap();
    assert!(std::sync::Arc::ptr_eq(&of(first), &of(second)));
}

#[test]
fn the_link_that_is_meant_is_found_among_many() {
    let mut world = World::open();
    let other = VpcLinkId::from_bits(77);
    let id = world.link();
    let mut link = (**world.estate.vpc_links.get(&id).unwrap()).clone();
    (link.id, link.name) = (other, "another".to_owned());
    world.estate.vpc_links.insert(other, link);
    world.add_interface(9, &[], InterfaceOwner::User);
    let (snapshot, _) = compiled(&world);
    let Connection::Private { link, .. } = connection(&world) else { panic!() };
    assert_eq!(snapshot.gateway.link(link).unwrap().id, world.link().into());
}
