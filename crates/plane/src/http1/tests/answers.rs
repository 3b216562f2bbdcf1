//! Exchanges with a target: requests in every framing and answers in every framing, with interim ones before them, cut, or nonsense, early or
//! when the request is over. The bytes come and are taken in pieces that a seed makes; what the caller gets is foretold of the answer alone.
//!
//! `TIDEGATE_SEQUENCES` sets how many exchanges are tried.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::BodyExt as _;

use super::{Choices, Event, Played, Taking, pieces, runs};
use crate::clock;
use crate::http::body::{RequestBody, SentBody};
use crate::http::framing::Framing;
use crate::http::relay::{Feed, Wish, relay};
use crate::http1::client::{self, Fault, Incoming, Outgoing};
use crate::http1::wire::Wire;

/// What a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    Nothing,
    Whole(usize),
    /// The client's, in chunks.
    Pieces(usize),
}

/// What a target answers.
#[derive(Debug, Clone)]
struct Answer {
    text: Vec<u8>,
    /// Where its head ends, and what it holds.
    head: usize,
    body: Vec<u8>,
    /// Whether its end is the connection's.
    until_close: bool,
    keeps: bool,
}

/// What the caller gets.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Answer(Vec<u8>, bool),
    Broken,
    Closed,
    Malformed,
}

