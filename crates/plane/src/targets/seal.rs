//! What a load balancer gives to clients to keep, sealed so that they neither read nor make it: where a login stands, and who is logged in.
//! Each is opened for the purpose alone that it was sealed for.

use std::sync::OnceLock;

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sticky::{CookieKey, key_for};

/// Seals with a key of its own.
#[derive(Debug)]
pub(crate) struct UserSeal {
    given: Option<CookieKey>,
    /// Made at first use; `None` where that failed.
    key: OnceLock<Option<RandomizedNonceKey>>,
}

impl UserSeal {
    /// Seals with a key derived from this one, or with one of this run.
    pub(crate) const fn new(given: Option<CookieKey>) -> Self {
        Self { given, key: OnceLock::new() }
    }

    fn key(&self) -> Option<&RandomizedNonceKey> {
        self.key.get_or_init(|| key_for(b"tidegate: users of load balancers", self.given.as_ref())).as_ref()
    }

    /// The value, as text that only [`Self::open`] reads; `None` when it cannot be sealed.
    pub(crate) fn seal<T: Serialize>(&self, purpose: &str, value: &T) -> Option<String> {
        seal(self.key()?, purpose, serde_json::to_vec(value).ok()?)
    }

    /// What was sealed for this purpose.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        serde_json::from_slice(&open(self.key()?, purpose, text)?).ok()
    }
}

/// Bytes as text that only [`open`] reads, with the same key and for the same purpose.
pub(super) fn seal(key: &RandomizedNonceKey, purpose: &str, mut bytes: Vec<u8>) -> Option<String> {
    let nonce = key.seal_in_place_append_tag(Aad::from(purpose), &mut bytes).ok()?;
    bytes.extend_from_slice(nonce.as_ref());
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// What was sealed with this key for this purpose.
pub(super) fn open(key: &RandomizedNonceKey, purpose: &str, text: &str) -> Option<Vec<u8>> {
    let mut sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    let nonce: [u8; NONCE_LEN] = sealed.split_off(sealed.len().checked_sub(NONCE_LEN)?).try_into().ok()?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    let length = key.open_in_place(nonce, Aad::from(purpose), &mut sealed).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_by_the_same_key_for_the_same_purpose() {
        let of = |byte| UserSeal::new(Some(CookieKey::new([byte; 32])));
        let text = of(7).seal("a", &"hush").unwrap();
        assert_eq!(of(7).open::<String>("a", &text).unwrap(), "hush");
        assert_eq!(of(7).open::<String>("b", &text), None);
        assert_eq!(of(8).open::<String>("a", &text), None);
        assert_eq!(UserSeal::new(None).open::<String>("a", &text), None);
        for forged in ["", "AAAA", "%41", &text[1..], &text.replace(&text[..4], "AAAA")] {
            assert_eq!(of(7).open::<String>("a", forged), None, "{forged}");
        }
    }
}
