//! What clients are owed, as it leaves. A connection notes when its client stops taking bytes; an answer over HTTP/2, of which the
//! client says itself how much it takes, notes when nobody asks for more of it. The sweep (`front::watch`) ends what stands still for
//! too long, so that nobody who reads nothing holds a target's connection, or memory that others wait for.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;
use crate::answer::body::{self, Body};
use crate::http::body::BodyFault;
use crate::limits::{CLIENT_READ_IDLE_TIMEOUT, CLIENT_STREAMS_MAX, IDLE_SWEEP_INTERVAL, REQUEST_TIMEOUT};

/// Sweeps after which a client that takes nothing is given up on. One more than fit in, for the one under way.
pub(crate) const READ_SWEEPS: u32 = (CLIENT_READ_IDLE_TIMEOUT.as_secs() / IDLE_SWEEP_INTERVAL.as_secs()) as u32 + 1;

/// Sweeps after which a request is given up on, however it goes.
pub(crate) const REQUEST_SWEEPS: u32 = (REQUEST_TIMEOUT.as_secs() / IDLE_SWEEP_INTERVAL.as_secs()) as u32 + 1;

/// A client's stream that notes whether the client takes what it is sent.
pub(crate) struct Owing<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Owing<S> {
    pub(crate) const fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }

    fn noted(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => self.watch.stuck(),
            Poll::Ready(_) => self.watch.moved(),
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Owing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Owing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.noted(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// With TLS the last records of an answer may be stuck here.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_pending() {
            self.watch.stuck();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of an answer over HTTP/2.
#[derive(Debug)]
pub(crate) struct Flowing(Arc<Mutex<Flow>>);

/// What is left of it, and since when its client has been asked to take more.
#[derive(Debug)]
struct Flow {
    /// Until the client is given up on.
    body: Option<Body>,
    /// The sweep in which the last piece was taken; `None` while the target has nothing more for now.
    taken: Option<u32>,
    begun: u32,
    watch: Arc<Watch>,
}

/// The answers of a connection that are under way.
#[derive(Debug, Default)]
pub(crate) struct Flows(Mutex<Vec<Weak<Mutex<Flow>>>>);

impl Flowing {
    /// An answer that begins now, its length written into its head.
    pub(crate) fn answer(answer: Response<Body>, watch: &Arc<Watch>) -> Response<Self> {
        body::for_hyper(answer).map(|body| Self::new(body, watch))
    }

    fn new(body: Body, watch: &Arc<Watch>) -> Self {
        let now = watch.now();
        let flow = Flow { body: Some(body), taken: Some(now), begun: now, watch: Arc::clone(watch) };
        let flow = Arc::new(Mutex::new(flow));
        let mut known = watch.flows.0.lock();
        if known.len() >= CLIENT_STREAMS_MAX as usize {
            known.retain(|flow| flow.strong_count() > 0);
        }
        known.push(Arc::downgrade(&flow));
        drop(known);
        Self(flow)
    }
}

impl Flows {
    /// Takes out what is left of answers that stand still for too long, for the caller to let go of.
    pub(crate) fn overdue(&self, now: u32) -> Vec<Body> {
        let mut known = self.0.lock();
        known.retain(|flow| flow.strong_count() > 0);
        known.iter().filter_map(Weak::upgrade).filter_map(|flow| flow.lock().overdue(now)).collect()
    }
}

impl Flow {
    fn overdue(&mut self, now: u32) -> Option<Body> {
        let stands = self.taken.is_some_and(|taken| now.saturating_sub(taken) > READ_SWEEPS);
        if !stands && now.saturating_sub(self.begun) <= REQUEST_SWEEPS {
            return None;
        }
        let mut body = self.body.take()?;
        body.broke(BodyFault::ClientSilent);
        Some(body)
    }
}

impl HttpBody for Flowing {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let flow = &mut *self.0.lock();
        // Its stream is reset.
        let Some(body) = &mut flow.body else { return Poll::Ready(Some(Err(BodyFault::ClientSilent))) };
        let polled = Pin::new(body).poll_frame(cx);
        flow.taken = polled.is_ready().then(|| flow.watch.now());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
