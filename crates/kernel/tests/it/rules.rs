//! What the kernel does beyond the opening of TCP connections: other protocols, revoked rules, forged addresses, and what is no interface.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;

use kernel::flows::{Barrier, Flows, Refused, Stage, Told, Way};
use kernel::{INNER, Inside, Plug};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, ipproto, recv, socket_with};
use topology::id::{NetworkAclId, SecurityGroupId, SecurityGroupRuleId};
use topology::net::{Ipv4Net, PortRange, Traffic};
use topology::snapshot::fabric::{AclRule, BesideTcp, Fabric, Group, GroupRule, Peer};

use crate::differential::interface;
use crate::world::{Vpcs, acl, on_one_processor, ruleset, subnet};

const CLIENT: usize = 0;
const SERVER: usize = 1;
const OTHER: usize = 2;
const PORT: u16 = 8080;

fn address(nth: usize) -> Ipv4Addr {
    [Ipv4Addr::new(10, 0, 0, 10), Ipv4Addr::new(10, 0, 1, 10), Ipv4Addr::new(10, 0, 2, 10)][nth]
}

fn at(nth: usize) -> SocketAddrV4 {
    SocketAddrV4::new(address(nth), PORT)
}

fn group(nth: usize) -> SecurityGroupId {
    SecurityGroupId::from_bits(nth as u128)
}

fn rule(traffic: Traffic, peer: Peer) -> GroupRule {
    GroupRule { id: SecurityGroupRuleId::from_bits(1), traffic, peer }
}

fn tcp() -> Traffic {
    Traffic::Tcp(PortRange::new(PORT, PORT).unwrap())
}

/// A client, a server and another, each in a subnet and with a group of its own. All may send everything; the server takes this, the others
/// everything.
fn fabric(server_takes: Vec<GroupRule>) -> Fabric {
    let all = || vec![rule(Traffic::All, Peer::Cidr(Ipv4Net::default().into()))];
    let mut fabric = Fabric::default();
    for nth in [CLIENT, SERVER, OTHER] {
        fabric.subnets.extend([subnet(address(nth))]);
        fabric.interfaces.push(interface(nth, address(nth), vec![group(nth)], true));
        let ingress = if nth == SERVER { server_takes.clone() } else { all() };
        fabric.groups.insert(group(nth), Group { ingress, egress: all(), ..Group::default() }.into());
    }
    fabric
}

/// The network, and a connection from the client to the other that is sure to arrive.
struct Net {
    vpc: Vpcs,
    sure: TcpListener,
}

impl Net {
    fn of(fabric: &Fabric) -> Self {
        on_one_processor();
        let vpc = Vpcs::build(&Inside::start().unwrap(), fabric);
        let sure = vpc.listen(OTHER, at(OTHER));
        Self { vpc, sure }
    }

    fn enforce(&mut self, fabric: &Fabric) {
        self.vpc.enforce(fabric);
    }

    /// Whatever the client or the other has sent before has arrived, or never will.
    fn settle(&self) {
        self.vpc.begin(CLIENT, vec![at(OTHER)])[0].arrived();
        self.sure.accept().unwrap();
    }

    /// Whether a connection from there arrives.
    fn arrives(&self, from: usize, to: SocketAddrV4) -> bool {
        let begun = self.vpc.begin(from, vec![to]).pop().unwrap();
        self.settle();
        begun.has_arrived()
    }

    fn datagrams(&self, nth: usize, address: SocketAddrV4) -> UdpSocket {
        let socket = self.vpc.inside.run(&self.vpc.namespaces[nth], move || UdpSocket::bind(address)).unwrap().unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// A socket for messages of ICMP.
    fn icmp(&self, nth: usize) -> UdpSocket {
        let open = || socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMP));
        UdpSocket::from(self.vpc.inside.run(&self.vpc.namespaces[nth], open).unwrap().unwrap())
    }

    fn ip(&self, nth: usize, words: &'static [&'static str]) {
        let run = move || Command::new("ip").args(words).status();
        assert!(self.vpc.inside.run(&self.vpc.namespaces[nth], run).unwrap().unwrap().success());
    }
}

