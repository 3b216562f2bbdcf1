//! The examination where networks can be made: every step succeeds.

use crate::world::{Who, isolated};

fn every_step_succeeds() {
    let mut failed = Vec::new();
    let is_whole = kernel::examine(&mut |step| failed.extend((!step.is_ok).then_some(step)));
    assert!(is_whole && failed.is_empty(), "{failed:?}");
}

#[test]
fn every_step_succeeds_for_root() {
    isolated(Who::Root, "examination::every_step_succeeds_for_root", every_step_succeeds);
}

#[test]
fn every_step_succeeds_for_a_user_without_privileges() {
    isolated(Who::Nobody, "examination::every_step_succeeds_for_a_user_without_privileges", every_step_succeeds);
}
