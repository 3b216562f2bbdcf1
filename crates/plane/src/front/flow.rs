//! What clients are owed, as it leaves: a connection notes when its client stops taking bytes. The sweep (`front::watch`) ends what
//! stands still for too long, so that nobody who reads nothing holds a target's connection, or memory that others wait for. Over HTTP/2
//! a client says of each answer how much it takes; that is looked at where it is sent (`front::http2`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watch::Watch;
use crate::limits::{CLIENT_READ_IDLE_TIMEOUT, IDLE_SWEEP_INTERVAL, REQUEST_TIMEOUT};

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