/// Runs a test as root and without privileges.
macro_rules! tests {
    ($($name:ident)*) => {
        mod root {
            $(#[test] fn $name() {
                crate::world::isolated(crate::world::Who::Root, concat!("rules::root::", stringify!($name)), super::$name);
            })*
        }
        mod nobody {
            $(#[test] fn $name() {
                let name = concat!("rules::nobody::", stringify!($name));
                crate::world::isolated(crate::world::Who::Nobody, name, super::$name);
            })*
        }
    };
}

tests! {
    each_protocol_is_let_through_by_its_own_rules
    a_revoked_rule_keeps_new_connections_out_and_lets_old_ones_go_on
    an_address_that_is_given_anew_has_no_connection_of_the_one_before
    an_acl_cuts_connections_that_were_let_through
    an_acl_judges_each_protocol_by_its_own_rules
    a_forged_address_reaches_nobody
    neither_the_router_nor_an_unused_address_nor_another_network_answers
    the_resolver_is_asked_whatever_the_groups_say_and_nothing_else_of_the_router_is_reached
    an_interface_that_is_taken_away_answers_no_more_and_its_cable_is_free
    a_network_gets_another_block_and_loses_one
    what_passes_and_what_does_not_is_told_once_with_what_was_counted
}

/// What a router tells, after which there is nothing left to tell.
fn told(flows: &mut Flows) -> Vec<Told> {
    let mut all = Vec::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    flows.look(now, &mut |told| all.push(told)).unwrap();
    all
}

fn what_passes_and_what_does_not_is_told_once_with_what_was_counted() {
    let mut net = Net::of(&fabric(Vec::new()));
    let mut flows = net.vpc.network().listen().unwrap();
    net.enforce(&fabric(Vec::new()));
    assert_eq!(told(&mut flows), []);
    // Nothing lets this in.
    let datagrams = net.datagrams(CLIENT, SocketAddrV4::new(address(CLIENT), 999));
    datagrams.send_to(b"12345678", at(SERVER)).unwrap();
    assert!(!net.arrives(CLIENT, at(SERVER)));
    let all = told(&mut flows);
    let refused: Vec<_> =
        all.iter().filter_map(|told| if let Told::Refused(refused) = told { Some(*refused) } else { None }).collect();
    let [datagram, opening] = refused[..] else { panic!("{all:?}") };
    let way = Way { protocol: 17, from: SocketAddrV4::new(address(CLIENT), 999), to: at(SERVER) };
    assert_eq!(datagram, Refused { way, bytes: 20 + 8 + 8, flags: 0, at: Barrier::Arriving });
    assert_eq!((opening.way.to, opening.flags, opening.at), (way.to, 2, Barrier::Arriving));
    // What was sure to arrive passed, and is told of no second time.
    let carried = |all: &[Told]| {
        let carried =
            all.iter().map(|told| if let Told::Carried(carried) = told { *carried } else { panic!("{all:?}") });
        carried.filter(|carried| carried.way.protocol == 6).collect::<Vec<_>>()
    };
    let passed: Vec<_> = all.iter().filter(|told| matches!(told, Told::Carried(_))).copied().collect();
    let [sure] = carried(&passed)[..] else { panic!("{all:?}") };
    assert_eq!((sure.way.to, sure.is_fresh), (at(OTHER), true));
    assert!(sure.sent.packets >= 2 && sure.sent.bytes >= 80 && sure.replied.packets >= 1, "{sure:?}");
    assert_eq!(told(&mut flows), []);
    // A connection goes on, and ends.
    let begun = net.vpc.begin(CLIENT, vec![at(OTHER)]).pop().unwrap();
    begun.arrived();
    let (mut there, _) = net.sure.accept().unwrap();
    let opened = carried(&told(&mut flows));
    assert_eq!((opened.len(), opened[0].is_fresh, opened[0].stage), (1, true, Stage::Open));
    let mut here = TcpStream::from(OwnedFd::from(begun));
    here.write_all(&[7; 1000]).unwrap();
    there.read_exact(&mut [0; 1000]).unwrap();
    let went_on = carried(&told(&mut flows));
    assert_eq!((went_on.len(), went_on[0].way, went_on[0].is_fresh), (1, opened[0].way, false));
    assert!(went_on[0].sent.bytes >= 1040 && went_on[0].sent.bytes < 2000, "{went_on:?}");
    drop(here);
    assert_eq!(there.read(&mut [0; 1]).unwrap(), 0);
    drop(there);
    net.settle();
    let ended = carried(&told(&mut flows));
    let ended = ended.iter().find(|carried| carried.way == opened[0].way).unwrap();
    assert_eq!((ended.stage, ended.is_fresh), (Stage::Ended, false));
    // Whoever is not wanted to tell tells nothing of what is dropped.
    net.vpc.network().be_silent();
    net.enforce(&fabric(Vec::new()));
    assert!(!net.arrives(CLIENT, at(SERVER)));
    assert!(told(&mut flows).iter().all(|told| matches!(told, Told::Carried(_))));
}

