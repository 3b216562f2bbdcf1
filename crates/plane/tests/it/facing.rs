//! Sockets of internet-facing load balancers: when there is one and at which port, and who their clients are to groups, targets and logs.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use plane::limits::INTERNET_SOCKETS_MAX;
use plane::report::outlet::{self, BalancerLine, Outflow};
use plane::{Binder, PlaneConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use topology::id::{ListenerId, ListenerRuleId, SecurityGroupRuleId};
use topology::net::{Direction, PortRange, Traffic};
use topology::reach;
use topology::resource::action::Action;
use topology::resource::listener::{Listener, ListenerProtocol, NewListener};
use topology::resource::load_balancer::{BalancerKind, Scheme};
use topology::resource::security_group::{RulePeer, SecurityGroupRule};
use topology::trace::{HopKind, Sender};

use crate::balancer_log::{line, log, split};
use crate::estate::{ALB_GROUP, ALB_INGRESS, BALANCER, Chain, GROUP, LISTENER, LISTENER_PORT, realm};
use crate::scene::{Answer, Backend, OK, Scene, bind, header, read_answer};

/// The rule of the load balancer's group that speaks of a block.
const FROM_BLOCK: SecurityGroupRuleId = SecurityGroupRuleId::from_bits(90);
const HERE: Option<Ipv4Addr> = Some(Ipv4Addr::LOCALHOST);

fn config(internet: Option<Ipv4Addr>, binder: Binder) -> PlaneConfig {
    let blocked_connect = Some(Duration::from_millis(1));
    PlaneConfig { internet, binder, blocked_connect, ..PlaneConfig::default() }
}

fn face(chain: &mut Chain, scheme: Scheme) {
    chain.estate.load_balancers.edit(&BALANCER).unwrap().scheme = scheme;
}

/// Lets clients of this block come to the load balancer.
fn admit(chain: &mut Chain, block: &str) {
    let rule = SecurityGroupRule {
        id: FROM_BLOCK,
        group: ALB_GROUP,
        direction: Direction::Ingress,
        traffic: Traffic::Tcp(PortRange::new(LISTENER_PORT, LISTENER_PORT).unwrap()),
        peer: RulePeer::Ipv4(block.parse().unwrap()),
        description: None,
        tags: Default::default(),
    };
    chain.estate.security_group_rules.insert(FROM_BLOCK, rule);
}

fn listener(chain: &mut Chain, at: u16, port: u16) -> ListenerId {
    let id = ListenerId::from_bits(u64::from(at));
    let listener = Listener::new(NewListener {
        id,
        load_balancer: BALANCER,
        kind: BalancerKind::Application,
        port,
        protocol: ListenerProtocol::Http,
        default_rule: ListenerRuleId::from_bits(u64::from(at)),
        default_gate: None,
        default_action: Action::to(GROUP),
        tags: Default::default(),
    });
    chain.estate.listeners.insert(id, listener.unwrap());
    id
}

fn listener_at(chain: &mut Chain, id: ListenerId, port: u16) {
    chain.estate.listeners.edit(&id).unwrap().port = port;
}

fn socket(scene: &Scene) -> Option<Result<SocketAddr, String>> {
    scene.plane.internet_socket(&realm(), LISTENER)
}

/// Asks at an address; the answer, and the address that was asked from.
async fn ask(address: SocketAddr) -> (Answer, SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let from = stream.local_addr().unwrap();
    stream.write_all(b"GET /a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    (read_answer(stream).await, from)
}

/// Asks over a connection that stays open, and reads the backend's answer.
async fn answered(stream: &mut TcpStream) {
    stream.write_all(b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"\r\n\r\nok") {
        assert_ne!(stream.read_buf(&mut said).await.unwrap(), 0);
    }
}

/// The fields of the next line of a log.
async fn fields(lines: &mut Outflow<BalancerLine>) -> Vec<String> {
    split(&line(lines).await.text)
}

#[tokio::test]
async fn a_socket_is_there_as_long_as_its_load_balancer_faces_the_internet() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::configured(config(HERE, Binder::new(bind)), &backend, |_| {}).await;
    assert_eq!(socket(&scene), None, "an internal one has none");
    scene.change(|chain| {
        face(chain, Scheme::InternetFacing);
        admit(chain, "127.0.0.0/8");
    });
    let open = socket(&scene).unwrap().unwrap();
    assert_eq!(open.ip(), Ipv4Addr::LOCALHOST);
    assert_eq!(ask(open).await.0.status, 200);
    scene.change(|chain| admit(chain, "0.0.0.0/0"));
    assert_eq!(socket(&scene), Some(Ok(open)), "kept");
    let mut kept = TcpStream::connect(open).await.unwrap();
    answered(&mut kept).await;
    scene.change(|chain| face(chain, Scheme::Internal));
    assert_eq!(socket(&scene), None);
    kept.write_all(b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = read_answer(kept).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (503, "LISTENER_NOT_FOUND"), "a connection of before");
    let mut without = Scene::configured(config(None, Binder::new(bind)), &backend, |_| {}).await;
    without.change(|chain| face(chain, Scheme::InternetFacing));
    assert_eq!(socket(&without), None, "without a host");
}

#[tokio::test]
async fn clients_are_judged_and_told_of_by_the_address_that_they_come_from() {
    let backend = Backend::answering(OK).await;
    let (lines, mut outflow) = outlet::balancer_lines();
    let config = PlaneConfig { balancer_lines: Some(lines), ..config(HERE, Binder::new(bind)) };
    let mut scene = Scene::configured(config, &backend, |chain| {
        face(chain, Scheme::InternetFacing);
        ["access", "connection"].iter().for_each(|kind| log(chain, kind));
    })
    .await;
    let open = socket(&scene).unwrap().unwrap();
    for block in [None, Some("10.0.0.0/8"), Some("127.0.0.2/32")] {
        scene.change(|chain| {
            if let Some(block) = block {
                admit(chain, block);
            }
        });
        let (answer, _) = ask(open).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (503, "SG_INGRESS_DENIED"), "{block:?}");
        let id = answer.header("x-tidegate-request-id").unwrap();
        let trace = scene.plane.traces().find(id.parse().unwrap()).unwrap();
        let leg = trace.hops.iter().find(|hop| hop.kind == HopKind::SecurityGroup).unwrap().leg.unwrap();
        assert_eq!(leg.from, Sender::Address(Ipv4Addr::LOCALHOST.into()));
        let explained = reach::explain(&scene.plane.snapshot(), &trace);
        let mends = |line: &String| line.contains(&ALB_GROUP.to_string()) && line.contains("CidrIp=127.0.0.1/32");
        assert!(explained.fix.iter().any(mends), "{:?}", explained.fix);
        assert_eq!(reach::owner(&scene.plane.snapshot(), &trace), Some(&realm()));
    }
    assert!(
        scene.chain.estate.security_group_rules.get(&ALB_INGRESS).is_some(),
        "the rule for the link's group is there"
    );
    scene.change(|chain| admit(chain, "127.0.0.1/32"));
    let (answer, from) = ask(open).await;
    assert_eq!(answer.status, 200);
    assert_eq!(header(&backend.heads()[0], "x-forwarded-for").as_deref(), Some("127.0.0.1"));
    let mut told = [fields(&mut outflow).await, fields(&mut outflow).await];
    // A line of an access log begins with its kind.
    told.sort_by_key(|fields| fields[0] != "http");
    assert_eq!(told[0][3], from.to_string(), "the access log");
    assert_eq!(told[1][1..3], [from.ip().to_string(), from.port().to_string()], "the connection log");
}

