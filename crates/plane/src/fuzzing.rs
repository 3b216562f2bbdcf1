//! What the fuzz targets and the tests run: hostile text where a token, a mapping template, a model, a resource policy, the keys of an
//! issuer, a target's answer or a question about a name should be. A token must be taken apart or refused, and what is taken apart must be the whole text
//! again; an answer must be the same however its bytes arrive; everything else must end. Nothing else calls this.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;

use http::{HeaderMap, Method, Request};
use http_body::Frame;
use http_body_util::BodyExt as _;
use simple_dns::{Packet, PacketFlag};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Builder;
use topology::names::Found;
use topology::template::Written;

use crate::gateway::rest;
use crate::http::body::RequestBody;
use crate::http1::client::{self, Outgoing};
use crate::http1::wire::Wire;
use crate::identity;
use crate::limits::DNS_ANSWER_BYTES_MAX;
use crate::link;
use crate::resolver::message::{self, Carrier};
use crate::vtl::{self, Params, Scope};

/// Reads the bytes as a token.
///
/// # Panics
/// When what was taken apart is not what came: that is what a fuzzer looks for.
pub fn token(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        identity::take_apart(text);
    }
}

/// Evaluates the bytes as a template, over a body of its own.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let template = Written::new(text);
    // Its methods are looked at as they are when it is written, whatever that finds.
    let _served = template.check();
    let Ok(template) = template.read() else { return };
    let params = Params { path: vec![("id".to_owned(), "7".to_owned())], ..Params::default() };
    let context = |name: &str| (name == "requestId").then(|| "r".to_owned());
    let scope = Scope {
        body: r#"{"a":{"b":[1,2,{"c":"x"}]},"n":1.5}"#,
        params: &params,
        context: &context,
        stage_variables: &BTreeMap::from([("v".to_owned(), "w".to_owned())]),
    };
    // Whatever it gives: it must end, and within its bounds.
    let _ = vtl::evaluate(template, &scope);
}

/// Takes the bytes for a question to the resolver of a VPC in which every name leads to more addresses than a datagram holds.
///
/// # Panics
/// When the answer is longer than the asker takes, is none, or is another question's: that is what a fuzzer looks for.
pub fn names(data: &[u8]) {
    let all = || Some(Found::Addresses((0..200).map(|bits| Ipv4Addr::from_bits(bits).into()).collect()));
    for (carrier, room) in [(Carrier::Datagram, DNS_ANSWER_BYTES_MAX), (Carrier::Stream, usize::from(u16::MAX))] {
        let Some(answer) = message::answer(data, carrier, |_name| all()) else { continue };
        assert!(answer.len() <= room, "{} bytes", answer.len());
        assert_eq!(answer[..2], data[..2], "the number of the question");
        let parsed = Packet::parse(&answer).expect("an answer that can be read");
        assert!(parsed.has_flags(PacketFlag::RESPONSE), "an answer to an answer");
    }
}

/// Takes the bytes for what a target answers: the first byte says which method was asked, the rest is the answer.
///
/// # Panics
/// When the answer depends on how its bytes arrive, or has more than came: that is what a fuzzer looks for.
pub fn answer(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let method = [Method::GET, Method::HEAD, Method::POST][usize::from(first % 3)].clone();
    let whole = answered(&method, bytes, bytes.len().max(1));
    assert!(whole.body.len() <= bytes.len(), "bytes were made up");
    for step in [1, 7] {
        assert_eq!(answered(&method, bytes, step), whole, "by {step}");
    }
}

/// What came of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answered {
    /// The status, or why there is no answer.
    head: Result<u16, String>,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    /// Why its body broke off.
    broken: Option<io::ErrorKind>,
}

/// An answer whose bytes arrive in pieces of this size, before the target closes.
fn answered(method: &Method, bytes: &[u8], step: usize) -> Answered {
    let (near, mut far) = tokio::io::duplex(bytes.len() + 1024);
    let mut request = Request::new(RequestBody::empty());
    *request.method_mut() = method.clone();
    let sending = async move {
        for piece in bytes.chunks(step) {
            // The reader may have seen enough.
            let _ = far.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _ = far.shutdown().await;
        far
    };
    let reading = async move {
        let (mut wire, mut out) = (Box::new(Wire::new(near)), Outgoing::new(request));
        let mut answered = Answered { head: Ok(0), body: Vec::new(), trailers: None, broken: None };
        match client::exchange(&mut wire, &mut out).await {
            Ok(head) => {
                answered.head = Ok(head.status.as_u16());
                let mut incoming = client::Incoming::new(wire, head.follows, out);
                while let Some(frame) = incoming.frame().await {
                    match frame.map(Frame::into_data) {
                        Ok(Ok(data)) => answered.body.extend_from_slice(&data),
                        Ok(Err(frame)) => answered.trailers = frame.into_trailers().ok(),
                        Err(error) => {
                            answered.broken = Some(error.kind());
                            break;
                        }
                    }
                }
                // What a target sends behind an answer, and when, is its own affair; the connection is looked at all the same.
                drop(incoming.into_idle());
            }
            Err(fault) => answered.head = Err(format!("{fault:?}")),
        }
        answered
    };
    let runtime = Builder::new_current_thread().build().expect("a runtime without drivers can always be had");
    runtime.block_on(async { tokio::join!(reading, sending).0 })
}

/// Judges what stands behind the first line by the model in it.
pub fn model(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (schema, body) = data.split_at(end);
    if let Ok(schema) = std::str::from_utf8(schema) {
        rest::attempt_model(schema, body.get(1..).unwrap_or_default());
    }
}

/// Reads the bytes as a resource policy, and asks it.
///
/// # Panics
/// When what says nothing lets somebody in.
pub fn policy(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        rest::attempt_policy(text);
    }
}