fn the_resolver_is_asked_whatever_the_groups_say_and_nothing_else_of_the_router_is_reached() {
    let mut net = Net::of(&fabric(Vec::new()));
    let address = Ipv4Addr::new(10, 0, 0, 2);
    let (datagrams, connections) = net.vpc.network().resolve_at(address).unwrap();
    let router = net.vpc.network().router().clone();
    let _other = net.vpc.inside.run(&router, move || TcpListener::bind((address, PORT))).unwrap().unwrap();
    let names = SocketAddrV4::new(address, 53);
    assert!(!net.arrives(CLIENT, names), "no rule lets it in yet");
    net.enforce(&fabric(Vec::new()));
    assert!(net.arrives(CLIENT, names), "the client's groups let nothing out, and it is reached");
    assert!(!net.arrives(CLIENT, SocketAddrV4::new(address, PORT)));
    assert!(!net.arrives(CLIENT, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 53)), "at its own address only");
    connections.accept().unwrap();
    let asking = net.vpc.inside.run(&net.vpc.namespaces[CLIENT], move || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
        socket.send_to(b"?", names).map(|_| socket)
    });
    let asking = asking.unwrap().unwrap();
    net.settle();
    let (length, from) = datagrams.recv_from(&mut [0; 16]).unwrap();
    assert_eq!((length, from.ip()), (1, at(CLIENT).ip().to_owned().into()));
    datagrams.send_to(b"!!", from).unwrap();
    asking.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    assert_eq!(asking.recv(&mut [0; 16]).unwrap(), 2);
}

/// What is tracked of other addresses stays.
fn an_address_that_is_given_anew_has_no_connection_of_the_one_before() {
    let all = || vec![rule(Traffic::All, Peer::Cidr(Ipv4Net::default().into()))];
    let fabric = fabric(all());
    let mut net = Net::of(&fabric);
    let sender = net.datagrams(CLIENT, at(CLIENT));
    let receivers = [SERVER, OTHER].map(|nth| net.datagrams(nth, at(nth)));
    let send = |net: &Net| {
        [SERVER, OTHER].iter().for_each(|nth| assert_eq!(sender.send_to(b"?", at(*nth)).unwrap(), 1));
        net.settle();
    };
    let has_come = |receiver: &UdpSocket| receiver.recv(&mut [0; 16]).is_ok();
    send(&net);
    for receiver in &receivers {
        let (_, from) = receiver.recv_from(&mut [0; 16]).unwrap();
        receiver.send_to(b"!", from).unwrap();
    }
    // So many that the kernel lists them in several parts.
    for port in 10_000..12_000 {
        sender.send_to(b"?", SocketAddrV4::new(address(SERVER), port)).unwrap();
    }
    net.settle();
    // Nobody may begin anything with them any more; what has begun goes on.
    let mut shut = fabric;
    shut.groups.insert(group(SERVER), Arc::default());
    // That but for TCP, by which the test knows what has arrived.
    let sure = vec![rule(tcp(), Peer::Cidr(Ipv4Net::default().into()))];
    shut.groups.insert(group(OTHER), Group { ingress: sure, ..Group::default() }.into());
    net.enforce(&shut);
    send(&net);
    assert_eq!(receivers.each_ref().map(has_come), [true, true]);
    // The address of the server is another's.
    let door = ruleset(&shut).doors[SERVER].clone();
    let (network, cables) = {
        let (_, network, cables) = &mut net.vpc.networks[0];
        (network, cables)
    };
    network.remove(cables.doors[&door.interface]).unwrap();
    let plug = Plug { cable: network.next_cable().unwrap(), address: door.address, gateway: door.gateway };
    net.vpc.namespaces[SERVER] = network.add(plug).unwrap();
    cables.doors.insert(door.interface, plug.cable);
    network.forget(&[Ipv4Net::from(door.address)]).unwrap();
    net.enforce(&shut);
    let second = net.datagrams(SERVER, at(SERVER));
    send(&net);
    assert_eq!([&second, &receivers[1]].map(has_come), [false, true]);
}

