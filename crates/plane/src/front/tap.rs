//! The client's socket below TLS, and which suite the server's first message to it named: when a handshake comes to nothing, nobody else
//! can tell. Nothing else of what passes is looked at.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::CipherSuite;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket whose first bytes to the client are looked at.
#[derive(Debug)]
pub(crate) struct Tapped {
    stream: TcpStream,
    seen: Seen,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Suite(CipherSuite),
    /// The server began with something else.
    Other,
}

impl Tapped {
    pub(crate) const fn new(stream: TcpStream) -> Self {
        Self { stream, seen: Seen::Nothing }
    }

    /// The suite that the server chose, once it has said so.
    pub(crate) const fn suite(&self) -> Option<CipherSuite> {
        match self.seen {
            Seen::Suite(suite) => Some(suite),
            Seen::Nothing | Seen::Other => None,
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        if self.seen == Seen::Nothing && !bytes.is_empty() {
            self.seen = chosen(bytes).map_or(Seen::Other, Seen::Suite);
        }
    }
}

/// The suite in a record that begins with a ServerHello (RFC 8446, section 4.1.3; a retry has the same form).
fn chosen(record: &[u8]) -> Option<CipherSuite> {
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    /// Bytes before the session's id: the heads of record and message, the version and the random number.
    const BEFORE_SESSION: usize = 5 + 4 + 2 + 32;
    if *record.first()? != HANDSHAKE || *record.get(5)? != SERVER_HELLO {
        return None;
    }
    let at = BEFORE_SESSION + 1 + usize::from(*record.get(BEFORE_SESSION)?);
    let suite: [u8; 2] = record.get(at..at + 2)?.try_into().ok()?;
    Some(CipherSuite::from(u16::from_be_bytes(suite)))
}

impl AsyncRead for Tapped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.look(buf);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look(bufs.first().map_or(&[], |first| first));
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_hello_names_a_suite() {
        let mut hello = vec![22, 3, 3, 0, 80, 2, 0, 0, 76, 3, 3];
        hello.extend([7; 32]);
        hello.extend([2, 9, 9, 0x13, 0x01, 0]);
        assert_eq!(chosen(&hello), Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
        for (at, other) in [(0, 21), (5, 4)] {
            let mut wrong = hello.clone();
            wrong[at] = other;
            assert_eq!(chosen(&wrong), None);
        }
        for end in 0..hello.len() - 1 {
            assert_eq!(chosen(&hello[..end]), None, "{end} bytes");
        }
    }
}
