//! The compact form of a signed token, taken apart (RFC 7515, section 7.1; RFC 7519). What is ambiguous or asks for more than
//! this gateway does is refused before any key is looked at; nothing that the header points to is ever followed (`jwk`, `jku`,
//! `x5u`, `x5c`; RFC 8725, section 3.10).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::claims::Claims;
use super::json;
use super::rejection::Rejection;
use crate::limits::TOKEN_BYTES_MAX;

/// A token that nobody has verified.
#[derive(Debug)]
pub(crate) struct Token<'t> {
    /// RS256, RS384 or RS512.
    pub(crate) algorithm: Algorithm,
    /// The key that it claims.
    pub(crate) kid: String,
    /// What it says.
    pub(crate) claims: Claims,
    /// What is signed.
    pub(crate) signed: &'t str,
    /// The signature, in base64url.
    pub(crate) signature: &'t str,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    pub(crate) fn parse(text: &'t str) -> Result<Self, Rejection> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Rejection::Malformed("is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(PARTS)?;
        let (header, payload) = signed.split_once('.').ok_or(PARTS)?;
        if payload.contains('.') {
            return Err(PARTS);
        }
        let header = part(header)?;
        let (algorithm, kid) = read_header(&header)?;
        let claims = Claims::read(&part(payload)?)?;
        // One that is empty or cut short is for the verifier to refuse: it says so by its own reason.
        if !signature.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(Rejection::Malformed("is not in base64url"));
        }
        Ok(Self { algorithm, kid, claims, signed, signature })
    }
}

impl Token<'_> {
    /// Whether it is signed by the one algorithm that listeners' rules take.
    pub(crate) fn check_rs256(&self) -> Result<(), Rejection> {
        match self.algorithm {
            Algorithm::RS256 => Ok(()),
            other => Err(Rejection::Algorithm { asked: "RS256", offered: Some(format!("{other:?}")) }),
        }
    }
}

const ALGORITHMS: &str = "RS256, RS384 or RS512";
const PARTS: Rejection = Rejection::Malformed("has not three parts");

/// A part that is an object. Its base64url has no padding and no stray bits (RFC 7515, section 2).
fn part(text: &str) -> Result<Map<String, Value>, Rejection> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Rejection::Malformed("is not in base64url"))?;
    json::object(&bytes).ok_or(Rejection::Malformed("holds no plain JSON object"))
}

fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, String), Rejection> {
    if header.contains_key("crit") {
        return Err(Rejection::Malformed("asks for extensions (crit)"));
    }
    if header.contains_key("b64") || header.contains_key("zip") || header.contains_key("enc") {
        return Err(Rejection::Malformed("is of a form that is not taken (b64, zip or enc)"));
    }
    if header.get("cty").and_then(Value::as_str).is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
        return Err(Rejection::Malformed("holds another token (cty)"));
    }
    let algorithm = match header.get("alg") {
        None => return Err(Rejection::Algorithm { asked: ALGORITHMS, offered: None }),
        Some(Value::String(name)) => match name.as_str() {
            "RS256" => Algorithm::RS256,
            "RS384" => Algorithm::RS384,
            "RS512" => Algorithm::RS512,
            _ => return Err(Rejection::Algorithm { asked: ALGORITHMS, offered: Some(name.clone()) }),
        },
        Some(_) => return Err(Rejection::Malformed("has an alg that is no string")),
    };
    match header.get("kid") {
        None => Err(Rejection::KeyUnknown { kid: None, known: Vec::new() }),
        Some(Value::String(kid)) => Ok((algorithm, kid.clone())),
        Some(_) => Err(Rejection::Malformed("has a kid that is no string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn outcome(token: &str) -> &'static str {
        Token::parse(token).map_or_else(|rejection| rejection.reason().code(), |_| "read")
    }

    #[test]
    fn headers_table() {
        let rows = [
            (r#"{"alg":"RS256","kid":"k"}"#, "read"),
            (r#"{"alg":"RS384","kid":"k","typ":"JWT"}"#, "read"),
            (r#"{"alg":"RS512","kid":"k","typ":"at+jwt"}"#, "read"),
            (r#"{"alg":"none","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"None","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"NONE","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"nOnE","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"none ","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"HS256","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"HS384","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"HS512","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"ES256","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"PS256","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"EdDSA","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"rs256","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":"RS256\u0000","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"ALG":"RS256","kid":"k"}"#, "JWT_ALGORITHM"),
            (r#"{"alg":1,"kid":"k"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":null,"kid":"k"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":["RS256"],"kid":"k"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","alg":"none","kid":"k"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"none","alg":"RS256","kid":"k"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256"}"#, "JWT_KEY_UNKNOWN"),
            (r#"{"alg":"RS256","kid":1}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":null}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k","kid":"l"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k","crit":[]}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k","crit":["exp"]}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k","b64":false}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k","zip":"DEF"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k","cty":"jwt"}"#, "TOKEN_MALFORMED"),
            (r#"{"alg":"RS256","kid":"k"} x"#, "TOKEN_MALFORMED"),
            (r#"["RS256"]"#, "TOKEN_MALFORMED"),
            ("", "TOKEN_MALFORMED"),
            // Read, and then judged by the issuer's own keys alone.
            (r#"{"alg":"RS256","kid":"k","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}"#, "read"),
            (r#"{"alg":"RS256","kid":"k","jku":"https://evil.example/keys"}"#, "read"),
            (r#"{"alg":"RS256","kid":"k","x5u":"https://evil.example/c","x5c":["AA"]}"#, "read"),
            (r#"{"alg":"RS256","kid":"../../../../dev/null"}"#, "read"),
        ];
        for (header, expected) in rows {
            let token = format!("{}.{}.{}", encode(header), encode(r#"{"exp":1}"#), encode("signature"));
            assert_eq!(outcome(&token), expected, "{header}");
        }
    }

    #[test]
    fn forms_table() {
        let (header, payload) = (encode(r#"{"alg":"RS256","kid":"k"}"#), encode(r#"{"exp":1}"#));
        let rows = [
            (format!("{header}.{payload}.AAAA"), "read"),
            (format!("{header}.{payload}."), "read"),
            (format!("{header}.{payload}"), "TOKEN_MALFORMED"),
            (header.clone(), "TOKEN_MALFORMED"),
            (String::new(), "TOKEN_MALFORMED"),
            ("..".to_owned(), "TOKEN_MALFORMED"),
            (format!("{header}.{payload}.AAAA.AAAA"), "TOKEN_MALFORMED"),
            (format!("{header}.{payload}.AAAA.AAAA.AAAA"), "TOKEN_MALFORMED"),
            (format!(".{payload}.AAAA"), "TOKEN_MALFORMED"),
            (format!("{header}..AAAA"), "TOKEN_MALFORMED"),
            (format!("{header}=.{payload}.AAAA"), "TOKEN_MALFORMED"),
            (format!("{header}.{payload}.AA=="), "TOKEN_MALFORMED"),
            (format!("{header}.{payload}.AB"), "read"),
            (format!("{header}.{payload}.AA+/"), "TOKEN_MALFORMED"),
            (format!("{header}.{payload}.AAAA "), "TOKEN_MALFORMED"),
            (format!("{header}\n.{payload}.AAAA"), "TOKEN_MALFORMED"),
            (format!("{header}.{}.AAAA", encode("{\"exp\":1,\"exp\":2}")), "TOKEN_MALFORMED"),
            (format!("{header}.{}.AAAA", encode("[]")), "TOKEN_MALFORMED"),
            (format!("{header}.{}.AAAA", encode(&format!("{header}.{payload}.AAAA"))), "TOKEN_MALFORMED"),
            (format!("{header}.{}.AAAA", encode(&"x".repeat(TOKEN_BYTES_MAX))), "TOKEN_MALFORMED"),
        ];
        for (token, expected) in rows {
            assert_eq!(outcome(&token), expected, "{token}");
        }
    }
}
