//! One exchange over a connection to a target: the request goes out, the head of the answer comes back. Both run at once, since
//! an answer may come before the request's body is over; then a task of its own sends the rest.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::decode::{Broken, Decoder, Piece};
use super::encode;
use super::head::{self, Follows, HeadFault, ResponseHead};
use super::message::{Gathered, Message};
use super::wire::Wire;
use crate::http::body::{Progress, RequestBody};
use crate::http::framing::{Framing, WithFraming as _};
use crate::limits::{INTERIM_RESPONSES_MAX, RESPONSE_HEAD_BYTES_MAX};
use crate::spare;
use crate::task;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Not a byte of the request went out: it may be sent on another connection.
    Unsent,
    /// The other end closed before it said anything.
    Closed(io::Error),
    /// The other end closed within its answer.
    Cut,
    /// What came is no answer.
    Malformed,
    /// It is HTTP/2.
    OtherProtocol,
    /// The request's body broke off.
    Body,
}

/// A request that is being sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    message: Message<RequestBody>,
    method: Method,
}

impl Outgoing {
    /// Writes the head.
    pub(crate) fn new(request: Request<RequestBody>) -> Self {
        let (parts, body) = request.into_parts();
        let mut head = spare::buffer();
        let encoder = encode::request((&parts.method, &parts.uri, &parts.headers), body.framing(), &mut head);
        spare::keep_headers(parts.headers);
        Self { message: Message::new(head, encoder, body), method: parts.method }
    }

    /// How far its body got.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        self.message.body().progress()
    }

    /// Sends what there is; ready when all of it was sent. The wire had written `start` bytes before this request.
    fn poll_send<S>(&mut self, cx: &mut Context<'_>, wire: &mut Wire<S>, start: u64) -> Poll<Result<(), Fault>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        loop {
            if !wire.is_flushed() {
                ready!(wire.poll_flush(cx)).map_err(Fault::Closed)?;
            }
            let (large, gathered) = self.message.gather(cx);
            if gathered == Gathered::Broken {
                return Poll::Ready(Err(Fault::Body));
            }
            if !self.message.has_text() && large.is_empty() {
                return if self.message.is_sent() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            // A large piece is not kept for another connection.
            let is_kept = large.is_empty();
            if let Err(error) = self.message.send(cx, wire, large) {
                let is_unsent = is_kept && wire.written() == start;
                return Poll::Ready(Err(if is_unsent { Fault::Unsent } else { Fault::Closed(error) }));
            }
        }
    }
}

/// Sends the request and waits for the head of its answer. Interim answers are passed over (RFC 9110, section 15.2).
pub(crate) async fn exchange<S>(wire: &mut Wire<S>, out: &mut Outgoing) -> Result<ResponseHead, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut seen, mut interim, start) = (0, 0, wire.written());
    // A target may answer and close without reading the whole request: its answer counts.
    let mut broke = None;
    poll_fn(|cx| {
        if broke.is_none() && !(out.message.is_sent() && wire.is_flushed()) {
            match out.poll_send(cx, wire, start) {
                Poll::Ready(Err(Fault::Closed(error))) => broke = Some(error),
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
        }
        loop {
            if !wire.input.is_empty() {
                match head::response(&mut wire.input, seen, (RESPONSE_HEAD_BYTES_MAX, &out.method)) {
                    Ok(Some(head)) if is_interim(&head) && interim < INTERIM_RESPONSES_MAX => {
                        (seen, interim) = (0, interim + 1);
                        continue;
                    }
                    Ok(Some(head)) if is_interim(&head) => return Poll::Ready(Err(Fault::Malformed)),
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => seen = wire.input.len(),
                    Err(HeadFault::OtherProtocol) => return Poll::Ready(Err(Fault::OtherProtocol)),
                    Err(HeadFault::Malformed | HeadFault::Version | HeadFault::TooLarge | HeadFault::Late) => {
                        return Poll::Ready(Err(Fault::Malformed));
                    }
                }
            }
            match ready!(wire.poll_fill(cx, 0)) {
                Ok(0) | Err(_) if interim > 0 || !wire.input.is_empty() => return Poll::Ready(Err(Fault::Cut)),
                Ok(0) => {
                    let error = broke.take().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                    return Poll::Ready(Err(Fault::Closed(error)));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Fault::Closed(error))),
            }
        }
    })
    .await
}

fn is_interim(head: &ResponseHead) -> bool {
    head.status.is_informational() && head.status != http::StatusCode::SWITCHING_PROTOCOLS
}

