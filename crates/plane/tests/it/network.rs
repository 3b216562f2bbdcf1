//! Connections of a network load balancer: which target they are led to, and what ends them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use plane::{Binder, PlaneConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use topology::id::ListenerRuleId;
use topology::net::Family;
use topology::observed::{Fact, Health};
use topology::resource::action::Action;
use topology::resource::attachment::{Attachment, ServedAt};
use topology::resource::health_check::{HealthCheck, Pace, Probe};
use topology::resource::listener::{Listener, ListenerProtocol, NewListener};
use topology::resource::load_balancer::{BalancerAttributes, BalancerKind};
use topology::resource::security_group::RulePeer;
use topology::resource::target_group::{NewTargetGroup, Registered, Target, TargetGroup, TargetGroupKind};
use topology::time::Moment;

use crate::choice::{SECOND, attach_second, edit_group, give, target};
use crate::estate::{
    BALANCER, Chain, GROUP, LISTENER, LISTENER_PORT, TARGET_INGRESS, TARGET_INTERFACE, TARGET_PORT, VPC,
};
use crate::scene::{Backend, Scene, bind, let_pass};

/// Makes the chain's load balancer one of connections, whose group has these targets.
fn streams(chain: &mut Chain, targets: Vec<Target>) {
    chain.estate.load_balancers.edit(&BALANCER).unwrap().attributes = BalancerAttributes::new(BalancerKind::Network);
    let listener = Listener::new(NewListener {
        id: LISTENER,
        load_balancer: BALANCER,
        kind: BalancerKind::Network,
        port: LISTENER_PORT,
        protocol: ListenerProtocol::Tcp,
        default_rule: ListenerRuleId::from_bits(1),
        default_gate: None,
        default_action: Action::to(GROUP),
        tags: Default::default(),
    });
    chain.estate.listeners.insert(LISTENER, listener.unwrap());
    let pace = Pace { interval_s: 5, timeout_s: 2, healthy_threshold: 2, unhealthy_threshold: 2 };
    let mut group = TargetGroup::new(NewTargetGroup {
        id: GROUP,
        name: "targets".into(),
        vpc: VPC,
        kind: TargetGroupKind::Tcp(Registered::Ip),
        family: targets.first().map_or_else(Family::default, |target| Family::of(target.address)),
        port: TARGET_PORT,
        health_check: HealthCheck::new(None, Probe::Tcp, pace).unwrap(),
        tags: Default::default(),
    })
    .unwrap();
    group.set_targets(targets).unwrap();
    chain.estate.target_groups.insert(GROUP, group);
}

fn balancer(chain: &mut Chain, key: &str, value: &str) {
    chain.estate.load_balancers.edit(&BALANCER).unwrap().attributes.set(key, value).unwrap();
}

/// A target of IPv6 that admits addresses of IPv6 alone: the node's is seen, whatever client of IPv4 is to be shown.
#[tokio::test]
async fn a_client_of_ipv4_is_not_shown_to_a_target_of_ipv6() {
    let one = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1").await;
    let config = PlaneConfig { binder: Binder::new(bind), ..PlaneConfig::default() };
    let mut scene = Scene::configured(config, &one, |chain| {
        let address = chain.dual_stack().into();
        streams(chain, vec![Target { address, ..target(TARGET_PORT, 0) }]);
        edit_group(chain, |group| give(group, &[("preserve_client_ip.enabled", "true")]));
        let ingress = chain.estate.security_group_rules.edit(&TARGET_INGRESS).unwrap();
        ingress.peer = RulePeer::Ipv6("2001:db8::/56".parse().unwrap());
    })
    .await;
    scene.fact(|fact| is(fact, TARGET_PORT, Health::Healthy)).await;
    let socket = scene.listen();
    assert_eq!(ask(&mut TcpStream::connect(socket).await.unwrap()).await, Some('1'));
    // And the group is judged: a block without the node's address admits nobody.
    scene.change(|chain| {
        let ingress = chain.estate.security_group_rules.edit(&TARGET_INGRESS).unwrap();
        ingress.peer = RulePeer::Ipv4("0.0.0.0/0".parse().unwrap());
    });
    assert_eq!(ask(&mut TcpStream::connect(socket).await.unwrap()).await, None);
}

struct Stage {
    _one: Backend,
    _two: Backend,
    scene: Scene,
    socket: SocketAddr,
}

