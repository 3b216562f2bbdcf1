//! Who is let in at the link, asked of the real binary: hostile tokens, certificates, handshakes and messages, each refused for its reason,
//! and nobody else disturbed.

mod certificates;
mod commands;
mod handshakes;
mod messages;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use control::enrolment::{Enrolled, EnrolmentAnswer, EnrolmentRequest, GATEWAY_NAME, Token};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use serde_json::Value;
use topology::net::Ipv4Net;

use crate::support::{PATIENCE, Server, text, until};

type Secured = StreamOwned<ClientConnection, TcpStream>;

const DATA: &[u8] = b"tidegate-data/1";
const CONTROL: &[u8] = b"h2";
const ENROL: &[u8] = b"tidegate-enrol/1";

/// A gateway with a VPC.
struct Gateway {
    server: Server,
    vpc: String,
    directory: tempfile::TempDir,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
struct Papers {
    certificate: String,
    key: String,
}

/// An agent that was enrolled.
struct Agent {
    enrolled: Box<Enrolled>,
    papers: Papers,
}

impl Gateway {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let server = Server::with_flags(&[
            "--data-dir",
            path,
            "--link",
            "127.0.0.1:0",
            "--public-tls",
            "127.0.0.1:0",
            "--log",
            "debug",
        ]);
        let made = server.ec2("CreateVpc&CidrBlock=10.0.0.0/16").succeeded();
        let vpc = made.element("vpcId").to_owned();
        Self { server, vpc, directory }
    }

    fn link(&self) -> &str {
        self.server.ready["link"].as_str().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.link()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A new token; each zone has one that is open.
    fn token(&self, zone: &str, flags: &[&str]) -> Token {
        let words = ["agent", "token", "--vpc", &self.vpc, "--zone", zone];
        let out = self.server.run(&[&words[..], flags].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        let line = text(&out.stdout);
        assert_eq!(line.lines().count(), 1);
        line.trim_end().parse().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let out = self.server.run(&[words, &["--output", "json"]].concat());
        assert!(out.status.success(), "{}", text(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    /// A connection that has shaken hands, or what went wrong.
    fn secured(&self, protocol: &[u8], papers: Option<&Papers>) -> std::io::Result<Secured> {
        shake(self.connect(), config(&[protocol], papers))
    }

    /// What the gateway answers to these bytes after a handshake.
    fn say(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.secured(ENROL, None).unwrap();
        stream.write_all(bytes).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        let mut answer = Vec::new();
        // A gateway that has heard enough may cut the connection after its answer.
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// The answer to one message.
    fn ask(&self, message: &[u8]) -> EnrolmentAnswer {
        answer(&self.say(&frame(message)))
    }

    fn enrol(&self, token: &Token) -> Agent {
        let key = new_key();
        let request = EnrolmentRequest::new(&token.secret, &[], csr(&key));
        match self.ask(&serde_json::to_vec(&request).unwrap()) {
            EnrolmentAnswer::Enrolled(enrolled) => {
                let papers = Papers { certificate: enrolled.certificate.clone(), key: key.serialize_pem() };
                Agent { enrolled, papers }
            }
            EnrolmentAnswer::Refused(refusal) => panic!("{refusal:?}"),
        }
    }

    /// What the log says of the connection from this port: a code, or that a lane was let in. It waits until it says something.
    fn verdict(&self, port: u16) -> String {
        let peer = format!("127.0.0.1:{port}");
        let said = || {
            let log = std::fs::read_to_string(&self.server.log).unwrap();
            log.lines().rev().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let message = line["message"].as_str()?;
                let is_it = line["peer"].as_str() == Some(&peer);
                let code = line["code"].as_str().map(str::to_owned);
                let let_in = (message == "a lane was let in").then(|| "LET_IN".to_owned());
                code.or(let_in).filter(|_| is_it)
            })
        };
        until(&format!("the log says what became of {peer}"), || said().is_some());
        said().unwrap()
    }

    /// Opens a lane and says what became of it.
    fn lane(&self, protocol: &[u8], papers: Option<&Papers>) -> String {
        let stream = self.connect();
        let port = stream.local_addr().unwrap().port();
        // Held until the gateway has judged it, whatever it does with it then.
        let _held = shake(stream, config(&[protocol], papers));
        self.verdict(port)
    }
}

impl Server {
    /// With these flags alone.
    fn with_flags(flags: &[&str]) -> Self {
        Self::spawn(crate::support::tidegate(), flags, "")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn csr(key: &KeyPair) -> Vec<u8> {
    CertificateParams::new(Vec::new()).unwrap().serialize_request(key).unwrap().der().to_vec()
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

/// The one answer that these bytes are.
fn answer(bytes: &[u8]) -> EnrolmentAnswer {
    let (length, rest) = bytes.split_first_chunk::<4>().unwrap_or_else(|| panic!("no answer: {bytes:?}"));
    assert_eq!(usize::try_from(u32::from_be_bytes(*length)).unwrap(), rest.len());
    EnrolmentAnswer::read(rest).unwrap()
}

fn shake(mut stream: TcpStream, config: Arc<ClientConfig>) -> std::io::Result<Secured> {
    let name = ServerName::try_from(GATEWAY_NAME).unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(client, stream))
}

/// Believes any gateway: what is tested is whom the gateway believes.
#[derive(Debug)]
struct Credulous(CryptoProvider);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn config(protocols: &[&[u8]], papers: Option<&Papers>) -> Arc<ClientConfig> {
    config_of(&[&rustls::version::TLS13], protocols, papers)
}

fn config_of(
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&[u8]],
    papers: Option<&Papers>,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap().dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(Credulous(aws_lc_rs::default_provider())));
    let mut config = match papers {
        None => builder.with_no_client_auth(),
        Some(Papers { certificate, key }) => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// An agent that is there all along: what others do must not concern it.
fn undisturbed(gateway: &Gateway, agent: &Agent) {
    for protocol in [DATA, CONTROL] {
        assert_eq!(gateway.lane(protocol, Some(&agent.papers)), "LET_IN");
    }
}

fn block(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}
