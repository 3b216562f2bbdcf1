//! Connections to the outside, with resolvers that say what the test wants and servers on loopback.

use std::collections::HashMap;
use std::net::TcpListener as StdListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn origin(scheme: Scheme, host: &str, port: u16) -> Origin {
    Origin { scheme, host: host.to_owned(), port, identity: None }
}

/// A resolver that knows these names.
fn knowing(egress: Egress, names: &[(&str, &[&str])]) -> Outside {
    let parsed = |(name, addresses): &(&str, &[&str])| {
        ((*name).to_owned(), addresses.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>())
    };
    let names: HashMap<String, Vec<IpAddr>> = names.iter().map(parsed).collect();
    let lookup = move |host: &str| names.get(host).cloned().ok_or_else(|| io::ErrorKind::NotFound.into());
    Outside::with_lookup(egress, Arc::new(lookup))
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn allowing(block: &str) -> Egress {
    Egress { allow: vec![block.parse().unwrap()], ..Egress::default() }
}

fn local_issuers() -> Egress {
    Egress { local_issuers: LocalIssuers::Allowed, ..Egress::default() }
}

#[tokio::test]
async fn what_may_not_be_reached_is_refused_by_the_address_it_resolves_to() {
    let names: &[(&str, &[&str])] = &[
        ("inner.example", &["10.0.0.1"]),
        ("metadata.example", &["169.254.169.254"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
    ];
    let outside = knowing(Egress::default(), names);
    let rows = [
        ("inner.example", Class::Private),
        ("metadata.example", Class::Metadata),
        ("mapped.example", Class::Loopback),
        ("127.0.0.1", Class::Loopback),
        ("::1", Class::Loopback),
        ("fd00:ec2::254", Class::Metadata),
        ("localhost", Class::Loopback),
        ("issuer.localhost", Class::Loopback),
    ];
    for (host, expected) in rows {
        let refused = outside.connect(&origin(Scheme::Http, host, 80), Purpose::Issuer, LONG).await;
        assert!(
            matches!(refused, Err(OutsideError::Forbidden { class, .. }) if class == expected),
            "{host}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn forms_of_addresses_that_only_a_resolver_reads_are_judged_after_it() {
    let outside = Outside::new(Egress::default());
    for host in ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"] {
        let refused = outside.connect(&origin(Scheme::Http, host, closed_port()), Purpose::Integration, LONG).await;
        let is_refused = matches!(
            refused,
            Err(OutsideError::Forbidden { class: Class::Loopback, .. } | OutsideError::Unresolved { .. })
        );
        assert!(is_refused, "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn loopback_is_for_issuers_in_development_mode_and_for_allowed_blocks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let rows = [
        (local_issuers(), Purpose::Issuer, true),
        (local_issuers(), Purpose::Integration, false),
        (Egress::default(), Purpose::Issuer, false),
        (allowing("127.0.0.0/8"), Purpose::Integration, true),
        (allowing("127.0.0.1/32"), Purpose::Issuer, true),
        (allowing("10.0.0.0/8"), Purpose::Integration, false),
    ];
    for (egress, purpose, expected) in rows {
        let row = format!("{egress:?} {purpose:?}");
        let outside = Outside::new(egress);
        let connected = outside.connect(&origin(Scheme::Http, "127.0.0.1", port), purpose, LONG).await;
        assert_eq!(connected.is_ok(), expected, "{row}: {connected:?}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_a_later_answer_reaches_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    // Public at first, loopback from then on: what an attacker's name server would say.
    let lookup = move |_: &str| -> io::Result<Vec<IpAddr>> {
        let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { "::ffff:127.0.0.1".parse().unwrap() } else { Ipv4Addr::new(10, 0, 0, 1).into() }])
    };
    let outside = Outside::with_lookup(allowing("127.0.0.0/8"), Arc::new(lookup));
    let port = closed_port();
    let first = outside.connect(&origin(Scheme::Http, "rebind.example", port), Purpose::Integration, LONG).await;
    assert!(matches!(first, Err(OutsideError::Refused(address)) if address.port() == port), "{first:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the connection did not ask again");
    let second = outside.connect(&origin(Scheme::Http, "rebind.example", port), Purpose::Integration, LONG).await;
    assert!(matches!(second, Err(OutsideError::Forbidden { class: Class::Private, .. })), "{second:?}");
}

#[tokio::test]
async fn permitted_addresses_of_a_mixed_name_are_tried_and_the_others_are_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let outside = knowing(allowing("127.0.0.0/8"), &[("mixed.example", &["10.0.0.1", "127.0.0.1"])]);
    assert!(outside.connect(&origin(Scheme::Http, "mixed.example", port), Purpose::Integration, LONG).await.is_ok());
}

#[tokio::test]
async fn what_is_no_name_or_leads_nowhere_says_so() {
    let outside = knowing(Egress::default(), &[("empty.example", &[])]);
    for host in ["a b", "a%00b", "", "user@host"] {
        let refused = outside.connect(&origin(Scheme::Http, host, 80), Purpose::Issuer, LONG).await;
        assert!(matches!(refused, Err(OutsideError::BadHost(_))), "{host}: {refused:?}");
    }
    for host in ["nowhere.example", "empty.example"] {
        let refused = outside.connect(&origin(Scheme::Http, host, 80), Purpose::Issuer, LONG).await;
        assert!(matches!(refused, Err(OutsideError::Unresolved { .. })), "{host}: {refused:?}");
    }
}

#[tokio::test]
async fn a_resolver_that_hangs_is_given_up() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let lookup = move |_: &str| -> io::Result<Vec<IpAddr>> {
        // Ends when the test drops its end.
        let _ = held.lock().unwrap().recv();
        Ok(Vec::new())
    };
    let outside = Outside::with_lookup(Egress::default(), Arc::new(lookup));
    let limit = Duration::from_millis(20);
    let refused = outside.connect(&origin(Scheme::Http, "slow.example", 80), Purpose::Issuer, limit).await;
    assert!(matches!(refused, Err(OutsideError::Timeout(Step::Resolve))), "{refused:?}");
    drop(release);
}

#[test]
fn a_machine_knows_its_own_addresses() {
    assert!(is_own("127.0.0.9".parse().unwrap()));
    assert!(!is_own("192.0.2.1".parse().unwrap()));
}

#[test]
fn origins_of_uris() {
    let rows = [
        ("https://Issuer.example/a", Some(origin(Scheme::Https, "issuer.example", 443))),
        ("http://issuer.example:8080/a", Some(origin(Scheme::Http, "issuer.example", 8080))),
        ("http://[::1]:90/", Some(origin(Scheme::Http, "::1", 90))),
        ("ftp://issuer.example/", None),
        ("/a", None),
    ];
    for (uri, expected) in rows {
        assert_eq!(Origin::of(&uri.parse().unwrap()), expected, "{uri}");
    }
}

/// A root and what it vouches for.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn egress(&self) -> Egress {
        Egress { extra_roots: ExtraRoot::read_pem(self.0.pem().as_bytes()).unwrap(), ..local_issuers() }
    }

    /// Serves TLS on loopback with a certificate for `name`, as `edit` leaves it; each connection is greeted.
    async fn serve(&self, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> u16 {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        edit(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let spoken = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
                    let _ = stream.write_all(&spoken).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        port
    }
}

#[tokio::test]
async fn tls_is_verified_and_speaks_http1() {
    let authority = Authority::new();
    let port = authority.serve("issuer.localhost", |_| {}).await;
    let outside = Outside::new(authority.egress());
    let mut stream =
        outside.connect(&origin(Scheme::Https, "issuer.localhost", port), Purpose::Issuer, LONG).await.unwrap();
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await.unwrap();
    assert_eq!(greeting, "http/1.1");
}

#[tokio::test]
async fn each_failure_of_tls_has_its_own_name() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let outside = Outside::new(authority.egress());
    let ask = async |port| {
        let origin = origin(Scheme::Https, "issuer.localhost", port);
        match outside.connect(&origin, Purpose::Issuer, LONG).await {
            Err(OutsideError::Tls(fault)) => fault,
            other => panic!("{other:?}"),
        }
    };
    let other_name = authority.serve("other.localhost", |_| {}).await;
    let named = TlsFault::Name { asked: "issuer.localhost".into(), offered: vec!["other.localhost".into()] };
    assert_eq!(ask(other_name).await, named);
    let unknown = stranger.serve("issuer.localhost", |_| {}).await;
    assert!(matches!(ask(unknown).await, TlsFault::Untrusted(_)));
    let over = authority.serve("issuer.localhost", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)).await;
    assert!(matches!(ask(over).await, TlsFault::Expired(_)));
    let early =
        authority.serve("issuer.localhost", |params| params.not_before = rcgen::date_time_ymd(2200, 1, 1)).await;
    assert!(matches!(ask(early).await, TlsFault::Expired(_)));
    assert_eq!(ask(plain_server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await).await, TlsFault::Plain);
    assert!(matches!(ask(plain_server(b"").await).await, TlsFault::Handshake(_)));
}

/// A server that reads something, says `answer` and closes.
async fn plain_server(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = [0; 4096];
            let _ = stream.read(&mut seen).await;
            let _ = stream.write_all(answer).await;
        }
    });
    port
}
