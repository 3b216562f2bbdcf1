//! What keys use of usage plans: requests against quotas, and the tokens of the plans' rate limits (API Gateway developer guide,
//! "Usage plans and API keys for REST APIs", 2026-11). Counters outlive snapshots. What a quota means is `topology::quota`'s.
//!
//! A count is reported as the day's total, so that telling it twice counts nothing twice. Whoever keeps the reports says when one
//! is durable; a request waits for that where more than a hundredth of the quota is not kept yet. So the sudden end of the
//! process forgets at most one percent of a quota, and nothing of one below a hundred.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;
use topology::id::{ApiId, ApiKeyId, Realm, StageName, UsagePlanId};
use topology::observed::Fact;
use topology::quota;
use topology::resource::usage_plan::{Quota, Usage, UsageKey};
use topology::snapshot::front::RateLimit;
use topology::snapshot::gateway::RouteRef;
use topology::snapshot::rest::Member;
use topology::time::Moment;

use crate::bucket::Bucket;
use crate::limits::USAGE_KEEP_TIMEOUT;

/// Keeps counts of usage durably.
pub trait UsageKeeper: Send + Sync + std::fmt::Debug {
    /// Takes a [`Fact::Usage`] and ends once it is durable: with `false` where it cannot be kept.
    fn keep(&self, fact: Fact) -> Pin<Box<dyn Future<Output = bool> + Send>>;
}

/// The counters of a plane.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    counters: RwLock<HashMap<(Realm, UsageKey), Arc<Counter>>>,
    buckets: RwLock<HashMap<BucketKey, Arc<Bucket>>>,
}

/// What a bucket of a plan's rate limits counts: a key in a plan, or that on one method of one stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BucketKey {
    pub(crate) plan: UsagePlanId,
    pub(crate) key: ApiKeyId,
    pub(crate) method: Option<LimitedMethod>,
}

/// A method of a stage that a plan limits by itself.
pub(crate) type LimitedMethod = (ApiId, StageName, RouteRef);

/// One key's requests in one plan.
#[derive(Debug)]
struct Counter {
    counted: Mutex<Counted>,
    kept: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Counted {
    usage: Usage,
    /// The last day that was counted, and how much of it is kept.
    day: u32,
    kept: u64,
    /// How much of it was reported without asking whether it is kept.
    told: u64,
    saving: bool,
    /// Days that are over, and totals of theirs that were not told.
    late: Vec<(u32, u64)>,
}

/// The quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// A key in a plan with a quota.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account<'w> {
    pub(crate) realm: &'w Realm,
    pub(crate) key: UsageKey,
    pub(crate) quota: Quota,
    pub(crate) member: Member,
}

impl Counted {
    /// What is left today, by what was granted now.
    fn remaining(&mut self, account: &Account<'_>, today: u32) -> u64 {
        self.usage.granted = account.member.granted;
        account.quota.remaining(&self.usage, account.member.added, today)
    }

    fn used(&self, day: u32) -> u64 {
        self.usage.days.get(&day).copied().unwrap_or(0)
    }

    fn begin(&mut self, today: u32) {
        if self.day != today {
            let used = self.used(self.day);
            if used > self.kept.max(self.told) {
                self.late.push((self.day, used));
            }
            (self.day, self.kept) = (today, self.used(today));
            self.told = self.kept;
        }
    }
}

impl Meters {
    /// Takes over what was kept before.
    pub(crate) fn seed(&self, realm: &Realm, key: UsageKey, usage: Usage) {
        self.counters.write().insert((realm.clone(), key), Arc::new(Counter::new(usage)));
    }

    /// Forgets what no plan holds any more, and the methods that none limits.
    pub(crate) fn retain(
        &self,
        holds: impl Fn(&UsageKey) -> bool,
        limits: impl Fn(UsagePlanId, &LimitedMethod) -> bool,
    ) {
        if !self.counters.read().is_empty() {
            self.counters.write().retain(|(_, key), _| holds(key));
        }
        if !self.buckets.read().is_empty() {
            self.buckets.write().retain(|bucket, _| {
                holds(&(bucket.plan, bucket.key))
                    && bucket.method.as_ref().is_none_or(|method| limits(bucket.plan, method))
            });
        }
    }

    fn counter(&self, account: &Account<'_>) -> Arc<Counter> {
        let key = (account.realm.clone(), account.key);
        if let Some(known) = self.counters.read().get(&key) {
            return Arc::clone(known);
        }
        Arc::clone(self.counters.write().entry(key).or_insert_with(|| Arc::new(Counter::new(Usage::default()))))
    }

    /// Takes a token of a bucket.
    pub(crate) fn take(&self, key: BucketKey, limit: &RateLimit, now: u64) -> bool {
        if let Some(known) = self.buckets.read().get(&key) {
            return known.take(limit, now);
        }
        let bucket = Arc::clone(self.buckets.write().entry(key).or_default());
        bucket.take(limit, now)
    }

