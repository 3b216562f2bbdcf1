//! What the fuzz target and the tests run: hostile bytes where an OpenAPI document should be. It must be read or refused within its
//! bounds, and what is read must be the same again when it is written as YAML. Nothing else calls this.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_crashes_are_answered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/regressions/openapi");
        let mut replayed = 0;
        for entry in std::fs::read_dir(folder).expect("the folder stands").flatten() {
            if entry.path().extension().is_none_or(|extension| extension != "md") {
                document(&std::fs::read(entry.path()).expect("bytes"));
                replayed += 1;
            }
        }
        assert!(replayed > 0, "there is at least one");
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
