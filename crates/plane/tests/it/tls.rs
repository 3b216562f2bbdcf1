//! The public listener with TLS: which certificate is presented, what is spoken, and who may ask for what over a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use plane::{Issued, Issuer, PlaneConfig};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use topology::reason::Reason;
use topology::resource::domain::MutualTls;

use crate::certificates::{Authority, Leaf, When};
use crate::estate::{self, Chain};
use crate::scene::{Answer, Backend, OK, Scene, parse};

const API: &str = "api.example.com";
const LOCKED: &str = "locked.example.com";

pub(crate) async fn shake(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(client)).connect(name, stream).await
}

/// One request and its answer, the connection left open; `None` if it ends instead.
pub(crate) async fn ask(stream: &mut TlsStream<TcpStream>, host: &str, path: &str) -> Option<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let answer = parse(&text);
        let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        if text.contains("\r\n\r\n") && length.is_some_and(|length| answer.body.len() >= length) {
            return Some(answer);
        }
        let mut more = [0; 4096];
        let read = stream.read(&mut more).await.unwrap_or(0);
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&more[..read]);
    }
}

fn mutual(authority: &Authority) -> MutualTls {
    MutualTls {
        truststore_uri: "s3://trust/store.pem".to_owned(),
        truststore_version: None,
        bundle: authority.pem.as_str().into(),
        warnings: Vec::new(),
    }
}

/// Two names, one of which asks for a certificate of `clients`, and a wildcard certificate that is for both.
fn two_names(chain: &mut Chain, servers: &Authority, clients: &Authority) {
    let leaf = servers.leaf(&["*.example.com"], When::Now);
    chain.domain(API, &leaf);
    chain.mapping(API, "", "$default");
    chain.domain(LOCKED, &leaf);
    chain.mapping(LOCKED, "", "$default");
    chain.edit_domain(LOCKED, |domain| domain.mutual_tls = Some(mutual(clients)));
}

#[tokio::test]
async fn the_certificate_of_the_name_that_is_asked_for_is_presented() {
    let backend = Backend::answering(OK).await;
    let servers = Authority::new("servers");
    let leaves = [servers.leaf(&[API], When::Now), servers.leaf(&["*.wild.example.com"], When::Now)];
    let scene = Scene::with(&backend, |chain| {
        chain.domain(API, &leaves[0]);
        chain.domain("*.wild.example.com", &leaves[1]);
    })
    .await;
    let client = servers.client(&[], None);
    for (name, leaf) in [(API, &leaves[0]), ("a.wild.example.com", &leaves[1]), ("B.wild.example.com", &leaves[1])] {
        let stream = shake(scene.tls, &client, name).await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), leaf.chain(), "{name}");
    }
    for name in ["other.example.com", "a.b.wild.example.com", &estate::host(), "127.0.0.1"] {
        assert!(
            shake(scene.tls, &client, name).await.is_err(),
            "{name}: nothing is presented outside development mode"
        );
    }
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http_are_spoken() {
    let backend = Backend::answering(OK).await;
    let servers = Authority::new("servers");
    let scene = Scene::with(&backend, |chain| two_names(chain, &servers, &servers)).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(servers.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let client = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let mut stream = shake(scene.tls, &client, API).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(ask(&mut stream, API, "/").await.unwrap().status, 200);
    }
    let answer = over_http2(&scene, &servers.client(&["h2", "http/1.1"], None), API, &[API]).await;
    assert_eq!(answer, [StatusCode::OK]);
}

/// The statuses of requests to these hosts over one HTTP/2 connection made for `name`.
async fn over_http2(scene: &Scene, client: &Arc<ClientConfig>, name: &str, hosts: &[&str]) -> Vec<StatusCode> {
    let stream = shake(scene.tls, client, name).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = made.unwrap();
    tokio::spawn(connection);
    let mut statuses = Vec::new();
    for host in hosts {
        let request = Request::get(format!("https://{host}/")).body(Empty::<Bytes>::new()).unwrap();
        statuses.push(sender.send_request(request).await.unwrap().status());
    }
    statuses
}

#[tokio::test]
async fn a_new_certificate_counts_for_new_handshakes_and_open_connections_stay() {
    let backend = Backend::answering(OK).await;
    let servers = Authority::new("servers");
    let (old, new) = (servers.leaf(&[API], When::Now), servers.leaf(&[API], When::Now));
    let mut scene = Scene::with(&backend, |chain| {
        chain.domain(API, &old);
        chain.mapping(API, "", "$default");
    })
    .await;
    let client = servers.client(&[], None);
    let mut before = shake(scene.tls, &client, API).await.unwrap();
    assert_eq!(ask(&mut before, API, "/").await.unwrap().status, 200);
    scene.change(|chain| chain.import(API, &new));
    assert_eq!(ask(&mut before, API, "/").await.unwrap().status, 200, "the connection that was open goes on");
    let after = shake(scene.tls, &servers.client(&[], None), API).await.unwrap();
    assert_eq!(after.get_ref().1.peer_certificates().unwrap(), new.chain());
}

