//! Text and binary: `binaryMediaTypes` and `contentHandling` (REST API developer guide, "Content type conversions in API
//! Gateway", 2026-11).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use topology::resource::rest_api::ContentHandling;

use super::request::{Request, media_type};
use crate::gateway::context::Context;
use crate::gateway::refusal::Refusal;

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Text,
    Binary,
}

/// What a payload is to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Text that stays text, and bytes that stay bytes.
    AsIs,
    /// Bytes: text is taken to be their base64.
    Binary,
    /// Text: bytes become base64.
    Text,
}

/// The request's body as the integration gets it.
pub(super) fn request(body: Bytes, request: &Request<'_>, context: &Context<'_>) -> Result<Bytes, Refusal> {
    let payload = payload(&request.content_type(), context);
    let wanted = match request.source.content_handling {
        None => Wanted::AsIs,
        Some(ContentHandling::ConvertToBinary) => Wanted::Binary,
        Some(ContentHandling::ConvertToText) => Wanted::Text,
    };
    convert(body, payload, wanted)
}

/// The answer's body as the client gets it; without `contentHandling` the first type that the client accepts decides.
pub(super) fn answer(
    body: Bytes,
    (headers, handling): (&HeaderMap, Option<ContentHandling>),
    context: &Context<'_>,
) -> Result<Bytes, Refusal> {
    let of_answer = payload(&media_type(headers.get(CONTENT_TYPE)), context);
    let wanted = match handling {
        Some(ContentHandling::ConvertToBinary) => Wanted::Binary,
        Some(ContentHandling::ConvertToText) => Wanted::Text,
        None if binary_types(context).is_empty() => Wanted::AsIs,
        None => {
            let accepted = context.rest.as_ref().and_then(|rest| rest.header("accept")).unwrap_or_default();
            let first = accepted.split([',', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
            match payload(&first, context) {
                Payload::Binary => Wanted::Binary,
                Payload::Text => Wanted::Text,
            }
        }
    };
    convert(body, of_answer, wanted)
}

fn binary_types<'c>(context: &'c Context<'_>) -> &'c [String] {
    context.rest.as_ref().map(|rest| rest.deployment.source.frozen.binary_media_types.as_slice()).unwrap_or_default()
}

fn payload(kind: &str, context: &Context<'_>) -> Payload {
    if binary_types(context).iter().any(|listed| fits(listed, kind)) { Payload::Binary } else { Payload::Text }
}

/// `*/*`, `image/*` or a type as it is.
fn fits(listed: &str, kind: &str) -> bool {
    let listed = listed.to_ascii_lowercase();
    match listed.strip_suffix("/*") {
        Some("*") => true,
        Some(family) => kind.split('/').next() == Some(family),
        None => listed == kind,
    }
}

fn convert(body: Bytes, payload: Payload, wanted: Wanted) -> Result<Bytes, Refusal> {
    match (payload, wanted) {
        (Payload::Text, Wanted::AsIs | Wanted::Text) => Ok(as_text(body)),
        (Payload::Text, Wanted::Binary) => {
            // What is no base64 is a mistake of the API's setup.
            STANDARD.decode(body.trim_ascii()).map(Bytes::from).map_err(|_| Refusal::MappingFailed)
        }
        (Payload::Binary, Wanted::AsIs | Wanted::Binary) => Ok(body),
        (Payload::Binary, Wanted::Text) => Ok(Bytes::from(STANDARD.encode(body))),
    }
}

/// As UTF-8: what is none is replaced, as AWS does.
fn as_text(body: Bytes) -> Bytes {
    match std::str::from_utf8(&body) {
        Ok(_) => body,
        Err(_) => Bytes::from(String::from_utf8_lossy(&body).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_table() {
        use Payload::{Binary, Text};
        type Row = (&'static [u8], Payload, Wanted, Option<&'static [u8]>);
        let rows: [Row; 8] = [
            (b"hi", Text, Wanted::AsIs, Some(b"hi")),
            (b"aGk=", Text, Wanted::Binary, Some(b"hi")),
            (b"aGk=\n", Text, Wanted::Binary, Some(b"hi")),
            (b"!", Text, Wanted::Binary, None),
            (b"\xff\x00", Binary, Wanted::AsIs, Some(b"\xff\x00")),
            (b"\xff", Binary, Wanted::Text, Some(b"/w==")),
            (b"\xff", Text, Wanted::Text, Some("\u{fffd}".as_bytes())),
            (b"\xff", Binary, Wanted::Binary, Some(b"\xff")),
        ];
        for (body, payload, wanted, expected) in rows {
            let got = convert(Bytes::copy_from_slice(body), payload, wanted).ok();
            assert_eq!(got.as_deref(), expected, "{body:?} {payload:?} {wanted:?}");
        }
        for (listed, kind, expected) in
            [("*/*", "text/plain", true), ("image/*", "image/png", true), ("image/png", "image/gif", false)]
        {
            assert_eq!(fits(listed, kind), expected, "{listed} {kind}");
        }
    }
}
