//! How a message's body is framed, as one value: [`Framing`] is made where a message enters (`http1::head`, `http::body` for
//! HTTP/2 and hyper's connections, the constructors of bodies), travels with the body, and is written by whoever writes the head
//! (`http1::encode`, [`write_length`] for the same). No header says it in between: `Content-Length` and `Transfer-Encoding` leave the headers at the entrance, and no encoder
//! takes them from there. What stood in them is kept as [`FramingLines`] for those who show or judge what a client sent.
//!
//! Also refuses requests whose framing or target could be read in two ways and that their connection lets through: a missing or second
//! `Host`, targets that are not in origin form, transfer codings other than exactly `chunked`, and lengths that are said
//! twice or are none. What the connection refuses by itself (over HTTP/1.1 differing lengths, folded headers, NUL and bare CR, chunked
//! in HTTP/1.0) needs nothing here.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Uri, Version};

use super::survey::Survey;
use crate::limits::REQUEST_HEAD_BYTES_MAX;

/// How a body is framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Nothing is said of a body, and there is none.
    #[default]
    None,
    /// By so many bytes. In an answer to HEAD, and in a 304, it describes a body that does not come.
    Length(u64),
    /// By its own end, wherever that is: in chunks, in frames of HTTP/2, or until an old client's connection ends.
    Chunked,
    /// By no rule of HTTP: it is what follows on a connection that is switched to another protocol (RFC 9110, section 7.8).
    Switched,
}

impl Framing {
    /// Of a body that is here.
    pub(crate) const fn of_bytes(bytes: usize) -> Self {
        Self::Length(bytes as u64)
    }

    /// The lines that say it in a request.
    pub(crate) fn lines(self) -> FramingLines {
        match self {
            Self::None | Self::Switched => FramingLines::None,
            Self::Length(0) => FramingLines::Length(HeaderValue::from_static("0")),
            Self::Length(bytes) => FramingLines::Length(HeaderValue::from(bytes)),
            Self::Chunked => FramingLines::Coding(HeaderValue::from_static("chunked")),
        }
    }

    /// What is said of it in an answer, whose coding concerns one connection alone.
    pub(crate) fn of_answer(self) -> Self {
        if self == Self::Chunked { Self::None } else { self }
    }

    /// Bytes of those lines as HTTP/1.1 writes them.
    pub(crate) fn line_bytes(self) -> usize {
        let (name, value) = match self {
            Self::None | Self::Switched => return 0,
            Self::Length(bytes) => (CONTENT_LENGTH, digits(bytes)),
            Self::Chunked => (TRANSFER_ENCODING, "chunked".len()),
        };
        name.as_str().len() + ": ".len() + value + "\r\n".len()
    }
}

/// How many digits a number has.
fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A body that knows how its head frames it. No other can be sent: whoever writes a head asks its body.
pub(crate) trait WithFraming {
    /// How it is framed, as whoever writes its head says it.
    fn framing(&self) -> Framing;
}

/// Says in a head how long a body is, for HTTP/2 or a connection of hyper's: the rest of the framing is in frames, or hyper's.
pub(crate) fn write_length(headers: &mut HeaderMap, framing: Framing) {
    headers.remove(TRANSFER_ENCODING);
    match framing {
        Framing::Length(bytes) => _ = headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes)),
        Framing::None | Framing::Chunked | Framing::Switched => _ = headers.remove(CONTENT_LENGTH),
    }
}

/// The lines of a head that say how its body is framed, as they came. They decide nothing: they are shown, signed, mapped and judged.
#[derive(Debug, Clone, Default)]
pub(crate) enum FramingLines {
    /// There are none.
    #[default]
    None,
    /// `Content-Length`.
    Length(HeaderValue),
    /// `Transfer-Encoding`.
    Coding(HeaderValue),
    /// Both.
    Both(Box<(HeaderValue, HeaderValue)>),
}

impl FramingLines {
    /// Takes them out of headers that another parser made.
    pub(crate) fn take(headers: &mut HeaderMap) -> Self {
        let mut lines = Self::None;
        for value in headers.get_all(CONTENT_LENGTH) {
            lines = lines.with_length(value.clone());
        }
        for value in headers.get_all(TRANSFER_ENCODING) {
            lines = lines.with_coding(value.clone());
        }
        if !matches!(lines, Self::None) {
            headers.remove(CONTENT_LENGTH);
            headers.remove(TRANSFER_ENCODING);
        }
        lines
    }

