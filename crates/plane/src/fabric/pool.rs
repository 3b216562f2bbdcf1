//! Kept HTTP/1.1 connections to targets and public endpoints, one list for each pair of ends. A connection comes back only when the answer was
//! read to its end and the request was sent to its end; it is taken out only for a permit between the same ends.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::dial::{self, DialError, Permit, PoolKey};
use super::lanes::{AgentLane, Lane, NoConnection};
use super::outside::{Origin, OutsideError, Stream, Way};
use crate::clock;
use crate::http1::wire::Wire;
use crate::limits::{IDLE_PER_KEY_MAX, UPSTREAM_IDLE_TIMEOUT};

/// What kept connections are known by. Made here alone, of what a [`Road`] is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(Ends);

#[derive(Debug, PartialEq, Eq, Hash)]
enum Ends {
    /// Between two ends of a private network.
    Private(PoolKey),
    /// To a public endpoint.
    Outside(Arc<Origin>),
    /// To an agent.
    Agent(OfAgent),
}

/// The lane of one agent's session: another one of the same agent is another end.
#[derive(Debug)]
struct OfAgent(Arc<AgentLane>);

impl PartialEq for OfAgent {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OfAgent {}

impl Hash for OfAgent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

/// A way to somewhere: it names the connections that may be used again, and opens a fresh one. There are three, a [`Permit`], an
/// outside [`Way`] and the [`Lane`] of an agent, and no other file can add a fourth.
pub(crate) trait Road: sealed::Judged {
    /// Why none could be opened.
    type Error;
    /// What kept connections are known by; `None` where there is nothing to connect to.
    fn key(&self) -> Option<Key>;
    /// Opens a fresh connection.
    fn open(&self) -> impl Future<Output = Result<Pooled, Self::Error>> + Send;
}

mod sealed {
    use super::{Lane, Permit, Way};

    /// Who was judged before a connection is used, or is while it is opened.
    pub(crate) trait Judged {}
    impl Judged for Permit {}
    impl Judged for Way<'_> {}
    impl Judged for Lane<'_> {}
}

impl Road for Permit {
    type Error = DialError;

    fn key(&self) -> Option<Key> {
        self.pool_key().map(|key| Key(Ends::Private(key)))
    }

    async fn open(&self) -> Result<Pooled, DialError> {
        let stream = dial::connect(self).await?;
        let key = Road::key(self).ok_or(DialError::Refused)?;
        Ok(Pooled::fresh(stream, key))
    }
}

impl Way<'_> {
    fn ends(&self) -> Key {
        Key(Ends::Outside(Arc::clone(self.origin())))
    }
}

impl Road for Way<'_> {
    type Error = OutsideError;

    fn key(&self) -> Option<Key> {
        Some(self.ends())
    }

    async fn open(&self) -> Result<Pooled, OutsideError> {
        Ok(Pooled::fresh(self.connect().await?, self.ends()))
    }
}

impl Lane<'_> {
    fn ends(&self) -> Key {
        Key(Ends::Agent(OfAgent(Arc::clone(self.agent()))))
    }
}

impl Road for Lane<'_> {
    type Error = NoConnection;

    fn key(&self) -> Option<Key> {
        Some(self.ends())
    }

    /// Waits for one: agents dial, never the gateway. It was there before the request, so that a request may follow it on another one.
    async fn open(&self) -> Result<Pooled, NoConnection> {
        Ok(Pooled { wire: self.wait().await?, key: self.ends(), reused: true })
    }
}

/// A connection in use. Dropping it closes the connection; [`Pool::give_back`] keeps it.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// The connection.
    pub(crate) wire: Box<Wire<Stream>>,
    /// Between whom.
    pub(crate) key: Key,
    /// Whether it carried a request before.
    pub(crate) reused: bool,
}

impl Pooled {
    /// A connection that was just opened.
    fn fresh(stream: Stream, key: Key) -> Self {
        Self { wire: Box::new(Wire::new(stream)), key, reused: false }
    }
}

struct Idle {
    wire: Box<Wire<Stream>>,
    since: Instant,
}

type Shard = Mutex<HashMap<Key, Vec<Idle>, RandomState>>;

const SHARDS: usize = 16;

/// The kept connections.
#[derive(Default)]
pub(crate) struct Pool {
    shards: [Shard; SHARDS],
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("idle", &self.idle()).finish()
    }
}

impl Pool {
    fn shard(&self, key: &Key) -> &Shard {
        let place = match &key.0 {
            Ends::Private(key) => key.spread(),
            Ends::Outside(origin) => origin.host.len() ^ usize::from(origin.port),
            // Its connections are kept with the agent.
            Ends::Agent(_) => 0,
        };
        &self.shards[place % SHARDS]
    }

    /// A kept connection on this road, the one used last first.
    pub(crate) fn take(&self, road: &impl Road) -> Option<Pooled> {
        let key = road.key()?;
        if let Ends::Agent(OfAgent(lane)) = &key.0 {
            let wire = lane.take()?;
            return Some(Pooled { wire, key, reused: true });
        }
        let mut shard = self.shard(&key).lock();
        let list = shard.get_mut(&key)?;
        while let Some(mut idle) = list.pop() {
            if idle.wire.is_quiet() {
                drop(shard);
                return Some(Pooled { wire: idle.wire, key, reused: true });
            }
        }
        None
    }

    /// Keeps a connection whose exchange is over.
    pub(crate) fn give_back(&self, wire: Box<Wire<Stream>>, key: Key) {
        if let Ends::Agent(OfAgent(lane)) = &key.0 {
            return lane.give_back(wire);
        }
        let mut shard = self.shard(&key).lock();
        let list = shard.entry(key).or_default();
        if list.len() < IDLE_PER_KEY_MAX {
            list.push(Idle { wire, since: clock::now() });
        }
    }

    /// Closes what was idle for too long, or was closed by the other end.
    pub(crate) fn sweep(&self) {
        let now = clock::now();
        for shard in &self.shards {
            shard.lock().retain(|_, list| {
                list.retain_mut(|idle| now.duration_since(idle.since) < UPSTREAM_IDLE_TIMEOUT && idle.wire.is_quiet());
                !list.is_empty()
            });
        }
    }

    /// Closes the idle connections between private ends that `pred` names: their verdict turned. Those in use end their exchange.
    pub(crate) fn close_matching(&self, pred: impl Fn(&PoolKey) -> bool) {
        for shard in &self.shards {
            shard.lock().retain(|key, _| match &key.0 {
                Ends::Private(key) => !pred(key),
                Ends::Outside(_) | Ends::Agent(_) => true,
            });
        }
    }

    /// How many connections are kept.
    pub(crate) fn idle(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().values().map(Vec::len).sum::<usize>()).sum()
    }
}
