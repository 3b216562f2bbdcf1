//! Accepts connections of the link. The loop only accepts; each connection shakes hands in a task of its own, within a deadline and
//! bounds, and is taken for nothing until its certificate was judged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use plane::link::carrier::LaneKind;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::bounds::Pacer;
use super::{Link, Refused, admit, enrol, lanes};
use crate::link::{Asked, asked};
use crate::serve::State;
use crate::serve::descriptors::raised;
use crate::serve::limits::{
    ACCEPT_PAUSE, DESCRIPTORS_RESERVED, LINK_CONNECTIONS_MAX, LINK_HANDSHAKE_TIMEOUT, LINK_HANDSHAKES_PER_ADDRESS_MAX,
    LINK_PACE_WAIT_MAX,
};
use crate::serve::told;

/// One part in so many of the process's descriptors is the link's at most.
const LINK_PART: usize = 4;

/// How many connections the link may have.
pub(in crate::serve) fn of_link() -> usize {
    (raised().saturating_sub(DESCRIPTORS_RESERVED) / LINK_PART).clamp(1, LINK_CONNECTIONS_MAX)
}

/// Accepts until the server stops.
pub(in crate::serve) async fn accept(state: Arc<State>, link: Arc<Link>, listener: TcpListener) {
    let mut stopping = state.stopping.subscribe();
    loop {
        let next = async {
            let place = Arc::clone(&link.bounds.places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = told(&mut stopping) => return,
            next = next => next,
        };
        match (accepted, place) {
            (Ok((stream, peer)), Ok(place)) => {
                let (state, link, mut stopping) = (Arc::clone(&state), Arc::clone(&link), stopping.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = told(&mut stopping) => {}
                        () = connection(&state, &link, (stream, peer), place) => {}
                    }
                });
            }
            (Err(error), _) => {
                tracing::warn!(%error, "cannot accept a connection of the link");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // The semaphore is never closed.
            (_, Err(_)) => return,
        }
    }
}

async fn connection(
    state: &Arc<State>,
    link: &Arc<Link>,
    (stream, peer): (TcpStream, SocketAddr),
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let shaken = match link.bounds.stranger(peer.ip()) {
        Some(_stranger) => shake(link, stream).await,
        None => Err(Refused::new(
            "TOO_MANY_HANDSHAKES",
            format!("{LINK_HANDSHAKES_PER_ADDRESS_MAX} connections from this address have not said who they are yet"),
        )),
    };
    let judged = match shaken {
        Ok(stream) => take(state, link, (stream, peer), place).await,
        Err(refused) => Err(refused),
    };
    if let Err(Refused { code, message }) = judged {
        if link.bounds.is_news(peer.ip(), code, Instant::now()) {
            tracing::warn!(%peer, code, "a connection of the link was refused: {message}");
        } else {
            tracing::debug!(%peer, code, "a connection of the link was refused: {message}");
        }
    }
}

/// Shakes hands within the deadline, which waiting for a turn is part of.
async fn shake(link: &Link, stream: TcpStream) -> Result<TlsStream<TcpStream>, Refused> {
    let shaking = async {
        // The semaphore is never closed.
        let _turn = link.bounds.handshakes.acquire().await;
        TlsAcceptor::from(Arc::clone(&link.certifier.current().tls)).accept(stream).await
    };
    match tokio::time::timeout(LINK_HANDSHAKE_TIMEOUT, shaking).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Refused::new("HANDSHAKE", format!("the TLS handshake failed: {error}"))),
        Err(_) => Err(Refused::new("HANDSHAKE_TIMEOUT", format!("no TLS handshake within {LINK_HANDSHAKE_TIMEOUT:?}"))),
    }
}

/// Takes a connection for what it asks for, or closes it.
async fn take(
    state: &Arc<State>,
    link: &Link,
    (stream, peer): (TlsStream<TcpStream>, SocketAddr),
    place: OwnedSemaphorePermit,
) -> Result<(), Refused> {
    let lane = match asked(stream.get_ref().1.alpn_protocol()) {
        Some(Asked::Enrolment) => {
            pace(&link.bounds.enrolments).await?;
            return enrol::serve(state, link, (stream, peer)).await;
        }
        Some(Asked::Lane(lane)) => lane,
        None => {
            let refused = Refused::new("PROTOCOL", "it asked for none of the protocols of the link by ALPN");
            return farewell(stream, refused).await;
        }
    };
    if lane == LaneKind::Control {
        // Only who would be let in now has a turn; whether it still is, is asked when its turn has come.
        let waited = match admit::look(state, stream.get_ref().1.peer_certificates()).await {
            Ok(_) => pace(&link.bounds.lanes).await,
            Err(refused) => Err(refused),
        };
        if let Err(refused) = waited {
            return farewell(stream, refused).await;
        }
    }
    match admit::admit(state, link, (stream.get_ref().1.peer_certificates(), lane), place).await {
        Ok(admitted) => {
            let (agent, generation) = (admitted.agent, admitted.generation);
            tracing::debug!(%peer, %agent, generation, ?lane, "a lane was let in");
            lanes::admitted(state, link, admitted, stream);
            Ok(())
        }
        Err(refused) => farewell(stream, refused).await,
    }
}

/// Ends a connection in order, within a deadline: whoever is refused may read nothing.
async fn farewell(mut stream: TlsStream<TcpStream>, refused: Refused) -> Result<(), Refused> {
    // It is closed all the same.
    let _ = tokio::time::timeout(LINK_HANDSHAKE_TIMEOUT, stream.shutdown()).await;
    Err(refused)
}

/// Waits for the turn of whoever begins.
async fn pace(pacer: &Pacer) -> Result<(), Refused> {
    match pacer.turn(Instant::now()) {
        Some(wait) => {
            tokio::time::sleep(wait).await;
            Ok(())
        }
        None => Err(Refused::new("BUSY", format!("more agents begin than have a turn within {LINK_PACE_WAIT_MAX:?}"))),
    }
}