/// The route to a removed interface goes with it, and the next of its cable has a namespace of its own.
fn an_interface_that_is_taken_away_answers_no_more_and_its_cable_is_free() {
    let fabric = fabric(vec![rule(tcp(), Peer::Cidr(Ipv4Net::default().into()))]);
    let mut net = Net::of(&fabric);
    let listener = net.vpc.listen(SERVER, at(SERVER));
    assert!(net.arrives(CLIENT, at(SERVER)));
    let door = ruleset(&fabric).doors[SERVER].clone();
    let cable = net.vpc.networks[0].2.doors[&door.interface];
    net.vpc.network().remove(cable).unwrap();
    net.vpc.network().remove(cable).unwrap();
    assert!(!net.arrives(CLIENT, at(SERVER)));
    let plug = Plug { cable, address: door.address, gateway: door.gateway };
    net.vpc.namespaces[SERVER] = net.vpc.network().add(plug).unwrap();
    let again = net.vpc.listen(SERVER, at(SERVER));
    assert!(net.arrives(CLIENT, at(SERVER)));
    again.accept().unwrap();
    listener.accept().unwrap();
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the old one hears of the second connection");
    // A cable that is taken is nobody else's, and the one who has it keeps it.
    let taken = net.vpc.network().add(Plug { address: [10, 0, 1, 11].into(), ..plug }).unwrap_err();
    assert_eq!(taken.errno(), rustix::io::Errno::EXIST);
    assert!(net.arrives(CLIENT, at(SERVER)));
}

fn a_network_gets_another_block_and_loses_one() {
    let mut fabric = fabric(vec![rule(tcp(), Peer::Cidr(Ipv4Net::default().into()))]);
    let far = Ipv4Addr::new(10, 9, 0, 10);
    fabric.subnets.insert(
        fabric.interfaces[SERVER].subnet,
        topology::snapshot::fabric::SubnetNet {
            vpc: fabric.interfaces[SERVER].vpc,
            block: "10.9.0.0/24".parse().unwrap(),
            ipv6: None,
        },
    );
    fabric.interfaces[SERVER].private_ip = far;
    let mut net = Net::of(&fabric);
    let far = SocketAddrV4::new(far, PORT);
    let _listener = net.vpc.listen(SERVER, far);
    let leave = |net: &Net| net.vpc.inside.run(&net.vpc.namespaces[CLIENT], move || TcpStream::connect(far)).unwrap();
    let error = leave(&net).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NETUNREACH.raw_os_error()), "no route leads there");
    let [own, other] = ["10.0.0.0/16", "10.9.0.0/16"].map(|block| block.parse().unwrap());
    for _ in 0..2 {
        net.vpc.network().reblock(&[own, other]).unwrap();
        assert!(net.arrives(CLIENT, far));
        net.vpc.network().reblock(&[own]).unwrap();
        assert_eq!(leave(&net).unwrap_err().raw_os_error(), error.raw_os_error());
    }
}