/// An answer whose body is being read, while the request's may still be on its way.
#[derive(Debug)]
pub(crate) struct Incoming<S> {
    side: Side<S>,
    follows: Follows,
}

#[derive(Debug)]
enum Side<S> {
    /// The request was sent whole.
    Own(Box<Wire<S>>),
    /// A task sends the rest of the request.
    Shared(Arc<Mutex<Box<Wire<S>>>>, Sending),
}

/// The task that sends the rest of a request. It ends with the answer.
#[derive(Debug)]
struct Sending(JoinHandle<()>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S> Incoming<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// What follows the head of an answer.
    pub(crate) fn new(wire: Box<Wire<S>>, follows: Follows, mut out: Outgoing) -> Self {
        let side = if out.message.is_sent() && wire.is_flushed() {
            Side::Own(wire)
        } else {
            let wire = Arc::new(Mutex::new(wire));
            let shared = Arc::clone(&wire);
            let sending = task::spawn(async move {
                if poll_fn(|cx| out.poll_send(cx, &mut shared.lock(), 0)).await.is_err() {
                    shared.lock().spoil();
                }
            });
            Side::Shared(wire, Sending(sending))
        };
        Self { side, follows }
    }

    /// How the head frames the body.
    pub(crate) const fn framing(&self) -> Framing {
        self.follows.framing
    }

    /// The whole body, if all of it is here already. Nothing is left of it then.
    pub(crate) fn whole(&mut self) -> Option<Bytes> {
        let Side::Own(wire) = &mut self.side else { return None };
        let left = usize::try_from(self.follows.body.left()?).ok().filter(|left| *left <= wire.input.len())?;
        self.follows.body = Decoder::Over;
        Some(wire.input.split_to(left).freeze())
    }

    /// The connection, if another request may follow on it.
    pub(crate) fn into_idle(self) -> Option<Box<Wire<S>>> {
        if !self.follows.body.is_over() || !self.follows.keep_alive {
            return None;
        }
        let mut wire = match self.side {
            Side::Own(wire) => wire,
            // A task that has ended holds its share no more.
            Side::Shared(wire, sending) if sending.0.is_finished() => Arc::into_inner(wire)?.into_inner(),
            Side::Shared(..) => return None,
        };
        wire.give_up_room();
        wire.is_quiet().then_some(wire)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<S> {
    fn with<T>(&mut self, act: impl FnOnce(&mut Wire<S>) -> T) -> T {
        match self {
            Self::Own(wire) => act(wire),
            Self::Shared(wire, _) => act(&mut wire.lock()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Body for Incoming<S> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Self { side, follows: Follows { body: decoder, .. } } = self.get_mut();
        loop {
            match side.with(|wire| decoder.next(&mut wire.input)) {
                Ok(Piece::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::More) => {}
                Err(Broken) => return Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into()))),
            }
            let ended = match ready!(side.with(|wire| wire.poll_fill(cx, decoder.wanted()))) {
                Ok(0) => decoder.closed().map_err(|Broken| io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.follows.body.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.follows.body.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::clock;
    use crate::http::body::SentBody;
    use crate::http::relay::relay;

    fn get(method: Method) -> Outgoing {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = method;
        request.headers_mut().insert("host", "h".parse().unwrap());
        Outgoing::new(request)
    }

    /// What comes of an answer in these pieces, and whether the connection can be used again.
    async fn answered(method: Method, pieces: &[&str]) -> Result<(u16, String, bool), Fault> {
        let (near, mut far) = duplex(1024);
        let (mut wire, mut out) = (Box::new(Wire::new(near)), get(method));
        let saying = async {
            let mut asked = [0; 512];
            let count = far.read(&mut asked).await.unwrap();
            assert!(asked[..count].ends_with(b" / HTTP/1.1\r\nhost: h\r\n\r\n"));
            for piece in pieces {
                far.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            (pieces.last() != Some(&"")).then_some(far)
        };
        let reading = async {
            let head = exchange(&mut wire, &mut out).await?;
            let mut incoming = Incoming::new(wire, head.follows, out);
            let mut text = Vec::new();
            while let Some(frame) = incoming.frame().await {
                let frame = frame.map_err(Fault::Closed)?;
                if let Ok(data) = frame.into_data() {
                    text.extend_from_slice(&data);
                }
            }
            Ok((head.status.as_u16(), String::from_utf8(text).unwrap(), incoming.into_idle().is_some()))
        };
        let (_far, answered): (Option<DuplexStream>, _) = tokio::join!(saying, reading);
        answered
    }

    #[tokio::test]
    async fn answers_and_what_becomes_of_their_connections() {
        type Row<'a> = (&'a [&'a str], Result<(u16, &'a str, bool), &'a str>);
        let rows: &[Row<'_>] = &[
            (&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"], Ok((200, "hi", true))),
            (&["HTTP/1.1 200 OK\r\ncont", "ent-length: 2\r\n\r", "\nh", "i"], Ok((200, "hi", true))),
            (&["HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"], Ok((200, "hi", false))),
            (&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi and more"], Ok((200, "hi", false))),
            (&["HTTP/1.1 200 OK\r\n\r\nhi", ""], Ok((200, "hi", false))),
            (&["HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nx: 1\r\n\r\n", "HTTP/1.1 204 N\r\n\r\n"], Ok((204, "", true))),
            (&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"], Ok((200, "hi", true))),
            (&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", ""], Err("Closed")),
            (&["HTTP/1.1 200 OK\r\nconte", ""], Err("Cut")),
            (&[""], Err("Closed")),
            (&["nonsense\r\n\r\n"], Err("Malformed")),
            (&["\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"], Err("OtherProtocol")),
        ];
        for (pieces, expected) in rows {
            let got = answered(Method::GET, pieces).await;
            match (got, expected) {
                (Ok((status, text, idle)), Ok(expected)) => {
                    assert_eq!((status, text.as_str(), idle), *expected, "{pieces:?}")
                }
                (Err(fault), Err(expected)) => {
                    assert!(format!("{fault:?}").starts_with(expected), "{pieces:?}: {fault:?}")
                }
                (got, expected) => panic!("{pieces:?}: {got:?} for {expected:?}"),
            }
        }
        let head = answered(Method::HEAD, &["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"]).await.unwrap();
        assert_eq!(head, (200, String::new(), true));
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_before_is_told_apart() {
        let (near, far) = duplex(64);
        drop(far);
        let mut wire = Wire::new(near);
        assert!(!wire.is_quiet());
        let mut out = get(Method::GET);
        assert!(matches!(exchange(&mut wire, &mut out).await, Err(Fault::Unsent)));
        // The same request goes out on another one.
        let (near, mut far) = duplex(1024);
        let mut wire = Wire::new(near);
        far.write_all(b"HTTP/1.1 204 N\r\n\r\n").await.unwrap();
        assert_eq!(exchange(&mut wire, &mut out).await.unwrap().status, 204);
        let mut asked = vec![0; 64];
        let count = far.read(&mut asked).await.unwrap();
        assert_eq!(&asked[..count], b"GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    }

    #[tokio::test]
    async fn a_connection_on_which_a_request_broke_off_is_not_used_again() {
        let (near, mut far) = duplex(64);
        // The client goes away in the middle of its body.
        let (feed, fed) = relay(Some(20_000));
        feed.data(Bytes::from(vec![b'x'; 10_000]), false, None);
        drop(feed);
        let sent = SentBody::http1(Framing::Length(20_000), Some(fed));
        let request = Request::new(RequestBody::from_client(sent, clock::now()));
        let (mut wire, mut out) = (Box::new(Wire::new(near)), Outgoing::new(request));
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.unwrap();
        let head = exchange(&mut wire, &mut out).await.unwrap();
        let mut incoming = Incoming::new(wire, head.follows, out);
        assert_eq!((&mut incoming).collect().await.unwrap().to_bytes(), "hi");
        let mut sent = 0;
        while !matches!(&incoming.side, Side::Shared(_, sending) if sending.0.is_finished()) {
            let mut some = [0; 1000];
            tokio::select! {
                count = far.read(&mut some) => sent += count.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
        assert!(sent > 9000 && incoming.into_idle().is_none());
    }

    #[tokio::test]
    async fn an_answer_that_comes_early_does_not_stop_the_request() {
        let (near, mut far) = duplex(64);
        let mut request = Request::new(RequestBody::empty().replaced(Bytes::from(vec![b'x'; 100_000])));
        *request.method_mut() = Method::POST;
        let (mut wire, mut out) = (Box::new(Wire::new(near)), Outgoing::new(request));
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").await.unwrap();
        let head = exchange(&mut wire, &mut out).await.unwrap();
        let mut incoming = Incoming::new(wire, head.follows, out);
        let mut sent = Vec::new();
        while sent.len() < 100_000 || !sent.ends_with(b"x") {
            let mut some = [0; 1000];
            let count = far.read(&mut some).await.unwrap();
            sent.extend_from_slice(&some[..count]);
        }
        far.write_all(b"hi").await.unwrap();
        assert_eq!((&mut incoming).collect().await.unwrap().to_bytes(), "hi");
    }
}
