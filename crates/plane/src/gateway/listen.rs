//! Accepts public connections and serves HTTP/1.1 on them. The accept loop only accepts; everything else happens in the
//! connection's own task. Draining is told to every connection and waits until they have ended.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::serve;
use crate::http::body::Body;
use crate::limits::{ACCEPT_PAUSE, CLIENT_CONNECTIONS_MAX, CLIENT_HEAD_TIMEOUT, REQUEST_HEAD_READ_BYTES_MAX};
use crate::shared::Shared;

/// Whether the plane is going down, and who must be told.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    going: AtomicBool,
    accepting: Notify,
    wakers: Mutex<Wakers>,
    ended: Notify,
}

/// The wakers of open connections; places are used again.
#[derive(Debug, Default)]
struct Wakers {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Drain {
    /// Tells everybody. No connection is accepted any more and each one ends with its current request.
    pub(crate) fn begin(&self) {
        self.going.store(true, Ordering::SeqCst);
        self.accepting.notify_waiters();
        for waker in self.wakers.lock().places.iter().flatten() {
            waker.wake_by_ref();
        }
    }

    fn is_going(&self) -> bool {
        self.going.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.wakers.lock().places.iter().flatten().count()
    }

    /// Waits until every connection has ended.
    pub(crate) async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            if self.open() == 0 {
                return;
            }
            ended.await;
        }
    }

    fn enter(&self, waker: &Waker) -> usize {
        let mut wakers = self.wakers.lock();
        let place = wakers.free.pop().unwrap_or_else(|| {
            wakers.places.push(None);
            wakers.places.len() - 1
        });
        if let Some(slot) = wakers.places.get_mut(place) {
            *slot = Some(waker.clone());
        }
        place
    }

    fn leave(&self, place: usize) {
        let mut wakers = self.wakers.lock();
        if let Some(slot) = wakers.places.get_mut(place) {
            *slot = None;
            wakers.free.push(place);
        }
        drop(wakers);
        if self.is_going() {
            self.ended.notify_waiters();
        }
    }
}

/// Accepts until the plane drains.
pub(crate) async fn accept(shared: Arc<Shared>, drain: Arc<Drain>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CLIENT_CONNECTIONS_MAX));
    loop {
        let stop = drain.accepting.notified();
        tokio::pin!(stop);
        stop.as_mut().enable();
        if drain.is_going() {
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
                spawn_connection((Arc::clone(&shared), Arc::clone(&drain)), stream, peer, place);
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
    (shared, drain): (Arc<Shared>, Arc<Drain>),
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    tokio::spawn(async move {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(CLIENT_HEAD_TIMEOUT)
            .max_header_size(REQUEST_HEAD_READ_BYTES_MAX);
        let service = service_fn(move |request| serve(Arc::clone(&shared), request, peer));
        let served = Served {
            connection: builder.serve_connection(TokioIo::new(stream), service),
            drain,
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

/// A connection that listens for the drain. The waker is registered once: a spawned task keeps its waker.
struct Served<S>
where
    S: HttpService<Incoming>,
{
    connection: Connection<S>,
    drain: Arc<Drain>,
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
            self.entered = Some(self.drain.enter(cx.waker()));
        }
        if !self.told && self.drain.is_going() {
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
            self.drain.leave(place);
        }
    }
}
