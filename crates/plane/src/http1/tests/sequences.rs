//! Sequences of requests against a connection of a client: pipelined, in every framing, with trailers, waiting for `100 Continue`, given up
//! within a body or a head, half closed, followed by nonsense; answered late, early, or while their body is still read. The bytes come
//! and are taken in pieces that a seed makes. What the service hears and what the client reads is foretold of the sequence alone, so
//! that it cannot depend on the pieces.
//!
//! `TIDEGATE_SEQUENCES` sets how many sequences are tried.

mod foretold;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use self::foretold::{Came, Foretold};
use super::reader::{Answered, read_answers};
use super::{Body, Choices, Event, Gate, Left, Played, Step, Taking, Tasks, pieces, play, runs};
use crate::clock;
use crate::http::body::{BodyFault, RequestBody, SentBody};
use crate::http1::server::Connection;
use crate::http1::spelling::Spelling;

/// What the service does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Reads it whole, and answers.
    Echo,
    /// The same, but is busy for a while before.
    Late,
    /// Answers without a look at its body.
    Early,
    /// Answers after the first piece of its body.
    Part,
    /// Answers, while another task reads its body.
    Aside,
    /// The same, and the end of the answer comes when that task is done: as through a proxy.
    Through,
}

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    Whole,
    Large,
    Nothing,
    /// In pieces of a length that nobody knows, with a trailer.
    Pieces,
}

/// How a request's body is framed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Framed {
    None,
    Length,
    Chunked,
    /// In chunks, with a length beside it that is not so.
    Both,
}

/// One request of a sequence.
#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    how: How,
    gives: Gives,
    is_old: bool,
    connection: &'static str,
    framed: Framed,
    body: Vec<u8>,
    trailers: bool,
    expects: bool,
}

/// What follows the last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Nothing: the client waits.
    Stays,
    /// The end of the stream.
    Closes,
    /// Bytes that are no request.
    Nonsense,
    /// The last request is cut so many bytes before its end, and the stream ends.
    Cut(usize),
}

#[derive(Debug, Clone)]
struct Sequence {
    asked: Vec<Asked>,
    ends: Ends,
}

