//! The public keys of an issuer, as its JWKS lists them (RFC 7517), and what they vouch for. RSA keys for signatures only; an
//! entry that is anything else, or broken, is passed over and spoils no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;
use std::time::Duration;

use super::token::Token;
use crate::limits::{JWKS_CACHE, JWKS_KEYS_MAX, RULE_JWKS_KEYS_MAX};

/// Bytes of an RSA modulus: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// Bytes of a modulus that a listener's rule takes: 2,048 bits.
const RULE_MODULUS_BYTES: usize = 256;
/// Bytes of an RSA exponent: 64 bits.
const EXPONENT_BYTES_MAX: usize = 8;

/// One public key.
#[derive(Debug, Clone)]
pub(crate) struct PublicKey {
    kid: String,
    /// The one algorithm it is for; any of RSA's where it names none.
    algorithm: Option<Algorithm>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    key: DecodingKey,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.kid, self.algorithm, &self.modulus, &self.exponent)
            == (&other.kid, other.algorithm, &other.modulus, &other.exponent)
    }
}

/// The keys of an issuer at one time.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<PublicKey>,
    /// When they were fetched, by the plane's moved clock.
    fetched: Duration,
    /// Says which keys these are: no other set of any issuer has this number. What another one vouched for is vouched for anew.
    pub(crate) generation: u64,
}

impl KeySet {
    /// The keys that were fetched at this time, after those that were known before; `unused` is their generation if they are
    /// others.
    pub(crate) fn after(before: Option<&Self>, keys: Vec<PublicKey>, fetched: Duration, unused: u64) -> Self {
        let same = before.filter(|before| before.keys == keys);
        let generation = same.map_or(unused, |before| before.generation);
        Self { keys, fetched, generation }
    }

    /// How old they are.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.fetched)
    }

    /// Whether they are still to be believed without asking again.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        self.age(now) < JWKS_CACHE
    }

    /// Whether there is a key of this id.
    pub(crate) fn knows(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid == kid)
    }

    /// The ids of the keys.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.kid.clone()).collect()
    }

    /// Whether the key that the token names made its signature.
    pub(crate) fn vouches_for(&self, token: &Token<'_>) -> bool {
        let named = self.keys.iter().find(|key| key.kid == token.kid);
        named.is_some_and(|named| {
            named.algorithm.is_none_or(|only| only == token.algorithm)
                && crypto::verify(token.signature, token.signed.as_bytes(), &named.key, token.algorithm)
                    .unwrap_or(false)
        })
    }
}

/// Why a document gives no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKeys {
    /// It is no JWKS.
    NoJwks,
    /// It has more keys than a listener takes.
    TooMany,
    /// None of its keys is one that a listener takes.
    NoneFits,
}

/// Reads the JWKS of a listener's rule (ALB user guide, "Verify JWTs using an Application Load Balancer", 2026-11).
pub(crate) fn read_for_rule(bytes: &[u8]) -> Result<Vec<PublicKey>, NoKeys> {
    let document: Value = serde_json::from_slice(bytes).map_err(|_| NoKeys::NoJwks)?;
    let listed = document.get("keys").and_then(Value::as_array).ok_or(NoKeys::NoJwks)?;
    if listed.len() > RULE_JWKS_KEYS_MAX {
        return Err(NoKeys::TooMany);
    }
    let mut keys = taken(listed);
    keys.retain(|key| {
        key.modulus.len() == RULE_MODULUS_BYTES && key.algorithm.is_none_or(|one| one == Algorithm::RS256)
    });
    if keys.is_empty() { Err(NoKeys::NoneFits) } else { Ok(keys) }
}

/// Reads a JWKS; `None` when it is none.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<PublicKey>> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    Some(taken(document.get("keys")?.as_array()?))
}

/// The keys that this gateway takes. Of keys with one id the first counts.
fn taken(listed: &[Value]) -> Vec<PublicKey> {
    let mut keys: Vec<PublicKey> = Vec::new();
    for entry in listed {
        let Some(key) = public_key(entry) else { continue };
        if keys.len() < JWKS_KEYS_MAX && keys.iter().all(|known| known.kid != key.kid) {
            keys.push(key);
        }
    }
    keys
}

