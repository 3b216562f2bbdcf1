//! The issuers that authorizers name, and when their keys are asked for again. Keys are kept for two hours (HTTP API developer
//! guide, JWT authorizers, 2026-11) and shared by all authorizers of one issuer; one request fetches, and those wait for it that
//! have no key to go by: one that is known and not too old is believed while newer ones are on their way.
//!
//! Our own rules, since AWS documents none: a token with an unknown `kid` fetches at most once in ten seconds; while an issuer
//! does not answer, its old keys are believed for a day and it is asked again every ten seconds; an issuer whose keys were never
//! had is asked again after a second. All times are the moved clock's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::Identity;
use super::fetch::{self, FetchError};
use super::keys::{KeySet, PublicKey};
use super::voucher::{Kind, Named, Voucher};
use crate::limits::{ISSUER_FIRST_RETRY, ISSUER_RETRY, ISSUER_WAIT_MAX, JWKS_STALE_MAX};

/// How often a request waits for keys: once for a fetch that may have begun before the key it needs was there, and once for one
/// that began after.
pub(crate) const WAITS_MAX: u8 = 2;

type Known = RwLock<HashMap<String, Arc<Issuer>>>;

/// The issuers that are in use.
#[derive(Debug, Default)]
pub(crate) struct Issuers {
    issuers: Known,
    endpoints: Known,
    generations: AtomicU64,
}

impl Issuers {
    /// The one that vouches.
    pub(crate) fn get(&self, voucher: Voucher<'_>) -> Arc<Issuer> {
        let (kind, url) = (voucher.kind(), voucher.url());
        let known = match kind {
            Kind::Issuer => &self.issuers,
            Kind::Endpoint => &self.endpoints,
        };
        if let Some(issuer) = known.read().get(url) {
            return Arc::clone(issuer);
        }
        let mut known = known.write();
        Arc::clone(known.entry(url.to_owned()).or_insert_with(|| Arc::new(Issuer::new(url, kind))))
    }

    /// A generation of keys that no issuer has had, not even one that was forgotten.
    fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed)
    }

    /// Forgets the issuers that nobody names any more.
    pub(crate) fn retain(&self, named: impl FnOnce() -> Named) {
        if !self.issuers.read().is_empty() || !self.endpoints.read().is_empty() {
            let named = named();
            self.issuers.write().retain(|url, _| named.issuers.contains(url));
            self.endpoints.write().retain(|url, _| named.endpoints.contains(url));
        }
    }
}

/// One issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    url: String,
    kind: Kind,
    keys: ArcSwapOption<KeySet>,
    asking: Mutex<Asking>,
    asked: watch::Sender<u64>,
}

/// How asking for keys goes. Touched only where keys are lacking.
#[derive(Debug, Default)]
struct Asking {
    under_way: bool,
    /// When it was last begun.
    begun: Option<Duration>,
    /// When it was last begun for an unknown key.
    begun_for_key: Option<Duration>,
    /// How it last failed; `None` after a success.
    failed: Option<Arc<FetchError>>,
}

/// What an issuer has for a token.
#[derive(Debug)]
pub(crate) enum Look {
    /// The keys, with the one that the token names.
    Known(Arc<KeySet>),
    /// Keys are on their way.
    Coming(Coming),
    /// The keys, without the one that the token names.
    Unknown(Arc<KeySet>),
    /// None.
    Unreachable(Arc<FetchError>),
}

/// Keys on their way.
#[derive(Debug)]
pub(crate) struct Coming(watch::Receiver<u64>);

impl Coming {
    /// Waits for them, or for their failure.
    pub(crate) async fn wait(mut self) {
        // Fetching is bounded itself; a sender that is gone means an issuer that is gone. Either way the next look decides.
        let _ = tokio::time::timeout(ISSUER_WAIT_MAX, self.0.changed()).await;
    }
}

/// Whether a look may still lead to waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It may.
    Waits,
    /// It must decide by what there is.
    Decides,
}

