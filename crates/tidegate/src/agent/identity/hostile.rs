//! Gateways that are none, or not the token's: none hears the secret, and none makes an agent of a directory.

use std::net::SocketAddr;

use control::TokenSecret;
use control::enrolment::{AgentName, Enrolled, EnrolmentAnswer, EnrolmentRequest, Refusal, Token};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::link::{CheckedRequest, LinkAuthority, server_config};

fn realm() -> Realm {
    Realm { account: "000000000000".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn token(authority: &LinkAuthority) -> Token {
    Token { realm: realm(), secret: TokenSecret::from_bytes([7; 32]), pin: authority.pin() }
}

/// A server's side with this chain and key.
fn presents(chain: &str, key: &str, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap().with_no_client_auth();
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

const ENROL: &[u8] = b"tidegate-enrol/1";

/// A gateway that answers one client so, and says what it heard of it.
async fn gateway(
    config: Arc<ServerConfig>,
    answer: impl FnOnce(&EnrolmentRequest) -> Vec<u8> + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return Vec::new() };
        let mut heard = Vec::new();
        let Ok(length) = stream.read_u32().await else { return heard };
        heard.resize(usize::try_from(length).unwrap(), 0);
        stream.read_exact(&mut heard).await.unwrap();
        let answer = answer(&EnrolmentRequest::read(&heard).unwrap());
        // Whoever has heard enough is gone.
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        heard
    });
    (at, serving)
}

fn framed(answer: &EnrolmentAnswer) -> Vec<u8> {
    let text = serde_json::to_vec(answer).unwrap();
    [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], &text].concat()
}

#[tokio::test]
async fn the_secret_is_told_to_nobody_but_the_gateway_of_the_token() {
    let [ours, other] = [(); 2].map(|()| LinkAuthority::open(None).unwrap());
    let (mine, theirs) = (ours.gateway().unwrap(), other.gateway().unwrap());
    let key = new_key().unwrap();
    let name = AgentName { realm: realm(), agent: AgentId::from_bits(7), generation: 1 };
    let agent = ours.certify(&CheckedRequest::read(&csr(&key).unwrap()).unwrap(), &name).unwrap();
    let with = |certificate: &str, authority: &LinkAuthority| format!("{certificate}{}", authority.certificate());
    let whole = with(&mine.certificate, &ours);
    for (what, config) in [
        ("of another authority", server_config(&other, other.certificate()).unwrap()),
        ("without its authority", presents(&mine.certificate, &mine.key, &[ENROL])),
        ("of another authority beside ours", presents(&with(&theirs.certificate, &ours), &theirs.key, &[ENROL])),
        ("an agent of ours", presents(&with(&agent, &ours), &key.serialize_pem(), &[ENROL])),
        ("with another protocol", presents(&whole, &mine.key, &[b"h2"])),
        ("without a protocol", presents(&whole, &mine.key, &[])),
    ] {
        let (at, serving) = gateway(config, |_| Vec::new()).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent");
        let refused = join(&token(&ours), &[at.to_string()], (&path, &[])).await.unwrap_err();
        assert!(matches!(refused, JoinError::Unreached(_)), "{what}: {refused}");
        assert!(serving.await.unwrap().is_empty(), "{what} heard something");
        assert!(!path.exists(), "{what}");
    }
}

/// The authority of the token, and another one.
struct Two {
    ours: LinkAuthority,
    other: LinkAuthority,
}

/// An answer that enrols the agent of this id.
fn enrolled(agent: u128, certificate: &str, authority: &LinkAuthority) -> Vec<u8> {
    framed(&EnrolmentAnswer::Enrolled(Box::new(Enrolled {
        agent: AgentId::from_bits(agent),
        realm: realm(),
        vpc: VpcId::from_bits(1),
        zones: BTreeSet::new(),
        generation: 1,
        certificate: certificate.to_owned(),
        authority: authority.certificate().to_owned(),
        cookie_key: String::new(),
        blocked_connect_ms: None,
    })))
}

impl Two {
    /// A sound certificate of agent 7.
    fn certified(&self, csr: &[u8]) -> String {
        let name = AgentName { realm: realm(), agent: AgentId::from_bits(7), generation: 1 };
        self.ours.certify(&CheckedRequest::read(csr).unwrap(), &name).unwrap()
    }
}

#[tokio::test]
async fn an_answer_that_is_none_makes_no_agent() {
    let [ours, other] = [(); 2].map(|()| LinkAuthority::open(None).unwrap());
    let two = Arc::new(Two { ours, other });
    type Answer = fn(&Two, &EnrolmentRequest) -> Vec<u8>;
    let rows: [(&str, Answer, &str); 9] = [
        ("no answer", |_, _| Vec::new(), "cannot be used"),
        ("4 GiB are announced", |_, _| vec![0xff; 1000], "at most 16384"),
        (
            "half of one",
            |two, asked| enrolled(7, &two.certified(&asked.csr), &two.ours)[..99].to_vec(),
            "cannot be used",
        ),
        ("junk", |_, _| b"\0\0\0\x04junk".to_vec(), "cannot be read"),
        (
            "a refusal",
            |_, _| {
                let (code, message) = ("TOKEN_USED".to_owned(), "it was used".to_owned());
                framed(&EnrolmentAnswer::Refused(Refusal { code, message }))
            },
            "refused (TOKEN_USED): it was used",
        ),
        ("another authority", |two, asked| enrolled(7, &two.certified(&asked.csr), &two.other), "another authority"),
        (
            "of another key",
            |two, _| enrolled(7, &two.certified(&csr(&new_key().unwrap()).unwrap()), &two.ours),
            "another key",
        ),
        ("of another agent", |two, asked| enrolled(8, &two.certified(&asked.csr), &two.ours), "another agent"),
        ("no certificate", |two, _| enrolled(7, "text", &two.ours), "no certificate"),
    ];
    for (what, answer, why) in rows {
        let answering = Arc::clone(&two);
        let config = server_config(&two.ours, two.ours.certificate()).unwrap();
        let (at, serving) = gateway(config, move |asked| answer(&answering, asked)).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent");
        let refused = join(&token(&two.ours), &[at.to_string()], (&path, &[])).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{what}: {refused}");
        assert!(!serving.await.unwrap().is_empty(), "{what}");
        assert!(!path.exists(), "{what}");
    }
}
