//! Reads the heads of messages: `httparse` splits the lines, this file says what they mean for the connection and for the body
//! (RFC 9112, sections 3, 5, 6 and 9). What frames the body leaves the headers here, as a value.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::decode::Decoder;
use super::spelling::Spelling;
use crate::http::framing::{Framing, FramingLines};
use crate::limits::HEADER_LINES_MAX;
use crate::spare;

/// The head of a request.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// How the names of these were spelled, and the lines that framed the body.
    pub(crate) spelling: Spelling,
    /// How its body is framed.
    pub(crate) framing: Framing,
    /// Whether the client wants to send another one.
    pub(crate) keep_alive: bool,
    /// Whether the client waits for `100 Continue`.
    pub(crate) expects: bool,
    /// Whether the client takes trailers.
    pub(crate) takes_trailers: bool,
    /// Said where its target cannot be read; the URI is then `/`.
    pub(crate) unreadable: Option<UnreadableTarget>,
}

/// The target of a request holds what no target may (RFC 9112, section 3.2): quotes, angle brackets, backquotes. The request is refused as every
/// other is, with a body, an id and a trace; this mark goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnreadableTarget;

/// What came is no head, for this reason. The request that this mark goes with says nothing: its method is [`unnamed`], and nothing of what came is
/// in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unread(pub(crate) HeadFault);

/// The method of a request that could not be read.
pub(crate) fn unnamed() -> Method {
    // It is a token.
    Method::from_bytes(b"-").unwrap_or_default()
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The lines that framed its body.
    pub(crate) lines: FramingLines,
    /// What follows it.
    pub(crate) follows: Follows,
}

/// What follows the head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Follows {
    /// How the body is framed, or would be that does not come.
    pub(crate) framing: Framing,
    /// What is still to be read of it.
    pub(crate) body: Decoder,
    /// Whether the other end takes another request.
    pub(crate) keep_alive: bool,
}

/// Why bytes are no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// Not HTTP/1, or ambiguous.
    Malformed,
    /// Too many bytes or lines.
    TooLarge,
    /// Another version than 1.0 and 1.1 stands in the first line.
    Version,
    /// Its end did not come in time.
    Late,
    /// They are a frame of HTTP/2.
    OtherProtocol,
}

impl HeadFault {
    /// The same, or that the first line of what was read ends with another version.
    fn of(self, text: &[u8]) -> Self {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
        let last = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        match last.strip_prefix(b"HTTP/") {
            Some([b'1', b'.', b'0' | b'1']) | None => self,
            Some([b'0'..=b'9', b'.', b'0'..=b'9']) if self == Self::Malformed => Self::Version,
            Some(_) => self,
        }
    }
}

impl From<httparse::Error> for HeadFault {
    fn from(error: httparse::Error) -> Self {
        if error == httparse::Error::TooManyHeaders { Self::TooLarge } else { Self::Malformed }
    }
}

type Lines<'h> = [MaybeUninit<httparse::Header<'h>>; HEADER_LINES_MAX];

const NO_LINES: Lines<'static> = [const { MaybeUninit::uninit() }; HEADER_LINES_MAX];

/// Takes the head of a request out of what was read; `None` if its end has not come. `seen` is how many bytes were looked at
/// before in vain.
pub(crate) fn request(input: &mut BytesMut, seen: usize, bytes_max: usize) -> Result<Option<RequestHead>, HeadFault> {
    // Empty lines before a request are passed over (RFC 9112, section 2.2).
    while let [b'\r', b'\n', ..] | [b'\n', ..] = &input[..] {
        let _ = input.split_to(if input[0] == b'\n' { 1 } else { 2 });
    }
    let Some(text) = whole(input, seen, bytes_max)? else {
        if is_worth_a_look(input, seen)
            && let Err(fault) = look(input)
        {
            without_target(input).map_or(Err(fault), |bare| look(&bare)).map_err(|fault| fault.of(input))?;
        }
        return Ok(None);
    };
    let (head, lines) = with_any_target(&text).map_err(|fault| fault.of(&text))?;
    Ok(Some(RequestHead { spelling: Spelling::of(text, lines), ..head }))
}

/// Reads a whole head, whose target may be one that cannot be read.
fn with_any_target(text: &Bytes) -> Result<(RequestHead, FramingLines), HeadFault> {
    match request_of(text) {
        Err(HeadFault::Malformed) => {
            let bare = without_target(text).ok_or(HeadFault::Malformed)?;
            let (head, lines) = request_of(&bare)?;
            Ok((RequestHead { unreadable: Some(UnreadableTarget), keep_alive: false, ..head }, lines))
        }
        read => read,
    }
}