    /// With one more `Content-Length`.
    pub(crate) fn with_length(self, value: HeaderValue) -> Self {
        match self {
            Self::None => Self::Length(value),
            Self::Length(before) => Self::Length(joined(&before, value)),
            Self::Coding(coding) => Self::Both(Box::new((value, coding))),
            Self::Both(mut both) => {
                both.0 = joined(&both.0, value);
                Self::Both(both)
            }
        }
    }

    /// With one more `Transfer-Encoding`.
    pub(crate) fn with_coding(self, value: HeaderValue) -> Self {
        match self {
            Self::None => Self::Coding(value),
            Self::Coding(before) => Self::Coding(joined(&before, value)),
            Self::Length(length) => Self::Both(Box::new((length, value))),
            Self::Both(mut both) => {
                both.1 = joined(&both.1, value);
                Self::Both(both)
            }
        }
    }

    /// What `Content-Length` says.
    pub(crate) const fn length(&self) -> Option<&HeaderValue> {
        match self {
            Self::Length(length) => Some(length),
            Self::Both(both) => Some(&both.0),
            Self::None | Self::Coding(_) => None,
        }
    }

    /// What `Transfer-Encoding` says.
    pub(crate) const fn coding(&self) -> Option<&HeaderValue> {
        match self {
            Self::Coding(coding) => Some(coding),
            Self::Both(both) => Some(&both.1),
            Self::None | Self::Length(_) => None,
        }
    }

    /// Each with its name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let length = self.length().map(|value| (CONTENT_LENGTH, value));
        length.into_iter().chain(self.coding().map(|value| (TRANSFER_ENCODING, value)))
    }

    /// The one of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&HeaderValue> {
        self.iter().find(|(own, _)| own.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers of a message with these among them, as it came.
    pub(crate) fn among<'h>(&self, headers: &'h HeaderMap) -> Cow<'h, HeaderMap> {
        let mut whole = Cow::Borrowed(headers);
        for (name, value) in self.iter() {
            whole.to_mut().insert(name, value.clone());
        }
        whole
    }

    /// The length that is said, where it is a number and said once (RFC 9110, section 8.6).
    pub(crate) fn bytes(&self) -> Option<u64> {
        let text = self.length()?.to_str().ok()?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    }

    /// Whether the coding is `chunked` alone, or none is said.
    pub(crate) fn is_chunked_or_absent(&self) -> bool {
        self.coding().is_none_or(|only| only.as_bytes().eq_ignore_ascii_case(b"chunked"))
    }
}

fn joined(before: &HeaderValue, value: HeaderValue) -> HeaderValue {
    // Two values and a comma are a value.
    HeaderValue::from_bytes(&[before.as_bytes(), value.as_bytes()].join(&b", "[..])).unwrap_or(value)
}

/// What is wrong with a request head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// HTTP/1.1 without `Host`, an HTTP/2 request without authority, or one that is no host.
    NoHost,
    /// More than one `Host`, or one that disagrees with the authority.
    ManyHosts,
    /// An absolute, authority or asterisk target.
    Target,
    /// A transfer coding that is not exactly `chunked`.
    Coding,
    /// A length that is said twice, or is no number (RFC 9110, section 8.6).
    Length,
    /// Too many bytes.
    TooLarge,
}

/// That a request head can be read in one way only. Only [`check`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framed(());

/// Checks a request head, and that it is as small as API Gateway takes it.
pub(crate) fn check(
    head: (&Method, &Uri, Version),
    (headers, lines): (&HeaderMap, &FramingLines),
    seen: &Survey,
) -> Result<Framed, Malformed> {
    if !is_small(head.0, head.1, seen) {
        return Err(Malformed::TooLarge);
    }
    check_form(head, (headers, lines), seen)
}

