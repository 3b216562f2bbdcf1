//! How long the control thread's turns last. All accounts share the thread: what one turn takes, every other call waits. A turn that
//! passes the bound is counted and said in the log with what it did; nothing is cut, for a write must not end halfway.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a turn is meant to last at most. Ours: the largest import of a document that the bounds of `control` let pass stays
/// below it, with a commit to a slow disk. Above: counted, and a warning.
pub(crate) const TURN_BOUND: Duration = Duration::from_millis(500);

/// What is known of the turns since the server started.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    taken: AtomicU64,
    over: AtomicU64,
    longest_us: AtomicU64,
}

impl Turns {
    /// Takes in how long one turn lasted.
    pub(crate) fn add(&self, lasted: Duration, what: &str) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.longest_us.fetch_max(u64::try_from(lasted.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if lasted > TURN_BOUND {
            self.over.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(what, ms = lasted.as_millis(), "a turn of the control thread lasted longer than its bound");
        }
    }

    /// The metrics, as lines of an OpenMetrics page.
    pub(crate) fn page(&self) -> String {
        let longest = Duration::from_micros(self.longest_us.load(Ordering::Relaxed)).as_secs_f64();
        let (taken, over) = (self.taken.load(Ordering::Relaxed), self.over.load(Ordering::Relaxed));
        let bound = TURN_BOUND.as_secs_f64();
        let gauge = "tidegate_control_turn_longest_seconds";
        format!(
            "# HELP {gauge} The longest turn of the control thread since the start; its bound is {bound}.\n# TYPE {gauge} gauge\n# UNIT {gauge} seconds\n{gauge} {longest}\n\
             # HELP tidegate_control_turns Turns of the control thread.\n# TYPE tidegate_control_turns counter\ntidegate_control_turns_total {taken}\n\
             # HELP tidegate_control_turns_over_bound Turns that lasted longer than the bound.\n# TYPE tidegate_control_turns_over_bound counter\ntidegate_control_turns_over_bound_total {over}\n"
        )
    }

    /// A page with these metrics before its end.
    pub(crate) fn with(&self, page: &str) -> String {
        let (body, end) = page.rsplit_once("# EOF").map_or((page, ""), |(body, _)| (body, "# EOF\n"));
        format!("{body}{}{end}", self.page())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_turn_is_kept_and_those_over_the_bound_are_counted() {
        let turns = Turns::default();
        for lasted in [TURN_BOUND / 2, TURN_BOUND * 2, TURN_BOUND] {
            turns.add(lasted, "a test");
        }
        let page = turns.with("# TYPE a gauge\na 1\n# EOF\n");
        for line in [
            "a 1\n",
            "\ntidegate_control_turn_longest_seconds 1\n",
            "\ntidegate_control_turns_total 3\n",
            "\ntidegate_control_turns_over_bound_total 1\n",
        ] {
            assert!(page.contains(line), "{line} is not in {page}");
        }
        assert!(page.ends_with("# EOF\n") && page.matches("# EOF").count() == 1);
    }
}
