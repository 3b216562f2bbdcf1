//! The stream under the frames. Each look at the frames asks for bytes and flushes, most in vain: below TLS that is much work for nothing.
//! So it is asked for bytes only if its bell was rung since it had none, and flushed only if something may be left to send.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bells::{Bells, Whose};

/// A stream that is left alone while it has nothing. Only the frames read it: theirs is the bell that is rung with its own.
pub(super) struct Quiet<S> {
    stream: S,
    bells: Arc<Bells>,
    /// Rings the bell of the input.
    input: Waker,
    /// Whether it had nothing when it was last asked, and will ring.
    is_dry: bool,
    /// Whether it may hold something back: what was written, or what TLS answers to what was read.
    is_unflushed: bool,
}

impl<S> Quiet<S> {
    pub(super) fn new(stream: S, bells: &Arc<Bells>) -> Self {
        let input = bells.waker(Whose::Input);
        Self { stream, bells: Arc::clone(bells), input, is_dry: false, is_unflushed: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Quiet<S> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Before it is asked: what comes meanwhile rings again.
        let has_rung = this.bells.take_input();
        if this.is_dry && !has_rung {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.stream).poll_read(&mut Context::from_waker(&this.input), into);
        this.is_dry = polled.is_pending();
        this.is_unflushed |= polled.is_ready();
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Quiet<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_unflushed = true;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_unflushed = true;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_unflushed {
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.is_unflushed = polled.is_pending();
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::bells::Heard;
    use super::*;

    /// Counts what it is asked for.
    struct Asked(tokio::io::DuplexStream, usize);

    impl AsyncRead for Asked {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            self.1 += 1;
            Pin::new(&mut self.0).poll_read(cx, into)
        }
    }

    #[tokio::test]
    async fn a_stream_is_asked_again_only_when_it_has_rung() {
        let (mut client, server) = tokio::io::duplex(64);
        let bells = Arc::new(Bells::default());
        let mut quiet = Quiet::new(Asked(server, 0), &bells);
        let look = |quiet: &mut Quiet<Asked>| {
            let mut bytes = [0; 8];
            let mut into = ReadBuf::new(&mut bytes);
            let polled = Pin::new(quiet).poll_read(&mut Context::from_waker(Waker::noop()), &mut into);
            polled.map(|read| read.map(|()| into.filled().len()).unwrap())
        };
        assert_eq!((look(&mut quiet), look(&mut quiet), quiet.stream.1), (Poll::Pending, Poll::Pending, 1));
        client.write_all(b"a").await.unwrap();
        assert!(matches!(bells.heard(), Some(Heard::Frames)), "its bell is the frames' too");
        assert_eq!((look(&mut quiet), quiet.stream.1), (Poll::Ready(1), 2));
        assert_eq!((look(&mut quiet), look(&mut quiet), quiet.stream.1), (Poll::Pending, Poll::Pending, 3));
        client.write_all(b"bc").await.unwrap();
        assert_eq!((look(&mut quiet), look(&mut quiet)), (Poll::Ready(2), Poll::Pending));
        drop(client);
        assert_eq!(look(&mut quiet), Poll::Ready(0), "the end rings as well");
        assert_eq!(quiet.stream.0.read(&mut [0]).await.unwrap(), 0);
    }
}