/// Rules by what they let through: TCP, UDP and an echo request.
fn each_protocol_is_let_through_by_its_own_rules() {
    let ports = PortRange::new(PORT, PORT).unwrap();
    let others = PortRange::new(PORT + 1, u16::MAX).unwrap();
    let world = || Peer::Cidr(Ipv4Net::default().into());
    let client = || Peer::Group(group(CLIENT));
    let rows: Vec<(&str, Vec<GroupRule>, [bool; 3])> = vec![
        ("nothing", vec![], [false, false, false]),
        ("everything", vec![rule(Traffic::All, world())], [true, true, true]),
        ("everything from a member", vec![rule(Traffic::All, client())], [true, true, true]),
        ("everything from members of another group", vec![rule(Traffic::All, Peer::Group(group(9)))], [false; 3]),
        ("tcp", vec![rule(tcp(), world())], [true, false, false]),
        ("udp", vec![rule(Traffic::Udp(ports), world())], [false, true, false]),
        ("udp from a member", vec![rule(Traffic::Udp(ports), client())], [false, true, false]),
        ("other ports", vec![rule(Traffic::Udp(others), world()), rule(Traffic::Tcp(others), client())], [false; 3]),
        ("17 from elsewhere", vec![rule(Traffic::Other(17), Peer::Cidr("10.0.0.11/32".parse().unwrap()))], [false; 3]),
        ("17", vec![rule(Traffic::Other(17), world()), rule(Traffic::Udp(ports), world())], [false, true, false]),
        ("47", vec![rule(Traffic::Other(47), world())], [false; 3]),
        ("all of ICMP", vec![rule(Traffic::Icmp { kind: -1, code: -1 }, world())], [false, false, true]),
        ("echo requests", vec![rule(Traffic::Icmp { kind: 8, code: 0 }, client())], [false, false, true]),
        ("echo requests of any code", vec![rule(Traffic::Icmp { kind: 8, code: -1 }, world())], [false, false, true]),
        ("other codes", vec![rule(Traffic::Icmp { kind: 8, code: 1 }, world())], [false; 3]),
        ("echo replies", vec![rule(Traffic::Icmp { kind: 0, code: -1 }, world())], [false; 3]),
        ("ICMP of IPv6", vec![rule(Traffic::Icmpv6 { kind: -1, code: -1 }, client())], [false; 3]),
    ];
    for (name, rules, expected) in rows {
        // Anew each time: what was let through once is known to the kernel.
        let net = Net::of(&fabric(rules));
        let _listener = net.vpc.listen(SERVER, at(SERVER));
        let (sender, receiver) = (net.datagrams(CLIENT, at(CLIENT)), net.datagrams(SERVER, at(SERVER)));
        sender.send_to(b"datagram", at(SERVER)).unwrap();
        let echo = net.icmp(CLIENT);
        // An echo request of type 8 and code 0, its checksum, number and order.
        echo.send_to(&[8, 0, 0xf7, 0xff, 0, 0, 0, 0], at(SERVER)).unwrap();
        let has_connected = net.arrives(CLIENT, at(SERVER));
        let has_come = receiver.recv(&mut [0; 16]).is_ok();
        let has_echoed = recv(&echo, &mut [0; 64][..], RecvFlags::DONTWAIT).is_ok();
        assert_eq!([has_connected, has_come, has_echoed], expected, "{name}");
    }
}

/// A connection that is open at both ends.
fn open(net: &Net, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let begun = net.vpc.begin(CLIENT, vec![at(SERVER)]).pop().unwrap();
    begun.arrived();
    let client = TcpStream::from(OwnedFd::from(begun));
    let server = listener.accept().unwrap().0;
    server.set_nonblocking(true).unwrap();
    (client, server)
}

/// Whether what the client says is heard.
fn is_heard(net: &Net, (client, server): &(TcpStream, TcpStream)) -> bool {
    use std::io::{Read, Write};
    (&mut &*client).write_all(b"x").unwrap();
    net.settle();
    (&mut &*server).read(&mut [0; 8]).is_ok()
}

fn a_revoked_rule_keeps_new_connections_out_and_lets_old_ones_go_on() {
    let given = fabric(vec![rule(tcp(), Peer::Group(group(CLIENT)))]);
    let mut net = Net::of(&given);
    let listener = net.vpc.listen(SERVER, at(SERVER));
    let connection = open(&net, &listener);
    assert!(is_heard(&net, &connection));
    net.enforce(&fabric(vec![]));
    assert!(!net.arrives(CLIENT, at(SERVER)), "the rule is gone");
    assert!(is_heard(&net, &connection), "connections that are tracked go on, as on AWS");
    net.enforce(&given);
    assert!(net.arrives(CLIENT, at(SERVER)), "the rule is there again");
}

