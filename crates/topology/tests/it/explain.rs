//! Explanations: what a denied request is told, that the commands told are enough, and the hints.

mod acls;
mod commands;
mod routes;

use std::net::Ipv4Addr;
use std::sync::Arc;

use topology::compile::compile;
use topology::id::RouteId;
use topology::net::{Family, PortRange, Traffic};
use topology::reach::{Explanation, Hint, explain, owner, sentences};
use topology::reason::Reason;
use topology::resource::action::{Action, FixedResponse, FixedResponseParts};
use topology::resource::listener::RuleCondition;
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::security_group::RulePeer;
use topology::snapshot::fabric::{Fabric, InterfaceIndex};
use topology::snapshot::{RealmSnapshot, Snapshot};
use topology::trace::{Hop, HopId, HopKind, HopVerdict, Leg, RequestId, Trace};
use topology::verdict::Direction;
use topology::way::{self, Destination};

use crate::world::{ALB_GROUP, LINK_ENIS, LINK_GROUP, NODE_ENIS, TARGET_ENIS, TARGET_GROUP, World, realm};

fn snapshot(world: &World) -> Snapshot {
    let compiled = compile(&realm(), &world.estate);
    // Integrations may lead nowhere here: that is what some are explained by.
    assert_eq!(compiled.problems().find(|problem| problem.text.ends_with("is gone")), None);
    Snapshot::new(1, vec![Arc::new(compiled)])
}

fn only(snapshot: &Snapshot) -> &RealmSnapshot {
    snapshot.realms.first().unwrap()
}

fn index(world: &World, fabric: &Fabric, n: u128) -> InterfaceIndex {
    fabric.interface_by_id(world.eni(n)).unwrap()
}

/// A connection between interfaces as traffic records it.
fn judged_hop(fabric: &Fabric, from: InterfaceIndex, to: InterfaceIndex, port: u16) -> Hop {
    match way::ask(fabric, from, Destination::Interface(to, Family::Ipv4), port) {
        Ok(open) => Hop::pass(HopKind::SecurityGroup, HopId::None, 5).with_leg(open.leg),
        Err(denial) => Hop { micros: 5, ..denial.hop() },
    }
}

/// A request for /hello through zone a, recorded as traffic records it: it stops at the first denial.
fn trace(world: &World, snapshot: &Snapshot, status: u16) -> Trace {
    let fabric = &only(snapshot).fabric;
    let at = |n| index(world, fabric, n);
    let hops = [
        Hop::pass(HopKind::Gateway, HopId::Api(world.api()), 1),
        Hop::pass(HopKind::Route, HopId::Route(world.route()), 2),
        Hop::pass(HopKind::Integration, HopId::Integration(world.integration()), 3),
        Hop::pass(HopKind::Link, HopId::Link(world.link().into()), 4),
        judged_hop(fabric, at(LINK_ENIS[0]), at(NODE_ENIS[0]), 80),
        Hop::pass(HopKind::Listener, HopId::Listener(world.listener()), 6),
        Hop::pass(HopKind::Rule, HopId::Rule(world.listener(), Some(world.rule(1))), 7),
        Hop::pass(HopKind::TargetGroup, HopId::TargetGroup(world.target_group(1)), 8),
        judged_hop(fabric, at(NODE_ENIS[0]), at(TARGET_ENIS[0]), 8080),
        Hop::pass(HopKind::Target, HopId::Target(world.address(TARGET_ENIS[0]).into(), 8080), 9).with_status(status),
    ];
    let mut trace = Trace {
        request_id: RequestId::from_bits(7),
        revision: 1,
        started_unix_micros: 0,
        api: Some(world.api()),
        status,
        reason: None,
        method: "GET".to_owned(),
        path: "/hello".to_owned(),
        forwarded_path: String::new(),
        host: "shop.example.com".to_owned(),
        hops: Vec::new(),
        details: Vec::new(),
        stage: String::new(),
        hints: Vec::new(),
    };
    for hop in hops {
        trace.hops.push(hop);
        trace.reason = hop.reason;
        if hop.reason.is_some() {
            break;
        }
    }
    trace
}