impl Issuer {
    fn new(url: &str, kind: Kind) -> Self {
        Self {
            url: url.to_owned(),
            kind,
            keys: ArcSwapOption::empty(),
            asking: Mutex::default(),
            asked: watch::Sender::new(0),
        }
    }

    /// Looks for the key of this id. It takes no lock while the keys are fresh and know it.
    pub(crate) fn look(self: &Arc<Self>, identity: &Arc<Identity>, kid: &str, patience: Patience) -> Look {
        let now = identity.now();
        match &*self.keys.load() {
            Some(keys) if keys.is_fresh(now) && keys.knows(kid) => Look::Known(Arc::clone(keys)),
            _ => self.look_again(identity, kid, (now, patience)),
        }
    }

    #[cold]
    fn look_again(
        self: &Arc<Self>,
        identity: &Arc<Identity>,
        kid: &str,
        (now, patience): (Duration, Patience),
    ) -> Look {
        let mut asking = self.asking.lock();
        // They may have come meanwhile.
        let keys = self.keys.load_full();
        let is_known = keys.as_ref().is_some_and(|keys| keys.knows(kid));
        let is_fresh = keys.as_ref().is_some_and(|keys| keys.is_fresh(now));
        if !(is_known && is_fresh) && patience == Patience::Waits {
            if !asking.under_way && asking.is_due(now, (keys.is_some(), is_fresh)) {
                asking.begin(now, is_fresh);
                self.ask(identity);
            }
            let is_believed = is_known && keys.as_ref().is_some_and(|keys| keys.age(now) < JWKS_STALE_MAX);
            if asking.under_way && !is_believed {
                return Look::Coming(Coming(self.asked.subscribe()));
            }
        }
        let failed = || asking.failed.clone().unwrap_or_else(|| Arc::new(FetchError::Lost));
        match keys {
            Some(keys) if is_known && keys.age(now) < JWKS_STALE_MAX => Look::Known(keys),
            Some(keys) if is_fresh && asking.failed.is_none() => Look::Unknown(keys),
            Some(_) | None => Look::Unreachable(failed()),
        }
    }

    /// Fetches in a task of its own: a client that goes away must not end what others wait for.
    fn ask(self: &Arc<Self>, identity: &Arc<Identity>) {
        let (end, identity) = (End(Arc::clone(self)), Arc::clone(identity));
        crate::task::spawn(async move {
            let outcome = fetch::keys(&identity.outside, &end.0.url, end.0.kind).await;
            end.0.settle(outcome, identity.now(), identity.issuers.next_generation());
        });
    }

    fn settle(&self, outcome: Result<Vec<PublicKey>, FetchError>, now: Duration, unused: u64) {
        let mut asking = self.asking.lock();
        match outcome {
            Ok(keys) => {
                let next = KeySet::after(self.keys.load().as_deref(), keys, now, unused);
                tracing::debug!(issuer = self.url, keys = ?next.ids(), generation = next.generation, "keys are fetched");
                self.keys.store(Some(Arc::new(next)));
                asking.failed = None;
            }
            Err(error) => {
                tracing::warn!(issuer = self.url, %error, "an issuer's keys cannot be fetched");
                asking.failed = Some(Arc::new(error));
            }
        }
    }
}

impl Asking {
    fn is_due(&self, now: Duration, (has_keys, is_fresh): (bool, bool)) -> bool {
        let (last, pause) = match (has_keys, is_fresh) {
            (false, _) => (self.begun, ISSUER_FIRST_RETRY),
            (true, false) => (self.begun, ISSUER_RETRY),
            (true, true) => (self.begun_for_key, ISSUER_RETRY),
        };
        last.is_none_or(|last| now.saturating_sub(last) >= pause)
    }

    fn begin(&mut self, now: Duration, for_key: bool) {
        self.under_way = true;
        self.begun = Some(now);
        if for_key {
            self.begun_for_key = Some(now);
        }
    }
}

/// The end of asking, however it comes.
struct End(Arc<Issuer>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.asking.lock().under_way = false;
        self.0.asked.send_modify(|count| *count = count.wrapping_add(1));
    }
}