const BODY: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl Asked {
    fn make(choices: &mut Choices) -> Self {
        let method = [Method::GET, Method::POST, Method::PUT, Method::HEAD][choices.below(4)].clone();
        let how = [How::Echo, How::Echo, How::Echo, How::Late, How::Early, How::Part, How::Aside, How::Through]
            [choices.below(8)];
        let gives = [Gives::Whole, Gives::Whole, Gives::Nothing, Gives::Pieces, Gives::Large][choices.below(5)];
        let gives = if how == How::Through { Gives::Pieces } else { gives };
        let gives = if gives == Gives::Large && !choices.once_in(8) { Gives::Whole } else { gives };
        let is_old = choices.once_in(12);
        let connection = match choices.below(14) {
            0 => "close",
            1 => "keep-alive",
            _ if is_old && choices.once_in(2) => "keep-alive",
            _ => "",
        };
        let framed = match choices.below(8) {
            0..3 => Framed::None,
            3..5 => Framed::Length,
            5..7 if !is_old => Framed::Chunked,
            7 if !is_old && choices.once_in(4) => Framed::Both,
            _ => Framed::Length,
        };
        let bytes = if framed == Framed::None { 0 } else { choices.below(BODY.len() + 1) };
        let mut body = BODY[..bytes].to_vec();
        if bytes > 0 && choices.once_in(24) {
            body = BODY.repeat(200 + choices.below(2500));
        }
        let is_chunked = matches!(framed, Framed::Chunked | Framed::Both);
        let trailers = is_chunked && choices.once_in(3);
        let expects = !body.is_empty() && !is_old && choices.once_in(4);
        Self { method, how, gives, is_old, connection, framed, body, trailers, expects }
    }

    /// Its bytes: head and body.
    fn write(&self, number: usize, choices: &mut Choices) -> (Vec<u8>, Vec<u8>) {
        let version = if self.is_old { "1.0" } else { "1.1" };
        let mut head = format!("{} /{number} HTTP/{version}\r\nhost: h\r\nx-a: 1\r\n", self.method);
        let mut line = |line: &str| {
            head.push_str(line);
            head.push_str("\r\n");
        };
        if !self.connection.is_empty() {
            line(&format!("connection: {}", self.connection));
        }
        if self.expects {
            line("Expect: 100-continue");
        }
        if choices.once_in(2) {
            line("te: trailers");
        }
        match self.framed {
            Framed::None => {}
            Framed::Length => line(&format!("Content-Length: {}", self.body.len())),
            Framed::Chunked => line("transfer-encoding: chunked"),
            Framed::Both => line("transfer-encoding: chunked\r\ncontent-length: 3"),
        }
        line("");
        if matches!(self.framed, Framed::None | Framed::Length) {
            return (head.into_bytes(), self.body.clone());
        }
        let (mut body, mut rest) = (Vec::new(), &self.body[..]);
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + choices.below(rest.len())).min(rest.len()));
            let extension = if choices.once_in(4) { ";a=b" } else { "" };
            body.extend_from_slice(format!("{:x}{extension}\r\n", now.len()).as_bytes());
            body.extend_from_slice(now);
            body.extend_from_slice(b"\r\n");
            rest = later;
        }
        body.extend_from_slice(if self.trailers { b"0\r\nx-sum: 7\r\n\r\n" } else { b"0\r\n\r\n" });
        (head.into_bytes(), body)
    }

    /// Whether the client's own words let another request follow.
    fn keeps_alive(&self) -> bool {
        let is_kept = if self.is_old { self.connection == "keep-alive" } else { self.connection != "close" };
        // What comes behind an answer whose end is the connection's cannot be another one.
        let is_open = !(self.is_old && self.gives == Gives::Pieces && self.method != Method::HEAD);
        is_kept && self.framed != Framed::Both && is_open
    }

    /// Whether its service may answer before its body has come.
    fn is_early(&self) -> bool {
        let has_body = !self.body.is_empty() || matches!(self.framed, Framed::Chunked | Framed::Both);
        has_body && matches!(self.how, How::Early | How::Part | How::Aside | How::Through)
    }

    /// Whether the service waits for something else than the client.
    fn is_slow(&self) -> bool {
        matches!(self.how, How::Late | How::Through) || self.gives == Gives::Pieces
    }
}

impl Sequence {
    fn make(choices: &mut Choices) -> Self {
        let count = 1 + choices.below(5);
        let asked: Vec<_> = (0..count).map(|_| Asked::make(choices)).collect();
        let ends = match choices.below(6) {
            0 | 1 => Ends::Stays,
            2 => Ends::Closes,
            3 => Ends::Nonsense,
            _ => Ends::Cut(1 + choices.below(60)),
        };
        Self { asked, ends }
    }

    fn gives_much(&self) -> bool {
        self.asked.iter().any(|asked| asked.gives == Gives::Large)
    }
}

/// What the service heard of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Heard {
    method: Method,
    target: String,
    body: Vec<u8>,
    trailers: bool,
    fault: Option<BodyFault>,
    is_over: bool,
}

type Hearing = Arc<Mutex<Vec<Heard>>>;

/// Reads a body to its end, or only its first piece.
async fn read(mut body: RequestBody, all: bool, (hearing, at): (Hearing, usize)) {
    while let Some(frame) = body.frame().await {
        let heard = &mut hearing.lock()[at];
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => heard.body.extend_from_slice(&data),
            Ok(Err(_trailers)) => heard.trailers = true,
            Err(fault) => {
                heard.fault = Some(fault);
                break;
            }
        }
        if !all {
            return;
        }
    }
    hearing.lock()[at].is_over = true;
}

