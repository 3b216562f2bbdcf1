//! A connection of a client that speaks HTTP/2 (RFC 9113): frames, header compression and windows are the `h2` crate's, the requests and
//! answers are here. All of its streams share the connection's task: answers that are ready together leave in one write, and a request
//! costs no task, no timer and, once as many were under way before, no memory of its own here. A stream that panics ends alone.

mod bells;
mod exchange;
mod quiet;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::server::{self, Handshake, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use self::bells::{Bells, Heard, Whose};
use self::exchange::Exchange;
use self::quiet::Quiet;
use super::watch::Watch;
use crate::answer::body::Body;
use crate::http::body::SentBody;
use crate::http1::spelling::Spelling;
use crate::limits::{
    CLIENT_LOOKS_MAX, CLIENT_PING_INTERVAL, CLIENT_PONG_TIMEOUT, CLIENT_RESETS_MAX, CLIENT_STREAM_WINDOW_BYTES,
    CLIENT_STREAMS_MAX, CLIENT_WINDOW_BYTES, HELD_PIECE_BYTES, IDLE_SWEEP_INTERVAL, REQUEST_HEAD_READ_BYTES_MAX,
};
use crate::{spare, task};

/// Sweeps after which a silent client is pinged.
const PING_SWEEPS: u32 = (CLIENT_PING_INTERVAL.as_secs() / IDLE_SWEEP_INTERVAL.as_secs()) as u32;

/// Sweeps after which one that does not answer is given up on.
const PONG_SWEEPS: u32 = (CLIENT_PONG_TIMEOUT.as_secs() / IDLE_SWEEP_INTERVAL.as_secs()) as u32;

/// A connection that is served.
pub(super) struct Connection<S, F, Fut: 'static> {
    state: State<S>,
    service: F,
    watch: Arc<Watch>,
    bells: Arc<Bells>,
    /// Rings the bell of the frames.
    frames: Waker,
    /// As many as were under way at a time, at most [`CLIENT_STREAMS_MAX`].
    places: Vec<Place<Fut>>,
    /// The places that are free, a bit for each, and those that were not needed yet.
    free: u128,
    /// The newest sweep that was heard of.
    swept: u32,
    /// End with the requests under way.
    winding: bool,
}

enum State<S> {
    /// The client's preface is awaited.
    Handshake(Handshake<Quiet<S>, Bytes>),
    Open(server::Connection<Quiet<S>, Bytes>, Option<Pings>),
}

/// Where a stream stands, and what rings its bell.
struct Place<Fut: 'static> {
    exchange: Option<Exchange<Fut>>,
    waker: Waker,
}

/// Whether the client is there.
struct Pings {
    pings: PingPong,
    /// The sweep in which one was sent that is not answered yet.
    sent: Option<u32>,
    /// The sweep in which the client was last heard of.
    heard: u32,
}

