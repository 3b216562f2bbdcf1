//! Memory for bodies that are read before they go on, counted in pieces. A body takes its pieces as its bytes arrive, so that who
//! announces much and sends nothing holds nothing; it takes them out of its API's share and its peer's share as well, so that nobody
//! holds what all others wait for.
//!
//! Enforced: the pieces of all, of one API and of one peer. Trusted: whoever has bytes says so before it keeps them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use topology::id::ApiId;

use crate::limits::{
    BODY_PLACE_TIMEOUT, BODY_SHARE_OF_API, BODY_SHARE_OF_PEER, BODY_SHARES_KEPT, REQUEST_BODY_BYTES_MAX,
    WHOLE_BODY_PIECE_BYTES,
};

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    api: Option<ApiId>,
    peer: IpAddr,
}

impl Owner {
    /// The API for which a peer sends or gets a body. A network of version 6 that one customer has counts as one peer.
    pub(crate) fn new(api: Option<ApiId>, peer: IpAddr) -> Self {
        let peer = match peer.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address @ IpAddr::V4(_) => address,
        };
        Self { api, peer }
    }
}

/// The memory of all bodies of one kind.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    /// One body at a time goes on without pieces when all wait for each other.
    spare: Arc<Semaphore>,
    apis: Shares<Option<ApiId>>,
    peers: Shares<IpAddr>,
}

/// What each of many may have of it.
#[derive(Debug)]
struct Shares<K> {
    pieces: usize,
    known: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Shares<K> {
    fn new(pieces: usize) -> Self {
        Self { pieces, known: Mutex::default() }
    }

    fn of(&self, key: K) -> Arc<Semaphore> {
        let mut known = self.known.lock();
        if known.len() >= BODY_SHARES_KEPT {
            // A share that nobody holds a part of, or waits for, begins anew just as well.
            known.retain(|_, share| Arc::strong_count(share) > 1);
        }
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.pieces))))
    }
}

/// How many pieces so many bytes are.
const fn pieces(bytes: u64) -> u64 {
    bytes.div_ceil(WHOLE_BODY_PIECE_BYTES)
}

/// No place came free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoPlace;

impl Places {
    /// Memory for so many bytes of all bodies together.
    pub(crate) fn new(bytes: u64) -> Self {
        let all = usize::try_from(pieces(bytes)).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(all)),
            spare: Arc::new(Semaphore::new(1)),
            apis: Shares::new((all / BODY_SHARE_OF_API).max(1)),
            peers: Shares::new((all / BODY_SHARE_OF_PEER).max(1)),
        }
    }

    /// A place for a body of which nothing has come yet.
    pub(crate) fn begin(self: &Arc<Self>, owner: Owner) -> Place {
        Place { places: Arc::clone(self), owner, held: None, spare: None }
    }

    /// Pieces that nobody holds.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.all.available_permits()
    }

    async fn take(&self, owner: Owner, pieces: u32) -> Result<Held, AcquireError> {
        // The narrowest first, so that who waits for its own share holds nothing of what others want.
        let peer = self.peers.of(owner.peer).acquire_many_owned(pieces).await?;
        let api = self.apis.of(owner.api).acquire_many_owned(pieces).await?;
        let all = Arc::clone(&self.all).acquire_many_owned(pieces).await?;
        Ok(Held { peer, api, all })
    }
}

