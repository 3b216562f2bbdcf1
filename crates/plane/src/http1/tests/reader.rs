//! Takes the answers of a connection apart, as a client does. A reader of its own, so that the engine's faults are not its own.

use http::{Method, StatusCode};

/// An answer as a client reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    /// Whether it is the last.
    pub(super) closes: bool,
    /// Whether all of it is there.
    pub(super) is_whole: bool,
    /// Whether its end is the connection's, so that nobody can tell.
    pub(super) is_open: bool,
}

/// Takes the answers to requests with these methods apart.
pub(super) fn read_answers(mut text: &[u8], asked: &[&Method]) -> Vec<Answered> {
    let mut answers = Vec::new();
    loop {
        while let Some(rest) = text.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n") {
            text = rest;
        }
        if text.is_empty() {
            return answers;
        }
        let is_head = asked.get(answers.len()).is_some_and(|method| **method == Method::HEAD);
        let (answered, rest) = read_answer(text, is_head);
        answers.push(answered);
        text = rest;
    }
}

fn read_answer(text: &[u8], is_head: bool) -> (Answered, &[u8]) {
    let broken = |status| Answered { status, body: Vec::new(), closes: true, is_whole: false, is_open: false };
    let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else {
        return (broken(StatusCode::OK), b"");
    };
    let head = std::str::from_utf8(&text[..end]).unwrap();
    let status = head[9..12].parse().unwrap();
    let has = |line: &str| head.lines().any(|other| other == line);
    let closes = has("connection: close") || (head.starts_with("HTTP/1.0") && !has("connection: keep-alive"));
    let lengths: Vec<usize> =
        head.lines().filter_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).collect();
    assert!(lengths.len() + usize::from(has("transfer-encoding: chunked")) <= 1, "{head}");
    let rest = &text[end + 4..];
    let answered = |body: &[u8], is_whole| Answered { status, body: body.to_vec(), closes, is_whole, is_open: false };
    match lengths.first() {
        _ if is_head => (answered(b"", true), rest),
        Some(length) if rest.len() < *length => (answered(rest, false), b""),
        Some(length) => (answered(&rest[..*length], true), &rest[*length..]),
        None if has("transfer-encoding: chunked") => match read_chunks(rest) {
            Some((body, rest)) => (answered(&body, true), rest),
            None => (answered(b"", false), b""),
        },
        None => (Answered { is_open: true, ..answered(rest, true) }, b""),
    }
}

pub(super) fn read_chunks(mut text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let end = text.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&text[..end]).unwrap(), 16).unwrap();
        text = &text[end + 2..];
        if size == 0 {
            let end = text.windows(2).position(|window| window == b"\r\n")?;
            let last = if end == 0 { 2 } else { end + 4 };
            return text.get(last..).map(|rest| (body, rest));
        }
        body.extend_from_slice(text.get(..size)?);
        assert!(text.get(size..size + 2).is_none_or(|end| end == b"\r\n"));
        text = text.get(size + 2..)?;
    }
}
