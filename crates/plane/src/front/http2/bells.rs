//! Who of a connection may go on: its frames, and each of its streams by a number. They share one task; what is woken rings a bell of its
//! own, so that only who has something to do is looked at, and what rings while the task is awake wakes nobody.

use std::sync::Arc;
use std::task::{Wake, Waker};

use parking_lot::Mutex;

use crate::limits::CLIENT_STREAMS_MAX;

/// The bells of a connection.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// That of the frames was rung.
    frames: bool,
    /// That of the input was, and it was not looked at since.
    input: bool,
    /// Those of these streams were, a bit for each.
    streams: u128,
    task: Option<Waker>,
    is_awake: bool,
}

const _: () = assert!(CLIENT_STREAMS_MAX <= u128::BITS, "each stream has a bit");

/// Who is woken by a bell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    /// The frames of the connection.
    Frames,
    /// The stream that brings them, and so they.
    Input,
    /// The stream of this number, below [`CLIENT_STREAMS_MAX`].
    Stream(usize),
}

/// Who may go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// These streams. What they do is to be sent with the frames, which come after them.
    Streams(Streams),
    /// The frames.
    Frames,
}

/// Numbers of streams, each once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Streams(u128);

/// One bell.
#[derive(Debug)]
struct Bell {
    bells: Arc<Bells>,
    whose: Whose,
}

impl Bells {
    /// What rings this bell.
    pub(super) fn waker(self: &Arc<Self>, whose: Whose) -> Waker {
        Waker::from(Arc::new(Bell { bells: Arc::clone(self), whose }))
    }

    /// The task is awake, and is woken by this when it sleeps again.
    pub(super) fn awake(&self, task: &Waker) {
        let mut state = self.0.lock();
        state.is_awake = true;
        if !state.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            state.task = Some(task.clone());
        }
    }

    /// Who was rung for since this was last asked. If nobody was, the task sleeps from now on.
    pub(super) fn heard(&self) -> Option<Heard> {
        let mut state = self.0.lock();
        if state.streams != 0 {
            return Some(Heard::Streams(Streams(std::mem::take(&mut state.streams))));
        }
        state.is_awake = std::mem::take(&mut state.frames);
        state.is_awake.then_some(Heard::Frames)
    }

    /// Whether the input's bell was rung since this was last asked.
    pub(super) fn take_input(&self) -> bool {
        std::mem::take(&mut self.0.lock().input)
    }

    fn ring(&self, whose: Whose) {
        let mut state = self.0.lock();
        match whose {
            Whose::Frames => state.frames = true,
            Whose::Input => (state.frames, state.input) = (true, true),
            Whose::Stream(number) => state.streams |= 1 << number,
        }
        if let Some(task) = state.task.as_ref().filter(|_| !state.is_awake) {
            task.wake_by_ref();
        }
    }
}

impl Iterator for Streams {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let number = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(number)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.bells.ring(self.whose);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bells.ring(self.whose);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_bell_wakes_a_task_that_sleeps_and_is_heard_once() {
        let (bells, task) = (Arc::new(Bells::default()), Arc::new(Counted::default()));
        let woken = || task.0.load(Ordering::Relaxed);
        let [frames, first, last] =
            [Whose::Frames, Whose::Stream(0), Whose::Stream(127)].map(|whose| bells.waker(whose));
        let heard = || match bells.heard().unwrap() {
            Heard::Streams(streams) => (streams.collect::<Vec<_>>(), false),
            Heard::Frames => (Vec::new(), true),
        };
        bells.awake(&Waker::from(Arc::clone(&task)));
        last.wake_by_ref();
        first.wake_by_ref();
        last.wake();
        assert_eq!(woken(), 0, "it is awake");
        assert_eq!(heard(), ([0, 127].into(), false));
        frames.wake_by_ref();
        first.wake_by_ref();
        assert_eq!(heard(), ([0].into(), false), "the frames come after the streams");
        assert_eq!(heard(), (vec![], true));
        assert_eq!((bells.heard(), woken()), (None, 0));
        first.wake();
        assert_eq!(woken(), 1, "it sleeps");
        bells.awake(&Waker::from(Arc::clone(&task)));
        assert_eq!(heard(), ([0].into(), false));
    }
}
