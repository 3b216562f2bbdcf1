//! What comes of the bytes of a framed body (RFC 9112, sections 6 and 7).

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::framing::Framing;
use crate::limits::{
    CHUNK_EXTENSIONS_BYTES_MAX, CHUNK_LINE_BYTES_MAX, COPIED_BYTES_MAX, HEADER_LINES_MAX, TRAILER_BYTES_MAX,
};

/// The rest of a body that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// Everything until the end of the stream.
    UntilClose,
    /// Nothing any more.
    Over,
}

impl From<Framing> for Decoder {
    /// The body of a request, which never ends by the connection's end.
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None => Self::Over,
            Framing::Length(bytes) => Self::length(bytes),
            Framing::Chunked => Self::chunked(),
            Framing::Switched => Self::UntilClose,
        }
    }
}

/// Where a chunked body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunks {
    at: At,
    /// Bytes of chunks' lines so far that say nothing of a size: extensions, and zeros in front of a number.
    idle: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a chunk's size.
    Size,
    /// Within a chunk of which so much is left.
    Data(u64),
    /// After a chunk's data, before its line end.
    End,
    /// After the last chunk.
    Trailers,
}

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Bytes, at least one.
    Data(Bytes),
    /// The trailers. The body is over.
    Trailers(HeaderMap),
    /// The body is over.
    End,
    /// Nothing before more is read.
    More,
}

/// The framing is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl Decoder {
    /// For a body of a known length.
    pub(crate) const fn length(bytes: u64) -> Self {
        if bytes == 0 { Self::Over } else { Self::Length(bytes) }
    }

    /// For a body in chunks.
    pub(crate) const fn chunked() -> Self {
        Self::Chunked(Chunks { at: At::Size, idle: 0 })
    }

    /// Whether the body is over.
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Bytes that are still to come, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Over => Some(0),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// How much more is worth reading at once.
    pub(crate) const fn wanted(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(Chunks { at: At::Data(left), .. }) => left.saturating_add(2),
            Self::Chunked(_) | Self::Over => 0,
            Self::UntilClose => u64::MAX,
        }
    }

    /// Takes the next piece out of what was read.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Piece, Broken> {
        match self {
            Self::Over => Ok(Piece::End),
            Self::UntilClose if input.is_empty() => Ok(Piece::More),
            Self::UntilClose => Ok(Piece::Data(input.split().freeze())),
            Self::Length(_) if input.is_empty() => Ok(Piece::More),
            Self::Length(left) => {
                let data = take(input, left);
                if *left == 0 {
                    *self = Self::Over;
                }
                Ok(Piece::Data(data))
            }
            Self::Chunked(chunks) => {
                let piece = chunks.next(input)?;
                if matches!(piece, Piece::End | Piece::Trailers(_)) {
                    *self = Self::Over;
                }
                Ok(piece)
            }
        }
    }

    /// The stream has ended, with nothing left to take.
    pub(crate) fn closed(&mut self) -> Result<(), Broken> {
        match self {
            Self::UntilClose => *self = Self::Over,
            Self::Over => {}
            Self::Length(_) | Self::Chunked(_) => return Err(Broken),
        }
        Ok(())
    }
}

/// Takes up to `left` bytes.
fn take(input: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *left -= length as u64;
    input.split_to(length).freeze()
}