fn told(world: &World) -> Explanation {
    let snapshot = snapshot(world);
    explain(&snapshot, &trace(world, &snapshot, 200))
}

fn command(world: &World, (group, direction, port, peer): (u128, Direction, u16, u128)) -> String {
    let side = if direction == Direction::Egress { "egress" } else { "ingress" };
    format!(
        "aws ec2 authorize-security-group-{side} --group-id {} --ip-permissions \
         'IpProtocol=tcp,FromPort={port},ToPort={port},UserIdGroupPairs=[{{GroupId={}}}]'",
        world.sg(group),
        world.sg(peer)
    )
}

const CHAIN: [(u128, Direction, u16, u128); 4] = [
    (LINK_GROUP, Direction::Egress, 80, ALB_GROUP),
    (ALB_GROUP, Direction::Ingress, 80, LINK_GROUP),
    (ALB_GROUP, Direction::Egress, 8080, TARGET_GROUP),
    (TARGET_GROUP, Direction::Ingress, 8080, ALB_GROUP),
];

#[test]
fn a_request_that_passed_needs_no_command_and_names_what_let_it_pass() {
    let world = World::open();
    let told = told(&world);
    assert_eq!((told.fix, told.hints), (vec![], vec![]));
    let deciders: Vec<_> = told.hops.iter().filter_map(|hop| hop.deciding_rule).collect();
    assert_eq!(deciders, [world.sgr(2), world.sgr(4)]);
    assert_eq!((told.hops[4].id.as_str(), told.hops[4].name.as_str()), ("sg-00000000000000002", "alb"));
    assert!(told.hops.iter().all(|hop| hop.verdict == Some(HopVerdict::Pass) && !hop.detail.is_empty()));
}

#[test]
fn each_missing_rule_is_mended_by_one_command() {
    for (at, row) in (1..).zip(CHAIN) {
        let mut world = World::open();
        world.revoke(at);
        let told = told(&world);
        assert_eq!(told.fix, [command(&world, row)], "rule {at}");
        let stop = told.hops.last().unwrap();
        assert_eq!((stop.kind, stop.verdict), (HopKind::SecurityGroup, Some(HopVerdict::Deny)), "rule {at}");
        let groups = if row.1 == Direction::Egress { &stop.from_groups } else { &stop.to_groups };
        assert_eq!(*groups, [world.sg(row.0)], "rule {at}");
        assert_eq!(stop.id, world.sg(row.0).to_string(), "rule {at}: the group at issue");
    }
}

#[test]
fn the_walk_goes_on_after_the_first_denial() {
    let world = World::closed();
    let told = told(&world);
    assert_eq!(told.fix, CHAIN.map(|row| command(&world, row)));
    let later: Vec<_> = told.hops.iter().filter(|hop| hop.verdict.is_none()).map(|hop| hop.reason).collect();
    let (egress, ingress) = (Some(Reason::SgEgressDenied), Some(Reason::SgIngressDenied));
    assert_eq!(later, [ingress, egress, ingress], "what the trace met itself is not told twice");
}

#[test]
fn a_client_on_the_internet_is_mended_by_its_address() {
    let world = World::closed();
    let snapshot = snapshot(&world);
    let client = Ipv4Addr::new(203, 0, 113, 7);
    let node = index(&world, &only(&snapshot).fabric, NODE_ENIS[0]);
    let denial = way::enter(&only(&snapshot).fabric, client.into(), node, 80).unwrap_err();
    let trace = Trace {
        api: None,
        reason: Some(denial.reason),
        hops: vec![Hop::pass(HopKind::Socket, HopId::Listener(world.listener()), 1), denial.hop()],
        ..trace(&world, &snapshot, 503)
    };
    let told = explain(&snapshot, &trace);
    let own = format!(
        "aws ec2 authorize-security-group-ingress --group-id {} --ip-permissions \
         'IpProtocol=tcp,FromPort=80,ToPort=80,IpRanges=[{{CidrIp=203.0.113.7/32}}]'",
        world.sg(ALB_GROUP)
    );
    assert_eq!(told.fix, [own, command(&world, CHAIN[2]), command(&world, CHAIN[3])]);
    let denied = &told.hops[1];
    assert_eq!((denied.from, &denied.to_groups), (None, &vec![world.sg(ALB_GROUP)]));
    assert!(denied.detail.starts_with("203.0.113.7 (a client on the internet) -> "), "{}", denied.detail);
    assert_eq!(owner(&snapshot, &trace), Some(&only(&snapshot).realm), "by the node");
}

