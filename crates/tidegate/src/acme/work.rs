//! When the authority is asked, and how often again. All times are those of control's clock, so that `tick` moves them too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use control::certified::Certified;
use control::orders::Ordered;
use tokio::task::{Id, JoinSet};
use topology::time::Moment;

use super::order::{Refusal, obtain};
use super::renewal::{Advice, advice};
use super::{Authority, Key, Trouble};
use crate::chance::seed;
use crate::mailbox::{Mailbox, Stopped};

/// Orders under way at once. Above: the next ones wait.
const ORDERS_MAX: usize = 4;
/// How long to wait after the first failure; after each one more, twice as long.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest of these waits.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// How far a wait may be shorter or longer by chance, so that many servers do not come at once: a quarter.
const JITTER_PART: u64 = 4;
/// How long nothing is looked at where nothing is due.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// Asks for what is due until the server stops. Orders that are under way then are made again after the next start.
pub(crate) async fn work(authority: Arc<Authority>, mailbox: Mailbox, stopping: impl Future<Output = ()>) {
    let (running, under_way, advised) = (JoinSet::new(), BTreeMap::new(), BTreeMap::new());
    let mut work = Work { authority, mailbox, running, under_way, advised };
    let ended = tokio::select! {
        () = stopping => return,
        Err(ended) = work.until_control_ends() => ended,
    };
    tracing::debug!(%ended, "no certificate is asked for any more");
}

struct Work {
    authority: Arc<Authority>,
    mailbox: Mailbox,
    running: JoinSet<Ended>,
    under_way: BTreeMap<Id, Ordered>,
    /// At most one for each certificate that is renewed.
    advised: BTreeMap<Key, Advised>,
}

/// What came of asking.
enum Ended {
    Order(Result<Certified, Refusal>),
    Advice(Advice),
}

/// What the authority suggested for a certificate.
struct Advised {
    /// The certificate, in PEM.
    of: String,
    at: Option<Moment>,
    again: Moment,
}

/// Never: only its error is of interest.
enum Endless {}

