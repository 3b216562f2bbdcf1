//! One connection of a client: a request at a time, each answered before the next is looked at (RFC 9112, section 9).
//!
//! The connection is a future that its task polls. It reads a head, calls the service, hands the body over as it is wanted,
//! and writes the answer. A client that closes while it waits ends the call: the future of the service is dropped.
//!
//! What belongs to each state. Anything else is a fault of this file, and stops it where it is checked (`Connection::is_sound`).
//!
//! | state | call | upload | `is_broken` | `seen` | leaves for |
//! |---|---|---|---|---|---|
//! | `Head` | none | none | no | bytes of a head so far | `Call`; `Linger` if it is none and the service is not asked; `Done` if the client closes, or the connection winds up |
//! | `Call` | one | while the body comes | behind a body that broke, or a head that is none | 0 | `Answer`; `Done` if the client closes |
//! | `Answer` | none | the same, of a body that is read on | the same | 0 | `Head`; `Linger` if nothing can follow; `Done` if the client closes |
//! | `Linger` | none | none | any | any | `Done` |
//! | `Done` | none | none | any | any | |
//!
//! An upload is never there beside `is_broken`: a body that broke is not read on. `terms.keep_alive` is what the client wants until the
//! answer's head is written, and what that head says from then on. `winding` may be set at any time, and ends `Head` only where nothing
//! has come of a request.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};

use super::decode::{Broken, Decoder, Piece};
use super::encode::{self, Terms};
use super::head::{self, HeadFault, RequestHead, Unread};
use super::message::{Gathered, Message};
use super::spelling::Spelling;
use super::wire::Wire;
use crate::http::body::{BodyFault, SentBody};
use crate::http::framing::{Framing, WithFraming};
use crate::http::hop;
use crate::http::relay::{Feed, Wish, relay};
use crate::limits::{LINGER_BYTES_MAX, REQUEST_HEAD_READ_BYTES_MAX};
use crate::spare::{self, Lodged};

/// A connection that is served.
pub(crate) struct Connection<S, F, Fut: 'static, B> {
    wire: Wire<S>,
    service: F,
    /// The call under way. Its room is lent: a connection that waits holds none.
    call: Option<Lodged<Fut>>,
    state: State<B>,
    /// The body of the request under way, while it is read.
    upload: Option<Upload>,
    /// Bytes of a head that were looked at in vain.
    seen: usize,
    terms: Terms,
    /// End with the request under way.
    winding: bool,
    /// What follows in the input has no meaning.
    is_broken: bool,
    /// Whether the connection may be switched to another protocol.
    takes_upgrades: bool,
    /// Whether the service answers what is no request.
    answers_unread: bool,
}

/// Where a connection is.
enum State<B> {
    /// Between requests.
    Head,
    /// The service has the request.
    Call,
    /// An answer is being written.
    Answer(Message<B>),
    /// The answer is written; so much of what the client still sends is thrown away, so that it can read the answer.
    Linger { left: usize, told: bool },
    /// Nothing more.
    Done,
}

impl<B> State<B> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Call => "call",
            Self::Answer(_) => "answer",
            Self::Linger { .. } => "linger",
            Self::Done => "done",
        }
    }
}

/// A body that is being read.
struct Upload {
    decoder: Decoder,
    feed: Feed,
    /// Whether the client waits to be told to go on.
    expects: bool,
}

const UNKNOWN: Terms = Terms { version: Version::HTTP_11, is_head: false, keep_alive: false, takes_trailers: false };

