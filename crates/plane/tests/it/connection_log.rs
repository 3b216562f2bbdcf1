//! What a load balancer keeps of connections to a socket of a listener: lines of its connection log, and counts by CloudWatch's names.

use std::sync::Arc;

use plane::report::outlet::{self, BalancerLine, Outflow};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use topology::resource::trust_store::{MutualAuthentication, Verify};
use topology::snapshot::logs::LogKind;

use crate::balancer_log::{is_seconds, is_time, line, log, split};
use crate::certificates::{Authority, Leaf, When};
use crate::estate::ALB_INGRESS;
use crate::mutual::{NAME, STORE, Stage, VERIFY, revoke};
use crate::tls::{ask, shake};

const BALANCER_NAME: &str = "app/internal/0000000000000001";
const VALIDITY: &str = "NotBefore=2020-01-01T00:00:00Z;NotAfter=2120-01-01T00:00:00Z";

/// A listener with a socket, which asks this, of a load balancer with these logs.
async fn logged(mutual: MutualAuthentication, kinds: &[&str]) -> (Stage, Outflow<BalancerLine>) {
    let (lines, outflow) = outlet::balancer_lines();
    let mut stage = Stage::logging(mutual, Some(lines)).await;
    stage.scene.change(|chain| kinds.iter().for_each(|kind| log(chain, kind)));
    (stage, outflow)
}

/// The fields of the next line, whose time is one.
async fn entry(lines: &mut Outflow<BalancerLine>) -> Vec<String> {
    let line = line(lines).await;
    assert_eq!(line.place.kind, LogKind::Connections);
    let fields = split(&line.text);
    assert_eq!(fields.len(), 15, "{fields:?}");
    assert!(is_time(&fields[0]), "{fields:?}");
    assert_eq!(fields[1].split('.').next_back(), Some("10"), "the interface of the socket: {fields:?}");
    assert!(fields[2].parse::<u16>().unwrap() > 0, "{fields:?}");
    assert_eq!((fields[13].as_str(), fields[14].as_str()), (BALANCER_NAME, line.node.to_string().as_str()));
    assert!(fields[11].starts_with("TID_") && fields[11].len() == 36, "{fields:?}");
    fields
}

fn in_version(stage: &Stage, leaf: Option<&Leaf>, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    stage.servers.client_of(&[version], &[], leaf)
}

fn metric(stage: &Stage, name: &str) -> u64 {
    let page = stage.scene.plane.metrics();
    let series = format!("tidegate_applicationelb_{name}{{load_balancer=\"{BALANCER_NAME}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{page}")).parse().unwrap()
}