fn public_key(entry: &Value) -> Option<PublicKey> {
    let member = |name: &str| entry.get(name).and_then(Value::as_str);
    let is_for_signatures = entry.get("use").is_none_or(|usage| usage == "sig");
    if member("kty") != Some("RSA") || !is_for_signatures {
        return None;
    }
    let algorithm = match (entry.get("alg"), member("alg")) {
        (None, _) => None,
        (_, Some("RS256")) => Some(Algorithm::RS256),
        (_, Some("RS384")) => Some(Algorithm::RS384),
        (_, Some("RS512")) => Some(Algorithm::RS512),
        _ => return None,
    };
    let (modulus, exponent) = (number(member("n")?)?, number(member("e")?)?);
    if !MODULUS_BYTES.contains(&modulus.len()) || !(1..=EXPONENT_BYTES_MAX).contains(&exponent.len()) {
        return None;
    }
    let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
    Some(PublicKey { kid: member("kid")?.to_owned(), algorithm, modulus, exponent, key })
}

/// A number without leading zeros, which some issuers write and the verifier refuses. Padding is taken.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn modulus(first: u8, length: usize) -> String {
        let mut bytes = vec![7; length];
        bytes[0] = first;
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn ids(document: &Value) -> Option<Vec<String>> {
        read(document.to_string().as_bytes()).map(|keys| KeySet::after(None, keys, Duration::ZERO, 1).ids())
    }

    #[test]
    fn only_rsa_keys_for_signatures_are_taken() {
        let good = json!({ "kty": "RSA", "kid": "a", "n": modulus(200, 256), "e": "AQAB" });
        let rows = [
            (json!({}), true),
            (json!({ "use": "sig", "alg": "RS256" }), true),
            (json!({ "n": modulus(0, 257) }), true),
            (json!({ "e": "AQAB==" }), true),
            (json!({ "use": "enc" }), false),
            (json!({ "use": 1 }), false),
            (json!({ "kty": "EC" }), false),
            (json!({ "kty": "oct", "k": "AAAA" }), false),
            (json!({ "alg": "HS256" }), false),
            (json!({ "alg": "RS1" }), false),
            (json!({ "n": modulus(200, 128) }), false),
            (json!({ "n": modulus(200, 2048) }), false),
            (json!({ "n": "not base64" }), false),
            (json!({ "e": "" }), false),
            (json!({ "e": "AAAA" }), false),
            (json!({ "kid": 1 }), false),
        ];
        for (change, expected) in rows {
            let mut key = good.clone();
            key.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let found = ids(&json!({ "keys": [{}, key, 5] })).unwrap();
            assert_eq!(found.len(), usize::from(expected), "{change}");
        }
        assert_eq!(ids(&json!({ "keys": {} })), None);
        assert_eq!(ids(&json!([])), None);
        assert!(read(b"nonsense").is_none());
    }

    #[test]
    fn a_rule_takes_ten_keys_of_2048_bits_for_rs256() {
        let key = |kid: usize, alg: &str, length| json!({ "kty": "RSA", "kid": kid.to_string(), "alg": alg, "n": modulus(200, length), "e": "AQAB" });
        let good = key(0, "RS256", 256);
        let of = |keys: &[Value]| read_for_rule(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len());
        assert_eq!(of(std::slice::from_ref(&good)), Ok(1));
        assert_eq!(of(&[json!({ "kty": "EC" }), key(1, "RS512", 256), key(2, "RS256", 384), good]), Ok(1));
        assert_eq!(of(&[key(1, "RS256", 384)]), Err(NoKeys::NoneFits));
        assert_eq!(of(&[]), Err(NoKeys::NoneFits));
        let many: Vec<_> = (0..11).map(|kid| key(kid, "RS256", 256)).collect();
        assert_eq!((of(&many), of(&many[1..])), (Err(NoKeys::TooMany), Ok(10)));
        assert_eq!(read_for_rule(b"[]"), Err(NoKeys::NoJwks));
    }

    #[test]
    fn a_generation_lasts_as_long_as_the_keys() {
        let key = |kid: &str| json!({ "kty": "RSA", "kid": kid, "n": modulus(200, 256), "e": "AQAB" });
        let set = |kids: &[&str]| {
            let keys: Vec<_> = kids.iter().map(|kid| key(kid)).collect();
            read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
        };
        let first = KeySet::after(None, set(&["a", "a"]), Duration::ZERO, 1);
        assert_eq!((first.ids().len(), first.generation), (1, 1));
        let same = KeySet::after(Some(&first), set(&["a"]), JWKS_CACHE, 2);
        assert_eq!(same.generation, 1);
        assert!(!first.is_fresh(JWKS_CACHE) && same.is_fresh(JWKS_CACHE));
        assert_eq!(KeySet::after(Some(&same), set(&["a", "b"]), JWKS_CACHE, 3).generation, 3);
    }
}
