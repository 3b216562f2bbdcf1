//! Who vouches for a caller: issuers of tokens and their keys, tokens and their claims, and the judge of signatures. Whom a route or a
//! rule lets in is the business of those above.
//!
//! A token that was verified before is judged without waiting and almost without allocating.

pub(crate) mod cache;
pub(crate) mod claims;
pub(crate) mod fetch;
pub(crate) mod issuer;
pub(crate) mod json;
mod keys;
pub(crate) mod rejection;
pub(crate) mod signature;
pub(crate) mod source;
pub(crate) mod token;
pub(crate) mod voucher;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use self::cache::{TokenKey, Tokens, Verified};
use self::issuer::{Coming, Issuers, Look, Patience};
use self::rejection::Rejection;
use self::token::Token;
use self::voucher::{Named, Voucher};
use crate::clock;
use crate::fabric::outside::Outside;

/// Who bears a token.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// Someone whom the issuer vouches for.
    Verified(Arc<Verified>),
    /// Nobody knows before the keys come.
    Coming(Coming),
}

/// Issuers, the tokens of theirs that were verified, and the clock by which both are judged.
#[derive(Debug)]
pub(crate) struct Identity {
    issuers: Issuers,
    tokens: Tokens,
    /// The way to issuers.
    outside: Arc<Outside>,
    /// Seconds by which the clock was moved forward.
    moved_s: AtomicU64,
}

impl Identity {
    /// Nobody is known.
    pub(crate) fn new(outside: Arc<Outside>) -> Self {
        Self { issuers: Issuers::default(), tokens: Tokens::default(), outside, moved_s: AtomicU64::new(0) }
    }

    /// The way to those who vouch.
    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Time since 1970 by the moved clock.
    pub(crate) fn now(&self) -> Duration {
        clock::since_epoch().saturating_add(Duration::from_secs(self.moved_s.load(Ordering::Relaxed)))
    }

    /// Now by the moved clock, which never runs backwards.
    pub(crate) fn instant(&self) -> Instant {
        clock::now() + Duration::from_secs(self.moved_s.load(Ordering::Relaxed))
    }

    /// Moves the clock.
    pub(crate) fn move_clock(&self, by: Duration) {
        // The sum of a few ten years stays far below the bound.
        self.moved_s.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    /// Forgets the issuers that nobody names any more.
    pub(crate) fn retain(&self, named: impl FnOnce() -> Named) {
        self.issuers.retain(named);
    }

    /// Whether it vouches for the token. What the token says is not judged here.
    pub(crate) fn verified(
        self: &Arc<Self>,
        text: &str,
        voucher: Voucher<'_>,
        patience: Patience,
    ) -> Result<Bearer, Rejection> {
        let issuer = self.issuers.get(voucher);
        let key = TokenKey::of(text, voucher);
        let known = self.tokens.find(&key);
        let verified = match known.map(|known| (issuer.look(self, &known.kid, patience), known)) {
            Some((Look::Known(keys), known)) if keys.generation == known.generation => known,
            Some((Look::Coming(keys), _)) => return Ok(Bearer::Coming(keys)),
            Some(_) | None => {
                let token = Token::parse(text)?;
                if matches!(voucher, Voucher::Endpoint { .. }) {
                    token.check_rs256()?;
                }
                let mut look = issuer.look(self, &token.kid, Patience::Decides);
                if !matches!(look, Look::Known(_)) {
                    // What is out of place anyway is worth no fetching, and says more than a lack of keys.
                    token.claims.check_issuer(voucher.issuer())?;
                    token.claims.check_times(self.now())?;
                }
                if patience == Patience::Waits {
                    look = issuer.look(self, &token.kid, patience);
                }
                let generation = match look {
                    Look::Known(keys) if keys.vouches_for(&token) => keys.generation,
                    Look::Known(_) => return Err(Rejection::BadSignature { kid: token.kid }),
                    Look::Coming(keys) => return Ok(Bearer::Coming(keys)),
                    Look::Unknown(keys) => {
                        return Err(Rejection::KeyUnknown { kid: Some(token.kid), known: keys.ids() });
                    }
                    Look::Unreachable(error) => return Err(Rejection::Unreachable(error)),
                };
                let verified = Arc::new(Verified::new(token.kid, generation, token.claims, text.len()));
                self.tokens.keep(key, Arc::clone(&verified));
                verified
            }
        };
        Ok(Bearer::Verified(verified))
    }
}

/// Takes a token apart for `crate::fuzzing`.
///
/// # Panics
/// When the parts are not the text.
pub(crate) fn take_apart(text: &str) {
    if let Ok(token) = Token::parse(text) {
        assert_eq!(format!("{}.{}", token.signed, token.signature), text);
        assert!(!token.claims.text.is_empty(), "a token without exp is refused");
    }
}

/// Reads an issuer's keys for `crate::fuzzing`.
pub(crate) fn attempt_keys(bytes: &[u8]) {
    let _known = keys::read(bytes);
}