#[test]
fn a_denial_reads_as_a_sentence() {
    let mut world = World::open();
    world.revoke(2);
    world.add_rule(9, ALB_GROUP, (Direction::Ingress, tcp(443), RulePeer::Group(world.sg(LINK_GROUP))));
    let lines = sentences(&told(&world));
    assert_eq!(
        lines.last().unwrap(),
        "deny  security-group  link private (eni-00000000000000001) -> ALB web (eni-00000000000000003) tcp 80: no ingress \
         rule of alb (sg-00000000000000002) admits link (sg-00000000000000001); nearest is sgr-00000000000000009 (tcp 443 \
         from sg-00000000000000001) (Reachability Analyzer: ENI_SG_RULES_MISMATCH) [SG_INGRESS_DENIED]"
    );
    let closed = sentences(&told(&World::closed()));
    assert!(closed[4].contains("link (sg-00000000000000001) has no egress rule"), "{}", closed[4]);
    assert!(closed[4].contains("SG_HAS_NO_RULES"), "{}", closed[4]);
    assert!(closed[5].starts_with("then  security-group  "), "{}", closed[5]);
}

#[test]
fn a_rule_by_address_that_covers_one_zone_is_completed_for_the_other() {
    let mut world = World::open();
    world.revoke(2);
    let zone_b = RulePeer::Ipv4("10.0.0.128/25".parse().unwrap());
    world.add_rule(9, ALB_GROUP, (Direction::Ingress, tcp(80), zone_b));
    assert_eq!(told(&world).fix, [command(&world, CHAIN[1])]);
}

#[test]
fn what_no_group_can_name_is_admitted_by_its_address() {
    let mut world = World::open();
    world.add_target_group(1, &[("192.168.7.9".parse().unwrap(), 9000)]);
    world.revoke(1);
    let expected = format!(
        "aws ec2 authorize-security-group-egress --group-id {} --ip-permissions \
         'IpProtocol=tcp,FromPort=9000,ToPort=9000,IpRanges=[{{CidrIp=192.168.7.9/32}}]'",
        world.sg(ALB_GROUP)
    );
    assert_eq!(told(&world).fix, [command(&world, CHAIN[0]), expected]);
}

#[test]
fn a_health_check_port_of_its_own_is_mended_too() {
    let mut world = World::open();
    let group = world.target_group(1);
    world.probe_port(group, Some(9090));
    world.revoke(4);
    let told = told(&world);
    let expected = [
        CHAIN[3],
        (ALB_GROUP, Direction::Egress, 9090, TARGET_GROUP),
        (TARGET_GROUP, Direction::Ingress, 9090, ALB_GROUP),
    ];
    assert_eq!(told.fix, expected.map(|row| command(&world, row)));
    assert_eq!(codes(&told.hints), [Reason::HealthCheckBlocked]);
}

#[test]
fn the_default_group_gets_a_rule_only_for_want_of_another() {
    let mut world = World::open();
    world.add_group(7, "default");
    for n in LINK_ENIS {
        world.add_interface(n, &[7, LINK_GROUP], InterfaceOwner::VpcLink(world.link()));
    }
    world.revoke(1);
    assert_eq!(told(&world).fix, [command(&world, CHAIN[0])]);
    for n in LINK_ENIS {
        world.add_interface(n, &[7], InterfaceOwner::VpcLink(world.link()));
    }
    let told = told(&world);
    let expected = [(7, Direction::Egress, 80, ALB_GROUP), (ALB_GROUP, Direction::Ingress, 80, 7)];
    assert_eq!(told.fix, expected.map(|row| command(&world, row)));
    assert_eq!(codes(&told.hints), [Reason::LinkUsesDefaultGroup]);
    assert_eq!(told.hints[0].id, world.link().to_string());
}

