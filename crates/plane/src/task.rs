//! The plane's tasks. The runtime contains a panic in one of them, so that it cuts nobody else off; it is counted here, so that somebody
//! hears of it: `tidegate_task_panics_total`, and every scene of the tests.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::rt::Executor;
use tokio::task::JoinHandle;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How many tasks of this process's planes ended in a panic.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Counts when it is dropped by a panic.
struct Alarm;

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            PANICS.fetch_add(1, Ordering::Relaxed);
            tracing::error!("a task of the data plane panicked");
        }
    }
}

/// A future whose panic is counted. It is boxed: a task moves it once more otherwise, and twice its size.
pub(crate) fn watched<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    poll_fn(move |cx| {
        let _alarm = Alarm;
        future.as_mut().poll(cx)
    })
}

/// Spawns a task whose panic is counted.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(watched(future))
}

/// Does one of the things that a task does for several. A panic in it is counted and ends that one alone: `None`. Its caller lets go of
/// what it was done with.
pub(crate) fn contained<T>(step: impl FnOnce() -> T) -> Option<T> {
    let step = AssertUnwindSafe(|| {
        let _alarm = Alarm;
        step()
    });
    catch_unwind(step).ok()
}

/// Spawns what hyper wants spawned for connections to others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tasks;

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        drop(spawn(future));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_contained_and_counted() {
        let before = panics();
        assert!(spawn(std::future::ready(1)).await.is_ok());
        assert_eq!(panics(), before);
        assert!(spawn(async { panic!("on purpose") }).await.is_err());
        assert_eq!(panics(), before + 1);
        assert_eq!((contained(|| 1), panics()), (Some(1), before + 1));
        assert_eq!(contained(|| panic!("on purpose")), None::<()>);
        assert_eq!(panics(), before + 2);
    }
}
