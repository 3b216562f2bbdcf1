//! The refused calls that `explain` can tell about: a ring of fixed size, the oldest give way. What a call means is not
//! looked at.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use control::ApiRefusal;
use topology::id::AccountId;
use wire::Fault;

/// Refused calls that `explain` remembers; the oldest give way.
pub(crate) const REFUSED_KEPT: usize = 1_024;

/// A refused call.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// Its `x-amzn-requestid`.
    pub(crate) request_id: String,
    /// The account that called, once it was believed.
    pub(crate) account: Option<AccountId>,
    /// The service's signing name; empty when none was found.
    pub(crate) service: &'static str,
    /// The operation's name; empty when none was found.
    pub(crate) operation: &'static str,
    /// What the caller saw.
    pub(crate) fault: Fault,
    /// Why, in the words of the contract, where it has some.
    pub(crate) refusal: Option<ApiRefusal>,
}

/// The newest refused calls.
#[derive(Debug, Default)]
pub(crate) struct RefusedRing(Mutex<VecDeque<Refused>>);

impl RefusedRing {
    /// Remembers a call.
    pub(crate) fn keep(&self, refused: Refused) {
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == REFUSED_KEPT {
            ring.pop_front();
        }
        ring.push_back(refused);
    }

    /// The call of this id, if it is still remembered.
    pub(crate) fn find(&self, request_id: &str) -> Option<Refused> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().find(|refused| refused.request_id == request_id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_refused_call_gives_way() {
        let ring = RefusedRing::default();
        for number in 0..=REFUSED_KEPT {
            let request_id = number.to_string();
            let fault = Fault::new("InvalidAction", 400, "no");
            ring.keep(Refused { request_id, account: None, service: "", operation: "", fault, refusal: None });
        }
        assert!(ring.find("0").is_none());
        assert!(ring.find("1").is_some());
        assert!(ring.find(&REFUSED_KEPT.to_string()).is_some());
    }
}
