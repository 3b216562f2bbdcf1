//! Compression of answers (`minimumCompressionSize`): by what the client accepts, from the API's size on; and bodies of requests that
//! came compressed, whatever the API says of answers (API Gateway developer guide, "Payload compression for REST APIs" and "Call an
//! API method with a compressed payload", 2026-11).

use std::cell::Cell;
use std::io::{self, BufRead, Read, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{CONTENT_ENCODING, HeaderValue};
use http::{HeaderMap, Response};
use http_body::Body as _;
use topology::reason::Reason;
use topology::trace::HopKind;

use super::request::{Opened, Request};
use crate::answer::body::Body;
use crate::gateway::context::Context;
use crate::gateway::refusal::Refusal;
use crate::http::gathered::{self, Unread};
use crate::limits::{ANSWER_BODY_BYTES_MAX, INLINE_WORK_BYTES_MAX, PACKED_IDLE_BYTES_MAX, REQUEST_BODY_BYTES_MAX};
use crate::shared::Shared;
use crate::trace::Recording;

/// The bound of bodies, of which there is no larger one in memory.
const BODY_BYTES_MAX: usize = REQUEST_BODY_BYTES_MAX as usize;

/// A coding of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// The coding that a client wants most, if it wants one of ours.
fn accepted(text: &str) -> Option<Coding> {
    let mut best: Option<(Coding, f32)> = None;
    for entry in text.split(',') {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok()).unwrap_or(1.0_f32);
        let coding = if name == "*" { Some(Coding::Gzip) } else { Coding::named(&name) };
        if let Some(coding) = coding.filter(|_| weight > 0.0)
            && best.is_none_or(|(_, other)| weight > other)
        {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// Compresses an answer, where the API says so and the client takes it.
pub(super) async fn answer(
    shared: &Shared,
    response: Response<Body>,
    context: &Context<'_>,
) -> Result<Response<Body>, Refusal> {
    let Some(rest) = &context.rest else { return Ok(response) };
    let Some(from) = rest.deployment.source.frozen.minimum_compression_size else { return Ok(response) };
    let Some(coding) = rest.header("accept-encoding").and_then(accepted) else { return Ok(response) };
    let small = response.body().size_hint().upper().is_some_and(|bytes| bytes < u64::from(from));
    if small || response.headers().contains_key(CONTENT_ENCODING) || response.body().is_end_stream() {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    // Who has a place waits for no other, or all could wait for each other.
    let (bytes, place) = match body.into_held() {
        Ok(held) => held,
        Err(body) => {
            let mut place = shared.whole_answers.begin(context.owner());
            // Only lengths that are known and small stream up to here; what was mapped may have become base64, a third more.
            let read = gathered::whole_answer(body, 2 * ANSWER_BODY_BYTES_MAX, &mut place).await;
            let read = read.map_err(|unread| match unread {
                Unread::Broke(_) => Refusal::AnswerBroke(Reason::TargetClosed),
                Unread::NoPlace => Refusal::TimedOut,
            })?;
            (read.ok_or(Refusal::AnswerBroke(Reason::BodyTooLarge))?, place)
        }
    };
    if bytes.len() < from as usize {
        return Ok(Response::from_parts(head, Body::held(bytes, place)));
    }
    let turn = shared.turns.for_bytes(bytes.len()).await.ok_or(Refusal::TimedOut)?;
    let Ok(packed) = turn.run(|| pack(coding, &bytes)) else { return Err(Refusal::MappingFailed) };
    drop(bytes);
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    Ok(Response::from_parts(head, Body::held(Bytes::from(packed), place)))
}

fn pack(coding: Coding, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    match coding {
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
    }
}

/// A request whose body has no coding any more. Only [`decode`] makes one.
pub(super) struct Decoded<'w> {
    request: Request<'w>,
}

impl<'w> Decoded<'w> {
    /// The request, to be validated.
    pub(super) fn into_request(self) -> Request<'w> {
        self.request
    }
}

/// Undoes the coding of a request's body, so that everything behind sees what the client means: models judge it, templates map it,
/// and an `HTTP_PROXY` integration, which gets no `Content-Encoding`, gets it as it is.
pub(super) async fn decode<'w>(
    shared: &Shared,
    opened: Opened<'w>,
    recording: &mut Recording,
) -> Result<Decoded<'w>, Refusal> {
    let mut request = opened.into_request();
    if request.body.is_end_stream() {
        return Ok(Decoded { request });
    }
    let coding = match coding_of(&request.headers) {
        Ok(None) => return Ok(Decoded { request }),
        Ok(Some(coding)) => coding,
        Err(named) => {
            let why = format!("Content-Encoding is {named}; gzip, deflate and identity are supported");
            return Err(refuse(&request, &why, recording));
        }
    };
    let packed = request.whole(shared).await?;
    recording.read_clock();
    // What comes out may be a thousand times as large, and what goes in may come to nothing: only little of both is done at once.
    let is_small = packed.len() <= PACKED_IDLE_BYTES_MAX;
    let briefly = is_small.then(|| unpacked(coding, &packed, INLINE_WORK_BYTES_MAX));
    let is_whole = |body: &Option<Bytes>| body.as_ref().is_none_or(|body| body.len() <= INLINE_WORK_BYTES_MAX);
    let body = match briefly.filter(is_whole) {
        Some(body) => body,
        None => {
            request.reserve(shared).await?;
            let turn = shared.turns.long().await.ok_or(Refusal::TimedOut)?;
            turn.run(|| unpacked(coding, &packed, BODY_BYTES_MAX))
        }
    };
    let Some(body) = body else {
        let why = format!("Content-Encoding is {}, and the body is not", coding.as_str());
        return Err(refuse(&request, &why, recording));
    };
    if body.len() > BODY_BYTES_MAX {
        return Err(Refusal::BodyTooLarge);
    }
    request.replace(body);
    Ok(Decoded { request })
}