impl Chunks {
    /// The data of small chunks that are here comes as one piece, so that their number is not the number of pieces.
    fn next(&mut self, input: &mut BytesMut) -> Result<Piece, Broken> {
        let first = match self.step(input)? {
            Piece::Data(first) if first.len() < COPIED_BYTES_MAX && !input.is_empty() => first,
            Piece::More if self.at == At::Trailers => return trailers(input),
            piece => return Ok(piece),
        };
        let mut joined = BytesMut::new();
        self.skim(input, &first, &mut joined);
        while joined.len() < COPIED_BYTES_MAX && self.at != At::Trailers {
            // What is broken is found again with the next call: nothing of it was taken.
            let Ok(Piece::Data(data)) = self.step(input) else { break };
            if joined.is_empty() {
                joined.reserve(COPIED_BYTES_MAX);
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
        Ok(Piece::Data(if joined.is_empty() { first } else { joined.freeze() }))
    }

    /// Joins whole small chunks that follow the first piece, in place: the work for a chunk must not outweigh its bytes, since their number
    /// is the sender's choice. Whatever is not that is left to be found as usual.
    fn skim(&mut self, input: &mut BytesMut, first: &[u8], joined: &mut BytesMut) {
        if self.at != At::End {
            return;
        }
        let mut taken = 0;
        while joined.len() < COPIED_BYTES_MAX {
            let Some((data, idle, end)) = input.get(taken..).and_then(small_chunk) else { break };
            if self.idle + idle > CHUNK_EXTENSIONS_BYTES_MAX {
                break;
            }
            self.idle += idle;
            if joined.is_empty() {
                joined.reserve(COPIED_BYTES_MAX);
                joined.extend_from_slice(first);
            }
            joined.extend_from_slice(data);
            taken += end;
        }
        input.advance(taken);
    }

    /// One chunk's data. Nothing is taken of the trailers.
    fn step(&mut self, input: &mut BytesMut) -> Result<Piece, Broken> {
        loop {
            match &mut self.at {
                At::Size => {
                    let Some(line) = line(input, CHUNK_LINE_BYTES_MAX)? else { return Ok(Piece::More) };
                    let (size, idle) = size(&input[..line])?;
                    if self.idle + idle > CHUNK_EXTENSIONS_BYTES_MAX {
                        return Err(Broken);
                    }
                    self.idle += idle;
                    let _ = input.split_to(line + 2);
                    self.at = if size == 0 { At::Trailers } else { At::Data(size) };
                }
                At::Data(_) if input.is_empty() => return Ok(Piece::More),
                At::Data(left) => {
                    let data = take(input, left);
                    if *left == 0 {
                        self.at = At::End;
                    }
                    return Ok(Piece::Data(data));
                }
                At::End => match &input[..] {
                    [b'\r', b'\n', ..] => {
                        let _ = input.split_to(2);
                        self.at = At::Size;
                    }
                    [] | [b'\r'] => return Ok(Piece::More),
                    _ => return Err(Broken),
                },
                At::Trailers => return Ok(Piece::More),
            }
        }
    }
}

/// The line end of a chunk's data and a whole small chunk behind it: that one's data, the idle bytes of its line, and where its data
/// ends.
fn small_chunk(input: &[u8]) -> Option<(&[u8], usize, usize)> {
    let rest = input.strip_prefix(b"\r\n")?;
    let line = line(rest, CHUNK_LINE_BYTES_MAX).ok()??;
    let (bytes, idle) = size(&rest[..line]).ok()?;
    let bytes = usize::try_from(bytes).ok().filter(|bytes| (1..=COPIED_BYTES_MAX).contains(bytes))?;
    let data = rest.get(line + 2..line + 2 + bytes)?;
    Some((data, idle, line + 4 + bytes))
}

/// Where the line ends that the input begins with; `None` if its end has not come.
fn line(input: &[u8], bytes_max: usize) -> Result<Option<usize>, Broken> {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) if end > 0 && input[end - 1] == b'\r' && end <= bytes_max => Ok(Some(end - 1)),
        Some(_) => Err(Broken),
        None if input.len() > bytes_max => Err(Broken),
        None => Ok(None),
    }
}

/// The size that a chunk begins with, and how many bytes of its line do not help to say it: extensions, and zeros in front, of which
/// there may be any number (RFC 9112, section 7.1).
fn size(line: &[u8]) -> Result<(u64, usize), Broken> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, rest) = line.split_at(digits);
    let number = std::str::from_utf8(number).map_err(|_| Broken)?;
    // Also refuses a size without digits, and one that is too large.
    let size = u64::from_str_radix(number, 16).map_err(|_| Broken)?;
    let zeros = number.len() - number.trim_start_matches('0').len().max(1);
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_extension = rest.get(blanks).is_none_or(|first| *first == b';');
    let is_plain = rest.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if is_extension && is_plain { Ok((size, zeros + rest.len())) } else { Err(Broken) }
}

/// Whether a line of the trailers ends in LF alone. What follows the trailers is not looked at.
fn has_bare_line_end(input: &[u8]) -> bool {
    let mut line = 0;
    for at in memchr::memchr_iter(b'\n', input) {
        if at == 0 || input[at - 1] != b'\r' {
            return true;
        }
        if at == line + 1 {
            return false;
        }
        line = at + 1;
    }
    false
}