#[tokio::test]
async fn client_certificates_table() {
    let backend = Backend::answering(OK).await;
    let (servers, clients, strangers) =
        (Authority::new("servers"), Authority::new("clients"), Authority::new("strangers"));
    let scene = Scene::with(&backend, |chain| two_names(chain, &servers, &clients)).await;
    let rows: [(&str, Leaf, u16, &str); 4] = [
        ("right", clients.leaf(&["right"], When::Now), 200, "passed"),
        ("of another authority", strangers.leaf(&["wrong"], When::Now), 403, "CLIENT_CERT_INVALID"),
        ("expired", clients.leaf(&["old"], When::Past), 403, "CLIENT_CERT_INVALID"),
        ("not valid yet", clients.leaf(&["new"], When::Future), 403, "CLIENT_CERT_INVALID"),
    ];
    for (what, leaf, status, outcome) in rows {
        let mut stream = shake(scene.tls, &servers.client(&[], Some(&leaf)), LOCKED).await.unwrap();
        let answer = ask(&mut stream, LOCKED, "/").await.unwrap();
        assert_eq!((answer.status, answer.outcome().as_str()), (status, outcome), "{what}");
        if status == 403 {
            let trace = scene.trace(&answer);
            assert!(trace.details.iter().any(|(_, text)| text.contains(LOCKED)), "{what}: {:?}", trace.details);
        }
    }
    // TLS 1.3 tells a client only after its own part of the handshake.
    let refused = match shake(scene.tls, &servers.client(&[], None), LOCKED).await {
        Err(_) => true,
        Ok(mut stream) => stream.read(&mut [0; 1]).await.is_err(),
    };
    assert!(refused, "a client without a certificate is refused in the handshake");
    assert_eq!(backend.heads().len(), 1, "only the right certificate reached the backend");
}

