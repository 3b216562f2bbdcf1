//! Compiles the estate of a realm into what traffic reads. Total: what dangles compiles to something that answers the
//! documented error; it never spoils its neighbours and never fails the compile.

mod balancer;
mod change;
mod domain;
mod fabric;
mod gateway;
mod rest;
mod undeployed;
mod usage;

use std::sync::Arc;

use self::change::{Change, Kept};
use crate::estate::RealmEstate;
use crate::id::Realm;
use crate::snapshot::RealmSnapshot;

/// A realm as it was, and what was compiled of it.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The resources.
    pub estate: &'a RealmEstate,
    /// What they compiled to.
    pub compiled: &'a RealmSnapshot,
}

/// Compiles one realm. What was found wrong stands beside what it was found in: see [`RealmSnapshot::problems`].
#[must_use]
pub fn compile(realm: &Realm, estate: &RealmEstate) -> RealmSnapshot {
    compiled(realm, estate, None)
}

/// Compiles one realm after a change: what the change has no bearing on is taken over, and is the same pointer. What comes out is
/// what [`compile`] gives.
#[must_use]
pub fn recompile(realm: &Realm, estate: &RealmEstate, before: Before<'_>) -> RealmSnapshot {
    compiled(realm, estate, Some(before))
}

fn compiled(realm: &Realm, estate: &RealmEstate, before: Option<Before<'_>>) -> RealmSnapshot {
    let change = before.map(|before| Change::between(before.estate, estate));
    let kept = before.zip(change.as_ref()).map(|(before, change)| Kept { compiled: before.compiled, change });
    let fabric = match kept.and_then(|kept| kept.unless(kept.change.fabric)) {
        Some(before) => Arc::clone(&before.fabric),
        None => Arc::new(fabric::compile(realm, estate, before)),
    };
    let balancers = match kept.and_then(|kept| kept.unless(kept.change.balancers)) {
        Some(before) => Arc::clone(&before.balancers),
        None => Arc::new(balancer::compile(realm, estate, &fabric)),
    };
    let gateway = gateway::compile((realm, estate), (&fabric, &balancers), kept);
    RealmSnapshot { realm: realm.clone(), fabric, balancers, gateway }
}
