//! The resolver of a VPC over real sockets, asked as clients ask.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use topology::snapshot::fabric::VpcNet;

use crate::estate::{VPC, realm};
use crate::scene::{Backend, OK, Scene};

/// A scene, and where the resolver of its VPC is.
struct Asked {
    scene: Scene,
    datagrams: SocketAddr,
    streams: SocketAddr,
}

impl Asked {
    async fn new() -> Self {
        let scene = Scene::new(&Backend::answering(OK).await).await;
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (datagrams, streams) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        tokio::spawn(scene.plane.serve_names((realm(), VPC), (udp, tcp)));
        Self { scene, datagrams, streams }
    }

    /// The answer to a datagram.
    async fn ask(&self, question: &[u8]) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.datagrams).await.unwrap();
        socket.send(question).await.unwrap();
        let mut answer = vec![0; 65_535];
        let length = socket.recv(&mut answer).await.unwrap();
        answer.truncate(length);
        answer
    }

    /// The answers to questions on one connection; fewer, where it is closed before.
    async fn ask_each(&self, questions: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut stream = TcpStream::connect(self.streams).await.unwrap();
        let mut answers = Vec::new();
        for question in questions {
            stream.write_u16(u16::try_from(question.len()).unwrap()).await.unwrap();
            // The resolver may close before all is written.
            let _ = stream.write_all(question).await;
            let Ok(length) = stream.read_u16().await else { break };
            let mut answer = vec![0; usize::from(length)];
            stream.read_exact(&mut answer).await.unwrap();
            answers.push(answer);
        }
        answers
    }

    fn balancer(&self) -> (String, Vec<Ipv4Addr>) {
        let snapshot = self.scene.plane.snapshot();
        let realm = snapshot.realm(&realm()).unwrap();
        let balancer = &realm.balancers.balancers[0];
        let address = |at| realm.fabric.interface(at).unwrap().private_ip;
        (balancer.dns_name.clone(), balancer.nodes.iter().map(|node| address(node.interface)).collect())
    }
}

/// A question as bytes.
fn question(name: &str, kind: QTYPE, edit: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
    let mut asked = Packet::new_query(0x1234);
    asked.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::AUTHENTIC_DATA);
    asked.questions.push(Question::new(Name::new(name).unwrap(), kind, CLASS::IN.into(), false));
    edit(&mut asked);
    asked.build_bytes_vec().unwrap()
}

fn a(name: &str) -> Vec<u8> {
    question(name, TYPE::A.into(), |_| {})
}

/// The code of an answer, and its records.
fn read(answer: &[u8]) -> (RCODE, Vec<String>) {
    let answer = Packet::parse(answer).unwrap();
    assert!(answer.id() == 0x1234 && answer.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_AVAILABLE));
    let told = answer.answers.iter().map(|record| {
        assert_eq!(record.ttl, 60);
        match &record.rdata {
            RData::A(address) => Ipv4Addr::from_bits(address.address).to_string(),
            RData::AAAA(address) => Ipv6Addr::from_bits(address.address).to_string(),
            RData::PTR(name) => name.0.to_string(),
            other => panic!("{other:?}"),
        }
    });
    (answer.rcode(), told.collect())
}

#[tokio::test]
async fn names_of_load_balancers_and_interfaces_are_answered_and_no_others() {
    let asked = Asked::new().await;
    let (name, nodes) = asked.balancer();
    let own = nodes[0].to_string();
    let [a0, b0, c0, d0] = nodes[0].octets();
    let private = format!("ip-{a0}-{b0}-{c0}-{d0}.ec2.internal");
    let none: Vec<String> = Vec::new();
    let (upper, zonal, other) = (name.to_uppercase(), format!("us-east-1a.{name}"), format!("x{name}"));
    let reverse = format!("{d0}.{c0}.{b0}.{a0}.in-addr.arpa");
    for (name, kind, expected) in [
        (name.as_str(), QTYPE::TYPE(TYPE::AAAA), (RCODE::NoError, none.clone())),
        (upper.as_str(), QTYPE::ANY, (RCODE::NoError, Vec::new())),
        (private.as_str(), TYPE::A.into(), (RCODE::NoError, vec![own])),
        (private.as_str(), TYPE::AAAA.into(), (RCODE::NoError, none.clone())),
        (reverse.as_str(), TYPE::PTR.into(), (RCODE::NoError, vec![private.clone()])),
        (zonal.as_str(), TYPE::A.into(), (RCODE::NameError, none.clone())),
        (other.as_str(), TYPE::A.into(), (RCODE::NameError, none.clone())),
        ("ip-10-0-250-250.ec2.internal", TYPE::A.into(), (RCODE::NameError, none.clone())),
        ("250.250.0.10.in-addr.arpa", TYPE::PTR.into(), (RCODE::NameError, none.clone())),
        ("example.com", TYPE::A.into(), (RCODE::NameError, none.clone())),
        ("", TYPE::NS.into(), (RCODE::NameError, none.clone())),
    ] {
        let (code, mut told) = read(&asked.ask(&question(name, kind, |_| {})).await);
        let mut all: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        if kind == QTYPE::ANY {
            told.sort();
            all.sort();
            assert_eq!((code, told), (RCODE::NoError, all), "{name}");
        } else {
            assert_eq!((code, told), expected, "{name} {kind:?}");
        }
    }
    let mut first = Vec::new();
    for _ in 0..nodes.len() {
        first.push(read(&asked.ask(&a(&name)).await).1[0].clone());
    }
    first.sort();
    let mut all: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    all.sort();
    assert_eq!(first, all, "each address is the first one in turn");
}

