//! The signals that are passed on to a program. A terminal tells everybody in its foreground of Ctrl-C, the program too: what it says is not said twice.

use std::fs::File;
use std::task::Poll;

use rustix::process::{Signal, getpgrp};
use rustix::termios::tcgetpgrp;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::Complaint;

/// What is passed on, and whether a terminal sends it.
const PASSED: [(Signal, bool); 6] = [
    (Signal::TERM, false),
    (Signal::INT, true),
    (Signal::QUIT, true),
    (Signal::HUP, false),
    (Signal::USR1, false),
    (Signal::USR2, false),
];

/// The signals that this process catches.
pub(super) struct Passed(Vec<(Signal, bool, tokio::signal::unix::Signal)>);

impl Passed {
    /// Catches them from here on.
    pub(super) fn catch() -> Result<Self, Complaint> {
        let caught = PASSED.into_iter().map(|(number, is_of_terminal)| {
            let kind = SignalKind::from_raw(number.as_raw());
            signal(kind).map(|stream| (number, is_of_terminal, stream))
        });
        caught.collect::<Result<_, _>>().map(Self).map_err(|error| Complaint::System(error.to_string()))
    }

    /// The next one that somebody else has to be told of.
    pub(super) async fn next(&mut self) -> Signal {
        loop {
            let (number, is_of_terminal) = std::future::poll_fn(|cx| {
                for (number, is_of_terminal, stream) in &mut self.0 {
                    if stream.poll_recv(cx).is_ready() {
                        return Poll::Ready((*number, *is_of_terminal));
                    }
                }
                Poll::Pending
            })
            .await;
            if !(is_of_terminal && is_in_foreground()) {
                return number;
            }
        }
    }
}

/// Whether this process is in the foreground of a terminal.
fn is_in_foreground() -> bool {
    let group = File::open("/dev/tty").ok().and_then(|terminal| tcgetpgrp(terminal).ok());
    group == Some(getpgrp())
}
