//! How the draft of an API differs from what a stage serves: a stage without automatic deployment runs a frozen copy until
//! it gets a new one, and a change that is not visible is usually one that was not deployed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::estate::RealmEstate;
use crate::id::ApiId;
use crate::resource::http_api::{Authorizer, Frozen, Integration, Route};

/// Differences that are told of one stage; more of them say nothing more.
const DIFFERENCES_MAX: usize = 20;

/// What every API of a realm would freeze now.
#[derive(Default)]
pub(super) struct Drafts<'a> {
    of_api: HashMap<ApiId, Draft<'a>>,
}

#[derive(Default)]
struct Draft<'a> {
    routes: Vec<&'a Arc<Route>>,
    integrations: Vec<&'a Arc<Integration>>,
    authorizers: Vec<&'a Arc<Authorizer>>,
}

impl<'a> Drafts<'a> {
    /// Gathers the drafts, where some stage may differ from one.
    pub(super) fn of(estate: &'a RealmEstate) -> Self {
        let mut drafts = Self::default();
        if estate.stages.values().all(|stage| stage.auto_deploy) {
            return drafts;
        }
        for route in estate.routes.values() {
            drafts.of_api.entry(route.api).or_default().routes.push(route);
        }
        for integration in estate.integrations.values() {
            drafts.of_api.entry(integration.api).or_default().integrations.push(integration);
        }
        for authorizer in estate.authorizers.values() {
            drafts.of_api.entry(authorizer.api).or_default().authorizers.push(authorizer);
        }
        drafts
    }

    /// What a new deployment would change, in words.
    pub(super) fn differences(&self, estate: &RealmEstate, api: ApiId, frozen: &Frozen) -> Vec<String> {
        let none = Draft::default();
        let draft = self.of_api.get(&api).unwrap_or(&none);
        let mut told = Vec::new();
        compare(&mut told, &frozen.routes, &draft.routes, |route| (route.id, format!("route {}", route.key)));
        compare(&mut told, &frozen.integrations, &draft.integrations, |i| (i.id, format!("integration {}", i.id)));
        compare(&mut told, &frozen.authorizers, &draft.authorizers, |a| (a.id, format!("authorizer {}", a.name)));
        if let Some(api) = estate.apis.get(&api) {
            if api.cors != frozen.cors {
                told.push("the CORS configuration changed".to_owned());
            }
            if api.disable_execute_api_endpoint != frozen.disable_execute_api_endpoint {
                told.push("disableExecuteApiEndpoint changed".to_owned());
            }
        }
        told.truncate(DIFFERENCES_MAX);
        told
    }
}

/// Tells what is new, changed or gone. Resources that nobody touched are the same pointer.
fn compare<T: PartialEq, I: PartialEq>(
    told: &mut Vec<String>,
    frozen: &[Arc<T>],
    draft: &[&Arc<T>],
    named: impl Fn(&T) -> (I, String),
) {
    let same = |old: &Arc<T>, new: &Arc<T>| Arc::ptr_eq(old, new) || old == new;
    if frozen.len() == draft.len() && frozen.iter().zip(draft).all(|(old, new)| same(old, new)) {
        return;
    }
    for new in draft {
        let (id, name) = named(new);
        match frozen.iter().find(|old| named(old).0 == id) {
            None => told.push(format!("{name} is new")),
            Some(old) if !same(old, new) => told.push(format!("{name} changed")),
            Some(_) => {}
        }
    }
    for old in frozen {
        let (id, name) = named(old);
        if !draft.iter().any(|new| named(new).0 == id) {
            told.push(format!("{name} is gone"));
        }
    }
}