#[test]
fn before_a_rule_is_known_the_rules_that_may_match_are_followed() {
    let method = |name: &str| RuleCondition::Method(vec![name.to_owned()]);
    let path = |glob: &str| RuleCondition::PathPattern(vec![glob.to_owned()].into());
    let header = RuleCondition::HttpHeader { name: "x-beta".to_owned(), values: vec!["1".to_owned()].into() };
    let host = |name: &str| RuleCondition::HostHeader(vec![name.to_owned()].into());
    let rows: [(&str, Vec<RuleCondition>, &[u16]); 8] = [
        ("another method", vec![method("POST")], &[8080]),
        ("this method", vec![method("GET")], &[9000]),
        ("this path and another method", vec![path("/hel*"), method("POST")], &[8080]),
        ("another path", vec![path("/img/*")], &[8080]),
        ("a header that the trace does not keep", vec![path("/hello"), header], &[9000, 8080]),
        ("another host", vec![host("example.com")], &[8080]),
        ("the host of a custom domain, which the API is not called", vec![host("shop.*")], &[9000]),
        ("the path in another spelling", vec![path("/%68ello"), path("/hello")], &[8080]),
    ];
    for (name, conditions, ports) in rows {
        let mut world = World::closed();
        world.add_target_group(2, &[(world.address(TARGET_ENIS[0]), 9000)]);
        world.add_listener_rule(2, conditions, world.forward(2));
        let mut expected = CHAIN[..2].to_vec();
        for port in ports {
            expected.push((ALB_GROUP, Direction::Egress, *port, TARGET_GROUP));
            expected.push((TARGET_GROUP, Direction::Ingress, *port, ALB_GROUP));
        }
        let expected: Vec<_> = expected.into_iter().map(|row| command(&world, row)).collect();
        assert_eq!(told(&world).fix, expected, "{name}");
    }
}

#[test]
fn what_was_mended_since_needs_no_command() {
    let denied = snapshot(&World::closed());
    let (world, closed) = (World::open(), World::closed());
    let trace = trace(&closed, &denied, 503);
    assert_eq!(explain(&snapshot(&world), &trace).fix, Vec::<String>::new());
}

#[test]
fn where_nothing_is_attached_the_command_puts_a_program_there() {
    for (revoked, rules) in [(None, vec![]), (Some(4), vec![CHAIN[3]])] {
        let mut world = World::open();
        let address = world.address(TARGET_ENIS[0]);
        let mut trace = trace(&world, &snapshot(&world), 504);
        let target_leg = trace.hops.pop().and(trace.hops.pop()).unwrap().leg.unwrap();
        let leg = Leg { to: None, deciding_rule: None, ..target_leg };
        let hop = Hop::stop(HopKind::Target, HopId::Target(address.into(), 8080), Reason::NoInterface, 9).with_leg(leg);
        trace.hops.push(hop);
        trace.reason = hop.reason;
        world.estate.network_interfaces.remove(&world.eni(TARGET_ENIS[0]));
        if let Some(rule) = revoked {
            world.revoke(rule);
        }
        let told = explain(&snapshot(&world), &trace);
        let attach = format!(
            "tidegate attach --vpc {} --security-group {} {address}:8080 127.0.0.1:8080",
            world.vpc(),
            world.sg(TARGET_GROUP)
        );
        assert_eq!(told.fix.first(), Some(&attach), "{:?}", told.fix);
        for rule in rules {
            assert!(told.fix.contains(&command(&world, rule)), "{:?}", told.fix);
        }
        let detail = &told.hops[8].detail;
        assert!(detail.contains(&format!("no program is attached at {address} port 8080")), "{detail}");
    }
}