/// The pieces that one body has. They are free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    owner: Owner,
    held: Option<Held>,
    spare: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Held {
    peer: OwnedSemaphorePermit,
    api: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Held {
    fn merge(&mut self, more: Self) {
        self.peer.merge(more.peer);
        self.api.merge(more.api);
        self.all.merge(more.all);
    }

    fn keep(&mut self, pieces: usize) {
        for permit in [&mut self.peer, &mut self.api, &mut self.all] {
            drop(permit.split(permit.num_permits().saturating_sub(pieces)));
        }
    }
}

impl Place {
    /// Makes room for so many bytes in all; waits for its turn, but not for long.
    pub(crate) async fn grow_to(&mut self, bytes: usize) -> Result<(), NoPlace> {
        let held = self.held.as_ref().map_or(0, |held| held.all.num_permits() as u64);
        let lacking = pieces(bytes as u64).saturating_sub(held);
        if lacking == 0 || self.spare.is_some() {
            return Ok(());
        }
        let lacking = u32::try_from(lacking).map_err(|_| NoPlace)?;
        // No semaphore is ever closed.
        tokio::select! {
            biased;
            more = self.places.take(self.owner, lacking) => match (&mut self.held, more.map_err(|_| NoPlace)?) {
                (Some(held), more) => held.merge(more),
                (none, more) => *none = Some(more),
            },
            spare = Arc::clone(&self.places.spare).acquire_owned() => self.spare = Some(spare.map_err(|_| NoPlace)?),
            () = tokio::time::sleep(BODY_PLACE_TIMEOUT) => return Err(NoPlace),
        }
        Ok(())
    }

    /// Makes room for a body as large as the largest, whatever it is now.
    pub(crate) async fn grow_to_largest(&mut self) -> Result<(), NoPlace> {
        self.grow_to(usize::try_from(REQUEST_BODY_BYTES_MAX).unwrap_or(usize::MAX)).await
    }

    /// Gives back what it has beyond a body of this size.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        if let Some(held) = &mut self.held {
            held.keep(usize::try_from(pieces(bytes as u64)).unwrap_or(usize::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PIECE: usize = WHOLE_BODY_PIECE_BYTES as usize;

    fn owner(api: u64, peer: u8) -> Owner {
        Owner::new(Some(ApiId::from_bits(api)), IpAddr::from([10, 0, 0, peer]))
    }

    fn places(pieces: usize) -> Arc<Places> {
        Arc::new(Places::new((pieces * PIECE) as u64))
    }

    async fn takes(place: &mut Place, pieces: usize) -> bool {
        tokio::time::timeout(Duration::from_millis(1), place.grow_to(pieces * PIECE)).await == Ok(Ok(()))
    }

    /// Holds the spare, so that what is waited for is not had by it.
    async fn without_spare(places: &Arc<Places>) -> OwnedSemaphorePermit {
        Arc::clone(&places.spare).acquire_owned().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_are_taken_as_bytes_arrive_and_come_back() {
        let places = places(16);
        let mut place = places.begin(owner(1, 1));
        assert_eq!(places.free(), 16);
        for (bytes, free) in [(0, 16), (1, 15), (PIECE, 15), (PIECE + 1, 14), (1, 14)] {
            place.grow_to(bytes).await.unwrap();
            assert_eq!(places.free(), free, "{bytes}");
        }
        place.shrink_to(1);
        assert_eq!(places.free(), 15);
        drop(place);
        assert_eq!(places.free(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_an_api_nor_a_peer_takes_what_others_need() {
        let places = places(16);
        let _spare = without_spare(&places).await;
        let mut first = places.begin(owner(1, 1));
        assert!(takes(&mut first, 4).await && !takes(&mut first, 5).await, "a quarter is a peer's");
        let mut same_api = places.begin(owner(1, 2));
        assert!(takes(&mut same_api, 4).await);
        let mut third = places.begin(owner(1, 3));
        assert!(!takes(&mut third, 1).await, "half is an API's");
        let mut other = places.begin(owner(2, 4));
        assert!(takes(&mut other, 4).await);
        drop(same_api);
        assert!(takes(&mut third, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_place_waits_no_longer_than_its_limit() {
        let places = places(4);
        let _spare = without_spare(&places).await;
        let mut first = places.begin(owner(1, 1));
        first.grow_to(1).await.unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(places.begin(owner(1, 1)).grow_to(1).await, Err(NoPlace));
        assert_eq!(start.elapsed(), BODY_PLACE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_wait_for_each_other_come_to_their_end_one_by_one() {
        let places = places(8);
        let mut waiting = tokio::task::JoinSet::new();
        for peer in 0..8 {
            let mut place = places.begin(owner(u64::from(peer), peer));
            place.grow_to(1).await.unwrap();
            waiting.spawn(async move { place.grow_to(2 * PIECE).await });
        }
        while let Some(grown) = waiting.join_next().await {
            assert_eq!(grown.unwrap(), Ok(()));
        }
        assert_eq!(places.free(), 8);
    }

    #[test]
    fn shares_that_nobody_holds_are_forgotten() {
        let shares: Shares<usize> = Shares::new(1);
        let kept = shares.of(0);
        for key in 1..=2 * BODY_SHARES_KEPT {
            drop(shares.of(key));
        }
        assert!(shares.known.lock().len() <= BODY_SHARES_KEPT);
        assert!(Arc::ptr_eq(&kept, &shares.of(0)));
    }

    #[test]
    fn a_network_of_version_six_is_one_peer() {
        let of = |text: &str| Owner::new(None, text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
