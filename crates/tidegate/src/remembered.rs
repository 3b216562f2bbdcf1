//! The calls that `explain` can tell about: those that were refused, and those that parameters were left out of. A ring of fixed
//! size, the oldest give way. What a call means is not looked at.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use control::ApiRefusal;
use topology::id::AccountId;
use wire::{Fault, LeftOut};

/// Calls that `explain` remembers; the oldest give way.
pub(crate) const CALLS_KEPT: usize = 1_024;

/// A call that there is something to tell about.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    /// Its `x-amzn-requestid`.
    pub(crate) request_id: String,
    /// The account that called, once it was believed.
    pub(crate) account: Option<AccountId>,
    /// The service's signing name; empty when none was found.
    pub(crate) service: &'static str,
    /// The operation's name; empty when none was found.
    pub(crate) operation: &'static str,
    /// What came of it.
    pub(crate) came: Came,
}

/// What came of a call.
#[derive(Debug, Clone)]
pub(crate) enum Came {
    /// It was refused.
    Refused {
        /// What the caller saw.
        fault: Fault,
        /// Why, in the words of the contract, where it has some.
        why: Option<ApiRefusal>,
    },
    /// It was carried out without these, with this status.
    LeftOut(u16, Vec<LeftOut>),
}

/// The newest of them.
#[derive(Debug, Default)]
pub(crate) struct CallRing(Mutex<VecDeque<Remembered>>);

impl CallRing {
    /// Remembers a call.
    pub(crate) fn keep(&self, call: Remembered) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == CALLS_KEPT {
            ring.pop_front();
        }
        ring.push_back(call);
    }

    /// The call of this id, if it is still remembered.
    pub(crate) fn find(&self, request_id: &str) -> Option<Remembered> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().find(|call| call.request_id == request_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_gives_way() {
        let ring = CallRing::default();
        for number in 0..=CALLS_KEPT {
            let request_id = number.to_string();
            let came = Came::Refused { fault: Fault::new("InvalidAction", 400, "no"), why: None };
            ring.keep(Remembered { request_id, account: None, service: "", operation: "", came });
        }
        assert!(ring.find("0").is_none());
        assert!(ring.find("1").is_some());
        assert!(ring.find(&CALLS_KEPT.to_string()).is_some());
    }
}