/// Reads the bytes as the keys of an issuer.
pub fn keys(data: &[u8]) {
    identity::attempt_keys(data);
}

/// Reads the bytes as what comes over a link: frames of both sides of a session, and what stands beside requests and answers.
///
/// # Panics
/// When a message that was read is another one once it was written and read again.
pub fn link(data: &[u8]) {
    link::read_frames(data);
    if let Ok(value) = http::HeaderValue::from_bytes(data) {
        link::read_notes(&value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;

    #[test]
    fn past_crashes_are_answered() {
        let targets = [
            ("token", token as fn(&[u8])),
            ("template", template),
            ("model", model),
            ("policy", policy),
            ("keys", keys),
            ("answer", answer),
            ("names", names),
            ("link", link),
        ];
        for (target, run) in targets {
            let folder = format!("{}/../../fuzz/regressions/{target}", env!("CARGO_MANIFEST_DIR"));
            for entry in std::fs::read_dir(folder).expect("the folder stands").flatten() {
                if entry.path().extension().is_none_or(|extension| extension != "md") {
                    run(&std::fs::read(entry.path()).expect("bytes"));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn questions_near_the_form_are_answered_within_their_room(
            head in any::<[u8; 3]>(),
            counts in proptest::collection::vec(0_u8..3, 4),
            parts in "(\\x03abc|\\x00|\\x3f|[\\x00-\\x7f]|\\x00\\x01\\x00\\x01|\\x00\\x00\\x29\\x10\\x00\\x00\\x00\\x00\\x00\\x00\\x00){0,12}",
            pointer in proptest::option::of((0_u8..64, any::<u8>())),
        ) {
            let mut bytes = [0x12, 0x34, head[0] & 0x7f, head[1]].to_vec();
            bytes.extend(counts.iter().flat_map(|count| [0, *count]));
            bytes.extend(pointer.into_iter().flat_map(|(high, low)| [0xc0 | high, low]));
            bytes.extend(parts.as_bytes());
            names(&bytes);
            bytes[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, head[2] % 3]);
            names(&bytes);
        }

        #[test]
        fn messages_near_the_form_are_the_same_once_written_again(
            said in proptest::collection::vec("\\{\"is\":\"(ping|pong|took|slice|facts|call|renewed|closing|refused)\"(,\"(number|revision|facts|rows|is_whole|is_last|path|body|code|message)\":(1|true|\\[\\]|\"x\"|null)){0,4}\\}", 0..4),
            cut in 0_usize..200,
        ) {
            let frames = said.iter().flat_map(|text| {
                let length = u32::try_from(text.len()).unwrap_or_default();
                length.to_be_bytes().into_iter().chain(text.bytes())
            });
            link(&frames.take(cut).collect::<Vec<_>>());
        }

        #[test]
        fn answers_near_the_form_are_the_same_however_they_arrive(
            asked in 0_u8..3,
            status in "(200|204|304|100|103|101|999|20)",
            lines in "((content-length: (0|5|05|5, 5)?|transfer-encoding: (chunked|gzip|gzip, chunked)|connection: (close|x)|x: y|: )\r?\n){0,3}",
            body in "(([05a;\r\n]|5\r\nhello\r\n|0{1,9}5\r\nhello\r\n|0\r\n(x: y\r\n)?\r\n){0,5}|hello){0,2}",
        ) {
            let text = format!("HTTP/1.1 {status} R\r\n{lines}\r\n{body}");
            answer(&[&[asked], text.as_bytes()].concat());
        }

        #[test]
        fn models_policies_and_keys_near_the_form_never_panic(
            schema in "\\{(\"(type|enum|anyOf|items|pattern|minimum|\\$ref|not|required)\":(\"[a-z#/^$]{0,6}\"|[0-9.-]{1,4}|\\[(\\{\\}|1|\"a\")?\\]|\\{\\}),?){0,4}\\}",
            body in "[\\[{\"a:1,}\\]]{0,12}",
            policy_text in "\\{\"Statement\":\\[?\\{(\"(Effect|Action|Resource|Principal|Condition)\":(\"[*A-Za-z:/-]{0,10}\"|\\{\\}),?){0,5}\\}\\]?\\}",
            key in "\\{\"keys\":\\[\\{(\"(kty|n|e|kid|x|y|crv|alg)\":\"[A-Za-z0-9_-]{0,8}\",?){0,6}\\}\\]\\}",
        ) {
            model(format!("{schema}\n{body}").as_bytes());
            policy(policy_text.as_bytes());
            keys(key.as_bytes());
        }

        #[test]
        fn texts_near_the_form_never_panic(
            header in "\\{\"alg\":\"(RS256|none|HS256)?\"(,\"(kid|crit|alg|b64)\":(\"k\"|1|\\[\\]|null))?\\}?",
            payload in "\\{(\"(exp|nbf|aud|iss|scp)\":(-?[0-9]{1,20}(\\.[0-9]{1,9})?|\"[a-z \\\\]{0,5}\"|\\[\"a\"\\]|null),?){0,4}\\}?",
            tail in "[A-Za-z0-9_.=+/-]{0,20}",
        ) {
            token(format!("{}.{}.{tail}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&payload)).as_bytes());
            token(format!("{header}.{payload}{tail}").as_bytes());
        }
    }
}
