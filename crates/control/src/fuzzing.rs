//! What the fuzz targets and the tests run: hostile bytes where an OpenAPI document should be, or what is said where an agent is enrolled.
//! They must be read or refused within their bounds, and what is read must be the same again when it is written. Nothing else calls this.

use crate::enrolment::{AgentName, EnrolmentAnswer, EnrolmentRequest, Token};
use crate::ops::gateway_common::document::{parse, to_yaml};
use crate::ops::{apigateway, apigatewayv2};

/// Reads the bytes as a document of each kind of API.
///
/// # Panics
/// When what was read does not read back: that is what a fuzzer looks for.
pub fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Taken or refused: either way it must end.
    let _ = apigateway::read_document(data, None);
    let _ = apigateway::read_parts(data);
    let _ = apigatewayv2::read_document(text, None);
    // With aliases it may be far longer than what came, and longer than one may be that is read.
    if let Ok(members) = parse(text)
        && !text.contains('*')
    {
        let written = to_yaml(&members.clone().into());
        assert!(parse(&written).is_ok_and(|again| again == members), "{written}");
    }
}

/// Reads the bytes as each of the things that are said where an agent is enrolled.
///
/// # Panics
/// When what was read does not read back, or could be written in two ways.
pub fn enrolment(data: &[u8]) {
    if let Ok(request) = EnrolmentRequest::read(data) {
        let written = serde_json::to_vec(&request).unwrap_or_default();
        assert!(EnrolmentRequest::read(&written).is_ok_and(|again| again == request));
    }
    if let Ok(answer) = EnrolmentAnswer::read(data) {
        let written = serde_json::to_vec(&answer).unwrap_or_default();
        assert!(EnrolmentAnswer::read(&written).is_ok_and(|again| again == answer));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(token) = text.parse::<Token>() {
        assert!(token.expose() == text, "a token has one spelling");
    }
    if let Ok(name) = text.parse::<AgentName>() {
        assert!(name.to_string() == text, "a name has one spelling");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_crashes_are_answered() {
        for (target, run) in [("openapi", document as fn(&[u8])), ("enrolment", enrolment)] {
            let folder = format!("{}/../../fuzz/regressions/{target}", env!("CARGO_MANIFEST_DIR"));
            let mut replayed = 0;
            for entry in std::fs::read_dir(folder).expect("the folder stands").flatten() {
                if entry.path().extension().is_none_or(|extension| extension != "md") {
                    run(&std::fs::read(entry.path()).expect("bytes"));
                    replayed += 1;
                }
            }
            assert!(replayed > 0, "{target}: there is at least one");
        }
    }

    /// Sound ones with a byte changed, taken away or doubled: what is read of them must still be of one spelling.
    #[test]
    fn altered_messages_of_an_enrolment_never_panic() {
        let sound = [
            r#"{"version":1,"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","native":["10.0.0.0/24"],"csr":"AQID"}"#,
            r#"{"code":"TOKEN_USED","message":"why"}"#,
            "tidegate://000000000000/us-east-1/agent/agent-00000000000000001?generation=18446744073709551615",
            include_str!("../../../fuzz/regressions/enrolment/token"),
        ];
        for text in sound {
            let bytes = text.as_bytes();
            enrolment(bytes);
            for at in 0..bytes.len() {
                for other in [0, b'0', b'A', b'=', b'"', 0xff] {
                    let mut altered = bytes.to_vec();
                    altered[at] = other;
                    enrolment(&altered);
                }
                enrolment(&[&bytes[..at], &bytes[at + 1..]].concat());
                enrolment(&[&bytes[..at], &bytes[at..at + 1], &bytes[at..]].concat());
            }
        }
    }

    /// A small generator: pieces of both grammars in a fixed pseudo-random order, so that a failure comes again.
    #[test]
    fn pieces_of_documents_never_panic() {
        const PIECES: [&str; 28] = [
            "a", ": ", "\n", "  ", "- ", "[", "]", "{", "}", ",", "&x ", "*x", "<<: ", "'", "\"", "|\n", "? ",
            "!!str ", "1", "1.0e3", "~", "#", "$ref", "paths", "---\n", "\u{e9}", "\\u0041", "\t",
        ];
        let mut state = 7_u64;
        for _ in 0..4_000 {
            let mut text = String::new();
            for _ in 0..24 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(state >> 33).unwrap_or_default() % PIECES.len();
                text.push_str(PIECES[at]);
            }
            document(text.as_bytes());
        }
    }
}
