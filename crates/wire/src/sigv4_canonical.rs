//! The canonical request and the signature over it (AWS signature guide, create a signed request, 2026-11).
//!
//! Pure text and hashes; what a signature must cover and how old it may be is `sigv4`'s business.

use crate::request::Request;
use crate::sigv4::{ALGORITHM, Claim, Scope, Secret};
use hmac::{Hmac, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Everything but the unreserved characters.
const QUERY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// A path is encoded once more than it was sent, its slashes stay.
const PATH: AsciiSet = QUERY.remove(b'/');

/// A payload that its sender does not sign.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The payload's line in the canonical request.
pub(crate) struct Payload(String);

impl Payload {
    /// The line that a request's head claims for its body, if it claims one.
    pub(crate) fn claimed(request: &Request<'_>) -> Option<Payload> {
        request.header("x-amz-content-sha256").map(|theirs| Payload(theirs.to_owned()))
    }

    /// The line that a request's body deserves, or `None` when its header claims another body.
    pub(crate) fn of(request: &Request<'_>) -> Option<Payload> {
        let ours = hex(&Sha256::digest(request.body));
        match request.header("x-amz-content-sha256") {
            None => Some(Payload(ours)),
            Some(UNSIGNED) => Some(Payload(UNSIGNED.to_owned())),
            Some(theirs) => (theirs == ours).then_some(Payload(ours)),
        }
    }
}

/// Whether the claim's signature is the one that `secret` makes over the request.
pub(crate) fn holds(request: &Request<'_>, claim: &Claim, payload: &Payload, secret: &Secret) -> bool {
    let Some(theirs) = unhex(&claim.signature) else {
        return false;
    };
    let signed = Signed { scope: &claim.scope, date: &claim.date, headers: &claim.signed_headers };
    // Compares in constant time.
    mac(request, &signed, payload, secret).is_some_and(|ours| ours.verify_slice(&theirs).is_ok())
}

/// What is signed besides the request itself.
pub(crate) struct Signed<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) date: &'a str,
    pub(crate) headers: &'a [String],
}

/// The signature that `secret` makes over the request, as text. `None` when it lacks a header that is to be signed.
pub(crate) fn signature(request: &Request<'_>, signed: &Signed<'_>, secret: &Secret) -> Option<String> {
    let payload = Payload::of(request)?;
    mac(request, signed, &payload, secret).map(|mac| hex(&mac.finalize().into_bytes()))
}

fn mac(request: &Request<'_>, signed: &Signed<'_>, payload: &Payload, secret: &Secret) -> Option<Hmac<Sha256>> {
    let canonical = canonical_request(request, signed.headers, payload)?;
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{}\n{}\n{hash}", signed.date, signed.scope.text());
    let mut key = [b"AWS4", secret.bytes()].concat();
    for part in [&signed.scope.date, &signed.scope.region, &signed.scope.service, "aws4_request"] {
        key = sign(&key, part.as_bytes()).finalize().into_bytes().to_vec();
    }
    Some(sign(&key, to_sign.as_bytes()))
}

fn sign(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac
}

fn canonical_request(request: &Request<'_>, signed: &[String], payload: &Payload) -> Option<String> {
    let mut headers = String::new();
    for name in signed {
        let _ = writeln!(headers, "{name}:{}", header(request, name)?);
    }
    Some(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        path(request.uri.path()),
        query(request.uri.query().unwrap_or_default()),
        signed.join(";"),
        payload.0
    ))
}

/// All values of a header, each without outer and repeated inner spaces, joined by commas.
fn header(request: &Request<'_>, name: &str) -> Option<String> {
    let mut values = Vec::new();
    for value in request.headers.get_all(name) {
        let words: Vec<&str> = value.to_str().ok()?.split_whitespace().collect();
        values.push(words.join(" "));
    }
    if values.is_empty() && name == "host" {
        // HTTP/2 carries it in the target.
        return Some(request.uri.authority()?.as_str().to_owned());
    }
    (!values.is_empty()).then(|| values.join(","))
}

/// The path as received, without empty, `.` and `..` segments, encoded once more.
fn path(raw: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut clean = format!("/{}", segments.join("/"));
    if !segments.is_empty() && raw.ends_with('/') {
        clean.push('/');
    }
    utf8_percent_encode(&clean, &PATH).to_string()
}

/// The query string's pairs in order of their encoded forms, without the signature itself.
fn query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in raw.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = reencoded(name);
        if name != "X-Amz-Signature" {
            pairs.push((name, reencoded(value)));
        }
    }
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join("&")
}

fn reencoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, &QUERY).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_and_encoded_once_more() {
        let rows = [
            ("/", "/"),
            ("", "/"),
            ("//a//b/", "/a/b/"),
            ("/a/./b/../c", "/a/c"),
            ("/v2/tags/arn%3Aaws", "/v2/tags/arn%253Aaws"),
        ];
        for (raw, expected) in rows {
            assert_eq!(path(raw), expected, "{raw}");
        }
    }

    #[test]
    fn query_strings_are_sorted_by_their_encoded_form() {
        let rows = [
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("flag", "flag="),
            ("k=a%20b%2Bc~&X-Amz-Signature=00", "k=a%20b%2Bc~"),
            ("k=%e9", "k=%E9"),
        ];
        for (raw, expected) in rows {
            assert_eq!(query(raw), expected, "{raw}");
        }
    }
}
