//! Kept HTTP/1.1 connections to targets and public endpoints, one list for each pair of ends. A connection comes back only when the answer was
//! read to its end and the request was sent to its end; it is taken out only for a permit between the same ends.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use tokio::time::Instant;
use topology::id::NetworkInterfaceId;

use super::dial::{self, DialError, Permit};
use super::outside::{Origin, Stream};
use crate::clock;
use crate::http1::wire::Wire;
use crate::limits::{IDLE_PER_KEY_MAX, UPSTREAM_IDLE_TIMEOUT};

/// Between whom a connection runs. Two interfaces never share one, even to the same place on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    /// The sending interface.
    pub(crate) from: NetworkInterfaceId,
    /// The receiving interface; `None` outside every VPC.
    pub(crate) to: Option<NetworkInterfaceId>,
    /// The private address.
    pub(crate) address: Ipv4Addr,
    /// The private port.
    pub(crate) port: u16,
    /// Where it is served.
    pub(crate) host: SocketAddr,
}

/// What kept connections are known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Between two ends of a private network.
    Private(PoolKey),
    /// To a public endpoint.
    Outside(Arc<Origin>),
}

/// A way to somewhere: it names the connections that may be used again, and opens a fresh one.
pub(crate) trait Road {
    /// Why none could be opened.
    type Error;
    /// What kept connections are known by; `None` where there is nothing to connect to.
    fn key(&self) -> Option<Key>;
    /// Opens a fresh connection.
    fn open(&self) -> impl Future<Output = Result<Lease, Self::Error>> + Send;
}

impl Road for Permit {
    type Error = DialError;

    fn key(&self) -> Option<Key> {
        self.pool_key().map(Key::Private)
    }

    async fn open(&self) -> Result<Lease, DialError> {
        let stream = dial::connect(self).await?;
        let key = Road::key(self).ok_or(DialError::Refused)?;
        Ok(Lease::fresh(Stream::Plain(stream), key))
    }
}

/// A connection in use. Dropping it closes the connection; [`Pool::give_back`] keeps it.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The connection.
    pub(crate) wire: Box<Wire<Stream>>,
    /// Between whom.
    pub(crate) key: Key,
    /// Whether it carried a request before.
    pub(crate) reused: bool,
}

impl Lease {
    /// A connection that was just opened.
    pub(crate) fn fresh(stream: Stream, key: Key) -> Self {
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
        let place = match key {
            Key::Private(key) => {
                let [.., last] = key.address.octets();
                usize::from(key.port) ^ usize::from(key.host.port()) ^ usize::from(last)
            }
            Key::Outside(origin) => origin.host.len() ^ usize::from(origin.port),
        };
        &self.shards[place % SHARDS]
    }

    /// A kept connection on this road, the one used last first.
    pub(crate) fn take(&self, road: &impl Road) -> Option<Lease> {
        let key = road.key()?;
        let mut shard = self.shard(&key).lock();
        let list = shard.get_mut(&key)?;
        while let Some(mut idle) = list.pop() {
            if idle.wire.is_quiet() {
                drop(shard);
                return Some(Lease { wire: idle.wire, key, reused: true });
            }
        }
        None
    }

    /// Keeps a connection whose exchange is over.
    pub(crate) fn give_back(&self, wire: Box<Wire<Stream>>, key: Key) {
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
            shard.lock().retain(|key, _| match key {
                Key::Private(key) => !pred(key),
                Key::Outside(_) => true,
            });
        }
    }

    /// How many connections are kept.
    pub(crate) fn idle(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().values().map(Vec::len).sum::<usize>()).sum()
    }
}
