//! What an explanation says of a request is what traffic did with it: over random estates and requests, the commands that mend a denial
//! are enough, and none of them is for a rule that the request does not come to.
//!
//! `TIDEGATE_ESTATES` sets how many estates are tried.

use std::net::{Ipv4Addr, SocketAddr};

use plane::PlaneConfig;
use topology::id::*;
use topology::net::{PortRange, Traffic};
use topology::reach::{Explanation, explain};
use topology::reason::Reason;
use topology::resource::action::Action;
use topology::resource::attachment::{Attachment, ServedAt};
use topology::resource::listener::{ListenerRule, RuleCondition};
use topology::resource::security_group::{RulePeer, SecurityGroupRule};
use topology::resource::target_group::{Target, TargetZone};
use topology::trace::{HopId, HopKind, Trace};
use topology::verdict::Direction;

use crate::certificates::{Authority, When};
use crate::estate::*;
use crate::scene::{Answer, Backend, OK, Scene};

/// Few in every run, so that it is short; many by hand.
const ESTATES: u64 = 400;
/// The VPC's own group, which no interface carries.
const DEFAULT_GROUP: SecurityGroupId = SecurityGroupId::from_bits(9);
const DOMAIN: &str = "shop.example.com";
/// Targets: attached ones, one of another port, and an address that nothing has.
const GROUPS: u64 = 3;

/// A source of choices that its seed makes again.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

const PATHS: [&str; 9] =
    ["/", "/orders/1", "/orders/../admin", "/%61dmin", "/users/@me", "/users/%40me", "/caf%c3%a9", "/a//b", "/./img/x"];
const PATTERNS: [&str; 8] =
    ["/orders/*", "/admin", "/users/@me", "/caf%C3%A9", "/img/?", "/*", "/%61dmin", "/users/%40me"];
const HOSTS: [&str; 4] = ["shop.example.com", "*.example.com", "*.amazonaws.com", "other.test"];

/// A condition on something that a trace keeps.
fn condition(choices: &mut Choices) -> RuleCondition {
    match choices.below(3) {
        0 => RuleCondition::PathPattern(vec![choices.one_of(&PATTERNS).to_owned()].into()),
        1 => RuleCondition::HostHeader(vec![choices.one_of(&HOSTS).to_owned()].into()),
        _ => RuleCondition::Method(vec![choices.one_of(&["GET", "POST"]).to_owned()]),
    }
}

fn group(n: u64) -> TargetGroupId {
    TargetGroupId::from_bits(n + 1)
}

fn port(n: u64) -> u16 {
    TARGET_PORT + u16::try_from(n).unwrap()
}

/// Makes the estate another one.
fn vary(chain: &mut Chain, choices: &mut Choices) {
    let base = chain.estate.target_groups.get(&GROUP).unwrap().clone();
    for n in 0..GROUPS {
        let mut made = (*base).clone();
        // The last group's target is where nothing may be.
        let address = if n + 1 == GROUPS { Ipv4Addr::new(10, 0, 0, 60) } else { TARGET_IP };
        (made.id, made.name, made.port) = (group(n), format!("targets-{n}"), port(n));
        let zone = TargetZone::In("us-east-1a".parse().unwrap());
        made.set_targets(vec![Target {
            instance: None,
            address: address.into(),
            port: port(n),
            zone,
            draining_until: None,
        }])
        .unwrap();
        let is_cross_zone = choices.below(3) > 0;
        let cross_zone = ("load_balancing.cross_zone.enabled".to_owned(), is_cross_zone.to_string());
        made.set_attributes(&[cross_zone]).unwrap();
        chain.estate.target_groups.insert(made.id, made);
    }
    let listener = chain.estate.listeners.edit(&LISTENER).unwrap();
    listener.set_default_action(Action::to(group(choices.below(GROUPS)))).unwrap();
    for n in 0..choices.below(4) {
        let conditions = (0..=choices.below(2)).map(|_| condition(choices)).collect();
        let action = Action::to(group(choices.below(GROUPS)));
        let rule = ListenerRule {
            id: ListenerRuleId::from_bits(100 + n),
            listener: LISTENER,
            priority: u32::try_from(n + 1).unwrap(),
            conditions,
            action,
            gate: None,
            order: None,
            transforms: Default::default(),
            tags: Default::default(),
        };
        chain.estate.listener_rules.insert(rule.id, rule);
    }
    for rule in [LINK_EGRESS, ALB_INGRESS, ALB_EGRESS, TARGET_INGRESS] {
        match choices.below(3) {
            0 => drop(chain.estate.security_group_rules.remove(&rule)),
            1 => {
                let all = Traffic::Tcp(PortRange::new(1, 65535).unwrap());
                chain.estate.security_group_rules.edit(&rule).unwrap().traffic = all;
            }
            _ => {}
        }
    }
}