#[test]
fn what_is_gone_is_shown_by_its_id() {
    let world = World::closed();
    let trace = trace(&world, &snapshot(&world), 503);
    let told = explain(&Snapshot::default(), &trace);
    assert_eq!((told.fix.len(), told.hops.len()), (0, trace.hops.len()));
    let ids: Vec<_> = told.hops.iter().map(|hop| hop.id.as_str()).collect();
    assert_eq!(&ids[..2], [world.api().to_string(), world.route().to_string()]);
    assert!(told.hops.last().unwrap().detail.starts_with("eni-00000000000000001 -> eni-00000000000000003 tcp 80"));
}

#[test]
fn without_its_api_a_trace_is_still_mended_where_it_stopped() {
    let mut world = World::open();
    world.revoke(2);
    let mut trace = trace(&world, &snapshot(&world), 503);
    trace.api = None;
    trace.hops.retain(|hop| hop.kind == HopKind::SecurityGroup);
    assert_eq!(explain(&snapshot(&world), &trace).fix, [command(&world, CHAIN[1])]);
}

#[test]
fn a_failure_that_no_rule_mends_gets_no_command() {
    let world = World::closed();
    let snapshot = snapshot(&world);
    for reason in [Reason::LinkFailed, Reason::NoTargets, Reason::TargetRefused, Reason::ListenerNotFound] {
        let mut trace = trace(&world, &snapshot, 503);
        trace.hops.truncate(3);
        trace.hops.push(Hop::stop(HopKind::Link, HopId::Link(world.link().into()), reason, 4));
        trace.reason = Some(reason);
        let told = explain(&snapshot, &trace);
        assert_eq!(told.fix, Vec::<String>::new(), "{reason}");
        assert!(told.hops.last().unwrap().detail.starts_with("link private ("), "{reason}");
    }
}

#[test]
fn an_integration_that_names_a_load_balancer_is_told_its_listeners() {
    let mut world = World::open();
    let arn = format!("arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/web/{}", world.balancer());
    world.deploy(world.integration_to(&arn));
    let snapshot = snapshot(&world);
    let mut trace = trace(&world, &snapshot, 500);
    let reason = Reason::IntegrationTargetNotListener;
    trace.hops.truncate(2);
    trace.hops.push(Hop::stop(HopKind::Integration, HopId::Integration(world.integration()), reason, 3));
    trace.reason = Some(reason);
    let detail = explain(&snapshot, &trace).hops.pop().unwrap().detail;
    assert!(detail.contains(&arn) && detail.contains(&world.listener_arn()), "{detail}");
}

#[test]
fn a_404_to_a_path_that_begins_with_the_stage_is_hinted_at() {
    let world = World::open();
    let snapshot = snapshot(&world);
    for (status, forwarded, hinted) in
        [(404, "/dev/hello", true), (404, "/hello", false), (200, "/dev/hello", false), (404, "/devil", false)]
    {
        let mut trace = trace(&world, &snapshot, status);
        trace.forwarded_path = forwarded.to_owned();
        let hints = explain(&snapshot, &trace).hints;
        assert_eq!(codes(&hints) == [Reason::StagePrefixForwarded], hinted, "{status} {forwarded}");
    }
}

#[test]
fn a_stage_behind_the_draft_is_hinted_at_with_what_differs() {
    let mut world = World::open();
    let draft = world.estate.deployments.get(&world.deployment()).unwrap().frozen.clone();
    let key = (world.api(), "dev".parse().unwrap());
    for route in &draft.routes {
        world.estate.routes.insert(route.id, topology::resource::http_api::Route::clone(route));
    }
    for integration in &draft.integrations {
        let integration = topology::resource::http_api::Integration::clone(integration);
        world.estate.integrations.insert(integration.id, integration);
    }
    let hinted = |world: &World| {
        let snapshot = snapshot(world);
        let mut trace = trace(world, &snapshot, 200);
        trace.stage = "dev".to_owned();
        explain(&snapshot, &trace).hints
    };
    world.estate.stages.edit(&key).unwrap().auto_deploy = false;
    assert_eq!(codes(&hinted(&world)), [], "what is served is the draft");
    world.estate.integrations.edit(&world.integration()).unwrap().timeout_ms = 77;
    let mut new = topology::resource::http_api::Route::clone(&draft.routes[0]);
    (new.id, new.key) = (RouteId::from_bits(99), "GET /new".parse().unwrap());
    world.estate.routes.insert(new.id, new);
    let hints = hinted(&world);
    assert_eq!(codes(&hints), [Reason::StageRunsOldDeployment]);
    let changed = format!("integration {} changed", world.integration());
    assert!(hints[0].text.contains("route GET /new is new") && hints[0].text.contains(&changed), "{}", hints[0].text);
    world.estate.stages.edit(&key).unwrap().auto_deploy = true;
    assert_eq!(codes(&hinted(&world)), []);
}

