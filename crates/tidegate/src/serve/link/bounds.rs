//! How many may come, and how fast: connections in all, those of strangers by address, lanes by agent, and the pace at which agents
//! begin. Time is an argument here.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use topology::id::{AgentId, Realm};

use crate::serve::limits::{
    LINK_ACCEPTS_PER_SECOND, LINK_CONNECTIONS_PER_AGENT_MAX, LINK_HANDSHAKES_MAX, LINK_HANDSHAKES_PER_ADDRESS_MAX,
    LINK_PACE_WAIT_MAX, LINK_TOLD_AGAIN, LINK_TOLD_MAX,
};

/// The bounds of one listener.
pub(super) struct Bounds {
    /// Connections.
    pub(super) places: Arc<Semaphore>,
    /// Handshakes that are under way.
    pub(super) handshakes: Semaphore,
    strangers: Counts<IpAddr>,
    agents: Counts<(Realm, AgentId)>,
    /// Of those whom a certificate shows to be agents.
    pub(super) lanes: Pacer,
    /// Of those who may be anybody: they keep no agent waiting.
    pub(super) enrolments: Pacer,
    told: Mutex<Told>,
}

/// Room for one lane.
#[derive(Debug)]
pub(super) struct Place {
    _of_agent: Counted<(Realm, AgentId)>,
    _of_listener: OwnedSemaphorePermit,
}

impl Bounds {
    pub(super) fn new(connections_max: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(connections_max)),
            handshakes: Semaphore::new(LINK_HANDSHAKES_MAX),
            strangers: Counts::new(LINK_HANDSHAKES_PER_ADDRESS_MAX),
            agents: Counts::new(LINK_CONNECTIONS_PER_AGENT_MAX),
            lanes: Pacer::default(),
            enrolments: Pacer::default(),
            told: Mutex::default(),
        }
    }

    /// Room for one who is not known yet; `None` where as many come from its address.
    pub(super) fn stranger(&self, address: IpAddr) -> Option<Counted<IpAddr>> {
        self.strangers.enter(address)
    }

    /// Room for a lane of an agent; `None` where it has as many.
    pub(super) fn place(&self, realm: &Realm, agent: AgentId, permit: OwnedSemaphorePermit) -> Option<Place> {
        let of_agent = self.agents.enter((realm.clone(), agent))?;
        Some(Place { _of_agent: of_agent, _of_listener: permit })
    }

    /// Whether the log is to tell of this refusal: the same of the same address was not told of just now.
    pub(super) fn is_news(&self, address: IpAddr, code: &'static str, now: Instant) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).is_news((address, code), now)
    }
}

/// How many there are of each, up to a bound.
struct Counts<K> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    max: usize,
}

/// One of them, for as long as this lives.
#[derive(Debug)]
pub(super) struct Counted<K: Eq + Hash> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Counts<K> {
    fn new(max: usize) -> Self {
        Self { counts: Arc::default(), max }
    }

    fn enter(&self, key: K) -> Option<Counted<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Counted { counts: Arc::clone(&self.counts), key })
    }
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// The pace of one kind of beginners.
#[derive(Default)]
pub(super) struct Pacer(Mutex<Pace>);

impl Pacer {
    /// How long whoever begins now is to wait for its turn; `None` where that would be too long.
    pub(super) fn turn(&self, now: Instant) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).turn(now)
    }
}

/// The pace at which some begin: each takes the next of turns that follow one another.
#[derive(Default)]
struct Pace {
    next: Option<Instant>,
}

impl Pace {
    fn turn(&mut self, now: Instant) -> Option<Duration> {
        let at = self.next.filter(|next| *next > now).unwrap_or(now);
        let wait = at.saturating_duration_since(now);
        if wait > LINK_PACE_WAIT_MAX {
            return None;
        }
        self.next = Some(at + Duration::from_secs(1) / LINK_ACCEPTS_PER_SECOND);
        Some(wait)
    }
}

/// What the log was told of lately.
#[derive(Default)]
struct Told {
    at: HashMap<(IpAddr, &'static str), Instant>,
}

impl Told {
    fn is_news(&mut self, what: (IpAddr, &'static str), now: Instant) -> bool {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < LINK_TOLD_AGAIN;
        if self.at.get(&what).is_some_and(is_recent) {
            return false;
        }
        self.at.retain(|_, at| is_recent(at));
        if self.at.len() >= LINK_TOLD_MAX {
            return false;
        }
        self.at.insert(what, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_begin_at_a_pace_and_who_would_wait_too_long_is_sent_away() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let waits: Vec<Duration> = std::iter::from_fn(|| pace.turn(now)).take(100_000).collect();
        let step = Duration::from_secs(1) / LINK_ACCEPTS_PER_SECOND;
        assert_eq!((waits[0], waits[1]), (Duration::ZERO, step));
        let longest = *waits.last().unwrap();
        assert!(longest <= LINK_PACE_WAIT_MAX && longest + step > LINK_PACE_WAIT_MAX);
        assert_eq!(pace.turn(now), None);
        assert_eq!(pace.turn(now + step), Some(LINK_PACE_WAIT_MAX.min(longest)));
        assert_eq!(pace.turn(now + Duration::from_secs(3600)), Some(Duration::ZERO));
    }

    #[test]
    fn counts_are_given_back() {
        let counts = Counts::new(2);
        let held = [counts.enter(1), counts.enter(1)];
        assert!(held.iter().all(Option::is_some) && counts.enter(1).is_none());
        assert!(counts.enter(2).is_some());
        drop(held);
        assert!(counts.enter(1).is_some());
        assert!(counts.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn a_refusal_is_told_once_in_a_while_and_never_fills_memory() {
        let (mut told, now) = (Told::default(), Instant::now());
        let from = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(told.is_news((from(1), "A"), now) && !told.is_news((from(1), "A"), now));
        assert!(told.is_news((from(1), "B"), now) && told.is_news((from(2), "A"), now));
        assert!(told.is_news((from(1), "A"), now + LINK_TOLD_AGAIN));
        let news = (0..5_000).filter(|n| told.is_news((from(*n), "C"), now)).count();
        assert!(news < LINK_TOLD_MAX);
        assert!(told.at.len() <= LINK_TOLD_MAX);
    }
}
