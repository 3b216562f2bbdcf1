//! What the fuzz targets and the tests run: hostile text where a token, a mapping template, a model, a resource policy or the keys of an
//! issuer should be. A token must be taken apart or refused, and what is taken apart must be the whole text again; everything else must
//! end. Nothing else calls this.

use std::collections::BTreeMap;

use crate::gateway::{authorize, rest};
use crate::vtl::{Params, Scope, Template};

/// Reads the bytes as a token.
///
/// # Panics
/// When what was taken apart is not what came: that is what a fuzzer looks for.
pub fn token(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        authorize::take_apart(text);
    }
}

/// Evaluates the bytes as a template, over a body of its own.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(template) = Template::parse(text) else { return };
    let params = Params { path: vec![("id".to_owned(), "7".to_owned())], ..Params::default() };
    let context = |name: &str| (name == "requestId").then(|| "r".to_owned());
    let scope = Scope {
        body: r#"{"a":{"b":[1,2,{"c":"x"}]},"n":1.5}"#,
        params: &params,
        context: &context,
        stage_variables: &BTreeMap::from([("v".to_owned(), "w".to_owned())]),
    };
    // Whatever it gives: it must end, and within its bounds.
    let _ = template.evaluate(&scope);
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
    authorize::attempt_keys(data);
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