fn trailers(input: &mut BytesMut) -> Result<Piece, Broken> {
    match &input[..] {
        [b'\r', b'\n', ..] => {
            let _ = input.split_to(2);
            return Ok(Piece::End);
        }
        [] | [b'\r'] => return Ok(Piece::More),
        _ => {}
    }
    // `httparse` takes a bare LF for a line's end, and others in front of us do not.
    if has_bare_line_end(input) {
        return Err(Broken);
    }
    let mut lines = [httparse::EMPTY_HEADER; HEADER_LINES_MAX];
    let (length, headers) = match httparse::parse_headers(input, &mut lines) {
        Ok(httparse::Status::Complete((length, lines))) if length <= TRAILER_BYTES_MAX => {
            let mut headers = HeaderMap::with_capacity(lines.len());
            for line in lines {
                let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| Broken)?;
                headers.append(name, HeaderValue::from_bytes(line.value).map_err(|_| Broken)?);
            }
            (length, headers)
        }
        Ok(httparse::Status::Partial) if input.len() <= TRAILER_BYTES_MAX => return Ok(Piece::More),
        Ok(_) | Err(_) => return Err(Broken),
    };
    let _ = input.split_to(length);
    Ok(Piece::Trailers(headers))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Data, trailers, and what follows.
    type Decoded = (Vec<u8>, Option<HeaderMap>, Vec<u8>);

    /// Everything that comes of a body which arrives in pieces of this size.
    fn decode(mut decoder: Decoder, bytes: &[u8], step: usize) -> Result<Decoded, Broken> {
        let (mut input, mut rest) = (BytesMut::new(), bytes);
        let (mut data, mut trailers) = (Vec::new(), None);
        loop {
            match decoder.next(&mut input)? {
                Piece::Data(bytes) => {
                    assert!(!bytes.is_empty());
                    data.extend_from_slice(&bytes);
                }
                Piece::Trailers(found) => trailers = Some(found),
                Piece::End => return Ok((data, trailers, [&input, rest].concat())),
                Piece::More if rest.is_empty() => decoder.closed()?,
                Piece::More => {
                    let (now, later) = rest.split_at(step.min(rest.len()));
                    input.extend_from_slice(now);
                    rest = later;
                }
            }
        }
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        type Row<'a> = (Decoder, &'a str, Result<(&'a str, &'a str), Broken>);
        let rows: &[Row<'_>] = &[
            (Decoder::length(0), "next", Ok(("", "next"))),
            (Decoder::length(3), "abcnext", Ok(("abc", "next"))),
            (Decoder::length(3), "ab", Err(Broken)),
            (Decoder::UntilClose, "abc", Ok(("abc", ""))),
            (Decoder::chunked(), "3\r\nabc\r\n0\r\n\r\nnext", Ok(("abc", "next"))),
            (Decoder::chunked(), "3;a=b\r\nabc\r\n00 ;c\r\n\r\n", Ok(("abc", ""))),
            (Decoder::chunked(), "3  \r\nabc\r\n0\r\nx: 1\r\n\r\nnext", Ok(("abc", "next"))),
            (Decoder::chunked(), "A\r\n0123456789\r\n0\r\n\r\n", Ok(("0123456789", ""))),
            (Decoder::chunked(), "3\r\nabc\r\n", Err(Broken)),
            (Decoder::chunked(), "3\r\nabcd\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "3\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "0x3\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "+3\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "-3\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "3 3\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "3;a\rb\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "3;a\nb\r\nabc\r\n0\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "10000000000000000\r\n", Err(Broken)),
            (Decoder::chunked(), "0\r\nx : 1\r\n\r\n", Err(Broken)),
            (Decoder::chunked(), "0\r\nx: 1", Err(Broken)),
            (Decoder::chunked(), "0\r\n\nnext", Err(Broken)),
            (Decoder::chunked(), "0\r\nx: 1\n\r\n", Err(Broken)),
            (Decoder::chunked(), "0\r\nx: 1\r\n\n", Err(Broken)),
            (Decoder::chunked(), "0\r\nx: 1\r\n\r\nne\nxt", Ok(("", "ne\nxt"))),
        ];
        for (decoder, bytes, expected) in rows {
            for step in [1, 2, 3, 1000] {
                let got = decode(decoder.clone(), bytes.as_bytes(), step).map(|(data, _, rest)| (data, rest));
                let expected = expected.map(|(data, rest)| (data.as_bytes().to_vec(), rest.as_bytes().to_vec()));
                assert_eq!(got, expected, "{bytes:?} by {step}");
            }
        }
    }

    #[test]
    fn trailers_are_told() {
        let (_, trailers, _) = decode(Decoder::chunked(), b"1\r\na\r\n0\r\nx: 1\r\nX: 2\r\n\r\n", 4).unwrap();
        let trailers = trailers.unwrap();
        assert_eq!(trailers.get_all("x").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn lines_of_chunks_and_trailers_have_bounds() {
        let long = "x".repeat(CHUNK_LINE_BYTES_MAX);
        assert_eq!(decode(Decoder::chunked(), format!("1;{long}\r\na\r\n0\r\n\r\n").as_bytes(), 64), Err(Broken));
        let some = "x".repeat(CHUNK_LINE_BYTES_MAX / 2);
        let many = format!("1;{some}\r\na\r\n").repeat(2 * CHUNK_EXTENSIONS_BYTES_MAX / CHUNK_LINE_BYTES_MAX + 1);
        assert_eq!(decode(Decoder::chunked(), many.as_bytes(), 64), Err(Broken));
        // Zeros say as little as extensions do.
        let zeros = "0".repeat(CHUNK_LINE_BYTES_MAX / 2 - 2);
        let spelled = |chunks: usize| format!("{}0\r\n\r\n", format!("{zeros}1\r\na\r\n").repeat(chunks));
        let chunks = CHUNK_EXTENSIONS_BYTES_MAX / zeros.len();
        assert!(decode(Decoder::chunked(), spelled(chunks).as_bytes(), 64).is_ok());
        assert_eq!(decode(Decoder::chunked(), spelled(chunks + 1).as_bytes(), 64), Err(Broken));
        let trailer = format!("0\r\nx: {}\r\n\r\n", "x".repeat(TRAILER_BYTES_MAX));
        assert_eq!(decode(Decoder::chunked(), trailer.as_bytes(), 1000), Err(Broken));
        let lines = format!("0\r\n{}\r\n", "x: 1\r\n".repeat(HEADER_LINES_MAX + 1));
        assert_eq!(decode(Decoder::chunked(), lines.as_bytes(), 1000), Err(Broken));
    }

    #[test]
    fn small_chunks_come_as_one_piece_and_large_ones_as_they_are() {
        let mut input = BytesMut::from("1\r\na\r\n".repeat(3 * COPIED_BYTES_MAX).as_str());
        let mut decoder = Decoder::chunked();
        for _ in 0..3 {
            assert_eq!(decoder.next(&mut input), Ok(Piece::Data(Bytes::from(vec![b'a'; COPIED_BYTES_MAX]))));
        }
        assert_eq!((decoder.next(&mut input), input.is_empty()), (Ok(Piece::More), true));
        let (small, large) = ("1\r\na\r\n", format!("4000\r\n{}\r\n", "b".repeat(0x4000)));
        let mut input = BytesMut::from(format!("{small}{small}x\r\n").as_str());
        assert_eq!(decoder.next(&mut input), Ok(Piece::Data(Bytes::from_static(b"aa"))));
        assert_eq!(decoder.next(&mut input), Err(Broken));
        let mut decoder = Decoder::chunked();
        let mut input = BytesMut::from(format!("{large}{small}0\r\nx: 1\r\n\r\n").as_str());
        let from = input[6..].as_ptr();
        let Ok(Piece::Data(data)) = decoder.next(&mut input) else { panic!("no data") };
        assert_eq!((data.len(), data.as_ptr()), (0x4000, from), "nothing was copied");
        assert_eq!(decoder.next(&mut input), Ok(Piece::Data(Bytes::from_static(b"a"))));
        assert!(matches!(decoder.next(&mut input), Ok(Piece::Trailers(_))));
    }

    proptest! {
        #[test]
        fn how_bytes_arrive_does_not_matter(text in "[0-9a-c;:\r\n x]{0,40}", step in 1_usize..9) {
            let whole = decode(Decoder::chunked(), text.as_bytes(), 1000);
            prop_assert_eq!(decode(Decoder::chunked(), text.as_bytes(), step), whole);
        }

        #[test]
        fn chunks_carry_what_was_put_into_them(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..5)) {
            let mut bytes = Vec::new();
            for part in &parts {
                bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\nnext");
            let (data, _, rest) = decode(Decoder::chunked(), &bytes, 7).unwrap();
            prop_assert_eq!(data, parts.concat());
            prop_assert_eq!(rest, b"next".to_vec());
        }
    }
}