impl Work {
    async fn until_control_ends(&mut self) -> Result<Endless, Stopped> {
        loop {
            let (orders, now) = self.mailbox.work("certificates", |control, now| (control.orders(), now)).await?;
            self.follow(&orders);
            let pause = self.begin(orders, now);
            tokio::select! {
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    let (id, outcome) = match ended {
                        Ok(ended) => ended,
                        Err(broken) => (broken.id(), Ended::Order(Err(Refusal::for_now("the order met a defect")))),
                    };
                    match (self.under_way.remove(&id), outcome) {
                        (Some(order), Ended::Order(outcome)) => self.end(&order, outcome).await?,
                        (Some(order), Ended::Advice(advice)) => self.advise(order, &advice, now),
                        (None, _) => {}
                    }
                }
                () = self.authority.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Forgets what is told of certificates that are gone; of those that are given up it stays, without another time.
    fn follow(&mut self, orders: &[Ordered]) {
        let known: BTreeMap<Key, bool> = orders.iter().map(|order| (key(order), order.due.is_some())).collect();
        self.advised.retain(|key, _| known.contains_key(key));
        self.authority.with_troubles(|troubles| {
            troubles.retain(|key, trouble| {
                let is_asked = known.get(key).copied();
                trouble.again = trouble.again.filter(|_| is_asked == Some(true));
                is_asked.is_some()
            });
        });
    }

    /// Begins what is due, and tells how long until something else is.
    fn begin(&mut self, orders: Vec<Ordered>, now: Moment) -> Duration {
        let troubles = self.authority.troubles();
        let mut pause = LOOK_AGAIN;
        for order in orders {
            let Some(due) = order.due else { continue };
            let advised = self.suggested(&order);
            let due = advised.and_then(|advised| advised.at).map_or(due, |at| due.min(at.max(order.earliest)));
            let asks_again = advised.map_or(now, |advised| advised.again);
            let again =
                troubles.get(&key(&order)).and_then(|trouble| trouble.again).map_or(due, |again| again.max(due));
            let is_free =
                self.under_way.len() < ORDERS_MAX && !self.under_way.values().any(|other| meets(&order, other));
            if again > now {
                pause = pause.min(until(again, now));
                if order.before.is_some() && asks_again > now {
                    pause = pause.min(until(asks_again, now));
                } else if order.before.is_some() && is_free {
                    self.ask_for_advice(order);
                }
            } else if is_free {
                // One that has to wait for another begins when that one ends.
                let what = if order.before.is_none() { "asked for" } else { "renewed" };
                tracing::info!(certificate = %order.id, names = order.names.join(" "), "a certificate is {what}");
                let (authority, wanted) = (Arc::clone(&self.authority), order.clone());
                let task = self.running.spawn(async move { Ended::Order(obtain(&authority, &wanted).await) });
                self.under_way.insert(task.id(), order);
            }
        }
        pause
    }

    /// What the authority suggested for the certificate that there is now.
    fn suggested(&self, order: &Ordered) -> Option<&Advised> {
        self.advised.get(&key(order)).filter(|advised| Some(&advised.of) == order.before.as_ref())
    }

    fn ask_for_advice(&mut self, order: Ordered) {
        let (authority, of) = (Arc::clone(&self.authority), order.before.clone().unwrap_or_default());
        let task = self.running.spawn(async move { Ended::Advice(advice(&authority, &of, seed()).await) });
        self.under_way.insert(task.id(), order);
    }

    fn advise(&mut self, order: Ordered, advice: &Advice, now: Moment) {
        let again = now.plus_ms(i64::try_from(advice.again.as_millis()).unwrap_or(i64::MAX));
        tracing::debug!(certificate = %order.id, at = ?advice.at, again_s = advice.again.as_secs(), "a suggestion when to renew");
        let key = key(&order);
        if let Some(of) = order.before {
            self.advised.insert(key, Advised { of, at: advice.at, again });
        }
    }

    async fn end(&mut self, order: &Ordered, outcome: Result<Certified, Refusal>) -> Result<(), Stopped> {
        let key = key(order);
        let (realm, id) = key.clone();
        let refused = match outcome {
            Ok(made) => {
                let kept =
                    self.mailbox.work("a certificate", move |control, now| control.fulfil((&realm, id), &made, now));
                match kept.await? {
                    Ok(()) => {
                        tracing::info!(certificate = %order.id, names = order.names.join(" "), "a certificate was issued");
                        self.authority.with_troubles(|troubles| troubles.remove(&key));
                        return Ok(());
                    }
                    Err(fault) => Refusal::for_now(format!(
                        "the authority's certificate is not kept: {}",
                        fault.detail.unwrap_or(fault.message)
                    )),
                }
            }
            Err(refused) => refused,
        };
        self.fail(key, order, refused).await
    }

    async fn fail(&self, key: Key, order: &Ordered, refused: Refusal) -> Result<(), Stopped> {
        let (realm, id) = key.clone();
        let declined = refused.declined;
        let noted =
            self.mailbox.work("a certificate", move |control, now| (control.decline((&realm, id), declined, now), now));
        let (noted, now) = noted.await?;
        if let Err(fault) = noted {
            tracing::error!(%fault, detail = fault.detail, "what became of a certificate could not be kept");
        }
        let tries = self.authority.troubles().get(&key).map_or(1, |trouble| trouble.tries.saturating_add(1));
        let wait = backoff(tries, seed()).max(refused.pause.unwrap_or_default());
        let again = now.plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        tracing::warn!(certificate = %order.id, names = order.names.join(" "), tries, why = refused.why, ?declined, wait_s = wait.as_secs(), "no certificate was issued");
        self.authority
            .with_troubles(|troubles| troubles.insert(key, Trouble { tries, why: refused.why, again: Some(again) }));
        Ok(())
    }
}

/// How long until then.
fn until(then: Moment, now: Moment) -> Duration {
    Duration::from_millis(u64::try_from(then.ms_since(now)).unwrap_or(0))
}

fn key(order: &Ordered) -> Key {
    (order.realm.clone(), order.id)
}

/// Whether two orders want a name proven that both have: what proves it to the one would be false for the other.
fn meets(one: &Ordered, other: &Ordered) -> bool {
    key(one) == key(other) || one.names.iter().any(|name| other.names.contains(name))
}

/// How long to wait after so many failures, by chance a little more or less.
fn backoff(tries: u32, chance: u64) -> Duration {
    let doubled = PAUSE.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX)).min(PAUSE_MAX);
    let spread_ms = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX) / JITTER_PART;
    let more_or_less = chance % (2 * spread_ms + 1);
    doubled.saturating_sub(Duration::from_millis(spread_ms)) + Duration::from_millis(more_or_less)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_differ_and_end() {
        for (tries, seconds) in [(1, 10), (2, 20), (5, 160), (9, 2560), (10, 3600), (33, 3600), (u32::MAX, 3600)] {
            let middle = Duration::from_secs(seconds);
            let quarter = middle / 4;
            assert_eq!(backoff(tries, 0), middle - quarter, "{tries}");
            for chance in [1, 77, u64::MAX] {
                let wait = backoff(tries, chance);
                assert!(wait >= middle - quarter && wait <= middle + quarter, "{tries} {chance}: {wait:?}");
            }
        }
    }
}