#[test]
fn an_internal_load_balancer_open_to_the_world_is_hinted_at() {
    for (block, port, hinted) in
        [("0.0.0.0/0", 80, true), ("0.0.0.0/0", 443, false), ("10.0.0.0/8", 80, false), ("0.0.0.0/1", 80, false)]
    {
        let mut world = World::open();
        world.add_rule(9, ALB_GROUP, (Direction::Ingress, tcp(port), RulePeer::Ipv4(block.parse().unwrap())));
        let hints = told(&world).hints;
        assert_eq!(codes(&hints) == [Reason::OpenToWorld], hinted, "{block} {port}");
    }
}

#[test]
fn a_rule_that_answers_is_hinted_at_once() {
    let mut world = World::open();
    let answer = FixedResponseParts { status: 418, content_type: None, body: None };
    let answer = Action::FixedResponse(FixedResponse::new(answer).unwrap());
    world.add_listener_rule(2, vec![RuleCondition::PathPattern(vec!["/hello".to_owned()].into())], answer);
    let snapshot = snapshot(&world);
    let mut trace = trace(&world, &snapshot, 418);
    trace.hops.truncate(6);
    let rule = HopId::Rule(world.listener(), Some(world.rule(2)));
    trace.hops.push(Hop::pass(HopKind::Rule, rule, 7).with_status(418));
    trace.hints.push(Reason::AnsweredByRule);
    let told = explain(&snapshot, &trace);
    assert_eq!(codes(&told.hints), [Reason::AnsweredByRule]);
    assert!(told.hints[0].text.contains("418"), "{}", told.hints[0].text);
    assert!(told.hints[0].id.ends_with(&format!(
        "listener-rule/app/web/{}/{}/{}",
        world.balancer(),
        world.listener(),
        world.rule(2)
    )));
}

#[test]
fn failing_open_is_hinted_at_with_the_group_that_does() {
    let world = World::open();
    let snapshot = snapshot(&world);
    let mut trace = trace(&world, &snapshot, 200);
    trace.hints.push(Reason::AllUnhealthyFailOpen);
    let hints = explain(&snapshot, &trace).hints;
    assert_eq!(codes(&hints), [Reason::AllUnhealthyFailOpen]);
    assert!(hints[0].id.contains("targetgroup/orders/"), "{}", hints[0].id);
}

fn tcp(port: u16) -> Traffic {
    Traffic::Tcp(PortRange::new(port, port).unwrap())
}

fn codes(hints: &[Hint]) -> Vec<Reason> {
    hints.iter().map(|hint| hint.code).collect()
}

#[test]
fn attributes_that_mean_nothing_here_are_hinted_at_where_they_are_asked_for() {
    let mut world = World::open();
    assert_eq!(codes(&told(&world).hints), []);
    let balancer = *world.estate.load_balancers.iter().next().unwrap().0;
    let set = |world: &mut World, value: &str| {
        let pair = |key: &str| (key.to_owned(), value.to_owned());
        let wanted = ["waf.fail_open.enabled", "zonal_shift.config.enabled"].map(pair);
        world.estate.load_balancers.edit(&balancer).unwrap().attributes.set_all(&wanted).unwrap();
    };
    set(&mut world, "true");
    let hints = told(&world).hints;
    assert_eq!(codes(&hints), [Reason::NotCarriedOut]);
    assert!(hints[0].text.contains("waf.fail_open.enabled (there is no WAF), zonal_shift.config.enabled (no zone"));
    set(&mut world, "false");
    assert_eq!(codes(&told(&world).hints), [], "what is at its default asks for nothing");
}