/// Types a command that an explanation told.
fn obey(chain: &mut Chain, line: &str, backend: SocketAddr) {
    let words: Vec<&str> = line.split(' ').collect();
    if let ["tidegate", "attach", .., to, _host] = words.as_slice() {
        let (address, _port) = to.split_once(':').unwrap();
        let named = words.iter().position(|word| *word == "--security-group");
        // As `attach` does: the VPC's own group for want of another.
        let group = named.map_or(DEFAULT_GROUP, |at| words[at + 1].parse().unwrap());
        let mut interface = (**chain.estate.network_interfaces.get(&TARGET_INTERFACE).unwrap()).clone();
        (interface.id, interface.private_ip) = (NetworkInterfaceId::from_bits(31), address.parse().unwrap());
        interface.groups = vec![group];
        let attachment = Attachment {
            interface: interface.id,
            port: None,
            host: ServedAt::Host(backend),
            lease: false,
            agent: None,
        };
        chain.estate.network_interfaces.insert(interface.id, interface);
        chain.estate.attachments.insert(attachment.key(), attachment);
        return;
    }
    let direction = match words[2] {
        "authorize-security-group-ingress" => Direction::Ingress,
        "authorize-security-group-egress" => Direction::Egress,
        other => panic!("no command of ours: {other}"),
    };
    let value = |name: &str| {
        let text = line.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in {line}"));
        text.split([',', ']', '}', '/', '\'', ' ']).next().unwrap()
    };
    let port = value("FromPort=").parse().unwrap();
    let peer = if line.contains("GroupId=sg") && line.contains("UserIdGroupPairs") {
        RulePeer::Group(value("UserIdGroupPairs=[{GroupId=").parse().unwrap())
    } else {
        RulePeer::Ipv4(format!("{}/32", value("CidrIp=")).parse().unwrap())
    };
    let rule = SecurityGroupRule {
        id: SecurityGroupRuleId::from_bits(1000 + chain.estate.security_group_rules.len() as u128),
        group: words[4].parse().unwrap(),
        direction,
        traffic: Traffic::Tcp(PortRange::new(port, port).unwrap()),
        peer,
        description: None,
        tags: Default::default(),
    };
    chain.estate.security_group_rules.insert(rule.id, rule);
}

/// Of which group the target was chosen.
fn chosen(trace: &Trace) -> Option<TargetGroupId> {
    trace.hops.iter().find_map(|hop| match (hop.kind, hop.id) {
        (HopKind::TargetGroup, HopId::TargetGroup(id)) => Some(id),
        _ => None,
    })
}

/// The ports of targets that the explanation's own commands speak of.
fn target_ports(told: &Explanation) -> Vec<u16> {
    let ports = told.fix.iter().filter_map(|line| line.split("FromPort=").nth(1)?.split(',').next()?.parse().ok());
    ports.filter(|port| *port != LISTENER_PORT).collect()
}

async fn ask(scene: &Scene, (method, path, host): (&str, &str, &str)) -> Answer {
    scene
        .raw(format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
        .await
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_what_traffic_does() {
    let estates = std::env::var("TIDEGATE_ESTATES").map_or(ESTATES, |text| text.parse().unwrap());
    let backend = Backend::answering(OK).await;
    let certificate = Authority::new("servers").leaf(&[DOMAIN], When::Now);
    let mut scene = Scene::configured(PlaneConfig::default(), &backend, |chain| {
        chain.domain(DOMAIN, &certificate);
        chain.mapping(DOMAIN, "", "$default");
        let mut group = (**chain.estate.security_groups.get(&LINK_GROUP).unwrap()).clone();
        (group.id, group.name) = (DEFAULT_GROUP, "default".to_owned());
        chain.estate.security_groups.insert(group.id, group);
    })
    .await;
    let (pristine, own_host) = (scene.chain.estate.clone(), host());
    let (mut denied, mut mended, mut elsewhere) = (0u64, 0u64, 0u64);
    for seed in 0..estates {
        let mut choices = Choices(seed);
        let host = if choices.once_in(2) { DOMAIN } else { &own_host };
        let asked = (choices.one_of(&["GET", "POST"]), choices.one_of(&PATHS), host);
        scene.change(|chain| {
            chain.estate = pristine.clone();
            vary(chain, &mut choices);
        });
        let answer = ask(&scene, asked).await;
        let trace = scene.trace(&answer);
        let told = explain(&scene.chain.snapshot(), &trace);
        let refused =
            matches!(trace.reason, Some(Reason::SgEgressDenied | Reason::SgIngressDenied | Reason::NoInterface));
        assert_eq!(!told.fix.is_empty(), refused, "seed {seed}: {trace:?}\n{told:?}");
        denied += u64::from(refused);
        if refused {
            let ports = target_ports(&told);
            scene.change(|chain| told.fix.iter().for_each(|line| obey(chain, line, backend.address)));
            let answer = ask(&scene, asked).await;
            let trace = scene.trace(&answer);
            mended += 1;
            // It came to the node of the other zone, from where the group's target is not sent to: nothing was denied.
            if (answer.status, trace.reason) == (503, Some(Reason::NoTargets)) {
                elsewhere += 1;
                continue;
            }
            assert_eq!((answer.status, trace.reason), (200, None), "seed {seed}: {told:?}\n{trace:?}");
            let group = chosen(&trace).unwrap();
            let expected = (0..GROUPS).find(|n| self::group(*n) == group).map(port).unwrap();
            assert!(ports.iter().all(|port| *port == expected), "seed {seed}: {ports:?}, {expected}\n{told:?}");
        }
    }
    assert!(denied > estates / 3 && mended == denied && denied < estates, "{denied} of {estates} were denied");
    assert!(elsewhere < denied / 3, "{elsewhere} of {denied} came to the other zone");
}