/// Whether the beginning of a head may become one.
fn look(input: &[u8]) -> Result<(), HeadFault> {
    let mut lines: Lines<'_> = NO_LINES;
    httparse::Request::new(&mut []).parse_with_uninit_headers(input, &mut lines)?;
    Ok(())
}

/// The head with `/` as its target, which is what stands between the first and the last space of its first line.
fn without_target(text: &[u8]) -> Option<Bytes> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let line = text.get(..end)?;
    let (first, last) = (line.iter().position(|byte| *byte == b' ')?, line.iter().rposition(|byte| *byte == b' ')?);
    let is_one = line.get(first + 1..last)?.iter().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii());
    let (before, after) = (text.get(..=first)?, text.get(last..).filter(|_| is_one && first + 1 < last)?);
    Some(Bytes::from([before, b"/", after].concat()))
}

/// Reads a whole head, and the lines that frame its body.
fn request_of(text: &Bytes) -> Result<(RequestHead, FramingLines), HeadFault> {
    let mut lines: Lines<'_> = NO_LINES;
    let mut parsed = httparse::Request::new(&mut []);
    if parsed.parse_with_uninit_headers(text, &mut lines)?.is_partial() {
        return Err(HeadFault::Malformed);
    }
    let version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let method = parsed.method.unwrap_or_default().as_bytes();
    let method = Method::from_bytes(method).map_err(|_| HeadFault::Malformed)?;
    let target = text.slice_ref(parsed.path.unwrap_or_default().as_bytes());
    let uri = Uri::from_maybe_shared(target).map_err(|_| HeadFault::Malformed)?;
    let Collected { headers, lines, told } = collect(text, parsed.headers)?;
    let is_new = version == Version::HTTP_11;
    // A request's codings end in `chunked`, or nobody knows where it ends. The gateway refuses all others.
    let framing = match (told.coding, told.length) {
        (Coding::None, Lengths::None) => Framing::None,
        (Coding::None, Lengths::One { bytes, is_list: false }) => Framing::Length(bytes),
        (Coding::Chunked, _) if is_new => Framing::Chunked,
        (Coding::None, _) | (Coding::Chunked | Coding::Other, _) => return Err(HeadFault::Malformed),
    };
    // Both a length and chunks: whoever is in front may have read it in another way (RFC 9112, section 6.1).
    let is_ambiguous = told.coding == Coding::Chunked && told.length != Lengths::None;
    let head = RequestHead {
        method,
        uri,
        version,
        headers,
        spelling: Spelling::default(),
        framing,
        keep_alive: told.keeps_alive(is_new) && !is_ambiguous,
        expects: told.expects && is_new,
        takes_trailers: told.takes_trailers,
        unreadable: None,
    };
    Ok((head, lines))
}

/// Takes the head of an answer out of what was read; `None` if its end has not come. `asked` is the request's method.
pub(crate) fn response(
    input: &mut BytesMut,
    seen: usize,
    (bytes_max, asked): (usize, &Method),
) -> Result<Option<ResponseHead>, HeadFault> {
    if is_http2(input) {
        return Err(HeadFault::OtherProtocol);
    }
    let parser = httparse::ParserConfig::default();
    let mut lines: Lines<'_> = NO_LINES;
    let mut parsed = httparse::Response::new(&mut []);
    let Some(text) = whole(input, seen, bytes_max)? else {
        if is_worth_a_look(input, seen) {
            parser.parse_response_with_uninit_headers(&mut parsed, input, &mut lines)?;
        }
        return Ok(None);
    };
    if parser.parse_response_with_uninit_headers(&mut parsed, &text, &mut lines)?.is_partial() {
        return Err(HeadFault::Malformed);
    }
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|_| HeadFault::Malformed)?;
    let is_new = parsed.version == Some(1);
    let Collected { headers, lines, told } = collect(&text, parsed.headers)?;
    let is_bodyless = *asked == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let (framing, body) = match (told.coding, told.length) {
        // A length that is none, and a coding that HTTP/1.0 does not know, are broken whatever else holds.
        (_, Lengths::Broken) => return Err(HeadFault::Malformed),
        (Coding::Chunked | Coding::Other, _) if !is_new => return Err(HeadFault::Malformed),
        (Coding::Chunked, _) => (Framing::Chunked, Decoder::chunked()),
        (Coding::None, Lengths::One { bytes, .. }) => (Framing::Length(bytes), Decoder::length(bytes)),
        (Coding::None, Lengths::None) if is_bodyless => (Framing::None, Decoder::Over),
        (Coding::Other, _) | (Coding::None, Lengths::None) => (Framing::Chunked, Decoder::UntilClose),
    };
    // What is described need not come.
    let body = if is_bodyless { Decoder::Over } else { body };
    let is_ambiguous = told.coding != Coding::None && told.length != Lengths::None;
    let keep_alive = told.keeps_alive(is_new) && body != Decoder::UntilClose && !is_ambiguous;
    Ok(Some(ResponseHead { status, headers, lines, follows: Follows { framing, body, keep_alive } }))
}

