//! One public connection, whatever carries its bytes: HTTP/1.1, or HTTP/2 where the client chose it, until the client, its
//! silence or the drain ends it.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::arrival::Arrival;
use super::flow::Owing;
use super::http2;
use super::watch::{Connections, Watch};
use super::{Door, Manners};
use crate::answer::body::Body;
use crate::http::body::SentBody;
use crate::http1::server as http1;
use crate::http1::spelling::Spelling;
use crate::limits::{CLIENT_HEAD_TIMEOUT, PREFACE_LOOKS_MAX, PREFACE_PAUSE};

/// Serves a connection to its end.
pub(crate) async fn carry<S, D>(
    stream: S,
    (spoken, manners): (Spoken, Manners),
    (door, arrival): (Arc<D>, Arc<Arrival>),
    connections: Arc<Connections>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    D: Door,
{
    let watch = Watch::new(&connections, spoken, manners.idle);
    let stream = Owing::new(stream, Arc::clone(&watch));
    let watched = Arc::clone(&watch);
    let service = move |request, spelling| {
        Arc::clone(&door).serve((request, spelling), Arc::clone(&arrival), Some(watched.begin()))
    };
    match spoken {
        Spoken::Http1 => {
            let connection = http1::Connection::new(stream, service).taking_upgrades(manners.takes_upgrades);
            let connection = connection.answering_unread(manners.answers_unread);
            Served::new(connection, (connections, watch)).await
        }
        Spoken::Http2 => {
            let connection = http2::Connection::new(stream, service, Arc::clone(&watch));
            // Boxed, so that a connection of HTTP/1.1 has no room for it.
            Box::pin(Served::new(connection, (connections, watch))).await
        }
    }
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1.1, or an older one.
    Http1,
    /// HTTP/2: chosen by ALPN, or with prior knowledge by its preface (RFC 9113, section 3.4).
    Http2,
}

/// The beginning of the connection preface. No method of HTTP/1.1 is spelled so.
const PREFACE: &[u8] = b"PRI ";

/// Looks at the first bytes without taking them. Clients send a preface or a request line in one piece; one that sends less
/// than four bytes of what may be a preface is asked again a few times, and then taken to speak HTTP/1.1.
pub(crate) async fn spoken(stream: &TcpStream, manners: Manners) -> io::Result<Spoken> {
    if !manners.takes_prior_knowledge {
        return Ok(Spoken::Http1);
    }
    let mut seen = [0; PREFACE.len()];
    let first = tokio::time::timeout(CLIENT_HEAD_TIMEOUT, stream.peek(&mut seen));
    let mut length = first.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    for _ in 0..PREFACE_LOOKS_MAX {
        if length == 0 || seen[..length] != PREFACE[..length] {
            return Ok(Spoken::Http1);
        }
        if length == PREFACE.len() {
            return Ok(Spoken::Http2);
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
        length = stream.peek(&mut seen).await?;
    }
    Ok(Spoken::Http1)
}

/// A connection of either version that can be told to end with what is under way.
trait Winding: Future {
    fn wind_up(self: Pin<&mut Self>);

    /// Its client was silent for too long: whether it answers that before it ends.
    fn give_up(self: Pin<&mut Self>) -> bool;
}

impl<S, F, Fut> Winding for http1::Connection<S, F, Fut, Body>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<SentBody>, Spelling) -> Fut + Unpin,
    Fut: Future<Output = Result<Response<Body>, Infallible>> + 'static,
{
    fn wind_up(mut self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }

    fn give_up(mut self: Pin<&mut Self>) -> bool {
        http1::Connection::give_up(&mut self)
    }
}

impl<S, F, Fut> Winding for http2::Connection<S, F, Fut>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<SentBody>, Spelling) -> Fut + Unpin,
    Fut: Future<Output = Result<Response<Body>, Infallible>> + 'static,
{
    fn wind_up(mut self: Pin<&mut Self>) {
        http2::Connection::wind_up(&mut self);
    }

    fn give_up(self: Pin<&mut Self>) -> bool {
        false
    }
}

/// A connection that listens for the drain and for its own expiry. The waker is registered once: a spawned task keeps its waker.
struct Served<C> {
    connection: C,
    connections: Arc<Connections>,
    watch: Arc<Watch>,
    entered: Option<usize>,
    told: bool,
}

impl<C> Served<C> {
    fn new(connection: C, (connections, watch): (Arc<Connections>, Arc<Watch>)) -> Self {
        Self { connection, connections, watch, entered: None, told: false }
    }
}

impl<C, E> Future for Served<C>
where
    C: Winding<Output = Result<(), E>> + Unpin,
{
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        if self.entered.is_none() {
            self.entered = Some(self.connections.enter(cx.waker(), &self.watch));
        }
        // An answer to that is a request of its own, which begins now.
        if self.watch.has_expired() && !Pin::new(&mut self.connection).give_up() {
            return Poll::Ready(Ok(()));
        }
        if !self.told && self.connections.is_draining() {
            self.told = true;
            Pin::new(&mut self.connection).wind_up();
        }
        Pin::new(&mut self.connection).poll(cx)
    }
}

impl<C> Drop for Served<C> {
    fn drop(&mut self) {
        if let Some(place) = self.entered {
            self.connections.leave(place);
        }
    }
}
