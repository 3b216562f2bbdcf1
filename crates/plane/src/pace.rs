//! Lets messages that are ready at the same time go out together. Whoever is sent to is then woken once for all of them, not
//! once for each: waking a sleeping process costs more than writing to one that is awake. A lone request waits for nobody.

use std::cell::Cell;

/// Messages in one turn of a thread from which on they wait for each other.
const CROWD: u32 = 4;

thread_local! {
    /// Messages that this thread has taken since it last had nothing to do.
    static TAKEN: Cell<u32> = const { Cell::new(0) };
}

/// A thread of the runtime has nothing more to do: its turn is over. Wanted in the runtime's `on_thread_park`; without it
/// messages only wait more often than they need to.
pub fn turn_over() {
    TAKEN.set(0);
}

/// Whether a message that was taken just now should let the thread's others be taken before anything is sent for it.
fn is_crowded() -> bool {
    let taken = TAKEN.get().saturating_add(1);
    TAKEN.set(taken);
    taken >= CROWD
}

/// Waits until the thread has looked at everything that is ready, if there is a crowd.
pub(crate) async fn together() {
    if is_crowded() {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_message_waits_for_nobody_and_a_turn_ends() {
        for _ in 0..2 {
            turn_over();
            let waits: Vec<bool> = (0..5).map(|_| is_crowded()).collect();
            assert_eq!(waits, [false, false, false, true, true]);
        }
    }
}