impl<S, F, Fut, B> Connection<S, F, Fut, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<SentBody>, Spelling) -> Fut,
    Fut: Future<Output = Result<Response<B>, Infallible>> + 'static,
    B: Body<Data = Bytes, Error = BodyFault> + WithFraming + Default + Unpin,
{
    pub(crate) fn new(stream: S, service: F) -> Self {
        Self {
            wire: Wire::new(stream),
            service,
            call: None,
            state: State::Head,
            upload: None,
            seen: 0,
            terms: UNKNOWN,
            winding: false,
            is_broken: false,
            takes_upgrades: false,
            answers_unread: false,
        }
    }

    /// Lets its requests ask for another protocol: what follows one of them is then its body, whatever it is.
    pub(crate) fn taking_upgrades(self, takes_upgrades: bool) -> Self {
        Self { takes_upgrades, ..self }
    }

    /// Has the service answer what is no request, too: it is marked by [`Unread`], and its answer is the last.
    pub(crate) fn answering_unread(self, answers_unread: bool) -> Self {
        Self { answers_unread, ..self }
    }

    /// Its client was silent for too long: whether there is an answer to a head whose end does not come.
    pub(crate) fn give_up(&mut self) -> bool {
        let is_within_head = matches!(self.state, State::Head) && !self.wire.input.is_empty();
        let answers = self.answers_unread && is_within_head;
        if answers {
            self.seen = 0;
            // Whoever sends the rest by the byte is not waited for again.
            self.winding = true;
            self.begin_unread(HeadFault::Late);
        }
        answers
    }

    /// Ends with the request under way; a connection that waits for one ends at once.
    pub(crate) fn graceful_shutdown(&mut self) {
        self.winding = true;
    }

    /// Whether what is held belongs to the state.
    fn is_sound(&self) -> bool {
        let (is_called, is_read, is_unseen) = (self.call.is_some(), self.upload.is_some(), self.seen == 0);
        match self.state {
            State::Head => !is_called && !is_read && !self.is_broken,
            State::Call => is_called && is_unseen && !(is_read && self.is_broken),
            State::Answer(_) => !is_called && is_unseen && !(is_read && self.is_broken),
            State::Linger { .. } | State::Done => !is_called && !is_read,
        }
    }

    fn poll_steps(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            debug_assert!(self.is_sound(), "{}", self.state.name());
            match &mut self.state {
                State::Head => ready!(self.poll_head(cx))?,
                State::Call => ready!(self.poll_call(cx))?,
                State::Answer(_) => ready!(self.poll_answer(cx))?,
                State::Linger { .. } => ready!(self.poll_linger(cx))?,
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.wire.is_flushed() {
                ready!(self.wire.poll_flush(cx))?;
            }
            if !self.wire.input.is_empty() {
                match head::request(&mut self.wire.input, self.seen, REQUEST_HEAD_READ_BYTES_MAX) {
                    Ok(Some(head)) => {
                        self.seen = 0;
                        self.begin(head);
                        return Poll::Ready(Ok(()));
                    }
                    Ok(None) => self.seen = self.wire.input.len(),
                    Err(fault) if self.answers_unread => {
                        self.seen = 0;
                        self.begin_unread(fault);
                        return Poll::Ready(Ok(()));
                    }
                    Err(fault) => return Poll::Ready(self.refuse(cx, fault)),
                }
            } else if self.winding {
                self.state = State::Done;
                return Poll::Ready(Ok(()));
            }
            if ready!(self.wire.poll_fill(cx, 0))? == 0 {
                self.state = State::Done;
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Calls the service.
    fn begin(&mut self, head: RequestHead) {
        let RequestHead { method, uri, version, headers, spelling, framing, .. } = head;
        let RequestHead { keep_alive, expects, takes_trailers, unreadable, .. } = head;
        self.terms = Terms { version, is_head: method == Method::HEAD, keep_alive, takes_trailers };
        let wants_upgrade = framing == Framing::None && method == Method::GET && version == Version::HTTP_11;
        let is_upgrade = self.takes_upgrades && wants_upgrade && hop::upgrade(&headers).is_some();
        let framing = if is_upgrade { Framing::Switched } else { framing };
        let decoder = Decoder::from(framing);
        let fed = (!decoder.is_over()).then(|| {
            let (feed, fed) = relay(decoder.left());
            self.upload = Some(Upload { decoder, feed, expects: expects && self.wire.input.is_empty() });
            // What came with the head is there before it is asked for.
            self.offer(None);
            fed
        });
        let mut request = Request::new(SentBody::http1(framing, fed));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        unreadable.map(|mark| request.extensions_mut().insert(mark));
        self.call(request, spelling);
    }

    /// Calls the service for a head that is none. Nothing follows it.
    fn begin_unread(&mut self, fault: HeadFault) {
        (self.terms, self.is_broken) = (UNKNOWN, true);
        let mut request = Request::new(SentBody::http1(Framing::None, None));
        *request.method_mut() = head::unnamed();
        request.extensions_mut().insert(Unread(fault));
        self.call(request, Spelling::default());
    }

    fn call(&mut self, request: Request<SentBody>, spelling: Spelling) {
        self.call = Some(spare::lodge(|| (self.service)(request, spelling)));
        self.state = State::Call;
    }

    /// A head that is none: an answer without a service, and the end.
    fn refuse(&mut self, cx: &mut Context<'_>, fault: HeadFault) -> io::Result<()> {
        let status = match fault {
            HeadFault::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            HeadFault::Malformed | HeadFault::Version | HeadFault::OtherProtocol => StatusCode::BAD_REQUEST,
            HeadFault::Late => StatusCode::REQUEST_TIMEOUT,
        };
        let mut out = spare::buffer();
        encode::response((status, &HeaderMap::new()), Framing::None, UNKNOWN, &mut out);
        let sent = self.wire.send(cx, &out, Bytes::new());
        spare::keep_buffer(out);
        self.state = State::Linger { left: LINGER_BYTES_MAX, told: false };
        sent
    }

    fn poll_call(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.call.as_mut().map(|call| Pin::new(call).poll(cx)) {
                Some(Poll::Ready(Ok(response))) => {
                    self.call = None;
                    return Poll::Ready(self.answer(cx, response));
                }
                Some(Poll::Pending) => {}
                None => {
                    self.state = State::Done;
                    return Poll::Ready(Ok(()));
                }
            }
            if self.poll_upload(cx)? {
                continue;
            }
            // What told the client to go on may not have gone out whole.
            if let Poll::Ready(flushed) = self.wire.poll_flush(cx) {
                flushed?;
            }
            return self.poll_gone(cx);
        }
    }

    /// Watches whether the client goes away. Nothing is read behind a body that is not read to its end, nor behind the next request.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.upload.is_none() && self.wire.input.is_empty() && ready!(self.wire.poll_fill(cx, 0))? == 0 {
            self.call = None;
            self.state = State::Done;
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Hands over what has come of the request's body.
    fn offer(&mut self, cx: Option<&Context<'_>>) {
        let Some(upload) = &mut self.upload else { return };
        let is_over = match upload.decoder.next(&mut self.wire.input) {
            Ok(Piece::More) => false,
            Ok(Piece::Data(bytes)) => {
                let is_over = upload.decoder.is_over();
                upload.feed.data(bytes, is_over, cx);
                is_over
            }
            Ok(Piece::Trailers(trailers)) => {
                upload.feed.trailers(trailers, cx);
                true
            }
            Ok(Piece::End) => {
                upload.feed.end(Ok(()), cx);
                true
            }
            Err(Broken) => {
                upload.feed.end(Err(BodyFault::Malformed), cx);
                self.is_broken = true;
                true
            }
        };
        if is_over {
            self.upload = None;
        }
    }

    /// Hands over what is wanted of the request's body; `true` when its reader may go on.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        loop {
            match self.upload.as_ref().map(|upload| upload.feed.wish(cx)) {
                Some(Wish::Piece) => {}
                // Whether the rest has come all the same is looked at when the answer is over.
                None | Some(Wish::Nothing | Wish::Gone) => return Ok(false),
            }
            self.offer(Some(cx));
            let Some(upload) = self.upload.as_mut().filter(|upload| upload.feed.has_room()) else { return Ok(true) };
            if std::mem::take(&mut upload.expects) && matches!(self.state, State::Call) {
                self.wire.send(cx, b"HTTP/1.1 100 Continue\r\n\r\n", Bytes::new())?;
            }
            match self.wire.poll_fill(cx, upload.decoder.wanted()) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => {
                    // Dropping the feed says that the client went away.
                    self.upload = None;
                    self.terms.keep_alive = false;
                    return Ok(true);
                }
            }
        }
    }

    /// Begins to write an answer; what is there of its body goes out with its head.
    fn answer(&mut self, cx: &mut Context<'_>, response: Response<B>) -> io::Result<()> {
        let (parts, body) = response.into_parts();
        // Behind a body that has not come nobody knows where the next request begins.
        let keep_alive = self.terms.keep_alive && !self.winding && !self.is_broken && self.upload.is_none();
        let terms = Terms { keep_alive, ..self.terms };
        let mut out = spare::buffer();
        let (encoder, stays) = encode::response((parts.status, &parts.headers), body.framing(), terms, &mut out);
        spare::keep_headers(parts.headers);
        self.terms.keep_alive = stays;
        self.state = State::Answer(Message::new(out, encoder, body));
        self.write(cx).map(drop)
    }

    /// Sends what there is of the answer; `true` if its body has nothing more for now.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let State::Answer(message) = &mut self.state else { return Ok(true) };
        let (large, gathered) = message.gather(cx);
        // The exchange is settled before its last bytes leave.
        message.settle();
        message.send(cx, &mut self.wire, large)?;
        match gathered {
            Gathered::Enough => Ok(false),
            Gathered::Waiting => Ok(true),
            // An answer that breaks off must not look whole.
            Gathered::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // Until it is woken by who reads, or by the client.
            while self.poll_upload(cx)? {}
            if !self.wire.is_flushed() {
                ready!(self.wire.poll_flush(cx))?;
            }
            if matches!(&self.state, State::Answer(message) if message.is_sent()) {
                self.end();
                return Poll::Ready(Ok(()));
            }
            if self.write(cx)? {
                return self.poll_gone(cx);
            }
        }
    }

    /// The answer is over: the next request, or the end.
    fn end(&mut self) {
        let is_unread = self.upload.take().is_some_and(|upload| !upload.drain(&mut self.wire.input));
        self.wire.give_up_room();
        self.state = if is_unread || self.is_broken {
            State::Linger { left: LINGER_BYTES_MAX, told: false }
        } else if !self.terms.keep_alive || (self.winding && self.wire.input.is_empty()) {
            State::Linger { left: 0, told: false }
        } else {
            State::Head
        };
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Linger { left, told } = &mut self.state else { return Poll::Ready(Ok(())) };
        if !*told {
            ready!(self.wire.poll_flush(cx))?;
            ready!(self.wire.poll_shutdown(cx))?;
            *told = true;
        }
        while *left > 0 && !self.winding {
            self.wire.input.clear();
            match ready!(self.wire.poll_fill(cx, 0)) {
                Ok(0) | Err(_) => *left = 0,
                Ok(count) => *left = left.saturating_sub(count),
            }
        }
        self.state = State::Done;
        Poll::Ready(Ok(()))
    }
}

