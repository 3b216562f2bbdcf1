//! Turns for work that would hold a thread of the runtime for long: large bodies that are unpacked, packed, judged by a model or
//! mapped. Small work is done where it comes up; large work waits for one of a few turns and then makes its thread give its other
//! tasks away, so that small requests beside it go on.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::{INLINE_WORK_BYTES_MAX, TURN_TIMEOUT, TURNS_MAX};

/// The turns of a plane.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

/// Leave to do a piece of work, however large.
#[derive(Debug)]
pub(crate) struct Turn<'t>(Option<SemaphorePermit<'t>>);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(TURNS_MAX))
    }
}

impl Turns {
    /// A turn for work on so many bytes: small work has it at once. `None` when none came free in time.
    pub(crate) async fn for_bytes(&self, bytes: usize) -> Option<Turn<'_>> {
        if bytes <= INLINE_WORK_BYTES_MAX { Some(Turn(None)) } else { self.long().await }
    }

    /// A turn for long work.
    pub(crate) async fn long(&self) -> Option<Turn<'_>> {
        let permit = tokio::time::timeout(TURN_TIMEOUT, self.0.acquire()).await.ok()?.ok()?;
        Some(Turn(Some(permit)))
    }
}

impl Turn<'_> {
    /// Does the work. A runtime of one thread, as tests have, has nobody to give its tasks to.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        match (&self.0, Handle::current().runtime_flavor()) {
            (Some(_), RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
            _ => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn long_work_lets_others_go_on() {
        let served = tokio::spawn(async {
            let turns = Turns::default();
            let (tell, told) = mpsc::channel();
            tokio::spawn(async move { tell.send(()) });
            // The only worker is in here; the other task runs all the same.
            turns.long().await.unwrap().run(|| told.recv_timeout(Duration::from_secs(10)))
        });
        assert_eq!(served.await.unwrap(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_few_and_small_work_needs_none() {
        let turns = Turns::default();
        let mut taken = Vec::new();
        for _ in 0..TURNS_MAX {
            taken.push(turns.for_bytes(INLINE_WORK_BYTES_MAX + 1).await.unwrap());
        }
        assert!(turns.long().await.is_none());
        assert_eq!(turns.for_bytes(INLINE_WORK_BYTES_MAX).await.map(|turn| turn.run(|| 1)), Some(1));
        assert_eq!(taken.pop().map(|turn| turn.run(|| 1)), Some(1));
        assert!(turns.long().await.is_some());
    }
}
