//! What the fuzz target and the tests run: hostile text where a token should be. It must be taken apart or refused, and what is
//! taken apart must be the whole text again. Nothing else calls this.

use crate::gateway::authorize;

/// Reads the bytes as a token.
///
/// # Panics
/// When what was taken apart is not what came: that is what a fuzzer looks for.
pub fn token(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        authorize::take_apart(text);
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
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/regressions/token");
        for entry in std::fs::read_dir(folder).expect("the folder stands").flatten() {
            if entry.path().extension().is_none_or(|extension| extension != "md") {
                token(&std::fs::read(entry.path()).expect("bytes"));
            }
        }
    }

    proptest! {
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