impl<S, F, Fut> Connection<S, F, Fut>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<SentBody>, Spelling) -> Fut,
    Fut: Future<Output = Result<Response<Body>, Infallible>> + 'static,
{
    pub(super) fn new(stream: S, service: F, watch: Arc<Watch>) -> Self {
        let mut builder = server::Builder::new();
        builder
            .max_concurrent_streams(CLIENT_STREAMS_MAX)
            .initial_window_size(CLIENT_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CLIENT_WINDOW_BYTES)
            .max_send_buffer_size(HELD_PIECE_BYTES)
            .max_local_error_reset_streams(Some(CLIENT_RESETS_MAX))
            // A head is far below u32's end.
            .max_header_list_size(u32::try_from(REQUEST_HEAD_READ_BYTES_MAX).unwrap_or(u32::MAX));
        let bells = Arc::new(Bells::default());
        let frames = bells.waker(Whose::Frames);
        // For the first look.
        frames.wake_by_ref();
        Self {
            state: State::Handshake(builder.handshake(Quiet::new(stream, &bells))),
            service,
            swept: watch.now(),
            watch,
            bells,
            frames,
            places: Vec::new(),
            free: u128::MAX >> (u128::BITS - CLIENT_STREAMS_MAX),
            winding: false,
        }
    }

    /// Ends with the requests under way, and takes those that the client sent before it heard of that.
    pub(super) fn wind_up(&mut self) {
        self.winding = true;
        if let State::Open(connection, _) = &mut self.state {
            connection.graceful_shutdown();
            self.frames.wake_by_ref();
        }
    }

    /// Looks at the frames: takes what has come, begins the requests that are whole, and sends what is to be sent.
    fn poll_frames(&mut self) -> Poll<Result<(), h2::Error>> {
        loop {
            let mut cx = Context::from_waker(&self.frames);
            match &mut self.state {
                State::Handshake(handshake) => {
                    let mut connection = ready!(Pin::new(handshake).poll(&mut cx))?;
                    if self.winding {
                        connection.graceful_shutdown();
                    }
                    let heard = self.swept;
                    let pings = connection.ping_pong().map(|pings| Pings { pings, sent: None, heard });
                    self.state = State::Open(connection, pings);
                }
                State::Open(connection, pings) => {
                    if let Some(pings) = pings {
                        pings.look(&mut cx, self.swept);
                    }
                    // Without a place what has come waits; the bell is rung when one is free.
                    if self.free == 0 {
                        return connection.poll_closed(&mut cx);
                    }
                    let Some(accepted) = ready!(connection.poll_accept(&mut cx)) else { return Poll::Ready(Ok(())) };
                    let (request, reply) = accepted?;
                    if let Some(pings) = pings {
                        pings.heard = self.swept;
                    }
                    self.begin(request, reply);
                }
            }
        }
    }

    /// Calls the service for a request, in a free place.
    fn begin(&mut self, request: Request<RecvStream>, reply: SendResponse<Bytes>) {
        let (request, lines) = SentBody::of_stream(request);
        let call = spare::lodge(|| (self.service)(request, Spelling::framed(lines)));
        let exchange = Some(Exchange::Call(call, reply));
        let number = self.free.trailing_zeros() as usize;
        self.free &= !(1 << number);
        match self.places.get_mut(number) {
            Some(place) => place.exchange = exchange,
            // Places are taken in order: this is the first that was not needed yet.
            None => self.places.push(Place { exchange, waker: self.bells.waker(Whose::Stream(number)) }),
        }
        self.go_on(number);
    }

    /// Lets a stream go on. One that is over may still be rung for.
    fn go_on(&mut self, number: usize) {
        let Some(Place { exchange: Some(exchange), waker }) = self.places.get_mut(number) else { return };
        let polled = task::contained(|| exchange.poll(&mut Context::from_waker(waker), self.swept));
        match polled {
            Some(Poll::Pending) => return,
            Some(Poll::Ready(())) => {}
            None => exchange.fail(),
        }
        self.leave(number);
    }

    fn leave(&mut self, number: usize) {
        if let Some(place) = self.places.get_mut(number) {
            // What panicked may do so again when it is let go of.
            task::contained(|| place.exchange = None);
        }
        if self.free == 0 {
            self.frames.wake_by_ref();
        }
        self.free |= 1 << number;
    }

    /// What is due once in each sweep.
    fn sweep(&mut self, now: u32) {
        self.swept = now;
        for number in 0..self.places.len() {
            let exchange = self.places.get_mut(number).and_then(|place| place.exchange.as_mut());
            if exchange.is_some_and(|exchange| exchange.give_up(now)) {
                self.leave(number);
            }
        }
        if let State::Open(connection, Some(pings)) = &mut self.state
            && pings.is_left_alone(now)
        {
            connection.abrupt_shutdown(Reason::NO_ERROR);
            self.frames.wake_by_ref();
        }
    }
}

impl Pings {
    /// Takes an answer.
    fn look(&mut self, cx: &mut Context<'_>, now: u32) {
        if self.sent.is_some() && self.pings.poll_pong(cx).is_ready() {
            (self.sent, self.heard) = (None, now);
        }
    }

    /// Pings a client that was silent for long; whether one left a ping unanswered for too long.
    fn is_left_alone(&mut self, now: u32) -> bool {
        match self.sent {
            Some(sent) => return now.saturating_sub(sent) >= PONG_SWEEPS,
            // A ping that cannot be sent is one of a connection that ends.
            None if now.saturating_sub(self.heard) >= PING_SWEEPS && self.pings.send_ping(Ping::opaque()).is_ok() => {
                self.sent = Some(now);
            }
            None => {}
        }
        false
    }
}

impl<S, F, Fut> Future for Connection<S, F, Fut>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<SentBody>, Spelling) -> Fut + Unpin,
    Fut: Future<Output = Result<Response<Body>, Infallible>> + 'static,
{
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bells.awake(cx.waker());
        let now = self.watch.now();
        if now != self.swept {
            self.sweep(now);
        }
        for _ in 0..CLIENT_LOOKS_MAX {
            match self.bells.heard() {
                Some(Heard::Streams(streams)) => streams.for_each(|number| self.go_on(number)),
                Some(Heard::Frames) => {
                    if let Poll::Ready(ended) = self.poll_frames() {
                        return Poll::Ready(ended.map_err(io::Error::other));
                    }
                }
                None => return Poll::Pending,
            }
        }
        // Others have their turn first.
        cx.waker().wake_by_ref();
        self.poll_frames().map_err(io::Error::other)
    }
}