// sees: Application load balancers: connection_logs.s3.enabled
#[tokio::test]
async fn a_connection_leaves_one_line_whose_id_its_requests_have() {
    let (stage, mut lines) = logged(MutualAuthentication::Verify(VERIFY), &["connection", "access"]).await;
    let leaf = stage.clients.leaf(&["device-1"], When::Now);
    for (version, name, suite) in [
        (&rustls::version::TLS13, "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        (&rustls::version::TLS12, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ] {
        let client = in_version(&stage, Some(&leaf), version);
        let mut stream = shake(stage.socket, &client, NAME).await.unwrap();
        for _ in 0..2 {
            assert_eq!(ask(&mut stream, NAME, "/").await.unwrap().status, 200);
        }
        let got = entry(&mut lines).await;
        assert_eq!(&got[3..6], ["80", name, suite].map(str::to_owned).as_slice());
        assert!(is_seconds(&got[6]), "{got:?}");
        assert_eq!((got[7].as_str(), got[8].as_str()), ("CN=device-1,O=Example", VALIDITY));
        assert!(got[9].len() >= 16 && got[9].bytes().all(|byte| byte.is_ascii_hexdigit()), "{got:?}");
        assert_eq!(got[10], "Success");
        assert!(["x25519", "X25519MLKEM768", "secp256r1"].contains(&got[12].as_str()), "{got:?}");
        for _ in 0..2 {
            let request = line(&mut lines).await;
            assert_eq!(request.place.kind, LogKind::Access);
            assert!(request.text.contains(&format!(" {} ", got[11])), "{} in {}", got[11], request.text);
            assert!(request.text.contains(&format!(" {}:{} ", got[1], got[2])), "{got:?} in {}", request.text);
        }
    }
}

#[tokio::test]
async fn a_handshake_that_fails_leaves_a_line_with_its_reason() {
    let (mut stage, mut lines) = logged(MutualAuthentication::Verify(VERIFY), &["connection"]).await;
    let [revoked, early, late] = [("revoked", When::Now), ("early", When::Future), ("late", When::Past)]
        .map(|(name, when)| stage.clients.leaf(&[name], when));
    let strange = Authority::new("strangers").leaf(&["strange"], When::Now);
    let list = stage.clients.revoking(&[&revoked]);
    stage.scene.change(|chain| revoke(chain, 1, &list));
    for (leaf, code) in [
        (Some(&revoked), "ClientCertCrlHit"),
        (Some(&early), "ClientCertNotYetValid"),
        (Some(&late), "ClientCertExpired"),
        (Some(&strange), "ClientCertUntrusted"),
        (None, "UnmappedConnectionError"),
    ] {
        for (version, name, suite) in [
            (&rustls::version::TLS13, "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
            (&rustls::version::TLS12, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ] {
            assert!(stage.ask_as(&in_version(&stage, leaf, version), "/").await.is_none());
            let got = entry(&mut lines).await;
            assert_eq!(&got[3..7], ["80", name, suite, "-"].map(str::to_owned).as_slice());
            let subject = got[7].split(',').next().unwrap();
            let name = leaf.map_or("-".to_owned(), |leaf| format!("CN={}", leaf.name()));
            assert_eq!((subject, got[10].as_str()), (name.as_str(), format!("Failed:{code}").as_str()));
            assert_eq!((got[8] == "-", got[9] == "-"), (leaf.is_none(), leaf.is_none()), "{got:?}");
        }
    }
    // A list that only seems to be the authority's.
    let namesakes = Authority::new("clients").revoking(&[]);
    stage.scene.change(|chain| revoke(chain, 1, &namesakes));
    assert!(stage.ask(Some(&revoked), "/").await.is_none());
    assert_eq!(entry(&mut lines).await[10], "Failed:ClientCertCrlProcessingError");
    stage.scene.change(|chain| drop(chain.estate.trust_store_revocations.remove(&(STORE, 1))));
    // Nobody spoke TLS.
    let mut plain = TcpStream::connect(stage.socket).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let got = entry(&mut lines).await;
    let nothing = ["80", "-", "-", "-", "-", "-", "-", "Failed:UnmappedConnectionError"].map(str::to_owned);
    assert_eq!(&got[3..11], nothing.as_slice());
    assert_eq!(metric(&stage, "client_tls_negotiation_error_count_total"), 12);
    assert_eq!(metric(&stage, "new_connection_count_total"), 0);
}

#[tokio::test]
async fn what_nobody_asks_of_a_client_is_not_written() {
    let (stage, mut lines) = logged(MutualAuthentication::Off, &["connection"]).await;
    let leaf = stage.clients.leaf(&["device"], When::Now);
    assert_eq!(stage.ask(Some(&leaf), "/").await.unwrap().status, 200);
    let got = entry(&mut lines).await;
    assert_eq!(&got[7..11], ["-", "-", "-", "Success"].map(str::to_owned).as_slice());
}

#[tokio::test]
async fn what_is_passed_on_is_written_though_nobody_verified_it() {
    let (stage, mut lines) = logged(MutualAuthentication::Passthrough, &["connection"]).await;
    let leaf = Authority::new("strangers").leaf(&["anyone"], When::Now);
    assert_eq!(stage.ask(Some(&leaf), "/").await.unwrap().status, 200);
    let got = entry(&mut lines).await;
    assert_eq!((got[7].as_str(), got[10].as_str()), ("CN=anyone,O=Example", "Success"));
}

#[tokio::test]
async fn open_connections_are_counted_while_they_are() {
    let stage = Stage::asking(MutualAuthentication::Verify(Verify { ignores_expiry: true, ..VERIFY })).await;
    let counts =
        |stage: &Stage| (metric(stage, "new_connection_count_total"), metric(stage, "active_connection_count"));
    let client = stage.servers.client(&[], Some(&stage.clients.leaf(&["device"], When::Past)));
    let mut one = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut one, NAME, "/").await.unwrap().status, 200);
    let mut two = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut two, NAME, "/").await.unwrap().status, 200);
    assert_eq!(counts(&stage), (2, 2));
    drop(one);
    while counts(&stage) != (2, 1) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_a_group_denies_has_no_connection() {
    let (mut stage, mut lines) = logged(MutualAuthentication::Off, &["connection"]).await;
    let client = stage.servers.client(&[], None);
    let mut rule = None;
    stage.scene.change(|chain| rule = chain.estate.security_group_rules.remove(&ALB_INGRESS));
    let denied = shake(stage.socket, &client, NAME).await.unwrap();
    // It is there, on this machine.
    while !stage.scene.plane.metrics().contains("tidegate_client_connections 1\n") {
        tokio::task::yield_now().await;
    }
    stage.scene.change(|chain| chain.estate.security_group_rules.insert(ALB_INGRESS, (*rule.unwrap()).clone()));
    let mut allowed = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut allowed, NAME, "/").await.unwrap().status, 200);
    assert_eq!(metric(&stage, "new_connection_count_total"), 1);
    let port = allowed.get_ref().0.local_addr().unwrap().port();
    assert_eq!(entry(&mut lines).await[2], port.to_string());
    drop(denied);
}