/// Two targets, in zones a and b, behind a socket in zone a.
async fn pair() -> Stage {
    let one = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1").await;
    let two = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2").await;
    let config = PlaneConfig { binder: Binder::new(bind), ..PlaneConfig::default() };
    let mut scene = Scene::configured(config, &one, |chain| {
        attach_second(chain, &two);
        streams(chain, vec![target(TARGET_PORT, 0), target(SECOND, 1)]);
    })
    .await;
    for port in [TARGET_PORT, SECOND] {
        scene.fact(|fact| is(fact, port, Health::Healthy)).await;
    }
    let socket = scene.listen();
    Stage { _one: one, _two: two, scene, socket }
}

fn is(fact: &Fact, wanted: u16, wanted_health: Health) -> bool {
    matches!(fact, Fact::TargetHealth { health, target, .. } if target.port == wanted && *health == wanted_health)
}

/// Asks over a connection; what the target says last, and nothing where the connection ends.
async fn ask(stream: &mut TcpStream) -> Option<char> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.ok()?;
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\n1") && !said.ends_with(b"\r\n\r\n2") {
        let mut piece = [0; 256];
        let length = stream.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        said.extend_from_slice(&piece[..length]);
    }
    said.last().map(|byte| char::from(*byte))
}

impl Stage {
    async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.socket).await.unwrap()
    }

    /// Nothing listens there any longer, so that a probe is refused; what is connected stays.
    async fn fall_ill(&mut self, port: u16) {
        self.scene.change(|chain| {
            let host = SocketAddr::from(([127, 0, 0, 1], 1));
            let closed = Attachment {
                interface: TARGET_INTERFACE,
                port: Some(port),
                host: ServedAt::Host(host),
                lease: false,
                agent: None,
            };
            chain.estate.attachments.insert(closed.key(), closed);
        });
        let ill = |fact: &Fact| matches!(fact, Fact::TargetHealth { health: Health::Unhealthy(_), target, .. } if target.port == port);
        self.scene.fact(ill).await;
    }

    /// Who answers sixty connections: nobody is `None`.
    async fn answering(&self) -> BTreeSet<Option<char>> {
        let mut who = BTreeSet::new();
        for _ in 0..60 {
            who.insert(ask(&mut self.dial().await).await);
        }
        who
    }
}

// sees: Network load balancers: load_balancing.cross_zone.enabled
// sees: Target groups with protocol TCP: load_balancing.cross_zone.enabled
#[tokio::test]
async fn a_node_sends_to_its_own_zone_unless_it_is_told_to_cross() {
    let mut stage = pair().await;
    let both: BTreeSet<_> = [Some('1'), Some('2')].into();
    assert_eq!(stage.answering().await, [Some('1')].into(), "off by default");
    let mut held = stage.dial().await;
    assert_eq!(ask(&mut held).await, Some('1'));
    let page = stage.scene.plane.metrics();
    assert!(!page.contains("applicationelb_healthy_host_count{"), "{page}");
    let of_balancer = "load_balancer=\"net/internal/0000000000000001\"";
    let hosts = format!("tidegate_networkelb_healthy_host_count{{{of_balancer},target_group=\"targetgroup/targets/");
    assert!(page.contains(&hosts), "{page}");
    let flows = page
        .lines()
        .find_map(|line| line.strip_prefix(&format!("tidegate_networkelb_new_flow_count_total{{{of_balancer}}} ")));
    assert_eq!(flows, Some("61"));
    stage.scene.change(|chain| balancer(chain, "load_balancing.cross_zone.enabled", "true"));
    assert_eq!(stage.answering().await, both, "the load balancer's");
    stage
        .scene
        .change(|chain| edit_group(chain, |group| give(group, &[("load_balancing.cross_zone.enabled", "false")])));
    assert_eq!(stage.answering().await, [Some('1')].into(), "the group's counts before it");
    stage.scene.change(|chain| {
        balancer(chain, "load_balancing.cross_zone.enabled", "false");
        edit_group(chain, |group| give(group, &[("load_balancing.cross_zone.enabled", "true")]));
    });
    assert_eq!(stage.answering().await, both);
}

// sees: Target groups with protocol TCP: target_group_health.unhealthy_state_routing.minimum_healthy_targets.*
#[tokio::test(start_paused = true)]
async fn below_so_many_healthy_targets_all_get_connections() {
    let mut stage = pair().await;
    stage.scene.change(|chain| balancer(chain, "load_balancing.cross_zone.enabled", "true"));
    stage.fall_ill(SECOND).await;
    assert_eq!(stage.answering().await, [Some('1')].into());
    for (key, value) in [("count", "2"), ("percentage", "60")] {
        let key = format!("target_group_health.unhealthy_state_routing.minimum_healthy_targets.{key}");
        stage.scene.change(|chain| edit_group(chain, |group| give(group, &[(&key, value)])));
        assert_eq!(stage.answering().await, [None, Some('1')].into(), "{key}: nobody is at the second");
        let usual = if value == "2" { "1" } else { "off" };
        stage.scene.change(|chain| edit_group(chain, |group| give(group, &[(&key, usual)])));
        assert_eq!(stage.answering().await, [Some('1')].into());
    }
}