fn an_acl_cuts_connections_that_were_let_through() {
    let given = fabric(vec![rule(tcp(), Peer::Group(group(CLIENT)))]);
    let mut net = Net::of(&given);
    let listener = net.vpc.listen(SERVER, at(SERVER));
    let connection = open(&net, &listener);
    assert!(is_heard(&net, &connection));
    let all = AclRule { number: 100, allows: true, ports: PortRange::ALL, block: Ipv4Net::default().into() };
    let deny = AclRule { number: 10, allows: false, ports: PortRange::new(PORT, PORT).unwrap(), ..all };
    let acl =
        acl(NetworkAclId::from_bits(1), (vec![deny, all], BesideTcp::default()), (vec![all], BesideTcp::default()));
    let mut walled = given.clone();
    walled.acls.insert(subnet(address(SERVER)).0, Arc::new(acl));
    net.enforce(&walled);
    assert!(!is_heard(&net, &connection), "network ACLs know no connections");
}

fn an_acl_judges_each_protocol_by_its_own_rules() {
    let given = fabric(vec![rule(Traffic::All, Peer::Cidr(Ipv4Net::default().into()))]);
    let mut net = Net::of(&given);
    let (near, far) = (net.datagrams(CLIENT, at(CLIENT)), net.datagrams(SERVER, at(SERVER)));
    let other = net.datagrams(SERVER, SocketAddrV4::new(address(SERVER), PORT + 1));
    let of = |number: u16, allows: bool, from: u16, to: u16| AclRule {
        number,
        allows,
        ports: PortRange::new(from, to).unwrap(),
        block: Ipv4Net::default().into(),
    };
    let all = of(100, true, 0, u16::MAX);
    let every = || BesideTcp { udp: vec![all], icmp: vec![all], protocols: vec![of(100, true, 2, 5)] };
    let mut arrived = |beside: BesideTcp| {
        let mut walled = given.clone();
        let list = acl(NetworkAclId::from_bits(1), (vec![all], beside), (vec![all], every()));
        walled.acls.insert(subnet(address(SERVER)).0, Arc::new(list));
        net.enforce(&walled);
        let heard = |socket: &UdpSocket| socket.recv(&mut [0; 8]).is_ok();
        for port in [PORT, PORT + 1] {
            near.send_to(b"?", SocketAddrV4::new(address(SERVER), port)).unwrap();
        }
        far.send_to(b"!", at(CLIENT)).unwrap();
        net.settle();
        (heard(&far), heard(&other), heard(&near))
    };
    assert_eq!(arrived(every()), (true, true, true));
    assert_eq!(arrived(BesideTcp::default()), (false, false, true), "an ACL of TCP alone lets no datagram in");
    let one = BesideTcp { udp: vec![of(10, true, PORT, PORT)], ..BesideTcp::default() };
    assert_eq!(arrived(one), (true, false, true));
    let but_one = BesideTcp { udp: vec![of(10, false, PORT, PORT), all], ..BesideTcp::default() };
    assert_eq!(arrived(but_one), (false, true, true));
    // No other protocol's rule speaks of UDP.
    let others = BesideTcp { icmp: vec![all], protocols: vec![of(100, true, 18, 255)], ..BesideTcp::default() };
    assert_eq!(arrived(others), (false, false, true));
}

