//! The compiled, immutable form that traffic reads. Made by [`crate::compile`] only; what changes while it lives (health,
//! counters, connections) stands elsewhere, keyed by stable ids.

pub mod attributes;
pub mod balancer;
pub mod domain;
pub mod fabric;
pub mod front;
pub mod gateway;
pub mod index;
pub mod logs;
pub mod pattern;
pub mod rest;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use crate::id::{ApiId, Realm, StageName};
pub use crate::routes;

/// Something that the compile found dangling. It stands with the part that it was found in, and is taken over with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: its id, its name, or for a stage `API/STAGE`.
    pub id: String,
    /// What is wrong with it.
    pub text: String,
}

impl Problem {
    /// What something names is not there.
    pub(crate) fn gone(id: impl Display, named: impl Display) -> Self {
        Self { id: id.to_string(), text: format!("{named} is gone") }
    }

    /// What a stage names is not there.
    pub(crate) fn gone_of_stage(api: ApiId, stage: &StageName, named: impl Display) -> Self {
        Self::gone(format_args!("{api}/{stage}"), named)
    }
}

/// Everything that one account has in one region, compiled.
#[derive(Debug, PartialEq)]
pub struct RealmSnapshot {
    /// Which account and region.
    pub realm: Realm,
    /// Interfaces, groups and attachments.
    pub fabric: Arc<fabric::Fabric>,
    /// Load balancers and target groups.
    pub balancers: Arc<balancer::Balancers>,
    /// APIs and links.
    pub gateway: gateway::Gateway,
}

impl RealmSnapshot {
    /// Everything that the compile found wrong. Traffic that meets it is refused with its documented answer.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        let apis = self.gateway.apis.iter().flat_map(|api| &api.problems);
        let domains = self.gateway.domains.iter().filter_map(|domain| domain.problem.as_ref());
        self.fabric.problems.iter().chain(&self.balancers.problems).chain(apis).chain(domains)
    }
}

/// One consistent view of everything: a request takes it once and keeps it to its end.
#[derive(Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Counts the writes; later is larger.
    pub revision: u64,
    /// The realms that hold anything, in order.
    pub realms: Vec<Arc<RealmSnapshot>>,
    apis: Arc<HashMap<ApiId, (u32, u32)>>,
}

impl Snapshot {
    /// Joins compiled realms, which are in order.
    #[must_use]
    pub fn new(revision: u64, realms: Vec<Arc<RealmSnapshot>>) -> Self {
        Self::default().next(revision, realms)
    }

    /// The one after this. Where all APIs are where they were, nothing is indexed anew.
    #[must_use]
    pub fn next(&self, revision: u64, realms: Vec<Arc<RealmSnapshot>>) -> Self {
        let apis = |realm: &Arc<RealmSnapshot>| Arc::clone(&realm.gateway.apis);
        let stay = |(before, after): (&Arc<RealmSnapshot>, &Arc<RealmSnapshot>)| {
            let (before, after) = (apis(before), apis(after));
            Arc::ptr_eq(&before, &after) || before.iter().map(|api| api.id).eq(after.iter().map(|api| api.id))
        };
        if self.realms.len() == realms.len() && self.realms.iter().zip(&realms).all(stay) {
            return Self { revision, realms, apis: Arc::clone(&self.apis) };
        }
        let mut apis = HashMap::new();
        for (at, realm) in (0u32..).zip(&realms) {
            for (index, api) in (0u32..).zip(&*realm.gateway.apis) {
                apis.insert(api.id, (at, index));
            }
        }
        Self { revision, realms, apis: Arc::new(apis) }
    }

    /// Whether each API is at the place that it has in another snapshot.
    #[must_use]
    pub fn has_apis_where(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.apis, &other.apis)
    }

    /// The API of this id and its realm.
    #[must_use]
    pub fn api(&self, id: ApiId) -> Option<(&Arc<RealmSnapshot>, &gateway::Api)> {
        let (realm, api) = *self.apis.get(&id)?;
        let realm = self.realms.get(realm as usize)?;
        Some((realm, realm.gateway.apis.get(api as usize)?))
    }

    /// The compiled realm, if it holds anything.
    #[must_use]
    pub fn realm(&self, realm: &Realm) -> Option<&Arc<RealmSnapshot>> {
        let at = self.realms.binary_search_by(|candidate| candidate.realm.cmp(realm)).ok()?;
        self.realms.get(at)
    }
}
