//! The server's side of a TLS handshake. Which certificate is presented is looked up when the client has said which server it
//! wants, in the newest snapshot: a new certificate counts for the next handshake, and connections that are open stay.

use std::io;
use std::sync::Arc;

use rustls::server::{Acceptor, ServerConnection};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Door;
use super::arrival::TlsArrival;
use super::connection::Spoken;
use crate::limits::TLS_HANDSHAKE_TIMEOUT;
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

/// A connection with what is known of it.
pub(crate) type Shaken = (TlsStream<TcpStream>, Spoken, TlsArrival);

/// Does the handshake, within its time.
pub(crate) async fn accept(door: &impl Door, stream: TcpStream) -> Result<Shaken, Failed> {
    let shaken = tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, shake(door, stream)).await;
    shaken.unwrap_or_else(|_| Err(Failed::Broken(io::ErrorKind::TimedOut.into())))
}

async fn shake(door: &impl Door, stream: TcpStream) -> Result<Shaken, Failed> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(Failed::Broken)?;
    let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
    door.prepare().await;
    let (domain, presentation) = match door.present(name.as_deref()) {
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
    Ok((stream, spoken, TlsArrival { server_name: name, names, domain, client }))
}

fn chain(session: &ServerConnection) -> Option<&[rustls::pki_types::CertificateDer<'static>]> {
    session.peer_certificates().filter(|chain| !chain.is_empty())
}