/// Takes the bytes of a head out of what was read; `None` if its end has not come.
fn whole(input: &mut BytesMut, seen: usize, bytes_max: usize) -> Result<Option<Bytes>, HeadFault> {
    match end(input, seen) {
        Some(end) if end <= bytes_max => Ok(Some(input.split_to(end).freeze())),
        None if input.len() <= bytes_max => Ok(None),
        Some(_) | None => Err(HeadFault::TooLarge),
    }
}

/// Where the head ends: behind an empty line.
fn end(input: &[u8], seen: usize) -> Option<usize> {
    let mut from = seen.saturating_sub(3);
    loop {
        from += memchr::memchr(b'\n', input.get(from..)?)? + 1;
        match &input[from..] {
            [b'\n', ..] => return Some(from + 1),
            [b'\r', b'\n', ..] => return Some(from + 2),
            _ => {}
        }
    }
}

/// Whether the beginning of a head is looked at, so that nonsense is refused at once: the first time, and whenever it has
/// doubled.
const fn is_worth_a_look(input: &[u8], seen: usize) -> bool {
    seen == 0 || input.len() / 2 >= seen
}

/// Whether the bytes begin with the SETTINGS frame that HTTP/2 begins with (RFC 9113, section 3.4): of stream 0, no
/// acknowledgement, and as long as a few settings.
const fn is_http2(input: &[u8]) -> bool {
    matches!(input, [0, 0, _, 4, 0, 0, 0, 0, 0, ..])
}

/// What headers say about the connection and the body.
#[derive(Debug, Clone, Copy)]
struct Told {
    coding: Coding,
    length: Lengths,
    close: bool,
    keep_alive: bool,
    expects: bool,
    takes_trailers: bool,
}

/// How `Transfer-Encoding` ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    None,
    Chunked,
    Other,
}

/// What `Content-Length` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lengths {
    None,
    /// The same in all lines; a list repeats it within one.
    One {
        bytes: u64,
        is_list: bool,
    },
    Broken,
}

impl Told {
    const fn keeps_alive(&self, is_new: bool) -> bool {
        !self.close && (is_new || self.keep_alive)
    }

    fn hear(&mut self, name: &HeaderName, value: &[u8]) {
        match *name {
            CONTENT_LENGTH => self.length = self.length.and(value),
            TRANSFER_ENCODING => {
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                let is_chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
                self.coding = if is_chunked { Coding::Chunked } else { Coding::Other };
            }
            CONNECTION => {
                for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= token.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            EXPECT => self.expects |= value.eq_ignore_ascii_case(b"100-continue"),
            TE => {
                let mut tokens = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                self.takes_trailers |= tokens.any(|token| token.eq_ignore_ascii_case(b"trailers"));
            }
            _ => {}
        }
    }
}

impl Lengths {
    fn and(mut self, value: &[u8]) -> Self {
        let is_list = value.contains(&b',');
        for number in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self = match (self, number_of(number)) {
                (Self::None, Some(bytes)) => Self::One { bytes, is_list },
                (Self::One { bytes, is_list: was }, Some(same)) if same == bytes => {
                    Self::One { bytes, is_list: was || is_list }
                }
                _ => Self::Broken,
            };
        }
        self
    }
}

/// A decimal number, and nothing else.
fn number_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// The lines of a head, put together.
struct Collected {
    headers: HeaderMap,
    lines: FramingLines,
    told: Told,
}

