//! Accepts public connections, plain ones and those with TLS alike. The accept loop only accepts; everything else, a
//! handshake too, happens in the connection's own task.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::arrival::Arrival;
use super::connection;
use super::handshake::{self, Failed};
use super::watch::Connections;
use super::{Door, Manners};
use crate::limits::ACCEPT_PAUSE;
use crate::task;

/// What clients of a listener speak first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// HTTP at once.
    Plain,
    /// A TLS handshake.
    Tls,
}

/// Accepts until the plane drains, as many connections at a time as there are places.
pub(crate) async fn accept(
    door: Arc<impl Door>,
    connections: Arc<Connections>,
    (listener, opened_for): (TcpListener, Transport),
    places: Arc<Semaphore>,
) {
    let ends = (Arc::clone(&connections), places);
    accept_each(ends, listener, |stream, peer, place| {
        let manners = door.manners(opened_for);
        let serving = serve((Arc::clone(&door), Arc::clone(&connections)), (stream, manners), peer);
        task::spawn(async move {
            serving.await;
            drop(place);
        });
    })
    .await;
}

/// Accepts until the plane drains, as many connections at a time as there are places, which go on with them.
pub(crate) async fn accept_each(
    (connections, places): (Arc<Connections>, Arc<Semaphore>),
    listener: TcpListener,
    take: impl Fn(TcpStream, SocketAddr, OwnedSemaphorePermit),
) {
    loop {
        let stop = connections.stop_accepting.notified();
        tokio::pin!(stop);
        stop.as_mut().enable();
        if connections.is_draining() {
            return;
        }
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            () = stop => return,
            accepted = next => accepted,
        };
        match accepted {
            Some((Ok((stream, peer)), place)) => {
                // A client of version 4 on a socket of both is that client, for policies as for logs.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                take(stream, peer, place);
            }
            Some((Err(error), _)) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => return,
        }
    }
}

/// Accepts until the plane drains, as many connections at a time as there are places, and has each carried for as long as this is wanted.
pub(crate) async fn carry_each<F>(
    ends: (Arc<Connections>, Arc<Semaphore>),
    listener: TcpListener,
    carry: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let carried = Mutex::new(JoinSet::new());
    accept_each(ends, listener, |stream, peer, place| {
        let mut carried = carried.lock();
        // Those that have ended are let go of.
        while carried.try_join_next().is_some() {}
        let carry = task::watched(carry(stream, peer));
        carried.spawn(async move {
            carry.await;
            drop(place);
        });
    })
    .await;
    // The plane drains: those under way end by themselves, or with the process.
    let mut carried = carried.into_inner();
    while carried.join_next().await.is_some() {}
}

/// Serves a connection from its beginning to its end.
pub(crate) async fn serve(
    (door, connections): (Arc<impl Door>, Arc<Connections>),
    (stream, manners): (TcpStream, Manners),
    peer: SocketAddr,
) {
    match manners.transport {
        Transport::Plain => plain(door, connections, (stream, manners), peer).await,
        // Boxed, so that the task of a plain connection does not carry a handshake's state about.
        Transport::Tls => Box::pin(encrypted(door, connections, (stream, manners), peer)).await,
    }
}

async fn plain(
    door: Arc<impl Door>,
    connections: Arc<Connections>,
    (stream, manners): (TcpStream, Manners),
    peer: SocketAddr,
) {
    let spoken = match connection::spoken(&stream, manners).await {
        Ok(spoken) => spoken,
        Err(error) => return tracing::debug!(%error, %peer, "a client went away before its first request"),
    };
    let arrival = came(&*door, Arrival::plain(peer));
    ended(connection::carry(stream, (spoken, manners), (door, arrival), connections).await, peer);
}

async fn encrypted(
    door: Arc<impl Door>,
    connections: Arc<Connections>,
    (stream, manners): (TcpStream, Manners),
    peer: SocketAddr,
) {
    let Some(shaken) = connections.unless_draining(handshake::accept(&*door, stream)).await else { return };
    match shaken {
        Ok((stream, spoken, tls)) => {
            let arrival = came(&*door, Arrival::over(tls, peer));
            ended(connection::carry(stream, (spoken, manners), (door, arrival), connections).await, peer);
        }
        Err(failed) => {
            door.failed(peer, &failed);
            tell(&failed, peer);
        }
    }
}

/// Lets the door note a connection, for as long as it is there.
fn came(door: &impl Door, mut arrival: Arrival) -> Arc<Arrival> {
    arrival.open = door.came(&arrival);
    Arc::new(arrival)
}

fn tell(failed: &Failed, peer: SocketAddr) {
    match failed {
        Failed::Proven { name } => {
            let name = name.as_deref().unwrap_or("none");
            tracing::info!(%peer, server_name = name, "a name was proven in a handshake (acme-tls/1)");
        }
        Failed::Refused { name, why } => {
            let name = name.as_deref().unwrap_or("none");
            tracing::info!(%peer, server_name = name, why, "a TLS handshake was refused");
        }
        Failed::Broken { error, not_taken: Some(refused), .. } => {
            let subject = refused.leaf.as_ref().map(|leaf| leaf.subject.as_str());
            tracing::info!(%error, %peer, code = refused.code, subject, "a client's certificate was refused");
        }
        Failed::Broken { error, not_taken: None, .. } => {
            tracing::debug!(%error, %peer, "a TLS handshake came to nothing");
        }
    }
}

fn ended(served: std::io::Result<()>, peer: SocketAddr) {
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "a client connection ended");
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};

    use super::super::{Presented, Presents};
    use super::*;
    use crate::answer::body::Body;
    use crate::guard::Guard;
    use crate::http::body::SentBody;
    use crate::http1::spelling::Spelling;
    use crate::limits::CLIENT_HEAD_TIMEOUT;
    use crate::tls::Hello;

    struct NoDoor;

    impl Presents for NoDoor {
        async fn prepare(&self) {}

        fn present(&self, _: Hello<'_>) -> Result<Presented, String> {
            Err("nothing is presented".to_owned())
        }
    }

    impl Door for NoDoor {
        fn manners(&self, transport: Transport) -> Manners {
            Manners {
                transport,
                takes_prior_knowledge: true,
                takes_upgrades: false,
                answers_unread: false,
                idle: CLIENT_HEAD_TIMEOUT,
            }
        }

        fn came(&self, _: &Arrival) -> Option<Guard> {
            None
        }

        fn failed(&self, _: SocketAddr, _: &Failed) {}

        async fn serve(
            self: Arc<Self>,
            _: (Request<SentBody>, Spelling),
            _: Arc<Arrival>,
            _: Option<Guard>,
        ) -> Result<Response<Body>, Infallible> {
            Ok(Response::new(Body::default()))
        }
    }

    fn size_of_result<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Bytes of what a connection of HTTP/1.1 is while it waits for a request: with its task, its buffers and what the system has of it, a
    /// kept connection then costs less than two KiB.
    const WAITING_BYTES_MAX: usize = 768;

    #[test]
    fn a_connection_that_waits_is_small() {
        let size =
            size_of_result(|door: Arc<NoDoor>, connections, stream, peer| plain(door, connections, stream, peer));
        assert!(size <= WAITING_BYTES_MAX, "{size} bytes");
    }
}
