//! The same bytes before this engine and before hyper's: each request is accepted by both, with the same method, target and body, or refused by
//! both. Where they differ the difference is meant, and stands in a table with its reason.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use super::{Body, Choices, Event, Played, Taking, Tasks, play, runs};
use crate::clock;
use crate::http::body::{RequestBody, SentBody};
use crate::http1::server::Connection;
use crate::http1::spelling::Spelling;

/// A request that was accepted; its body, where that came to its end.
type Accepted = (String, String, Option<Vec<u8>>);

/// What an engine made of bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Made {
    accepted: Vec<Accepted>,
    /// Whether what followed was no request.
    refused: bool,
}

type Hearing = Arc<Mutex<Vec<Accepted>>>;

async fn hear<B>(hearing: &Hearing, (method, target): (String, String), mut body: B)
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let at = hearing.lock().len();
    hearing.lock().push((method, target, None));
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(data) => text.extend_from_slice(&data.unwrap_or_default()),
            Err(_) => return,
        }
    }
    hearing.lock()[at].2 = Some(text);
}

fn stream(bytes: &[u8]) -> Played {
    let bytes = Event::Bytes(Bytes::copy_from_slice(bytes));
    Played::new(vec![bytes, Event::End], Taking::ALL)
}

/// What was made, by the requests that were heard and the answers that were written.
fn made(hearing: &Hearing, stream: &Played) -> Made {
    let text = String::from_utf8_lossy(&stream.taken()).into_owned();
    let answers = text.split("HTTP/1.").filter(|answer| !answer.is_empty());
    let refused = answers.filter_map(|answer| answer.get(2..5)).any(|status| status.starts_with('4'));
    Made { accepted: hearing.lock().clone(), refused }
}

fn by_us(bytes: &[u8]) -> Made {
    let (hearing, stream, tasks) = (Hearing::default(), stream(bytes), Tasks::default());
    let service = |request: Request<SentBody>, _: Spelling| {
        let hearing = Arc::clone(&hearing);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = RequestBody::from_client(body, clock::now());
            hear(&hearing, (parts.method.to_string(), parts.uri.to_string()), body).await;
            Ok::<_, Infallible>(Response::new(Body::default()))
        })
    };
    let mut connection = Box::pin(Connection::new(stream.clone(), service));
    play(connection.as_mut(), &stream, &tasks, |_| {});
    made(&hearing, &stream)
}

fn by_hyper(bytes: &[u8]) -> Made {
    let (hearing, stream, tasks) = (Hearing::default(), stream(bytes), Tasks::default());
    let service = service_fn(|request: Request<Incoming>| {
        let hearing = Arc::clone(&hearing);
        async move {
            let (parts, body) = request.into_parts();
            hear(&hearing, (parts.method.to_string(), parts.uri.to_string()), body).await;
            let mut response = Response::new(Empty::<Bytes>::new());
            response.headers_mut().insert("date", HeaderValue::from_static("now"));
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(stream.clone()), service);
    let mut serving = Box::pin(serving);
    play(serving.as_mut(), &stream, &tasks, |_| {});
    made(&hearing, &stream)
}

/// A difference that is meant.
struct Difference {
    reason: &'static str,
    example: &'static str,
    /// Whether it is this one, by what was sent and what was made of it, by us and by hyper.
    is: fn(&str, &Made, &Made) -> bool,
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "a length that is none beside chunks is for the gateway to refuse, with a body, an id and a trace (`framing::check`)",
        example: "POST / HTTP/1.1\r\ncontent-length: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        is: |text, ours, theirs| {
            let text = text.to_ascii_lowercase();
            text.contains("content-length") && text.contains("chunked") && theirs.refused && is_longer(ours, theirs)
        },
    },
    Difference {
        reason: "a target that cannot be read is for the gateway to refuse too: it is handed on as `/`, with a mark",
        example: "GET /a<b HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        is: |text, ours, theirs| {
            let is_last = ours.accepted.last().is_some_and(|(_, target, _)| target == "/");
            text.contains(['<', '{', '`']) && theirs.refused && is_longer(ours, theirs) && is_last
        },
    },
    Difference {
        reason: "so is CONNECT, behind which hyper waits for a tunnel",
        example: "CONNECT h:80 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        is: |text, ours, theirs| text.contains("CONNECT ") && theirs.accepted.len() <= ours.accepted.len(),
    },
    Difference {
        reason: "a bare LF ends no line of chunks or trailers, since others in front of us read it otherwise",
        example: "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\nGET / HTTP/1.1\r\n\r\n",
        is: |text, ours, theirs| {
            let last = ours.accepted.len().wrapping_sub(1);
            let body = |made: &Made| made.accepted.get(last).is_some_and(|(_, _, body)| body.is_some());
            let has_bare_end = text.replace("\r\n", "").contains('\n');
            has_bare_end && text.to_ascii_lowercase().contains("chunked") && !body(ours) && body(theirs)
        },
    },
    Difference {
        reason: "the preface of HTTP/2 is looked for before a connection is this engine's",
        example: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        is: |text, ours, theirs| text.contains("PRI * HTTP/2.0") && ours.refused && ours.accepted == theirs.accepted,
    },
];