// sees: TCP listeners: tcp.idle_timeout.seconds
#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends() {
    let mut stage = pair().await;
    for (timeout_s, set) in [(350, None), (60, Some("60"))] {
        if let Some(value) = set {
            stage.scene.change(|chain| {
                let listener = chain.estate.listeners.edit(&LISTENER).unwrap();
                listener.set_attribute("tcp.idle_timeout.seconds", value).unwrap();
            });
        }
        let mut stream = stage.dial().await;
        assert_eq!(ask(&mut stream).await, Some('1'));
        let_pass(Duration::from_secs(timeout_s - 5)).await;
        assert_eq!(ask(&mut stream).await, Some('1'), "bytes begin it anew");
        let since = Instant::now();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
        let waited = since.elapsed().as_secs();
        assert!((timeout_s - 1..=timeout_s + 2).contains(&waited), "{waited} s of {timeout_s}");
    }
}

// sees: Target groups with protocol TCP: deregistration_delay.connection_termination.enabled
#[tokio::test(start_paused = true)]
async fn connections_end_when_their_target_has_drained_where_that_is_asked_for() {
    let mut stage = pair().await;
    let draining = Target { draining_until: Some(Moment(i64::MAX)), ..target(TARGET_PORT, 0) };
    for ends in [false, true] {
        let value = ends.to_string();
        stage.scene.change(|chain| {
            edit_group(chain, |group| {
                group.set_targets(vec![target(TARGET_PORT, 0), target(SECOND, 1)]).unwrap();
                give(group, &[("deregistration_delay.connection_termination.enabled", &value)]);
            });
        });
        let mut stream = stage.dial().await;
        assert_eq!(ask(&mut stream).await, Some('1'));
        stage.scene.change(|chain| {
            edit_group(chain, |group| group.set_targets(vec![draining.clone(), target(SECOND, 1)]).unwrap());
        });
        let_pass(Duration::from_secs(5)).await;
        assert_eq!(ask(&mut stream).await, Some('1'), "it drains");
        assert_eq!(ask(&mut stage.dial().await).await, None, "and gets no more: the node has no other target");
        stage.scene.change(|chain| {
            edit_group(chain, |group| group.set_targets(vec![target(SECOND, 1)]).unwrap());
        });
        let_pass(Duration::from_secs(5)).await;
        assert_eq!(ask(&mut stream).await, (!ends).then_some('1'), "{ends}");
    }
}

// sees: Target groups with protocol TCP: target_health_state.unhealthy.*
#[tokio::test(start_paused = true)]
async fn connections_of_an_ill_target_end_at_once_or_after_their_time_or_never() {
    const KEY: &str = "target_health_state.unhealthy";
    for (ends, drains_s, lasts) in [("true", "0", Some(0)), ("false", "60", Some(60)), ("false", "0", None)] {
        let mut stage = pair().await;
        stage.scene.change(|chain| {
            balancer(chain, "load_balancing.cross_zone.enabled", "true");
            edit_group(chain, |group| {
                let (ends_key, drains_key) =
                    (format!("{KEY}.connection_termination.enabled"), format!("{KEY}.draining_interval_seconds"));
                give(group, &[(&ends_key, ends), (&drains_key, drains_s)]);
            });
        });
        let mut held = stage.dial().await;
        while ask(&mut held).await != Some('2') {
            held = stage.dial().await;
        }
        stage.fall_ill(SECOND).await;
        assert_eq!(stage.answering().await, [Some('1')].into(), "it gets no new ones");
        if lasts != Some(0) {
            // Part of the time is told to have passed.
            stage.scene.plane.move_clock(Duration::from_secs(30));
            let_pass(Duration::from_secs(25)).await;
            assert_eq!(ask(&mut held).await, Some('2'), "{ends} {drains_s}");
            stage.scene.plane.move_clock(Duration::from_secs(10));
        }
        let_pass(Duration::from_secs(5)).await;
        assert_eq!(ask(&mut held).await, lasts.is_none().then_some('2'), "{ends} {drains_s}");
    }
}