#[tokio::test]
async fn a_listener_may_have_both_sockets_and_each_says_who_comes() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::configured(config(HERE, Binder::new(bind)), &backend, |chain| {
        face(chain, Scheme::InternetFacing);
    })
    .await;
    let (given, facing) = (scene.listen(), socket(&scene).unwrap().unwrap());
    assert_eq!(ask(given).await.0.status, 200, "an interface of the link's group");
    assert_eq!(ask(facing).await.0.outcome(), "SG_INGRESS_DENIED", "an address that no rule names");
    scene.change(|chain| {
        admit(chain, "127.0.0.1/32");
        chain.estate.security_group_rules.remove(&ALB_INGRESS);
    });
    assert_eq!(ask(given).await.0.outcome(), "SG_INGRESS_DENIED");
    assert_eq!(ask(facing).await.0.status, 200);
}

#[tokio::test]
async fn all_that_comes_over_a_connection_meets_one_node_and_connections_meet_all() {
    let backend = Backend::answering(OK).await;
    let (lines, mut outflow) = outlet::balancer_lines();
    let config = PlaneConfig { balancer_lines: Some(lines), ..config(HERE, Binder::new(bind)) };
    let scene = Scene::configured(config, &backend, |chain| {
        face(chain, Scheme::InternetFacing);
        admit(chain, "127.0.0.1/32");
        ["access", "connection"].iter().for_each(|kind| log(chain, kind));
    })
    .await;
    let open = socket(&scene).unwrap().unwrap();
    let mut met = BTreeSet::new();
    // That all of them meet one by chance is less likely than one in 10^18.
    for _ in 0..64 {
        let mut stream = TcpStream::connect(open).await.unwrap();
        let mut nodes = BTreeSet::new();
        for _ in 0..3 {
            answered(&mut stream).await;
        }
        for _ in 0..4 {
            nodes.insert(line(&mut outflow).await.node);
        }
        assert_eq!(nodes.len(), 1, "three requests and their connection: {nodes:?}");
        met.append(&mut nodes);
    }
    assert_eq!(met.len(), 2, "{met:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_or_low_has_a_free_one_in_its_place() {
    let backend = Backend::answering(OK).await;
    let wishes: Arc<Mutex<Vec<u16>>> = Arc::default();
    let noted = Arc::clone(&wishes);
    let binder = Binder::new(move |host: SocketAddr| {
        noted.lock().push(host.port());
        if host.port() == 0 { bind(host) } else { Err(io::ErrorKind::AddrInUse.into()) }
    });
    let mut scene = Scene::configured(config(HERE, binder), &backend, |chain| {
        face(chain, Scheme::InternetFacing);
        admit(chain, "0.0.0.0/0");
    })
    .await;
    assert_eq!(*wishes.lock(), [0], "port 80 is not asked for");
    assert_eq!(ask(socket(&scene).unwrap().unwrap()).await.0.status, 200);
    let mut id = LISTENER;
    scene.change(|chain| id = listener(chain, 2, 4_433));
    assert_eq!(*wishes.lock(), [0, 4_433, 0]);
    let second = scene.plane.internet_socket(&realm(), id).unwrap().unwrap();
    assert_ne!(Ok(second), socket(&scene).unwrap());
    scene.change(|chain| listener_at(chain, id, 4_434));
    assert_eq!(*wishes.lock(), [0, 4_433, 0, 4_434, 0], "a listener that moves is asked for anew, and it alone");
    assert_ne!(scene.plane.internet_socket(&realm(), id).unwrap(), Ok(second));
}

#[tokio::test]
async fn one_that_cannot_be_opened_is_told_and_tried_again() {
    let backend = Backend::answering(OK).await;
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let binder = Binder::new(move |host| match broken.load(Ordering::Relaxed) {
        true => Err(io::ErrorKind::AddrNotAvailable.into()),
        false => bind(host),
    });
    let mut scene = Scene::configured(config(HERE, binder), &backend, |chain| {
        face(chain, Scheme::InternetFacing);
        admit(chain, "0.0.0.0/0");
    })
    .await;
    assert_eq!(socket(&scene), Some(Err("address not available".to_owned())));
    is_broken.store(false, Ordering::Relaxed);
    scene.change(|_| {});
    assert_eq!(ask(socket(&scene).unwrap().unwrap()).await.0.status, 200);
}

#[tokio::test]
async fn there_are_so_many_at_most_and_room_is_used_again() {
    let backend = Backend::answering(OK).await;
    let anywhere = Binder::new(|host| bind(SocketAddr::new(host.ip(), 0)));
    let mut listeners = Vec::new();
    let more = u16::try_from(INTERNET_SOCKETS_MAX).unwrap() + 1;
    let mut scene = Scene::configured(config(HERE, anywhere), &backend, |chain| {
        face(chain, Scheme::InternetFacing);
        chain.estate.listeners.remove(&LISTENER);
        listeners = (1..=more).map(|at| listener(chain, at, 2_000 + at)).collect();
    })
    .await;
    let told = |scene: &Scene| {
        let each = listeners.iter().map(|id| scene.plane.internet_socket(&realm(), *id));
        each.collect::<Vec<_>>()
    };
    let shut: Vec<_> = told(&scene).into_iter().flatten().filter_map(Result::err).collect();
    assert_eq!(shut, [format!("{INTERNET_SOCKETS_MAX} are open, as many as may be")]);
    let open = listeners.iter().find(|id| matches!(scene.plane.internet_socket(&realm(), **id), Some(Ok(_))));
    let gone = *open.unwrap();
    scene.change(|chain| {
        chain.estate.listeners.remove(&gone);
    });
    let told = told(&scene);
    assert_eq!(told.iter().flatten().filter(|socket| socket.is_ok()).count(), INTERNET_SOCKETS_MAX);
    assert_eq!(told.iter().filter(|socket| socket.is_none()).count(), 1);
}