/// Checks a request head of whatever size.
pub(crate) fn check_form(
    (method, uri, version): (&Method, &Uri, Version),
    (headers, lines): (&HeaderMap, &FramingLines),
    seen: &Survey,
) -> Result<Framed, Malformed> {
    check_host(uri, version, headers, seen)?;
    // An empty path, which only HTTP/2 can bring, is told as `/` by itself, and would go on as it came.
    let is_rooted = uri.path_and_query().is_some_and(|target| target.as_str().starts_with('/'));
    if !is_rooted || *method == Method::CONNECT {
        return Err(Malformed::Target);
    }
    if lines.length().is_some() && lines.bytes().is_none() {
        return Err(Malformed::Length);
    }
    if lines.is_chunked_or_absent() { Ok(Framed(())) } else { Err(Malformed::Coding) }
}

fn check_host(uri: &Uri, version: Version, headers: &HeaderMap, seen: &Survey) -> Result<(), Malformed> {
    if seen.hosts > 1 {
        return Err(Malformed::ManyHosts);
    }
    let first = headers.get(HOST);
    if version == Version::HTTP_2 {
        // HTTP/2 carries the authority in the target, without a user (RFC 9113, section 8.3.1).
        return match (uri.authority(), first) {
            (Some(authority), _) if authority.as_str().contains('@') => Err(Malformed::Target),
            (Some(authority), Some(host)) if host.as_bytes() != authority.as_str().as_bytes() => {
                Err(Malformed::ManyHosts)
            }
            (None, None) => Err(Malformed::NoHost),
            (None, Some(host)) if !is_host(host.as_bytes()) => Err(Malformed::NoHost),
            _ => Ok(()),
        };
    }
    if uri.scheme().is_some() || uri.authority().is_some() {
        return Err(Malformed::Target);
    }
    let host = first.map_or(&b""[..], HeaderValue::as_bytes);
    if (host.is_empty() && version != Version::HTTP_10) || !is_host(host) {
        return Err(Malformed::NoHost);
    }
    Ok(())
}

/// Whether it is a name or an address, with a port or without (RFC 9112, section 3.2). An old client may name none.
fn is_host(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() && IN_HOST[usize::from(text[at])] {
        at += 1;
    }
    at == text.len()
}

/// The bytes that a host may have. Each request asks for each byte of its own.
const IN_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = matches!(byte as u8, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']' | b'*');
        byte += 1;
    }
    table
};

/// Whether a head is within the bound.
pub(crate) fn is_small(method: &Method, uri: &Uri, seen: &Survey) -> bool {
    line_bytes(method, uri) + seen.bytes <= REQUEST_HEAD_BYTES_MAX
}