#[tokio::test]
async fn a_load_balancer_of_both_families_has_records_of_both() {
    let mut asked = Asked::new().await;
    asked.scene.change(|chain| {
        chain.dual_stack();
    });
    let (name, nodes) = asked.balancer();
    for (kind, expected) in [
        (TYPE::A, nodes.iter().map(ToString::to_string).collect()),
        (TYPE::AAAA, vec!["2001:db8::20".to_owned(), "2001:db8:0:1::20".to_owned()]),
    ] {
        let (code, mut told) = read(&asked.ask(&question(&name, kind.into(), |_| {})).await);
        let mut expected: Vec<String> = expected;
        told.sort();
        expected.sort();
        assert_eq!((code, told), (RCODE::NoError, expected), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_no_question_is_answered_with_what_is_wrong_and_the_next_one_is_answered() {
    let asked = Asked::new().await;
    let (name, nodes) = asked.balancer();
    let good = a(&name);
    let options = |version| Some(OPT { opt_codes: Vec::new(), udp_packet_size: 4096, version });
    let two = |packet: &mut Packet<'_>| packet.questions.push(packet.questions[0].clone().into_owned());
    for (bad, expected) in [
        (good[..good.len() - 1].to_vec(), RCODE::FormatError),
        (question(&name, TYPE::A.into(), two), RCODE::FormatError),
        (question(&name, TYPE::A.into(), |packet| *packet.opcode_mut() = OPCODE::Notify), RCODE::NotImplemented),
        (question(&name, TYPE::A.into(), |packet| *packet.opt_mut() = options(1)), RCODE::BADVERS),
        (question(&name, TYPE::A.into(), |packet| packet.questions[0].qclass = CLASS::CH.into()), RCODE::Refused),
        (question(&name, TYPE::A.into(), |packet| *packet.opt_mut() = options(0)), RCODE::NoError),
    ] {
        assert_eq!(read(&asked.ask(&bad).await).0, expected, "{bad:?}");
    }
    let streams = asked.ask_each(&[good.clone(), good[..20].to_vec(), good.clone()]).await;
    let codes: Vec<RCODE> = streams.iter().map(|answer| read(answer).0).collect();
    assert_eq!(codes, [RCODE::NoError, RCODE::FormatError, RCODE::NoError]);
    // An answer is no question, and neither is what is too long for one: the connection is closed.
    let mut answer = good.clone();
    answer[2] |= 0x80;
    for closing in [answer, vec![0; 1025], vec![0; 3]] {
        assert_eq!(asked.ask_each(&[closing, good.clone()]).await.len(), 0);
    }
    assert_eq!(read(&asked.ask(&good).await).1.len(), nodes.len());
}

#[tokio::test]
async fn without_dns_support_nobody_answers() {
    let mut asked = Asked::new().await;
    let (name, nodes) = asked.balancer();
    assert_eq!(asked.ask_each(&[a(&name)]).await.len(), 1);
    let resolver = |asked: &Asked| {
        let snapshot = asked.scene.plane.snapshot();
        snapshot.realm(&realm()).unwrap().fabric.vpcs.iter().find(|net| net.id == VPC).and_then(VpcNet::resolver)
    };
    assert_eq!(resolver(&asked), Some([10, 0, 0, 2].into()));
    asked.scene.change(|chain| chain.support_dns(false));
    assert_eq!(resolver(&asked), None);
    assert_eq!(asked.ask_each(&[a(&name)]).await.len(), 0, "the connection is closed");
    asked.scene.change(|chain| chain.support_dns(true));
    assert_eq!(read(&asked.ask(&a(&name)).await).1.len(), nodes.len());
}