#[tokio::test]
async fn a_request_that_the_listener_does_not_take_leaves_a_line_of_the_access_log() {
    let (stage, mut lines) = logged(MutualAuthentication::Off, &["access"]).await;
    let client = stage.servers.client(&[], None);
    let long = "x".repeat(17 * 1024);
    let refused = metric(&stage, "httpcode_elb_4xx_count_total");
    for (host, path, status, request) in [
        ("a@b", "/", "400", "GET https://a@b:80/ HTTP/1.1".to_owned()),
        ("a", &format!("/{long}"), "414", format!("GET https://a:80/{long} HTTP/1.1")),
        ("a", &format!("/ HTTP/1.1\r\nx-long: {long}\r\nx-rest:"), "400", "GET https://a:80/ HTTP/1.1".to_owned()),
    ] {
        let mut stream = shake(stage.socket, &client, NAME).await.unwrap();
        let answer = ask(&mut stream, host, path).await.unwrap();
        assert_eq!(answer.status.to_string(), status);
        let line = line(&mut lines).await;
        let got = split(&line.text);
        assert_eq!((got.len(), got[0].as_str(), got[8].as_str()), (33, "https", status), "{got:?}");
        assert_eq!(got[12], request);
        for field in [5, 10, 14, 17, 18, 21, 23, 24, 25, 26, 27].map(|number: usize| number - 1) {
            assert_eq!(got[field], "-", "field {} of {got:?}", field + 1);
        }
        assert_eq!(&got[5..8], ["-1", "-1", "-1"].map(str::to_owned).as_slice());
        assert!(got[11].parse::<u64>().unwrap() > 0 && got[29].starts_with("TID_"), "{got:?}");
    }
    assert_eq!(metric(&stage, "httpcode_elb_4xx_count_total"), refused + 3);
    assert_eq!(stage.backend.heads().len(), 0);
}
