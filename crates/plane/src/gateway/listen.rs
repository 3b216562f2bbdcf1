//! Accepts public connections and serves HTTP/1.1 on them. The accept loop only accepts; everything else happens in the
//! connection's own task. Draining is told to every connection and waits until they have ended.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::serve;
use super::watch::{Connections, Watch};
use crate::http::body::Body;
use crate::limits::{ACCEPT_PAUSE, CLIENT_CONNECTIONS_MAX, REQUEST_HEAD_READ_BYTES_MAX};
use crate::shared::Shared;

/// Accepts until the plane drains.
pub(crate) async fn accept(shared: Arc<Shared>, connections: Arc<Connections>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CLIENT_CONNECTIONS_MAX));
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
                spawn_connection((Arc::clone(&shared), Arc::clone(&connections)), stream, peer, place);
            }
            Some((Err(error), _)) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            None => return,
        }
    }
}

fn spawn_connection(
    (shared, connections): (Arc<Shared>, Arc<Connections>),
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    tokio::spawn(async move {
        let mut builder = http1::Builder::new();
        // hyper's own timeout for heads would cost a timer for each request; the sweep does without.
        builder.header_read_timeout(None).max_header_size(REQUEST_HEAD_READ_BYTES_MAX);
        let watch = Watch::new(&connections);
        let watched = Arc::clone(&watch);
        let service = service_fn(move |request| serve(Arc::clone(&shared), request, peer, Some(watched.begin())));
        let served = Served {
            connection: builder.serve_connection(TokioIo::new(stream), service),
            connections,
            watch,
            entered: None,
            told: false,
        };
        if let Err(error) = served.await {
            tracing::debug!(%error, %peer, "a client connection ended");
        }
        drop(place);
    });
}

type Connection<S> = http1::Connection<TokioIo<TcpStream>, S>;

/// A connection that listens for the drain and for its own expiry. The waker is registered once: a spawned task keeps its waker.
struct Served<S>
where
    S: HttpService<Incoming>,
{
    connection: Connection<S>,
    connections: Arc<Connections>,
    watch: Arc<Watch>,
    entered: Option<usize>,
    told: bool,
}

impl<S> Future for Served<S>
where
    S: HttpService<Incoming, ResBody = Body> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Connection<S>: Unpin,
{
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        if self.entered.is_none() {
            self.entered = Some(self.connections.enter(cx.waker(), &self.watch));
        }
        if self.watch.has_expired() {
            return Poll::Ready(Ok(()));
        }
        if !self.told && self.connections.is_draining() {
            self.told = true;
            Pin::new(&mut self.connection).graceful_shutdown();
        }
        Pin::new(&mut self.connection).poll(cx)
    }
}

impl<S> Drop for Served<S>
where
    S: HttpService<Incoming>,
{
    fn drop(&mut self) {
        if let Some(place) = self.entered {
            self.connections.leave(place);
        }
    }
}