fn refuse(request: &Request<'_>, why: &str, recording: &mut Recording) -> Refusal {
    recording.stop(HopKind::Validation, request.leads.route.id.hop(), Reason::UnsupportedMediaType);
    recording.detail(why);
    Refusal::UnsupportedMediaType
}

/// What the headers say of the body's coding; the text itself where that is none of ours.
fn coding_of(headers: &HeaderMap) -> Result<Option<Coding>, String> {
    let lines = headers.get_all(CONTENT_ENCODING).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let named = lines.collect::<Vec<_>>().join(",").trim().to_ascii_lowercase();
    match named.as_str() {
        "" | "identity" => Ok(None),
        name => Coding::named(name).map(Some).ok_or(named),
    }
}

/// A body without its coding, or so much of it that it is larger than this; `None` where it is not in its coding, or costs far more
/// to read than it has to say.
fn unpacked(coding: Coding, body: &[u8], bytes_max: usize) -> Option<Bytes> {
    let made = Cell::new(0);
    let portions = Portions { body, at: 0, made: &made };
    let mut reader: Box<dyn Read> = match coding {
        Coding::Gzip => Box::new(MultiGzDecoder::new(portions)),
        Coding::Deflate => Box::new(ZlibDecoder::new(portions)),
    };
    let (mut out, mut piece) = (Vec::new(), [0; PORTION_BYTES]);
    while out.len() <= bytes_max {
        let wanted = piece.len().min(bytes_max + 1 - out.len());
        match reader.read(&mut piece[..wanted]).ok()? {
            0 => break,
            count => out.extend_from_slice(&piece[..count]),
        }
        made.set(out.len());
    }
    Some(Bytes::from(out))
}

/// Bytes that are unpacked, or made, at once.
const PORTION_BYTES: usize = 4096;

/// A packed body, handed out in small portions, and no further than what has come out of it justifies: blocks that make nothing
/// cost as much as others.
struct Portions<'b> {
    body: &'b [u8],
    at: usize,
    made: &'b Cell<usize>,
}

impl Read for Portions<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let portion = self.fill_buf()?;
        let count = portion.len().min(buf.len());
        buf[..count].copy_from_slice(&portion[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Portions<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // What cannot be packed grows by far less than an eighth.
        let made = self.made.get();
        if self.at > PACKED_IDLE_BYTES_MAX.saturating_add(made + made / 8) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let end = self.body.len().min(self.at + PORTION_BYTES);
        Ok(&self.body[self.at..end])
    }

    fn consume(&mut self, count: usize) {
        self.at = self.body.len().min(self.at + count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_codings_table() {
        let rows = [
            ("gzip", Some(Coding::Gzip)),
            ("deflate, gzip;q=0.5", Some(Coding::Deflate)),
            ("br, identity", None),
            ("gzip;q=0", None),
            ("*", Some(Coding::Gzip)),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(accepted(text), expected, "{text}");
        }
    }

    #[test]
    fn what_was_packed_comes_back_and_a_bomb_does_not() {
        for coding in [Coding::Gzip, Coding::Deflate] {
            let packed = pack(coding, b"hello").unwrap();
            assert_eq!(unpacked(coding, &packed, 5).unwrap(), "hello");
            let bomb = pack(coding, &vec![0; 1024 * 1024]).unwrap();
            assert_eq!(unpacked(coding, &bomb, 1000).map(|body| body.len()), Some(1001));
            let whole: Vec<u8> = (0_u32..300_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
            assert_eq!(unpacked(coding, &pack(coding, &whole).unwrap(), BODY_BYTES_MAX).unwrap(), whole);
            assert_eq!(unpacked(coding, b"no", 5), None);
            // Four empty blocks in five bytes, again and again.
            let idle = [0x02, 0x08, 0x20, 0x80, 0].repeat(20_000);
            let head: &[u8] = match coding {
                Coding::Gzip => &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
                Coding::Deflate => &[0x78, 0x01],
            };
            assert_eq!(unpacked(coding, &[head, &idle].concat(), 5), None);
            let mut rest = Portions { body: &idle, at: 0, made: &Cell::new(0) };
            assert!(rest.read_to_end(&mut Vec::new()).is_err() && rest.at <= PACKED_IDLE_BYTES_MAX + PORTION_BYTES);
            assert_eq!(unpacked(coding, &packed[..packed.len() - 4], 5), None, "{coding:?}");
        }
        let twice = [pack(Coding::Gzip, b"hel").unwrap(), pack(Coding::Gzip, b"lo").unwrap()].concat();
        assert_eq!(unpacked(Coding::Gzip, &twice, 5).unwrap(), "hello");
    }

    #[test]
    fn codings_of_requests_table() {
        type Row<'a> = (&'a [&'a str], Result<Option<Coding>, &'a str>);
        let rows: [Row<'_>; 8] = [
            (&[], Ok(None)),
            (&[""], Ok(None)),
            (&["identity"], Ok(None)),
            (&[" GZip "], Ok(Some(Coding::Gzip))),
            (&["deflate"], Ok(Some(Coding::Deflate))),
            (&["br"], Err("br")),
            (&["gzip, gzip"], Err("gzip, gzip")),
            (&["gzip", "deflate"], Err("gzip,deflate")),
        ];
        for (lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            assert_eq!(coding_of(&headers), expected.map_err(str::to_owned), "{lines:?}");
        }
    }
}
