//! Writes heads and frames bodies (RFC 9112, sections 4 to 7). The framing is that of the body, as a value; lines of headers that would
//! say anything of it are left out, whoever put them there.

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, Version};

use crate::http::date;
use crate::http::framing::Framing;

/// How a body is written.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// None may follow.
    Bodyless,
    /// So many bytes are still to come.
    Length(u64),
    /// In chunks, and these trailers may follow.
    Chunked(Vec<HeaderName>),
    /// As it is, until the connection ends.
    UntilClose,
}

/// The body is not what its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit;

impl Encoder {
    /// How many bytes of these belong to the body, and what stands before them; what stands after them is for [`Self::close`].
    pub(crate) fn open(&mut self, bytes: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Self::Bodyless if bytes > 0 => Err(Misfit),
            Self::Bodyless | Self::UntilClose => Ok(()),
            Self::Length(left) => {
                *left = left.checked_sub(bytes as u64).ok_or(Misfit)?;
                Ok(())
            }
            Self::Chunked(_) => {
                push_hex(bytes, out);
                out.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }

    /// What stands after a piece.
    pub(crate) const fn close(&self) -> &'static [u8] {
        if matches!(self, Self::Chunked(_)) { b"\r\n" } else { b"" }
    }

    /// Ends the body.
    pub(crate) fn end(&self, trailers: Option<&HeaderMap>, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Self::Length(left) if *left > 0 => Err(Misfit),
            Self::Length(_) | Self::Bodyless | Self::UntilClose => Ok(()),
            Self::Chunked(announced) => {
                out.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if announced.contains(name) && is_trailer(name) {
                        push_line(out, name, value.as_bytes());
                    }
                }
                out.extend_from_slice(b"\r\n");
                Ok(())
            }
        }
    }

    /// Whether nothing more can follow.
    pub(crate) const fn is_full(&self) -> bool {
        matches!(self, Self::Bodyless | Self::Length(0))
    }
}

/// Fields that decide framing, routing, caller or meaning of a message may not come after it (RFC 9110, section 6.5.1).
fn is_trailer(name: &HeaderName) -> bool {
    use http::header as h;
    !matches!(
        *name,
        h::AUTHORIZATION
            | h::CACHE_CONTROL
            | h::CONNECTION
            | h::CONTENT_ENCODING
            | h::CONTENT_LENGTH
            | h::CONTENT_RANGE
            | h::CONTENT_TYPE
            | h::EXPECT
            | h::HOST
            | h::MAX_FORWARDS
            | h::SET_COOKIE
            | h::TE
            | h::TRAILER
            | h::TRANSFER_ENCODING
            | h::UPGRADE
    )
}

/// The fields that `Trailer` announces.
fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    if !headers.contains_key(TRAILER) {
        return Vec::new();
    }
    let values = headers.get_all(TRAILER).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Writes the head of a request in origin form.
pub(crate) fn request(
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    framing: Framing,
    out: &mut Vec<u8>,
) -> Encoder {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in headers {
        if !is_framing(name) {
            push_line(out, name, value.as_bytes());
        }
    }
    let encoder = match framing {
        Framing::None => Encoder::Bodyless,
        Framing::Length(bytes) => {
            push_length(out, bytes);
            Encoder::Length(bytes)
        }
        Framing::Chunked => {
            out.extend_from_slice(CHUNKED);
            Encoder::Chunked(announced(headers))
        }
        Framing::Switched => {
            out.extend_from_slice(b"connection: upgrade\r\n");
            Encoder::UntilClose
        }
    };
    out.extend_from_slice(b"\r\n");
    encoder
}

const CHUNKED: &[u8] = b"transfer-encoding: chunked\r\n";

/// Whether it is for this file to say.
fn is_framing(name: &HeaderName) -> bool {
    *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING
}

/// What an answer's head depends on beside the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// What the client speaks.
    pub(crate) version: Version,
    /// Whether it asked with HEAD.
    pub(crate) is_head: bool,
    /// Whether the connection may stay open.
    pub(crate) keep_alive: bool,
    /// Whether the client takes trailers.
    pub(crate) takes_trailers: bool,
}