    /// What is left of a quota.
    pub(crate) fn remaining(&self, account: &Account<'_>, now: Moment) -> u64 {
        self.counter(account).counted.lock().remaining(account, quota::day(now))
    }

    /// Counts a request, and waits until enough of what was counted is kept.
    pub(crate) async fn count(
        &self,
        keeper: Option<&Arc<dyn UsageKeeper>>,
        account: &Account<'_>,
        now: Moment,
    ) -> Result<(), Exhausted> {
        let counter = self.counter(account);
        let today = quota::day(now);
        let unkept = {
            let mut counted = counter.counted.lock();
            if counted.remaining(account, today) == 0 {
                return Err(Exhausted);
            }
            counted.begin(today);
            *counted.usage.days.entry(today).or_insert(0) += 1;
            counted.used(today).saturating_sub(counted.kept)
        };
        let allowed = account.quota.limit / 100;
        if unkept > allowed
            && let Some(keeper) = keeper
        {
            let settled = counter.settle((keeper, account), today, allowed);
            if tokio::time::timeout(USAGE_KEEP_TIMEOUT, settled).await.is_err() {
                tracing::error!(plan = %account.key.0, "usage of a plan is not kept in time");
            }
        }
        Ok(())
    }

    /// Every total that was neither kept nor told before, as facts.
    pub(crate) fn untold(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        for ((realm, key), counter) in &*self.counters.read() {
            let mut counted = counter.counted.lock();
            for (day, used) in std::mem::take(&mut counted.late) {
                facts.push(Fact::Usage { realm: realm.clone(), key: *key, day, used });
            }
            let used = counted.used(counted.day);
            if used > counted.kept.max(counted.told) {
                counted.told = used;
                facts.push(Fact::Usage { realm: realm.clone(), key: *key, day: counted.day, used });
            }
        }
        facts
    }
}

impl Counter {
    fn new(usage: Usage) -> Self {
        Self { counted: Mutex::new(Counted { usage, ..Counted::default() }), kept: watch::Sender::new(0) }
    }

    /// Waits until at most `allowed` requests of this day are not kept. One save covers all counts before it, so that requests
    /// that come meanwhile share the next one.
    async fn settle(&self, (keeper, account): (&Arc<dyn UsageKeeper>, &Account<'_>), day: u32, allowed: u64) {
        let mine = self.counted.lock().used(day);
        let mut kept = self.kept.subscribe();
        loop {
            let total = {
                let mut counted = self.counted.lock();
                if counted.day != day || counted.kept.saturating_add(allowed) >= mine {
                    return;
                }
                if counted.saving {
                    None
                } else {
                    counted.saving = true;
                    Some(counted.used(day))
                }
            };
            match total {
                Some(used) => {
                    let mut saving = Saving(self, None);
                    let fact = Fact::Usage { realm: account.realm.clone(), key: account.key, day, used };
                    if keeper.keep(fact).await {
                        saving.1 = Some((day, used));
                    }
                    let failed = saving.1.is_none();
                    drop(saving);
                    if failed {
                        return tracing::error!(plan = %account.key.0, "usage of a plan could not be kept");
                    }
                }
                // The sender lives as long as the counter, which is borrowed here.
                None => _ = kept.changed().await,
            }
        }
    }
}

/// A save under way; when it ends, however it ends, those who wait look again.
struct Saving<'c>(&'c Counter, Option<(u32, u64)>);

impl Drop for Saving<'_> {
    fn drop(&mut self) {
        let mut counted = self.0.counted.lock();
        counted.saving = false;
        if let Some((day, used)) = self.1
            && counted.day == day
        {
            counted.kept = counted.kept.max(used);
        }
        drop(counted);
        self.0.kept.send_modify(|saves| *saves = saves.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use topology::id::ResourceId;
    use topology::snapshot::rest::MethodRef;

    use super::*;

    #[test]
    fn a_bucket_goes_with_its_key_and_with_its_method() {
        let (plan, key) = (UsagePlanId::from_bits(1), ApiKeyId::from_bits(1));
        let at = MethodRef { resource: ResourceId::from_bits(1), method: "GET".parse().unwrap() };
        let on = |stage: &str| Some((ApiId::from_bits(1), stage.parse().unwrap(), RouteRef::Method(at)));
        let rows: [(bool, &[&str], usize); 3] =
            [(true, &["prod", "dev"], 3), (true, &["prod"], 2), (false, &["prod"], 0)];
        for (holds, stages, left) in rows {
            let meters = Meters::default();
            for method in [None, on("prod"), on("dev")] {
                assert!(meters.take(BucketKey { plan, key, method }, &RateLimit::new(1.0, 1), 0));
            }
            meters.retain(|_| holds, |_, (_, stage, _)| stages.contains(&stage.as_str()));
            assert_eq!(meters.buckets.read().len(), left, "{holds} {stages:?}");
        }
    }
}
