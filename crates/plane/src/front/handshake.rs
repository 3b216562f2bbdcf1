//! The server's side of a TLS handshake. Which certificate is presented is looked up when the client has said which server it
//! wants, in the newest snapshot: a new certificate counts for the next handshake, and connections that are open stay.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::server::{Acceptor, ClientHello, ServerConnection};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Presents;
use super::arrival::TlsArrival;
use super::connection::Spoken;
use super::tap::Tapped;
use crate::clock;
use crate::limits::TLS_HANDSHAKE_TIMEOUT;
use crate::tls::Hello;
use crate::tls::listener::openssl_name;
use crate::tls::mutual::{self, Asked, NotTaken};
use crate::tls::presented::{Purpose, refusing};

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It proved a name to an authority, which is all that it was for.
    Proven {
        /// The name.
        name: Option<String>,
    },
    /// Nothing can be presented for the name.
    Refused {
        /// What was asked for.
        name: Option<String>,
        /// Why.
        why: String,
    },
    /// The client went away, was too slow, or did not agree.
    Broken {
        /// What went wrong.
        error: io::Error,
        /// The suite that the server had chosen.
        suite: Option<CipherSuite>,
        /// Why the client's certificate was not taken, where that is what went wrong.
        not_taken: Option<NotTaken>,
    },
}

impl Failed {
    fn early(error: io::Error) -> Self {
        Self::Broken { error, suite: None, not_taken: None }
    }

    /// The suite and the version, where it came so far.
    pub(crate) fn agreed(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Broken { suite: Some(suite), .. } => Some((openssl_name(*suite), version_of(*suite))),
            Self::Broken { suite: None, .. } | Self::Refused { .. } | Self::Proven { .. } => None,
        }
    }

    /// What the client said in place of shaking hands, if it did (RFC 8446, section 6).
    pub(crate) fn alert(&self) -> Option<u8> {
        match self {
            Self::Broken { error, .. } => alert(error),
            Self::Refused { .. } | Self::Proven { .. } => None,
        }
    }

    /// Why the client's certificate was not taken, if it was not.
    pub(crate) const fn not_taken(&self) -> Option<&NotTaken> {
        match self {
            Self::Broken { not_taken, .. } => not_taken.as_ref(),
            Self::Refused { .. } | Self::Proven { .. } => None,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proven { .. } => f.write_str("the handshake proved a name, and was for nothing else"),
            Self::Refused { why, .. } => f.write_str(why),
            Self::Broken { error, .. } => error.fmt(f),
        }
    }
}

/// The alert of the peer's that made a stream fail, if one did.
pub(crate) fn alert(error: &io::Error) -> Option<u8> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(u8::from(*alert)),
        _ => None,
    }
}

/// A connection with what is known of it.
pub(crate) type Shaken = (TlsStream<Tapped>, Spoken, TlsArrival);

/// The version of which a suite is: those of TLS 1.3 are of no other.
fn version_of(suite: CipherSuite) -> &'static str {
    if suite.as_str().is_some_and(|name| name.starts_with("TLS13_")) { "TLSv1.3" } else { "TLSv1.2" }
}

/// Signatures by elliptic curves that certificates of servers are used with.
const CURVES: [SignatureScheme; 4] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
];

/// With suites of TLS 1.2 that name RSA alone, no other signature can be used.
fn takes_curves(hello: &ClientHello<'_>) -> bool {
    let has_name =
        |suite: &CipherSuite| suite.as_str().is_some_and(|n| n.contains("_ECDSA_") || n.starts_with("TLS13_"));
    hello.signature_schemes().iter().any(|scheme| CURVES.contains(scheme)) && hello.cipher_suites().iter().any(has_name)
}

/// Does the handshake, within its time.
pub(crate) async fn accept(door: &impl Presents, stream: TcpStream) -> Result<Shaken, Failed> {
    let shaken = tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, shake(door, stream)).await;
    shaken.unwrap_or_else(|_| Err(Failed::early(io::ErrorKind::TimedOut.into())))
}

async fn shake(door: &impl Presents, stream: TcpStream) -> Result<Shaken, Failed> {
    let began = clock::now();
    let start = LazyConfigAcceptor::new(Acceptor::default(), Tapped::new(stream)).await.map_err(Failed::early)?;
    let hello = start.client_hello();
    let name = hello.server_name().map(str::to_ascii_lowercase);
    let takes_curves = takes_curves(&hello);
    door.prepare().await;
    let offered: Vec<&[u8]> = hello.alpn().into_iter().flatten().collect();
    let presented = door.present(Hello { name: name.as_deref(), takes_curves, offered: &offered });
    let (domain, presentation) = match presented {
        Ok(chosen) => chosen,
        Err(why) => {
            // The configuration has nothing to present: this sends the alert and fails.
            if let Ok(config) = refusing() {
                let _ = start.into_stream(config).await;
            }
            return Err(Failed::Refused { name, why });
        }
    };
    let shaking = start.into_stream(Arc::clone(&presentation.config)).into_fallible();
    let (shaken, not_taken) = mutual::noting(shaking).await;
    let stream = shaken.map_err(|(error, tapped)| Failed::Broken { error, suite: tapped.suite(), not_taken })?;
    if presentation.purpose == Purpose::Proof {
        let mut stream = stream;
        // Whether the authority still hears the end makes no difference: it has seen the certificate.
        let _ = stream.shutdown().await;
        return Err(Failed::Proven { name });
    }
    let handshake = clock::now().duration_since(began);
    let (_, session) = stream.get_ref();
    let spoken = if session.alpn_protocol() == Some(b"h2") { Spoken::Http2 } else { Spoken::Http1 };
    let client = presentation.trust.as_ref().and_then(|trust| Some(trust.verify(chain(session)?)));
    let names = Arc::clone(&presentation.names);
    let (agreed, key_exchange) = (agreed(session), key_exchange(session));
    let certificate = presentation.certificate;
    let asked = Asked::of(&presentation.mutual, chain(session).unwrap_or_default());
    let tls =
        TlsArrival { server_name: name, agreed, key_exchange, handshake, certificate, names, domain, client, asked };
    Ok((stream, spoken, tls))
}

/// How keys were exchanged, by the name that TLS has for it.
fn key_exchange(session: &ServerConnection) -> Option<&'static str> {
    session.negotiated_key_exchange_group().map(|group| match group.name() {
        NamedGroup::X25519 => "x25519",
        NamedGroup::secp256r1 => "secp256r1",
        NamedGroup::secp384r1 => "secp384r1",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        _ => "-",
    })
}

/// The suite and the version.
fn agreed(session: &ServerConnection) -> (&'static str, &'static str) {
    let suite = session.negotiated_cipher_suite().map_or("", |agreed| openssl_name(agreed.suite()));
    let is_newest = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    (suite, if is_newest { "TLSv1.3" } else { "TLSv1.2" })
}

fn chain(session: &ServerConnection) -> Option<&[rustls::pki_types::CertificateDer<'static>]> {
    session.peer_certificates().filter(|chain| !chain.is_empty())
}