fn a_forged_address_reaches_nobody() {
    let net = Net::of(&fabric(vec![rule(tcp(), Peer::Group(group(CLIENT)))]));
    let _listener = net.vpc.listen(SERVER, at(SERVER));
    let receiver = net.datagrams(OTHER, SocketAddrV4::new(address(OTHER), 5353));
    assert!(!net.arrives(OTHER, at(SERVER)), "the other is not in the client's group");
    // Somebody with every privilege in the server's namespace takes the client's address, which the other would hear.
    net.ip(SERVER, &["address", "add", "10.0.0.10/32", "dev", INNER]);
    let (own, forged) = (net.datagrams(SERVER, at(SERVER)), net.datagrams(SERVER, at(CLIENT)));
    let to = SocketAddrV4::new(address(OTHER), 5353);
    forged.send_to(b"forged", to).unwrap();
    own.send_to(b"own", to).unwrap();
    net.settle();
    let mut buffer = [0; 16];
    let (bytes, from) = receiver.recv_from(&mut buffer).unwrap();
    assert_eq!(
        (&buffer[..bytes], from.ip()),
        (&b"own"[..], address(SERVER).into()),
        "the first that comes is the second that was sent"
    );
    assert!(receiver.recv_from(&mut buffer).is_err());
}

fn neither_the_router_nor_an_unused_address_nor_another_network_answers() {
    let all = || vec![rule(Traffic::All, Peer::Cidr(Ipv4Net::default().into()))];
    let net = Net::of(&fabric(all()));
    let unused = Ipv4Addr::new(10, 0, 1, 77);
    let gateway = Ipv4Addr::new(10, 0, 0, 1);
    for silent in [gateway, unused] {
        assert!(!net.arrives(CLIENT, SocketAddrV4::new(silent, PORT)), "{silent}");
    }
    // The same addresses once more, and a server at the one that is unused here.
    let mut same = fabric(all());
    same.interfaces[SERVER].private_ip = unused;
    let second = Net::of(&same);
    let _listener = second.vpc.listen(SERVER, SocketAddrV4::new(unused, PORT));
    assert!(second.arrives(CLIENT, SocketAddrV4::new(unused, PORT)));
    assert!(!net.arrives(CLIENT, SocketAddrV4::new(unused, PORT)));
    // Nothing leads out: not to the machine, not to the world, not to a public address.
    for outside in ["127.0.0.1:1", "192.0.2.1:80", "172.16.0.1:80"] {
        let outside: SocketAddrV4 = outside.parse().unwrap();
        let tried = net.vpc.inside.run(&net.vpc.namespaces[CLIENT], move || TcpStream::connect(outside));
        let error = tried.unwrap().unwrap_err();
        let expected = if outside.ip().is_loopback() { "ConnectionRefused" } else { "NetworkUnreachable" };
        assert_eq!(format!("{:?}", error.kind()), expected, "{outside}");
    }
}

/// A thousand groups of sixty rules each (60 is AWS's quota), carried by one interface each, beside a client that reaches the first.
#[test]
fn sixty_thousand_rules_are_one_transaction_and_a_change_of_one_another() {
    let name = "rules::sixty_thousand_rules_are_one_transaction_and_a_change_of_one_another";
    crate::world::isolated(crate::world::Who::Root, name, || {
        let mut fabric = fabric(vec![rule(tcp(), Peer::Group(group(CLIENT)))]);
        let mut net = Net::of(&fabric);
        let _listener = net.vpc.listen(SERVER, at(SERVER));
        for nth in 0..1000u16 {
            let rules = (0..60u16).map(|n| {
                let ports = PortRange::new(1000 + n * 10, 1000 + n * 10 + nth % 10).unwrap();
                let [high, low] = nth.to_be_bytes();
                let block = Ipv4Net::new(Ipv4Addr::new(172, 16 + high, low, n as u8), 32).unwrap();
                rule(Traffic::Tcp(ports), Peer::Cidr(block.into()))
            });
            let ingress = rules.collect();
            fabric.groups.insert(group(100 + usize::from(nth)), Group { ingress, ..Group::default() }.into());
            fabric.interfaces[OTHER].groups.push(group(100 + usize::from(nth)));
        }
        let compiled = ruleset(&fabric);
        assert_eq!(compiled.gates.iter().map(|gate| gate.tcp.len()).sum::<usize>(), 60_000);
        net.enforce(&fabric);
        assert!(net.arrives(CLIENT, at(SERVER)), "the first group is in force");
        fabric.groups.insert(group(SERVER), Arc::default());
        net.enforce(&fabric);
        assert!(!net.arrives(CLIENT, at(SERVER)), "and is changed alone");
    });
}
