//! How the draft of an API differs from what a stage serves: a stage without automatic deployment runs a frozen copy until
//! it gets a new one, and a change that is not visible is usually one that was not deployed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::estate::{PartOf, RealmEstate, Table};
use crate::id::ApiId;
use crate::resource::http_api::{Authorizer, Frozen, Integration, Route};
use crate::resource::rest_api::{GatewayResponse, Model, RequestValidator, Resource, RestAuthorizer};
use crate::resource::rest_stage::FrozenRest;

/// Differences that are told of one stage; more of them say nothing more.
const DIFFERENCES_MAX: usize = 20;

/// What every API of a realm would freeze now.
#[derive(Default)]
pub(super) struct Undeployed<'a> {
    of_api: HashMap<ApiId, OfHttpApi<'a>>,
    of_rest_api: HashMap<ApiId, OfRestApi<'a>>,
}

#[derive(Default)]
struct OfHttpApi<'a> {
    routes: Vec<&'a Arc<Route>>,
    integrations: Vec<&'a Arc<Integration>>,
    authorizers: Vec<&'a Arc<Authorizer>>,
}

#[derive(Default)]
struct OfRestApi<'a> {
    resources: Vec<&'a Arc<Resource>>,
    models: Vec<&'a Arc<Model>>,
    validators: Vec<&'a Arc<RequestValidator>>,
    authorizers: Vec<&'a Arc<RestAuthorizer>>,
    gateway_responses: Vec<&'a Arc<GatewayResponse>>,
}

impl<'a> Undeployed<'a> {
    /// Gathers the drafts of these APIs, where some stage of theirs may differ from one.
    pub(super) fn of(estate: &'a RealmEstate, is_asked: impl Fn(ApiId) -> bool) -> Self {
        let mut drafts = Self::default();
        if estate.rest_stages.of_those(&is_asked).next().is_some() {
            drafts.gather_rest(estate, &is_asked);
        }
        if estate.stages.of_those(&is_asked).all(|stage| stage.auto_deploy) {
            return drafts;
        }
        gather(&mut drafts.of_api, &estate.routes, &is_asked, |of_api| &mut of_api.routes);
        gather(&mut drafts.of_api, &estate.integrations, &is_asked, |of_api| &mut of_api.integrations);
        gather(&mut drafts.of_api, &estate.authorizers, &is_asked, |of_api| &mut of_api.authorizers);
        drafts
    }

    fn gather_rest(&mut self, estate: &'a RealmEstate, is_asked: impl Fn(ApiId) -> bool) {
        let drafts = &mut self.of_rest_api;
        gather(drafts, &estate.resources, &is_asked, |of_api| &mut of_api.resources);
        gather(drafts, &estate.models, &is_asked, |of_api| &mut of_api.models);
        gather(drafts, &estate.request_validators, &is_asked, |of_api| &mut of_api.validators);
        gather(drafts, &estate.rest_authorizers, &is_asked, |of_api| &mut of_api.authorizers);
        gather(drafts, &estate.gateway_responses, &is_asked, |of_api| &mut of_api.gateway_responses);
    }

    /// The same for a REST API.
    pub(super) fn rest_differences(&self, estate: &RealmEstate, api: ApiId, frozen: &FrozenRest) -> Vec<String> {
        let none = OfRestApi::default();
        let draft = self.of_rest_api.get(&api).unwrap_or(&none);
        let mut told = Vec::new();
        let part = |resource: &Resource| resource.below.as_ref().map_or_else(String::new, |(_, part)| part.to_string());
        compare(&mut told, &frozen.resources, &draft.resources, |r| {
            (r.id, format!("resource /{} ({})", part(r), r.id))
        });
        compare(&mut told, &frozen.models, &draft.models, |m| (m.name.clone(), format!("model {}", m.name)));
        compare(&mut told, &frozen.validators, &draft.validators, |v| (v.id, format!("request validator {}", v.name)));
        compare(&mut told, &frozen.authorizers, &draft.authorizers, |a| (a.id, format!("authorizer {}", a.name)));
        let response = |r: &GatewayResponse| (r.kind, format!("gateway response {}", r.kind.as_str()));
        compare(&mut told, &frozen.gateway_responses, &draft.gateway_responses, response);
        if let Some(api) = estate.rest_apis.get(&api) {
            let rows = [
                (api.disable_execute_api_endpoint != frozen.disable_execute_api_endpoint, "disableExecuteApiEndpoint"),
                (api.api_key_source != frozen.api_key_source, "apiKeySource"),
                (api.binary_media_types != frozen.binary_media_types, "binaryMediaTypes"),
                (api.minimum_compression_size != frozen.minimum_compression_size, "minimumCompressionSize"),
                (api.policy != frozen.policy, "the resource policy"),
            ];
            told.extend(rows.iter().filter(|(differs, _)| *differs).map(|(_, name)| format!("{name} changed")));
        }
        told.truncate(DIFFERENCES_MAX);
        told
    }

    /// What a new deployment would change, in words.
    pub(super) fn differences(&self, estate: &RealmEstate, api: ApiId, frozen: &Frozen) -> Vec<String> {
        let none = OfHttpApi::default();
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

/// Gives each of these APIs what a table holds of it.
fn gather<'a, D: Default, K, V: PartOf>(
    drafts: &mut HashMap<ApiId, D>,
    table: &'a Table<K, V>,
    is_asked: impl Fn(ApiId) -> bool,
    list: impl Fn(&mut D) -> &mut Vec<&'a Arc<V>>,
) {
    for resource in table.of_those(is_asked) {
        if let Some(api) = resource.api() {
            list(drafts.entry(api).or_default()).push(resource);
        }
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