#[tokio::test]
async fn a_name_that_asks_for_certificates_is_reached_over_its_own_connections_only() {
    let backend = Backend::answering(OK).await;
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let mut scene = Scene::with(&backend, |chain| two_names(chain, &servers, &clients)).await;
    let own = clients.leaf(&["right"], When::Now);
    let with = servers.client(&[], Some(&own));
    let rows = [
        ("the other name's connection", API, LOCKED, 421, "CLIENT_CERT_REQUIRED"),
        ("the same, spelled otherwise", API, "LOCKED.example.com:443", 421, "CLIENT_CERT_REQUIRED"),
        ("a name that the certificate is not for", API, "elsewhere.example.org", 421, "TLS_NAME_MISMATCH"),
        ("an invoke host over a domain's connection", API, &estate::host(), 421, "TLS_NAME_MISMATCH"),
        ("its own", LOCKED, LOCKED, 200, "passed"),
        ("the open name over the locked one's connection", LOCKED, API, 200, "passed"),
    ];
    for (what, name, host, status, outcome) in rows {
        let mut stream = shake(scene.tls, &with, name).await.unwrap();
        let answer = ask(&mut stream, host, "/").await.unwrap();
        assert_eq!((answer.status, answer.outcome().as_str()), (status, outcome), "{what}");
    }
    for host in [LOCKED, "LOCKED.EXAMPLE.COM", "locked.example.com:8080"] {
        let answer = scene.raw(&format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (403, "CLIENT_CERT_REQUIRED"), "plain, {host}");
        let answer =
            scene.raw(&format!("GET http://{host}/ HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        assert_ne!(answer.status, 200, "plain, absolute target, {host}");
    }
    let reused = over_http2(&scene, &servers.client(&["h2"], Some(&own)), API, &[API, LOCKED, API]).await;
    assert_eq!(reused, [StatusCode::OK, StatusCode::MISDIRECTED_REQUEST, StatusCode::OK]);

    // A connection that was verified with the trust store before is none that was verified with the new one.
    let mut stream = shake(scene.tls, &with, LOCKED).await.unwrap();
    assert_eq!(ask(&mut stream, LOCKED, "/").await.unwrap().status, 200);
    let others = Authority::new("others");
    scene.change(|chain| chain.edit_domain(LOCKED, |domain| domain.mutual_tls = Some(mutual(&others))));
    assert_eq!(ask(&mut stream, LOCKED, "/").await.unwrap().status, 421);
    // And a session that is resumed is judged by the new one.
    let mut stream = shake(scene.tls, &with, LOCKED).await.unwrap();
    assert_eq!(ask(&mut stream, LOCKED, "/").await.unwrap().status, 403);
}

#[tokio::test]
async fn a_trust_store_of_many_names_is_no_hint_and_judges_all_the_same() {
    let backend = Backend::answering(OK).await;
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let scene = Scene::with(&backend, |chain| {
        two_names(chain, &servers, &clients);
        // More names than a message of the handshake holds.
        let others = (0..40).map(|number| Authority::new(&format!("{}{number}", "x".repeat(2000))).pem);
        let bundle: String = others.chain([clients.pem.clone()]).collect();
        chain.edit_domain(LOCKED, |domain| {
            domain.mutual_tls = Some(MutualTls { bundle: bundle.as_str().into(), ..mutual(&clients) });
        });
    })
    .await;
    for (own, status) in [(clients.leaf(&["right"], When::Now), 200), (servers.leaf(&["wrong"], When::Now), 403)] {
        let mut stream = shake(scene.tls, &servers.client(&[], Some(&own)), LOCKED).await.unwrap();
        assert_eq!(ask(&mut stream, LOCKED, "/").await.unwrap().status, status);
    }
}

#[tokio::test]
async fn the_context_speaks_of_the_client_certificate_and_the_domain() {
    let backend = Backend::answering(OK).await;
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let scene = Scene::with(&backend, |chain| {
        two_names(chain, &servers, &clients);
        chain.mapping(LOCKED, "v1", "$default");
        chain.edit_integration(|integration| {
            for (header, variable) in [
                ("subject", "identity.clientCert.subjectDN"),
                ("issuer", "identity.clientCert.issuerDN"),
                ("until", "identity.clientCert.validity.notAfter"),
                ("domain", "domainName"),
                ("base", "customDomain.basePathMatched"),
            ] {
                let key = format!("overwrite:header.x-{header}");
                integration.request_parameters.insert(key, format!("$context.{variable}"));
            }
        });
    })
    .await;
    let own = clients.leaf(&["right"], When::Now);
    let mut stream = shake(scene.tls, &servers.client(&[], Some(&own)), LOCKED).await.unwrap();
    assert_eq!(ask(&mut stream, LOCKED, "/v1/x").await.unwrap().status, 200);
    let head = backend.heads().pop().unwrap();
    let seen = |name: &str| crate::scene::header(&head, name);
    assert_eq!(seen("x-subject").as_deref(), Some("CN=right,O=Example"));
    assert_eq!(seen("x-issuer").as_deref(), Some("CN=clients"));
    assert_eq!(seen("x-until").as_deref(), Some("Jan  1 00:00:00 2120 GMT"));
    assert_eq!(seen("x-domain").as_deref(), Some(LOCKED));
    assert_eq!(seen("x-base").as_deref(), Some("v1"));
    assert_eq!(seen("host").as_deref(), Some(LOCKED));
    assert!(head.starts_with("GET /x HTTP/1.1"), "{head}");
}

#[tokio::test]
async fn in_development_mode_invoke_hosts_have_certificates_of_the_local_authority() {
    let backend = Backend::answering(OK).await;
    let local = Arc::new(Authority::new("local"));
    let (issuing, pem) = (Arc::clone(&local), local.pem.clone());
    let issuer = Issuer::new(
        move || Ok(pem.clone()),
        move |names: &[String]| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let leaf = issuing.leaf(&names, When::Now);
            Ok(Issued { chain: leaf.certificate, key: leaf.key })
        },
    );
    let config = PlaneConfig { development: Some(issuer), ..PlaneConfig::default() };
    let scene = Scene::configured(config, &backend, |_| {}).await;
    let client = local.client(&[], None);
    let id = estate::api();
    for name in [
        estate::host(),
        format!("{id}.execute-api.us-east-1.localhost"),
        format!("{id}.execute-api.localhost.localstack.cloud"),
    ] {
        let mut stream = shake(scene.tls, &client, &name).await.unwrap();
        assert_eq!(ask(&mut stream, &name, "/").await.unwrap().status, 200, "{name}");
    }
    for name in ["localhost", "127.0.0.1"] {
        let mut stream = shake(scene.tls, &client, name).await.unwrap();
        let answer = ask(&mut stream, name, &format!("/_aws/execute-api/{id}/$default/")).await.unwrap();
        assert_eq!(answer.status, 200, "{name}");
    }
    assert!(shake(scene.tls, &client, &format!("{id}.execute-api.evil.example")).await.is_err());
    // Anybody may ask for any region; none of them keeps the next one out, nor one that is in use.
    let presented = async |name: &str| {
        let stream = shake(scene.tls, &client, name).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap().to_vec()
    };
    let own = presented(&estate::host()).await;
    for number in 0..plane::limits::DEVELOPMENT_CERTIFICATES_MAX + 2 {
        presented(&format!("{id}.execute-api.made-up-{number}.amazonaws.com")).await;
        if number % 100 == 0 {
            assert_eq!(presented(&estate::host()).await, own, "what is asked for stays");
        }
    }
    presented(&format!("{id}.execute-api.eu-west-1.amazonaws.com")).await;
}

#[tokio::test]
async fn a_drain_ends_connections_with_tls_and_handshakes_under_way() {
    let backend = Backend::answering(OK).await;
    let servers = Authority::new("servers");
    let scene = Scene::with(&backend, |chain| two_names(chain, &servers, &servers)).await;
    let mut idle = shake(scene.tls, &servers.client(&[], None), API).await.unwrap();
    assert_eq!(ask(&mut idle, API, "/").await.unwrap().status, 200);
    let mut silent = TcpStream::connect(scene.tls).await.unwrap();
    let drained = scene.plane.drain(std::time::Duration::from_secs(5)).await;
    assert_eq!(drained.cut, 0);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_shakes_hands_is_cut() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let mut silent = TcpStream::connect(scene.tls).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn tls_to_a_listener_table() {
    let backend = Backend::answering(OK).await;
    let (local, strangers) = (Arc::new(Authority::new("local")), Authority::new("strangers"));
    let pem = local.pem.clone();
    let issuer = Issuer::new(move || Ok(pem.clone()), |_: &[String]| Err("nothing is issued".to_owned()));
    let config = PlaneConfig { development: Some(issuer), ..PlaneConfig::default() };
    let mut scene = Scene::configured(config, &backend, |_| {}).await;
    let right = local.leaf(&["internal.example.com"], When::Now);
    let other = local.leaf(&["*.other.example.com"], When::Now);
    let old = local.leaf(&["internal.example.com"], When::Past);
    let strange = strangers.leaf(&["internal.example.com"], When::Now);
    type Row<'a> = (&'a str, Option<&'a str>, Vec<&'a Leaf>, u16, &'a str);
    let rows: Vec<Row<'_>> = vec![
        ("plain to plain", None, vec![], 200, "passed"),
        ("plain to TLS", None, vec![&right], 400, "TLS_PLAIN_TO_TLS_PORT"),
        ("TLS to plain", Some("internal.example.com"), vec![], 503, "TLS_EXPECTED_GOT_PLAIN"),
        ("the right name", Some("internal.example.com"), vec![&right], 200, "passed"),
        ("another name", Some("wrong.example.com"), vec![&right], 503, "TLS_NAME_MISMATCH"),
        ("a further certificate", Some("a.other.example.com"), vec![&right, &other], 200, "passed"),
        ("one label too many", Some("a.b.other.example.com"), vec![&right, &other], 503, "TLS_NAME_MISMATCH"),
        ("expired", Some("internal.example.com"), vec![&old], 503, "TLS_EXPIRED"),
        ("another authority", Some("internal.example.com"), vec![&strange], 503, "TLS_UNTRUSTED"),
        ("no name at all", Some("not a name"), vec![&right], 503, "TLS_HANDSHAKE_FAILED"),
    ];
    for (what, name, leaves, status, outcome) in rows {
        scene.change(|chain| {
            chain.edit_integration(|integration| integration.tls_server_name = name.map(str::to_owned));
            chain.listener_certificates(leaves.iter().copied());
        });
        // The second one has its answer from what is kept.
        for turn in ["first", "second"] {
            let answer = scene.get("/").await;
            assert_eq!((answer.status, answer.outcome().as_str()), (status, outcome), "{what}, {turn}");
        }
    }
    scene.change(|chain| {
        chain.edit_integration(|integration| integration.tls_server_name = Some("wrong.example.com".to_owned()));
        chain.listener_certificates([&right]);
    });
    let trace = scene.trace(&scene.get("/").await);
    assert_eq!(trace.reason, Some(Reason::TlsNameMismatch));
    let (_, detail) = trace.details.last().unwrap();
    assert!(detail.contains("wrong.example.com") && detail.contains("internal.example.com"), "{detail}");
    scene.change(|chain| {
        chain.edit_integration(|integration| integration.tls_server_name = Some("internal.example.com".to_owned()));
    });
    assert_eq!(scene.get("/").await.status, 200);
    let head = backend.heads().pop().unwrap();
    assert_eq!(crate::scene::header(&head, "x-forwarded-proto").as_deref(), Some("https"));
}