/// Bytes of the request line.
pub(crate) fn line_bytes(method: &Method, uri: &Uri) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    // Two blanks, a version of eight bytes and a line end.
    method.as_str().len() + target + 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_lines_are_those_that_are_written() {
        let framings = [Framing::None, Framing::Switched, Framing::Chunked].into_iter();
        let lengths = [0, 9, 10, 99, 100, 12_345, u64::MAX].map(Framing::Length);
        for framing in framings.chain(lengths) {
            let lines = framing.lines();
            let written: String =
                lines.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect();
            assert_eq!(framing.line_bytes(), written.len(), "{framing:?}");
        }
    }

    #[test]
    fn lines_leave_the_headers_and_are_found_again() {
        type Row<'a> = (&'a [(&'static str, &'static str)], Option<&'a str>, Option<&'a str>, Option<u64>);
        let rows: &[Row<'_>] = &[
            (&[], None, None, None),
            (&[("content-length", "05")], Some("05"), None, Some(5)),
            (&[("transfer-encoding", "Chunked")], None, Some("Chunked"), None),
            (&[("transfer-encoding", "chunked"), ("content-length", "5")], Some("5"), Some("chunked"), Some(5)),
            (&[("content-length", "5"), ("content-length", "5")], Some("5, 5"), None, None),
            (
                &[("content-length", "5"), ("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")],
                Some("5"),
                Some("gzip, chunked"),
                Some(5),
            ),
        ];
        for (sent, length, coding, bytes) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("h"));
            for (name, value) in *sent {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let lines = FramingLines::take(&mut headers);
            assert_eq!(headers.len(), 1, "{sent:?}");
            assert_eq!(lines.named("Content-Length").map(|value| value.to_str().unwrap()), *length, "{sent:?}");
            assert_eq!(lines.named("transfer-encoding").map(|value| value.to_str().unwrap()), *coding, "{sent:?}");
            assert_eq!((lines.named("host"), lines.bytes()), (None, *bytes), "{sent:?}");
            assert_eq!(lines.among(&headers).len(), 1 + lines.iter().count(), "{sent:?}");
        }
    }

    #[test]
    fn a_head_for_http2_or_hyper_tells_the_length_and_nothing_else() {
        for (framing, expected) in [(Framing::None, None), (Framing::Length(7), Some("7")), (Framing::Chunked, None)] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("3"));
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("gzip"));
            write_length(&mut headers, framing);
            let told = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap());
            assert_eq!((told, headers.contains_key(TRANSFER_ENCODING)), (expected, false), "{framing:?}");
        }
    }

    #[test]
    fn framing_table() {
        let long = "x".repeat(REQUEST_HEAD_BYTES_MAX);
        type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Result<(), Malformed>);
        let rows: &[Row<'_>] = &[
            ("plain", "/a", &[("host", "h")], Ok(())),
            ("chunked", "/a", &[("host", "h"), ("transfer-encoding", "Chunked")], Ok(())),
            ("no host", "/a", &[], Err(Malformed::NoHost)),
            ("an empty host", "/a", &[("host", "")], Err(Malformed::NoHost)),
            ("a host that is a list", "/a", &[("host", "h, o")], Err(Malformed::NoHost)),
            ("a host with a path", "/a", &[("host", "h/b")], Err(Malformed::NoHost)),
            ("a host with a user", "/a", &[("host", "u@h")], Err(Malformed::NoHost)),
            ("a host with a port", "/a", &[("host", "[::1]:8080")], Ok(())),
            ("two hosts", "/a", &[("host", "h"), ("host", "h")], Err(Malformed::ManyHosts)),
            ("absolute form", "http://h/a", &[("host", "h")], Err(Malformed::Target)),
            ("asterisk form", "*", &[("host", "h")], Err(Malformed::Target)),
            ("gzip, chunked", "/a", &[("host", "h"), ("transfer-encoding", "gzip, chunked")], Err(Malformed::Coding)),
            (
                "chunked twice",
                "/a",
                &[("host", "h"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Err(Malformed::Coding),
            ),
            ("a length", "/a", &[("host", "h"), ("content-length", "5")], Ok(())),
            (
                "the same length twice",
                "/a",
                &[("host", "h"), ("content-length", "5"), ("content-length", "5")],
                Err(Malformed::Length),
            ),
            (
                "a length in another spelling",
                "/a",
                &[("host", "h"), ("content-length", "5"), ("content-length", "05")],
                Err(Malformed::Length),
            ),
            ("an empty length", "/a", &[("host", "h"), ("content-length", "")], Err(Malformed::Length)),
            ("a length with a sign", "/a", &[("host", "h"), ("content-length", "+5")], Err(Malformed::Length)),
            ("a list of lengths", "/a", &[("host", "h"), ("content-length", "5, 5")], Err(Malformed::Length)),
            (
                "a length that is no number beside chunks",
                "/a",
                &[("host", "h"), ("content-length", "x"), ("transfer-encoding", "chunked")],
                Err(Malformed::Length),
            ),
            (
                "a length that no number holds",
                "/a",
                &[("host", "h"), ("content-length", "99999999999999999999")],
                Err(Malformed::Length),
            ),
            ("a long header", "/a", &[("host", "h"), ("x", &long)], Err(Malformed::TooLarge)),
        ];
        for (name, target, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for (header, value) in *lines {
                headers.append(http::HeaderName::from_bytes(header.as_bytes()).unwrap(), value.parse().unwrap());
            }
            let uri: Uri = target.parse().unwrap();
            let lines = FramingLines::take(&mut headers);
            assert!(!headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING), "{name}");
            let seen = Survey::of(&headers, &lines);
            assert_eq!(
                check((&Method::GET, &uri, Version::HTTP_11), (&headers, &lines), &seen).map(|Framed(())| ()),
                *expected,
                "{name}"
            );
        }
    }
}