/// Puts the lines together; names and values share the head's text.
fn collect(text: &Bytes, parsed: &[httparse::Header<'_>]) -> Result<Collected, HeadFault> {
    let (mut headers, mut lines) = (spare::headers(), FramingLines::None);
    headers.reserve(parsed.len());
    let (coding, length) = (Coding::None, Lengths::None);
    let mut told = Told { coding, length, close: false, keep_alive: false, expects: false, takes_trailers: false };
    for line in parsed {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| HeadFault::Malformed)?;
        let is_repeated = name == CONTENT_LENGTH && told.length != Lengths::None;
        told.hear(&name, line.value);
        // The same length once more: one line goes on (RFC 9112, section 6.3). Another one is refused, beside chunks by who judges the
        // lines, so that it must be among them.
        if is_repeated && told.length != Lengths::Broken {
            continue;
        }
        let value = HeaderValue::from_maybe_shared(text.slice_ref(line.value)).map_err(|_| HeadFault::Malformed)?;
        match name {
            CONTENT_LENGTH => lines = lines.with_length(value),
            TRANSFER_ENCODING => lines = lines.with_coding(value),
            name => _ = headers.try_append(name, value).map_err(|_| HeadFault::TooLarge)?,
        }
    }
    Ok(Collected { headers, lines, told })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1000;

    fn request_of(text: &str) -> Result<Option<RequestHead>, HeadFault> {
        request(&mut BytesMut::from(text), 0, MAX)
    }

    fn response_of(text: &str, asked: Method) -> Result<ResponseHead, HeadFault> {
        response(&mut BytesMut::from(text), 0, (MAX, &asked)).map(|head| head.expect("a whole head"))
    }

    #[test]
    fn request_framing_table() {
        let rows: &[(&str, Option<(Framing, bool)>)] = &[
            ("GET / HTTP/1.1\r\n\r\n", Some((Framing::None, true))),
            ("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", Some((Framing::None, false))),
            ("GET / HTTP/1.1\r\nconnection: x, close\r\n\r\n", Some((Framing::None, false))),
            ("GET / HTTP/1.0\r\n\r\n", Some((Framing::None, false))),
            ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", Some((Framing::None, true))),
            ("POST / HTTP/1.1\r\ncontent-length: 12\r\n\r\n", Some((Framing::Length(12), true))),
            ("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", Some((Framing::Length(0), true))),
            ("POST / HTTP/1.1\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\n", Some((Framing::Length(4), true))),
            ("POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n", Some((Framing::Chunked, true))),
            (
                "POST / HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n",
                Some((Framing::Chunked, false)),
            ),
            ("POST / HTTP/1.1\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n", None),
            ("POST / HTTP/1.1\r\ncontent-length: 4, 4\r\n\r\n", None),
            ("POST / HTTP/1.1\r\ncontent-length: +4\r\n\r\n", None),
            ("POST / HTTP/1.1\r\ncontent-length:\r\n\r\n", None),
            ("POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n", None),
            ("POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n", None),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked, gzip\r\n\r\n", None),
            ("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", None),
            ("GET / HTTP/1.1\r\na : b\r\n\r\n", None),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", None),
            ("GET / HTTP/1.1\r\na: \0\r\n\r\n", None),
            ("GET / HTTP/1.1\r\na: b\rc\r\n\r\n", None),
            ("GET  / HTTP/1.1\r\n\r\n", None),
            ("GET /\r\n\r\n", None),
        ];
        for (text, expected) in rows {
            let got = request_of(text).map(|head| head.expect("a whole head"));
            let expected = expected.ok_or(HeadFault::Malformed);
            assert_eq!(got.map(|head| (head.framing, head.keep_alive)), expected, "{text:?}");
        }
    }

    #[test]
    fn a_length_that_is_repeated_is_told_once_and_one_that_differs_is_told() {
        let head = request_of("POST / HTTP/1.1\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\n").unwrap().unwrap();
        assert!(head.headers.is_empty());
        assert_eq!(head.spelling.lines().length().unwrap(), "2");
        for (lengths, told) in
            [("2\r\ncontent-length: 3", "2, 3"), ("2\r\ncontent-length: 02\r\ncontent-length: x", "2, x")]
        {
            let head = format!("POST / HTTP/1.1\r\ncontent-length: {lengths}\r\ntransfer-encoding: chunked\r\n\r\n");
            let head = request_of(&head).unwrap().unwrap();
            assert_eq!(
                (head.spelling.lines().length().unwrap().to_str().unwrap(), head.spelling.lines().bytes()),
                (told, None)
            );
        }
    }

    #[test]
    fn response_framing_table() {
        type Row<'a> = (&'a str, Method, Result<(Framing, Decoder, bool), HeadFault>);
        let rows: &[Row<'_>] = &[
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
                Method::GET,
                Ok((Framing::Length(5), Decoder::Length(5), true)),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\n",
                Method::GET,
                Ok((Framing::Length(5), Decoder::Length(5), true)),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
                Method::HEAD,
                Ok((Framing::Length(5), Decoder::Over, true)),
            ),
            ("HTTP/1.1 204 No\r\n\r\n", Method::GET, Ok((Framing::None, Decoder::Over, true))),
            (
                "HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n",
                Method::GET,
                Ok((Framing::Length(5), Decoder::Over, true)),
            ),
            (
                "HTTP/1.1 304 No\r\ntransfer-encoding: chunked\r\n\r\n",
                Method::GET,
                Ok((Framing::Chunked, Decoder::Over, true)),
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", Method::GET, Ok((Framing::Chunked, Decoder::UntilClose, false))),
            (
                "HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n",
                Method::GET,
                Ok((Framing::Chunked, Decoder::chunked(), true)),
            ),
            (
                "HTTP/1.1 200\r\ntransfer-encoding: gzip\r\n\r\n",
                Method::GET,
                Ok((Framing::Chunked, Decoder::UntilClose, false)),
            ),
            (
                "HTTP/1.1 200\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
                Method::GET,
                Ok((Framing::Chunked, Decoder::chunked(), false)),
            ),
            (
                "HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n",
                Method::GET,
                Ok((Framing::Length(5), Decoder::Length(5), false)),
            ),
            (
                "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\n",
                Method::GET,
                Ok((Framing::Length(5), Decoder::Length(5), true)),
            ),
            ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Method::GET, Err(HeadFault::Malformed)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\n", Method::GET, Err(HeadFault::Malformed)),
            ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", Method::HEAD, Err(HeadFault::Malformed)),
            ("HTTP/1.1 99 OK\r\n\r\n", Method::GET, Err(HeadFault::Malformed)),
            ("nonsense\r\n\r\n", Method::GET, Err(HeadFault::Malformed)),
            ("\0\0\x12\x04\0\0\0\0\0", Method::GET, Err(HeadFault::OtherProtocol)),
        ];
        for (text, asked, expected) in rows {
            let got = response_of(text, asked.clone())
                .map(|head| (head.follows.framing, head.follows.body, head.follows.keep_alive));
            assert_eq!(got, *expected, "{text:?}");
        }
    }

    #[test]
    fn a_head_is_taken_whole_and_what_follows_stays() {
        let text = "POST /a?b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nTE: gzip, trailers\r\nexpect: 100-Continue\r\n\r\nbody";
        let mut input = BytesMut::new();
        let mut head = None;
        for byte in text.as_bytes() {
            let seen = input.len();
            input.extend_from_slice(&[*byte]);
            if head.is_none() {
                head = request(&mut input, seen, MAX).unwrap();
            }
        }
        let head = head.unwrap();
        assert_eq!((head.method, head.uri.to_string().as_str()), (Method::POST, "/a?b"));
        assert_eq!(head.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert!(head.takes_trailers && head.expects);
        assert_eq!(&input[..], b"body");
    }

    #[test]
    fn nonsense_is_told_before_its_end() {
        let rows = ["\x16\x03\x01\x02\0\x01", "nonsense\0", "GET / HTTP/1.1\r\nhost: a\0"];
        for text in rows {
            assert_eq!(request_of(text).unwrap_err(), HeadFault::Malformed, "{text:?}");
        }
        assert_eq!(response_of("HTTQ", Method::GET).unwrap_err(), HeadFault::Malformed);
        assert!(request_of("\r\n\r\nGET / HTTP/1.1\r\n\r\n").unwrap().is_some());
    }

    #[test]
    fn another_version_is_told_from_nonsense() {
        for (text, fault) in [
            ("GET / HTTP/1.2\r\n\r\n", HeadFault::Version),
            ("PRI * HTTP/2.0\r\n\r\n", HeadFault::Version),
            ("PRI * HTTP/2.0", HeadFault::Version),
            ("GET / HTTP/1.1\r\na : b\r\n\r\n", HeadFault::Malformed),
            ("GET / HTTP/11\r\n\r\n", HeadFault::Malformed),
            ("GET /a b HTTP/1.1\r\n\r\n", HeadFault::Malformed),
        ] {
            assert_eq!(request_of(text).unwrap_err(), fault, "{text:?}");
        }
    }

    #[test]
    fn heads_have_bounds() {
        assert_eq!(request_of(&"x".repeat(MAX + 1)).unwrap_err(), HeadFault::TooLarge);
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(MAX));
        assert_eq!(request_of(&long).unwrap_err(), HeadFault::TooLarge);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: 1\r\n".repeat(HEADER_LINES_MAX + 1));
        assert_eq!(request(&mut BytesMut::from(many.as_str()), 0, 1 << 20).unwrap_err(), HeadFault::TooLarge);
        let answer = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(MAX));
        assert_eq!(response_of(&answer, Method::GET).unwrap_err(), HeadFault::TooLarge);
    }
}
