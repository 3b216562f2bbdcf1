//! Compiles the estate of a realm into what traffic reads. Total: what dangles compiles to something that answers the
//! documented error; it never spoils its neighbours and never fails the compile.

mod balancer;
mod domain;
mod draft;
mod fabric;
mod gateway;
mod rest;
mod usage;

use crate::estate::RealmEstate;
use crate::id::Realm;
use crate::snapshot::RealmSnapshot;

/// Something that the compile found dangling or contradictory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The id or ARN of what is wrong.
    pub id: String,
    /// What is wrong with it.
    pub text: String,
}

/// Compiles one realm.
#[must_use]
pub fn compile(realm: &Realm, estate: &RealmEstate) -> (RealmSnapshot, Vec<Problem>) {
    let mut problems = Vec::new();
    let fabric = fabric::compile(estate, &mut problems);
    let balancers = balancer::compile(realm, estate, &fabric, &mut problems);
    let gateway = gateway::compile(realm, estate, (&fabric, &balancers), &mut problems);
    (RealmSnapshot { realm: realm.clone(), fabric, balancers, gateway }, problems)
}
