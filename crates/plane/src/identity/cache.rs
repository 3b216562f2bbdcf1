//! Tokens whose signature was verified, so that the next request with the same token costs a hash instead of an RSA operation.
//! Only that is remembered: times, audience and scopes are judged anew each time, so that neither a change of the authorizer nor
//! the passing of time can be overlooked. Refused tokens are not remembered.
//!
//! Known by the SHA-256 of token and issuer, so that no token lies in memory. Two generations of each shard bound the whole: when
//! the young one is full it becomes the old one, and what was not used meanwhile is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::claims::Claims;
use super::voucher::Voucher;
use crate::limits::TOKEN_CACHE_BYTES_MAX;

const SHARDS: usize = 16;
/// Bytes of one generation of one shard.
const GENERATION_BYTES_MAX: usize = TOKEN_CACHE_BYTES_MAX / SHARDS / 2;
/// What a verified token takes, as a multiple of its text: claims once typed and once as text. Measured, rounded up.
/// Lists of strings stand once more by themselves.
const BYTES_PER_TOKEN_BYTE: usize = 5;

/// What a token is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenKey([u8; 32]);

impl TokenKey {
    /// Of a token, for who vouches for it. No token holds a line end.
    pub(crate) fn of(token: &str, voucher: Voucher<'_>) -> Self {
        let mut hash = Sha256::new();
        hash.update(token);
        hash.update(match voucher {
            Voucher::Issuer(_) => b"\n",
            Voucher::Endpoint { .. } => b"\r",
        });
        hash.update(voucher.url());
        Self(hash.finalize().into())
    }
}

/// A token whose signature was verified.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The key that made it.
    pub(crate) kid: String,
    /// The generation of the issuer's keys that vouched for it.
    pub(crate) generation: u64,
    /// What it says.
    pub(crate) claims: Claims,
    /// Bytes that it takes, roughly.
    bytes: usize,
}

impl Verified {
    /// A verified token of this length.
    pub(crate) fn new(kid: String, generation: u64, claims: Claims, length: usize) -> Self {
        Self { kid, generation, claims, bytes: length.saturating_mul(BYTES_PER_TOKEN_BYTE) }
    }
}

type Generation = HashMap<TokenKey, Arc<Verified>, RandomState>;

#[derive(Debug, Default)]
struct Shard {
    young: Generation,
    young_bytes: usize,
    old: Generation,
}

impl Shard {
    fn find(&mut self, key: &TokenKey) -> Option<Arc<Verified>> {
        if let Some(found) = self.young.get(key) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(key)?;
        self.keep(*key, Arc::clone(&found));
        Some(found)
    }

    fn keep(&mut self, key: TokenKey, verified: Arc<Verified>) {
        if self.young_bytes.saturating_add(verified.bytes) > GENERATION_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += verified.bytes;
        if let Some(before) = self.young.insert(key, verified) {
            self.young_bytes -= before.bytes;
        }
    }
}

/// The verified tokens.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    shards: [Mutex<Shard>; SHARDS],
}

impl Tokens {
    /// The token, if it was verified.
    pub(crate) fn find(&self, key: &TokenKey) -> Option<Arc<Verified>> {
        self.shard(key).lock().find(key)
    }

    /// Remembers a token.
    pub(crate) fn keep(&self, key: TokenKey, verified: Arc<Verified>) {
        self.shard(&key).lock().keep(key, verified);
    }

    /// The key is a hash already, so any byte of it chooses evenly.
    fn shard(&self, TokenKey([first, ..]): &TokenKey) -> &Mutex<Shard> {
        &self.shards[usize::from(*first) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(length: usize) -> Arc<Verified> {
        let payload = serde_json::json!({ "exp": 1 });
        let claims = Claims::read(payload.as_object().unwrap()).unwrap();
        Arc::new(Verified::new("k".into(), 1, claims, length))
    }

    #[test]
    fn a_token_is_known_for_its_issuer_only() {
        let tokens = Tokens::default();
        let (one, two) = (Voucher::Issuer("https://one"), Voucher::Issuer("https://two"));
        tokens.keep(TokenKey::of("a.b.c", one), verified(5));
        assert!(tokens.find(&TokenKey::of("a.b.c", one)).is_some());
        assert!(tokens.find(&TokenKey::of("a.b.c", two)).is_none());
        assert!(tokens.find(&TokenKey::of("a.b.C", one)).is_none());
        let endpoint = Voucher::Endpoint { url: "https://one", issuer: "https://one" };
        assert!(tokens.find(&TokenKey::of("a.b.c", endpoint)).is_none(), "keys at the URL are not keys of the issuer");
    }

    #[test]
    fn the_whole_stays_within_its_bound_and_keeps_what_is_used() {
        let tokens = Tokens::default();
        let used = TokenKey::of("used", Voucher::Issuer(""));
        tokens.keep(used, verified(1000));
        let many = 4 * TOKEN_CACHE_BYTES_MAX / (1000 * BYTES_PER_TOKEN_BYTE);
        for number in 0..many {
            tokens.keep(TokenKey::of(&number.to_string(), Voucher::Issuer("")), verified(1000));
            assert!(tokens.find(&used).is_some(), "after {number}");
        }
        let bytes: usize = tokens
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock();
                shard.young.values().chain(shard.old.values()).map(|verified| verified.bytes).sum::<usize>()
            })
            .sum();
        assert!(bytes <= TOKEN_CACHE_BYTES_MAX, "{bytes}");
        assert!(tokens.find(&TokenKey::of("0", Voucher::Issuer(""))).is_none(), "the first of the others is forgotten");
    }
}