async fn pause() {
    let mut is_over = false;
    std::future::poll_fn(|cx: &mut Context<'_>| {
        if std::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The text of an answer: what was heard, where the service listened.
fn text(number: usize, asked: &Asked, heard: &Heard) -> Vec<u8> {
    let said = match asked.how {
        How::Echo | How::Late => format!("{number} {} {} {:?}", heard.body.len(), heard.trailers, heard.fault),
        How::Early | How::Part | How::Aside | How::Through => format!("{number}:"),
    };
    let times = if asked.gives == Gives::Large { 3000 } else { 1 };
    said.repeat(times).into_bytes()
}

fn answer(number: usize, asked: &Asked, heard: &Heard, gate: Option<Gate>) -> Response<Body> {
    let text = Bytes::from(text(number, asked, heard));
    let body = match asked.gives {
        Gives::Whole | Gives::Large => Body::full(text),
        Gives::Nothing => Body::default(),
        Gives::Pieces => {
            let data = |bytes: Bytes| Step::Gives(Frame::data(bytes));
            let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-end"), HeaderValue::from_static("1"))]);
            let (first, second) = (text.slice(..1), text.slice(1..));
            let mut steps = vec![Step::Pauses, data(first), Step::Pauses, Step::Pauses];
            steps.extend(gate.map(Step::Waits));
            steps.extend([data(second), Step::Gives(Frame::trailers(trailers))]);
            Body::played(steps)
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("date", HeaderValue::from_static("now"));
    response.headers_mut().insert("trailer", HeaderValue::from_static("x-end"));
    if asked.method == Method::HEAD {
        response.body_mut().leave_out();
    }
    response
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

fn serve(asked: Arc<Vec<Asked>>, hearing: Hearing, tasks: Tasks) -> impl Fn(Request<SentBody>, Spelling) -> Answering {
    move |request, _spelling| {
        let (asked, hearing, tasks) = (Arc::clone(&asked), Arc::clone(&hearing), Arc::clone(&tasks));
        Box::pin(async move {
            let (parts, sent) = request.into_parts();
            let target = parts.uri.to_string();
            let at = hearing.lock().len();
            hearing.lock().push(Heard { method: parts.method, target, ..Heard::default() });
            let Some(asked) = asked.get(at) else { panic!("a request that nobody sent") };
            let body = RequestBody::from_client(sent, clock::now());
            let to = (Arc::clone(&hearing), at);
            let gate = (asked.how == How::Through).then(Gate::default);
            match asked.how {
                How::Echo => read(body, true, to).await,
                How::Late => {
                    pause().await;
                    read(body, true, to).await;
                    pause().await;
                    pause().await;
                }
                How::Early => drop(body),
                How::Part => read(body, false, to).await,
                How::Aside | How::Through => {
                    let gate = gate.clone().unwrap_or_default();
                    tasks.lock().push(Box::pin(async move {
                        read(body, true, to).await;
                        gate.open();
                    }));
                }
            }
            let heard = hearing.lock()[at].clone();
            Ok(answer(at, asked, &heard, gate))
        })
    }
}

impl Asked {
    /// Whether a body follows its head.
    fn has_more(&self) -> bool {
        !self.body.is_empty() || matches!(self.framed, Framed::Chunked | Framed::Both)
    }
}

/// A sequence in pieces.
struct Sent {
    events: Vec<Event>,
    last: Came,
    cut_body: Vec<u8>,
}

/// The bytes of a sequence before they are cut: those before the last request, its head, its body, and what follows.
struct Written {
    parts: Vec<(Vec<u8>, bool)>,
    end: bool,
    last: Came,
    cut_body: Vec<u8>,
}

fn write(sequence: &Sequence, choices: &mut Choices) -> Written {
    let mut written = Written { parts: Vec::new(), end: false, last: Came::All, cut_body: Vec::new() };
    let count = sequence.asked.len();
    for (at, asked) in sequence.asked.iter().enumerate() {
        let (mut head, mut body) = asked.write(at, choices);
        if let Ends::Cut(bytes) = sequence.ends
            && at + 1 == count
        {
            let keep = (head.len() + body.len()).saturating_sub(bytes);
            written.last = if keep < head.len() { Came::Nothing } else { Came::Head };
            body.truncate(keep.saturating_sub(head.len()));
            head.truncate(keep);
            written.cut_body = came_of(asked, &body);
        }
        // A client that waits does so where nothing is before it, and somebody reads.
        let waits = asked.expects && at == 0 && matches!(asked.how, How::Echo | How::Late) && !body.is_empty();
        written.parts.push((head, waits));
        written.parts.push((body, false));
    }
    if sequence.ends == Ends::Nonsense {
        written.parts.push((b"\x16\x03\x01 nonsense\r\n\r\n".to_vec(), false));
    }
    written.end = matches!(sequence.ends, Ends::Closes | Ends::Cut(_));
    written
}

/// The data in the beginning of a framed body.
fn came_of(asked: &Asked, mut text: &[u8]) -> Vec<u8> {
    if !matches!(asked.framed, Framed::Chunked | Framed::Both) {
        return text.to_vec();
    }
    let mut data = Vec::new();
    while let Some(end) = text.windows(2).position(|window| window == b"\r\n") {
        let digits = text[..end].split(|byte| *byte == b';').next().unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
        let rest = &text[end + 2..];
        if size == 0 {
            break;
        }
        data.extend_from_slice(&rest[..size.min(rest.len())]);
        text = rest.get(size + 2..).unwrap_or_default();
    }
    data
}

fn cut(written: Written, mut by: impl FnMut(&[u8]) -> Vec<Event>) -> Sent {
    let mut events = Vec::new();
    let mut run = Vec::new();
    for (part, waits) in &written.parts {
        run.extend_from_slice(part);
        if *waits {
            events.extend(by(&run));
            run.clear();
            events.push(Event::Await(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
    }
    events.extend(by(&run));
    if written.end {
        events.push(Event::End);
    }
    Sent { events, last: written.last, cut_body: written.cut_body }
}

/// Plays a sequence and holds what came against what was foretold.
fn check(sequence: &Sequence, sent: Sent, (taking, winds_at): (Taking, Option<usize>), name: &str) {
    let foretold = Foretold::of(sequence, sent.last, &sent.cut_body);
    let (hearing, tasks) = (Hearing::default(), Tasks::default());
    let stream = Played::new(sent.events.clone(), taking);
    let asked = Arc::new(sequence.asked.clone());
    let connection = Connection::new(stream.clone(), serve(asked, Arc::clone(&hearing), Arc::clone(&tasks)));
    let (mut connection, mut polls) = (Box::pin(connection), 0);
    let left = play(connection.as_mut(), &stream, &tasks, |mut connection| {
        if winds_at == Some(polls) {
            connection.graceful_shutdown();
        }
        polls += 1;
    });
    let text = stream.taken();
    let methods: Vec<_> = sequence.asked.iter().map(|asked| &asked.method).collect();
    let came = Outcome { sequence, foretold, heard: hearing.lock().clone(), answers: read_answers(&text, &methods) };
    let told = || format!("{name}: {sequence:?}\n{:?}\n{}", sent.events, String::from_utf8_lossy(&text));
    came.hold_what_was_heard(&told);
    came.hold_what_was_answered(&told);
    came.hold_its_end((left, &stream), winds_at.is_some(), &told);
}

/// What came of a sequence, and what must have.
struct Outcome<'s> {
    sequence: &'s Sequence,
    foretold: Foretold,
    heard: Vec<Heard>,
    answers: Vec<Answered>,
}

impl Outcome<'_> {
    /// What is heard is what was sent, and nothing else.
    fn hold_what_was_heard(&self, told: &dyn Fn() -> String) {
        let Self { sequence, foretold, heard, answers } = self;
        assert!(heard.len() <= foretold.heard.len(), "{}", told());
        for (at, (heard, expected)) in heard.iter().zip(&foretold.heard).enumerate() {
            assert_eq!((&heard.method, &heard.target), (&expected.method, &expected.target), "{}", told());
            assert!(expected.body.starts_with(&heard.body), "{}", told());
            let is_read = match sequence.asked[at].how {
                How::Echo | How::Late => true,
                // The answer to HEAD does not wait.
                How::Through => heard.method != Method::HEAD,
                How::Early | How::Part | How::Aside => false,
            };
            let is_whole = answers.get(at).is_some_and(|answered| answered.is_whole && !answered.is_open);
            if is_read && is_whole {
                assert_eq!(heard, expected, "{}", told());
            }
        }
    }

    /// So is what the client reads, as far as the connection got.
    fn hold_what_was_answered(&self, told: &dyn Fn() -> String) {
        let Self { foretold, answers, .. } = self;
        for (at, answered) in answers.iter().enumerate() {
            let is_last = at + 1 == answers.len();
            let Some(expected) = foretold.bodies.get(at) else {
                assert!(foretold.is_refused && answered.status == StatusCode::BAD_REQUEST, "{}", told());
                continue;
            };
            let may_break = is_last && foretold.may_break_at.is_some_and(|first| at >= first);
            assert!(answered.is_whole || may_break, "{}", told());
            assert!(is_last || !answered.closes, "{}", told());
            if answered.is_open && may_break {
                assert!(expected.starts_with(&answered.body), "{}", told());
            } else if answered.is_whole {
                assert_eq!((answered.status, &answered.body), (StatusCode::OK, expected), "{}", told());
            }
        }
    }

    /// The connection ends where it must, and no client that is still there waits in vain.
    fn hold_its_end(&self, (left, stream): (Left, &Played), winds: bool, told: &dyn Fn() -> String) {
        let Self { sequence, foretold, answers, .. } = self;
        let is_gone = matches!(sequence.ends, Ends::Closes | Ends::Cut(_));
        if stream.is_shut() && !is_gone && !winds {
            assert!(answers.last().is_some_and(|answered| answered.closes), "{}", told());
        }
        // A connection that winds up takes no other request.
        let answers_min = if winds { Some(0) } else { foretold.answers_min };
        let expected = foretold.bodies.len() + usize::from(foretold.is_refused);
        assert!((answers_min.unwrap_or(expected)..=expected).contains(&answers.len()), "{}", told());
        if answers_min.is_none() {
            assert_eq!(Some(left), foretold.left, "{}", told());
            let is_shut = left == Left::Closed || foretold.is_refused;
            assert_eq!(stream.is_shut() || is_gone, is_shut, "{}", told());
        }
    }
}

#[test]
fn what_comes_of_a_sequence_does_not_depend_on_its_pieces() {
    for seed in 0..runs(4000) {
        let mut choices = Choices(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let sequence = Sequence::make(&mut choices);
        let written = write(&sequence, &mut choices);
        let bytes_max = [1, 3, 20, 200, 20_000, 200_000][choices.below(6)];
        let is_long = written.parts.iter().map(|(part, _)| part.len()).sum::<usize>() > 5000;
        let bytes_max = if is_long { bytes_max.max(2000) } else { bytes_max };
        let mut cuts = choices.clone();
        let sent = cut(written, |bytes| pieces(bytes, bytes_max, &mut cuts));
        let taking = match choices.below(3) {
            0 => Taking::ALL,
            _ => {
                let bytes_max = if sequence.gives_much() { 2000 } else { [1, 7, 300, 100_000][choices.below(4)] };
                Taking { bytes_max, choices: Some(choices.clone()) }
            }
        };
        let winds_at = choices.once_in(12).then(|| choices.below(12));
        check(&sequence, sent, (taking, winds_at), &format!("seed {seed}"));
    }
}

#[test]
fn a_sequence_may_be_cut_anywhere() {
    for seed in 0..40 {
        let mut choices = Choices(seed);
        let mut sequence = Sequence::make(&mut choices);
        sequence.asked.iter_mut().for_each(|asked| asked.body.truncate(30));
        let whole = write(&sequence, &mut choices.clone()).parts.iter().map(|(part, _)| part.len()).sum();
        for at in 0..whole {
            let written = write(&sequence, &mut choices.clone());
            let mut before = at;
            let sent = cut(written, |bytes| {
                let (first, second) = bytes.split_at(before.min(bytes.len()));
                before -= first.len();
                let piece = |bytes: &[u8]| Event::Bytes(Bytes::copy_from_slice(bytes));
                let events = [piece(first), Event::Pause, piece(second)];
                events.into_iter().filter(|event| *event != Event::Bytes(Bytes::new())).collect()
            });
            check(&sequence, sent, (Taking::ALL, None), &format!("seed {seed} at {at}"));
        }
    }
}