impl Upload {
    /// Throws away what has come of the body; `true` if that was all of it.
    fn drain(mut self, input: &mut BytesMut) -> bool {
        loop {
            match self.decoder.next(input) {
                Ok(Piece::Data(_)) => {}
                Ok(Piece::End | Piece::Trailers(_)) => return true,
                Ok(Piece::More) | Err(Broken) => return false,
            }
        }
    }
}

impl<S, F, Fut, B> Future for Connection<S, F, Fut, B>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<SentBody>, Spelling) -> Fut + Unpin,
    Fut: Future<Output = Result<Response<B>, Infallible>> + 'static,
    B: Body<Data = Bytes, Error = BodyFault> + WithFraming + Default + Unpin,
{
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_steps(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::HeaderValue;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::clock;
    use crate::http::body::RequestBody;
    use crate::http1::tests::{Body, Event, Left, Played, Taking, Tasks, play};

    const END: &str = "";

    /// Counts the calls that are not over.
    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What is written for pieces of requests, how the connection is left, whether its side is shut, and how many calls are under way.
    /// The service reads the body for `/read`, does not for `/skip`, and never answers anything else.
    fn served(pieces: &[&'static str], winds_at: Option<usize>) -> (String, Left, bool, usize) {
        let event = |piece: &&'static str| match *piece {
            END => [Event::Pause, Event::End],
            text => [Event::Pause, Event::Bytes(Bytes::from_static(text.as_bytes()))],
        };
        let stream = Played::new(pieces.iter().flat_map(event).collect(), Taking::ALL);
        let calls = Arc::new(AtomicUsize::new(0));
        let under_way = Arc::clone(&calls);
        let service = move |request: Request<SentBody>, _| {
            calls.fetch_add(1, Ordering::Relaxed);
            let counted = Counted(Arc::clone(&calls));
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let body = RequestBody::from_client(body, clock::now());
                match parts.uri.path() {
                    "/read" => drop(body.collect().await),
                    "/skip" => drop(body),
                    _ => std::future::pending::<()>().await,
                }
                let mut response = Response::new(Body::default());
                response.headers_mut().insert("date", HeaderValue::from_static("now"));
                drop(counted);
                Ok::<_, Infallible>(response)
            })
        };
        let mut connection = Box::pin(Connection::new(stream.clone(), service));
        let mut polls = 0;
        let left = play(connection.as_mut(), &stream, &Tasks::default(), |mut connection| {
            if winds_at == Some(polls) {
                connection.graceful_shutdown();
            }
            polls += 1;
        });
        let text = String::from_utf8(stream.taken()).unwrap();
        let text = text.lines().map(|line| if line.starts_with("date: ") { "date: now" } else { line });
        (text.collect::<Vec<_>>().join("|"), left, stream.is_shut(), under_way.load(Ordering::Relaxed))
    }

    const KEPT: &str = "HTTP/1.1 200 OK|date: now|content-length: 0|";
    const LAST: &str = "HTTP/1.1 200 OK|date: now|content-length: 0|connection: close|";

    #[test]
    fn how_connections_go_on_and_end() {
        use Left::{Closed, Waiting};
        const LONG: &str = "POST /read HTTP/1.1\r\ncontent-length: 4\r\n\r\n";
        const SKIPPED: &str = "POST /skip HTTP/1.1\r\ncontent-length: 4\r\n\r\n";
        const WAITS: &str = "POST /read HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
        const SKIPS: &str = "POST /skip HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
        type Row<'a> = (&'a str, &'a [&'static str], &'a [&'a str], Left, bool);
        let rows: &[Row<'_>] = &[
            ("nothing", &[], &[], Waiting, false),
            ("a client that leaves", &[END], &[], Closed, false),
            ("a head that is cut", &["GET /re", END], &[], Closed, false),
            ("a request", &["GET /skip HTTP/1.1\r\n\r\n"], &[KEPT], Waiting, false),
            ("two at once", &["GET /skip HTTP/1.1\r\n\r\nGET /read HTTP/1.1\r\n\r\n"], &[KEPT, KEPT], Waiting, false),
            ("the last", &["GET /skip HTTP/1.1\r\nconnection: close\r\n\r\n"], &[LAST], Closed, true),
            ("a body", &[LONG, "ab", "cd"], &[KEPT], Waiting, false),
            (
                "a body that is not read, and here",
                &["POST /skip HTTP/1.1\r\ncontent-length: 4\r\n\r\nabcdGET /read HTTP/1.1\r\n\r\n"],
                &[KEPT, KEPT],
                Waiting,
                false,
            ),
            (
                "one that is not here: what comes is thrown away",
                &[SKIPPED, "GET /read HTTP/1.1\r\n\r\n"],
                &[LAST],
                Waiting,
                true,
            ),
            ("until the client closes", &[SKIPPED, "ab", END], &[LAST], Closed, true),
            ("a body that is cut", &[LONG, "ab", END], &[LAST], Closed, true),
            ("a client that waits to be told", &[WAITS, "abcd"], &["HTTP/1.1 100 Continue|", KEPT], Waiting, false),
            ("and is not told where nobody reads", &[SKIPS], &[LAST], Waiting, true),
            (
                "no request",
                &["nonsense\r\n\r\n"],
                &["HTTP/1.1 400 Bad Request|content-length: 0|connection: close|date: now|"],
                Waiting,
                true,
            ),
            (
                "a broken body",
                &["POST /read HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\nGET /read HTTP/1.1\r\n\r\n"],
                &[LAST],
                Waiting,
                true,
            ),
        ];
        for (name, pieces, text, left, is_shut) in rows {
            assert_eq!(served(pieces, None), (text.join("|"), *left, *is_shut, 0), "{name}");
        }
    }

    #[test]
    fn a_head_without_end_is_too_large() {
        let long: &'static str = Box::leak("x".repeat(REQUEST_HEAD_READ_BYTES_MAX + 1).into_boxed_str());
        let (text, ..) = served(&["GET / HTTP/1.1\r\nx: ", long], None);
        assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    }

    #[test]
    fn a_client_that_goes_ends_its_call() {
        assert_eq!(served(&["GET /never HTTP/1.1\r\n\r\n"], None), (String::new(), Left::Waiting, false, 1));
        assert_eq!(served(&["GET /never HTTP/1.1\r\n\r\n", END], None), (String::new(), Left::Closed, false, 0));
    }

    #[test]
    fn a_connection_winds_up_behind_what_is_under_way() {
        let closed = |text: &str, is_shut| (text.to_owned(), Left::Closed, is_shut, 0);
        // Before anything came, and within a body.
        assert_eq!(served(&[], Some(0)), closed("", false));
        let pieces = ["POST /read HTTP/1.1\r\ncontent-length: 4\r\n\r\n", "ab", "cd", "GET /read HTTP/1.1\r\n\r\n"];
        assert_eq!(served(&pieces, Some(2)), closed(LAST, true));
    }
}
