//! The server's side of a TLS handshake. Which certificate is presented is looked up when the client has said which server it
//! wants, in the newest snapshot: a new certificate counts for the next handshake, and connections that are open stay.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::server::{Acceptor, ClientHello, ServerConnection};
use rustls::{CipherSuite, ProtocolVersion, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Presents;
use super::arrival::TlsArrival;
use super::connection::Spoken;
use crate::limits::TLS_HANDSHAKE_TIMEOUT;
use crate::tls::Hello;
use crate::tls::listener::openssl_name;
use crate::tls::mutual::Asked;
use crate::tls::presented::refusing;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nothing can be presented for the name.
    Refused {
        /// What was asked for.
        name: Option<String>,
        /// Why.
        why: String,
    },
    /// The client went away, was too slow, or did not agree.
    Broken(io::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { why, .. } => f.write_str(why),
            Self::Broken(error) => error.fmt(f),
        }
    }
}

/// A connection with what is known of it.
pub(crate) type Shaken = (TlsStream<TcpStream>, Spoken, TlsArrival);

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
    shaken.unwrap_or_else(|_| Err(Failed::Broken(io::ErrorKind::TimedOut.into())))
}

async fn shake(door: &impl Presents, stream: TcpStream) -> Result<Shaken, Failed> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(Failed::Broken)?;
    let hello = start.client_hello();
    let name = hello.server_name().map(str::to_ascii_lowercase);
    let takes_curves = takes_curves(&hello);
    door.prepare().await;
    let (domain, presentation) = match door.present(Hello { name: name.as_deref(), takes_curves }) {
        Ok(chosen) => chosen,
        Err(why) => {
            // The configuration has nothing to present: this sends the alert and fails.
            if let Ok(config) = refusing() {
                let _ = start.into_stream(config).await;
            }
            return Err(Failed::Refused { name, why });
        }
    };
    let stream = start.into_stream(Arc::clone(&presentation.config)).await.map_err(Failed::Broken)?;
    let (_, session) = stream.get_ref();
    let spoken = if session.alpn_protocol() == Some(b"h2") { Spoken::Http2 } else { Spoken::Http1 };
    let client = presentation.trust.as_ref().and_then(|trust| Some(trust.verify(chain(session)?)));
    let names = Arc::clone(&presentation.names);
    let agreed = agreed(session);
    let certificate = presentation.certificate;
    let asked = Asked::of(&presentation.mutual, chain(session).unwrap_or_default());
    Ok((stream, spoken, TlsArrival { server_name: name, agreed, certificate, names, domain, client, asked }))
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