/// Whether one more request was accepted, the same before.
fn is_longer(one: &Made, other: &Made) -> bool {
    one.accepted.len() > other.accepted.len() && one.accepted.starts_with(&other.accepted)
}

/// Holds the two against each other.
fn compare(text: &str) {
    let (ours, theirs) = (by_us(text.as_bytes()), by_hyper(text.as_bytes()));
    let is_meant = || DIFFERENCES.iter().any(|difference| (difference.is)(text, &ours, &theirs));
    assert!(ours == theirs || is_meant(), "{text:?}\n  ours {ours:?}\n hyper {theirs:?}");
}

#[test]
fn each_difference_is_one() {
    for Difference { reason, example, is } in DIFFERENCES {
        let (ours, theirs) = (by_us(example.as_bytes()), by_hyper(example.as_bytes()));
        assert!(ours != theirs && is(example, &ours, &theirs), "{reason}: {ours:?} {theirs:?}");
    }
}

#[test]
fn heads_and_bodies_are_read_as_hyper_reads_them() {
    let rows: &[&str] = &[
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "\nGET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nhost: h\n\n",
        "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nconnection: close\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length: +3\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length: 03\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length:\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\nabc",
        "POST / HTTP/1.1\r\ncontent-length: 18446744073709551615\r\n\r\nabc",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nx: 1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n1\r\na\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: x\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3 3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n10000000000000000\r\nabcd\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx : 1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: 1\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n003\r\nabc\r\n000\r\n\r\n",
        "GET / HTTP/1.1\r\na : b\r\n\r\n",
        "GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n a: b\r\n\r\n",
        "GET / HTTP/1.1\r\na: \0\r\n\r\n",
        "GET / HTTP/1.1\r\na: b\rc\r\n\r\n",
        "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nab\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET http://h/a HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "CONNECT h:80 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET a HTTP/1.1\r\n\r\n",
        "GET /a#b HTTP/1.1\r\n\r\n",
        "GET /{\"a\":1} HTTP/1.1\r\n\r\n",
        "GET /?a={\"a\":1} HTTP/1.1\r\n\r\n",
        "GET /a<b HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
        "GET /\u{fc} HTTP/1.1\r\n\r\n",
        "G@T / HTTP/1.1\r\n\r\n",
        "get / HTTP/1.1\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a",
        "GET / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\na",
        "GET / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
    ];
    rows.iter().for_each(|row| compare(row));
}

const METHODS: [&str; 7] = ["GET", "POST", "HEAD", "OPTIONS", "get", "G@T", ""];
const TARGETS: [&str; 9] = ["/", "/a?b=c", "/a<b", "*", "http://h/a", "a", "/\u{fc}", "/a#b", " /"];
const VERSIONS: [&str; 6] = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "http/1.1"];
const LINES: [&str; 24] = [
    "host: h",
    "content-length: 3",
    "Content-Length: 3",
    "content-length: 03",
    "content-length: 4",
    "content-length: 3, 3",
    "content-length: -3",
    "content-length: 3 ",
    "content-length:\t3",
    "content-length:",
    "transfer-encoding: chunked",
    "Transfer-Encoding: CHUNKED",
    "transfer-encoding: chunked ",
    "transfer-encoding: chunked,",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked, identity",
    "transfer-encoding : chunked",
    "connection: close",
    "connection: keep-alive",
    "connection: x, close",
    "expect: 100-continue",
    " folded: 1",
    "x: \u{fc}",
    "x: a\0",
];
const BODIES: [&str; 13] = [
    "abc",
    "3\r\nabc\r\n",
    "03;a=\"b\"\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "3\nabc\n",
    "0x3\r\nabc\r\n",
    "G\r\n",
    "0\r\n\r\n",
    "0\r\nx: 1\r\n\r\n",
    "0\r\nx : 1\r\n\r\n",
    "0\r\nx: 1\n\n",
    "ffffffffffffffff1\r\n",
    "\r\n",
];

/// Something near a request.
fn near(choices: &mut Choices) -> String {
    let mut text = String::new();
    let end = |choices: &mut Choices| if choices.once_in(30) { "\n" } else { "\r\n" };
    for _ in 0..1 + choices.below(2) {
        let usual = choices.below(3) > 0;
        let method = if usual { METHODS[choices.below(2)] } else { METHODS[choices.below(METHODS.len())] };
        let target = if usual { "/a" } else { TARGETS[choices.below(TARGETS.len())] };
        let version = VERSIONS[choices.below(if usual { 4 } else { VERSIONS.len() })];
        text.push_str(&format!("{method} {target} {version}"));
        text.push_str(end(choices));
        for _ in 0..choices.below(4) {
            text.push_str(LINES[choices.below(LINES.len())]);
            text.push_str(end(choices));
        }
        text.push_str(end(choices));
        for _ in 0..choices.below(4) {
            text.push_str(BODIES[choices.below(BODIES.len())]);
        }
    }
    text
}

#[test]
fn what_is_near_a_request_is_read_as_hyper_reads_it() {
    for seed in 0..runs(4000) {
        compare(&near(&mut Choices(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))));
    }
}