impl Answer {
    fn make(method: &Method, choices: &mut Choices) -> Self {
        let mut text = String::new();
        for _ in 0..choices.below(3) {
            text.push_str(if choices.once_in(2) {
                "HTTP/1.1 100 Continue\r\n\r\n"
            } else {
                "HTTP/1.1 103 E\r\nx: 1\r\n\r\n"
            });
        }
        let bytes = if choices.once_in(12) { 30_000 } else { choices.below(60) };
        let mut body = vec![b'x'; bytes];
        let status = ["200 OK", "404 Not", "204 No", "304 Not"][choices.below(4)];
        text.push_str(&format!("HTTP/1.1 {status}\r\nx-a: 1\r\n"));
        let closes = choices.once_in(6);
        text.push_str(if closes { "Connection: close\r\n" } else { "" });
        let framed = choices.below(3);
        text.push_str(match framed {
            0 => "transfer-encoding: chunked\r\n",
            1 => "",
            _ => "content-length: ",
        });
        let length = if framed == 2 { format!("{bytes}\r\n\r\n") } else { "\r\n".to_owned() };
        text.push_str(&length);
        let (mut text, head) = (text.clone().into_bytes(), text.len());
        let is_bodyless = *method == Method::HEAD || status.starts_with("204") || status.starts_with("304");
        if is_bodyless {
            body.clear();
        } else if framed == 0 {
            for piece in body.chunks(1 + choices.below(20_000)) {
                text.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
                text.extend_from_slice(piece);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(if choices.once_in(2) { b"0\r\n\r\n" } else { b"0\r\nx: 1\r\n\r\n" });
        } else {
            text.extend_from_slice(&body);
        }
        let until_close = framed == 1 && !is_bodyless;
        Self { text, head, body, until_close, keeps: !closes && !until_close }
    }
}

/// Sends a client's body piece by piece, as it is wanted.
async fn feed(feed: Feed, bytes: Vec<u8>, step: usize) {
    for piece in bytes.chunks(step) {
        let wish = poll_fn(|cx| match feed.wish(cx) {
            Wish::Nothing => Poll::Pending,
            wish => Poll::Ready(wish),
        });
        if wish.await == Wish::Gone {
            return;
        }
        feed.data(Bytes::copy_from_slice(piece), false, None);
    }
    while poll_fn(|cx| Poll::Ready(feed.wish(cx))).await == Wish::Nothing && !feed.has_room() {
        tokio::task::yield_now().await;
    }
    feed.end(Ok(()), None);
}

/// Bytes that end as no other part of a request does.
fn sent(bytes: usize) -> Vec<u8> {
    [&vec![b'b'; bytes][..], b"END"].concat()
}

fn request(method: &Method, gives: Gives, step: usize) -> Request<RequestBody> {
    let body = match gives {
        Gives::Nothing => RequestBody::empty(),
        Gives::Whole(bytes) => RequestBody::empty().replaced(sent(bytes).into()),
        Gives::Pieces(bytes) => {
            let (feeding, fed) = relay(None);
            tokio::spawn(feed(feeding, sent(bytes), step));
            RequestBody::from_client(SentBody::http1(Framing::Chunked, Some(fed)), clock::now())
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    request.headers_mut().insert("host", "h".parse().unwrap());
    request
}

async fn ask(stream: Played, request: Request<RequestBody>) -> Got {
    let (mut wire, mut out) = (Box::new(Wire::new(stream)), Outgoing::new(request));
    let head = match client::exchange(&mut wire, &mut out).await {
        Ok(head) => head,
        Err(Fault::Malformed) => return Got::Malformed,
        Err(_) => return Got::Closed,
    };
    let mut incoming = Incoming::new(wire, head.follows, out);
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        match frame.map(Frame::into_data) {
            Ok(data) => body.extend_from_slice(&data.unwrap_or_default()),
            Err(_) => return Got::Broken,
        }
    }
    Got::Answer(body, incoming.into_idle().is_some())
}

/// Asks, while the stream goes on. What stands for long was not woken.
async fn played(stream: Played, request: Request<RequestBody>) -> Got {
    let hand = stream.clone();
    let going = async move {
        let mut still = 0;
        while still < 1000 {
            still = if hand.go_on() { 0 } else { still + 1 };
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        got = ask(stream, request) => got,
        () = going => panic!("an exchange that stands"),
    }
}

/// One exchange: what is asked, what is answered, and how much of that comes.
struct Exchange {
    method: Method,
    gives: Gives,
    answer: Answer,
    cut: Option<usize>,
    ends: bool,
    waits: bool,
}

impl Exchange {
    fn make(choices: &mut Choices) -> Self {
        let method = [Method::GET, Method::POST, Method::HEAD][choices.below(3)].clone();
        let bytes = if choices.once_in(12) { 50_000 } else { choices.below(60) };
        let gives = [Gives::Nothing, Gives::Whole(bytes), Gives::Pieces(bytes)][choices.below(3)];
        let answer = Answer::make(&method, choices);
        let cut = choices.once_in(4).then(|| choices.below(answer.text.len()));
        let ends = cut.is_some() || answer.until_close || choices.once_in(4);
        Self { method, gives, answer, cut, ends, waits: choices.once_in(2) }
    }

    fn events(&self, bytes_max: usize, choices: &mut Choices) -> Vec<Event> {
        let mut events = Vec::new();
        if self.waits {
            events.push(Event::Await(match self.gives {
                Gives::Nothing => b"\r\n\r\n",
                Gives::Whole(_) => b"END",
                Gives::Pieces(_) => b"\r\n0\r\n\r\n",
            }));
        }
        let text = &self.answer.text[..self.cut.unwrap_or(self.answer.text.len())];
        events.extend(pieces(text, bytes_max, choices));
        events.extend(self.ends.then_some(Event::End));
        events
    }

    fn foretold(&self) -> Got {
        let answer = &self.answer;
        match self.cut {
            Some(cut) if cut < answer.head => Got::Closed,
            Some(_) if !answer.until_close => Got::Broken,
            Some(cut) => Got::Answer(answer.body[..cut - answer.head].to_vec(), false),
            None => Got::Answer(answer.body.clone(), answer.keeps),
        }
    }

    /// Whether what was written is this request, as far as it got.
    fn is_asked(&self, text: &[u8]) -> bool {
        let head = format!("{} / HTTP/1.1\r\nhost: h\r\n", self.method);
        let whole = match self.gives {
            Gives::Nothing => format!("{head}\r\n").into_bytes(),
            Gives::Whole(bytes) => {
                let body = sent(bytes);
                [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
            }
            Gives::Pieces(_) => format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes(),
        };
        match self.gives {
            Gives::Pieces(bytes) if self.waits => {
                let body = text.strip_prefix(&whole[..]).and_then(super::reader::read_chunks);
                body.is_some_and(|(body, rest)| body == sent(bytes) && rest.is_empty())
            }
            Gives::Pieces(_) => text.starts_with(&whole) || whole.starts_with(text),
            _ if self.waits => text == whole,
            _ => whole.starts_with(text),
        }
    }
}

#[tokio::test]
async fn what_comes_of_an_exchange_does_not_depend_on_its_pieces() {
    for seed in 0..runs(3000) {
        let mut choices = Choices(seed.wrapping_mul(0x9e6c_63d0_876a_3f35));
        let exchange = Exchange::make(&mut choices);
        let is_long = exchange.answer.text.len() > 5000;
        let bytes_max = if is_long { 5000 } else { [1, 3, 20, 400][choices.below(4)] };
        let events = exchange.events(bytes_max, &mut choices);
        let is_large = matches!(exchange.gives, Gives::Whole(bytes) | Gives::Pieces(bytes) if bytes > 5000);
        let taking = match choices.below(3) {
            0 => Taking::ALL,
            _ if is_large => Taking { bytes_max: 5000, choices: Some(choices.clone()) },
            _ => Taking { bytes_max: [1, 7, 300][choices.below(3)], choices: Some(choices.clone()) },
        };
        let is_slow = taking.choices.is_some();
        let stream = Played::new(events.clone(), taking);
        let step = if is_large { 3000 } else { 1 + choices.below(30) };
        let got = played(stream.clone(), request(&exchange.method, exchange.gives, step)).await;
        let (text, answer) = (stream.taken(), &exchange.answer);
        let told = || format!("seed {seed}: {:?} {answer:?}\n{events:?}", exchange.gives);
        match (&got, exchange.foretold()) {
            // Whether a connection is kept that may be also depends on whether the request was flushed first, and its end had come.
            (Got::Answer(body, keeps), Got::Answer(expected, kept)) => {
                let is_open = exchange.ends || !exchange.waits || is_slow;
                assert!(*body == expected && (*keeps == kept || (kept && is_open)), "{}\n{got:?}", told());
            }
            (got, expected) => assert_eq!(*got, expected, "{}", told()),
        }
        assert!(exchange.is_asked(&text), "{}\n{}", told(), String::from_utf8_lossy(&text));
    }
}