/// Writes the head of an answer. Gives how the body is written, and whether the connection stays open afterwards.
pub(crate) fn response(
    (status, headers): (StatusCode, &HeaderMap),
    framing: Framing,
    terms: Terms,
    out: &mut Vec<u8>,
) -> (Encoder, bool) {
    let is_new = terms.version == Version::HTTP_11;
    out.extend_from_slice(if is_new { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    // What has no phrase has none: the space stays (RFC 9112, section 4).
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    // Neither has a body; that of a 304 may be described (RFC 9110, section 8.6).
    let is_empty = status.is_informational() || status == StatusCode::NO_CONTENT;
    let is_bodyless = is_empty || terms.is_head || status == StatusCode::NOT_MODIFIED;
    let (mut is_dated, mut closes, mut keeps) = (false, false, false);
    for (name, value) in headers {
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING => continue,
            DATE => is_dated = true,
            CONNECTION => {
                closes |= value.as_bytes().eq_ignore_ascii_case(b"close");
                keeps |= value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
            }
            _ => {}
        }
        push_line(out, name, value.as_bytes());
    }
    let encoder = match framing {
        Framing::Switched => {
            out.extend_from_slice(b"connection: upgrade\r\n");
            closes = true;
            Encoder::UntilClose
        }
        Framing::Length(bytes) if is_bodyless => {
            if !is_empty {
                push_length(out, bytes);
            }
            Encoder::Bodyless
        }
        Framing::None | Framing::Chunked if is_bodyless => Encoder::Bodyless,
        // Of what has none a client must be told so, or it would wait for the connection's end.
        Framing::None => {
            push_length(out, 0);
            Encoder::Length(0)
        }
        Framing::Length(bytes) => {
            push_length(out, bytes);
            Encoder::Length(bytes)
        }
        Framing::Chunked if is_new => {
            out.extend_from_slice(CHUNKED);
            Encoder::Chunked(if terms.takes_trailers { announced(headers) } else { Vec::new() })
        }
        Framing::Chunked => Encoder::UntilClose,
    };
    let stays = terms.keep_alive && !closes && !matches!(encoder, Encoder::UntilClose);
    if is_new && !stays && !closes {
        out.extend_from_slice(b"connection: close\r\n");
    } else if !is_new && stays && !keeps {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    if !is_dated {
        date::with(|date| push_line(out, &DATE, date.as_bytes()));
    }
    out.extend_from_slice(b"\r\n");
    (encoder, stays)
}

fn push_line(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn push_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn push_hex(number: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for at in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * at)) & 15]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { version: Version::HTTP_11, is_head: false, keep_alive: true, takes_trailers: false };

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn answer(
        status: u16,
        lines: &[(&'static str, &'static str)],
        framing: Framing,
        terms: Terms,
    ) -> (String, String, bool) {
        let mut out = Vec::new();
        let mut headers = headers(lines);
        headers.insert(DATE, "now".parse().unwrap());
        let (encoder, stays) = response((StatusCode::from_u16(status).unwrap(), &headers), framing, terms, &mut out);
        let text = String::from_utf8(out).unwrap();
        (text.replace("date: now\r\n", ""), format!("{encoder:?}"), stays)
    }

    #[test]
    fn answers_are_framed_by_what_the_client_can_read() {
        let old = Terms { version: Version::HTTP_10, ..TERMS };
        let (head, last) = (Terms { is_head: true, ..TERMS }, Terms { keep_alive: false, ..TERMS });
        let (length, none, chunked) = (Framing::Length(3), Framing::None, Framing::Chunked);
        let close: &[_] = &[("connection", "close")];
        // Whoever put them there: they say nothing.
        let stray: &[_] = &[("content-length", "7"), ("transfer-encoding", "gzip")];
        type Row<'a> = (u16, &'a [(&'static str, &'static str)], Framing, Terms, &'a str, &'a str, bool);
        let rows: &[Row<'_>] = &[
            (200, &[], length, TERMS, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "Length(3)", true),
            (200, stray, length, TERMS, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "Length(3)", true),
            (200, stray, none, TERMS, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "Length(0)", true),
            (200, stray, chunked, TERMS, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "Chunked([])", true),
            (200, &[], chunked, old, "HTTP/1.0 200 OK\r\n\r\n", "UntilClose", false),
            (
                200,
                &[],
                none,
                old,
                "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n",
                "Length(0)",
                true,
            ),
            (200, stray, length, head, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", "Bodyless", true),
            (200, stray, none, head, "HTTP/1.1 200 OK\r\n\r\n", "Bodyless", true),
            (200, &[], chunked, head, "HTTP/1.1 200 OK\r\n\r\n", "Bodyless", true),
            (204, stray, length, TERMS, "HTTP/1.1 204 No Content\r\n\r\n", "Bodyless", true),
            (304, stray, length, TERMS, "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", "Bodyless", true),
            (
                200,
                close,
                none,
                TERMS,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                "Length(0)",
                false,
            ),
            (
                200,
                &[],
                none,
                last,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                "Length(0)",
                false,
            ),
            (299, &[], none, TERMS, "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n", "Length(0)", true),
        ];
        for (status, lines, framing, terms, text, encoder, stays) in rows {
            let got = answer(*status, lines, *framing, *terms);
            let expected = ((*text).to_owned(), (*encoder).to_owned(), *stays);
            assert_eq!(got, expected, "{status} {lines:?} {framing:?} {terms:?}");
        }
    }

    #[test]
    fn an_answer_without_a_date_gets_one() {
        let mut out = Vec::new();
        response((StatusCode::OK, &HeaderMap::new()), Framing::None, TERMS, &mut out);
        let text = String::from_utf8(out).unwrap();
        let line = text.lines().find(|line| line.starts_with("date: ")).unwrap();
        assert!(line.ends_with(" GMT") && line.len() == 35, "{line}");
    }

    #[test]
    fn requests_say_how_their_body_is_framed() {
        let uri: Uri = "/a?b=c".parse().unwrap();
        let lines = [("x-a", "1"), ("content-length", "9"), ("transfer-encoding", "gzip"), ("trailer", "x-b, x-c")];
        let rows = [
            (Framing::None, "", "Bodyless"),
            (Framing::Length(7), "content-length: 7\r\n", "Length(7)"),
            (Framing::Chunked, "transfer-encoding: chunked\r\n", "Chunked([\"x-b\", \"x-c\"])"),
        ];
        for (framing, line, expected) in rows {
            let mut out = Vec::new();
            let encoder = request((&Method::POST, &uri, &headers(&lines)), framing, &mut out);
            assert_eq!(format!("{encoder:?}"), expected);
            let head = format!("POST /a?b=c HTTP/1.1\r\nx-a: 1\r\ntrailer: x-b, x-c\r\n{line}\r\n");
            assert_eq!(String::from_utf8(out).unwrap(), head);
        }
    }

    #[test]
    fn bodies_that_do_not_fit_are_told() {
        let mut out = Vec::new();
        let mut encoder = Encoder::Length(5);
        assert_eq!(encoder.open(3, &mut out), Ok(()));
        assert_eq!(encoder.end(None, &mut out), Err(Misfit));
        assert_eq!(encoder.open(3, &mut out), Err(Misfit));
        assert_eq!(Encoder::Bodyless.open(1, &mut out), Err(Misfit));
        assert!(out.is_empty());
    }

    #[test]
    fn chunks_and_announced_trailers() {
        let mut out = Vec::new();
        let mut encoder = Encoder::Chunked(vec![HeaderName::from_static("x-a"), CONTENT_LENGTH]);
        for size in [1, 15, 16, 255, 4096] {
            encoder.open(size, &mut out).unwrap();
        }
        let trailers = headers(&[("x-a", "1"), ("x-b", "2"), ("content-length", "3")]);
        encoder.end(Some(&trailers), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "1\r\nf\r\n10\r\nff\r\n1000\r\n0\r\nx-a: 1\r\n\r\n");
    }
}
