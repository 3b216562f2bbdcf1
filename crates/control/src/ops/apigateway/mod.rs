//! The operations of API Gateway for REST APIs (version 1). [`service`] has one line for each; what they do stands in the other
//! files. What several of them share stands here.

mod account;
mod api_key;
mod api_key_import;
mod authorizer;
mod base_path_mapping;
mod client_certificate;
mod connection;
mod deployment;
mod documentation;
mod domain;
mod expression;
mod fault;
mod gateway_response;
mod integration;
mod integration_response;
mod load;
mod method;
mod method_response;
mod method_settings;
mod model;
mod openapi;
mod patch;
mod resource;
mod resource_policy;
mod rest_api;
mod schema;
mod service;
mod stage;
mod stage_patch;
mod template;
mod test_invoke;
mod usage;
mod usage_plan;
mod usage_plan_key;
mod usage_plan_patch;
mod validator;
mod vpc_link;

pub(crate) use self::documentation::import::read as read_parts;
pub(crate) use self::openapi::{Plan, read as read_document};
pub(crate) use self::template::carried as templates_of;

use topology::estate::{RealmEstate, StageKey};
use topology::id::ApiId;
use wire::Fault;

use crate::context::Context;
use crate::ops::gateway_common::seconds;
use crate::ops::paging;

/// What is said of an entry that a patch would change and that is not there.
const NO_PARAMETER: &str = "Invalid parameter name specified";
const NO_CONTENT_TYPE: &str = "Content-Type specified was not found";

/// An API that exists.
fn known_api(context: &Context<'_>, api: &str) -> Result<ApiId, Fault> {
    let id = api.parse().ok().filter(|id| context.estate().rest_apis.contains(id));
    id.ok_or_else(|| fault::no_api(context, api))
}

/// Takes the stages that are gone out of everything that names them.
fn forget_stages(estate: &mut RealmEstate, gone: impl Fn(&StageKey) -> bool) {
    usage_plan::forget_stages(estate, &gone);
    api_key::forget_stages(estate, &gone);
}

/// Items on a page when the caller names no number, and at most (REST API reference, 2026-11).
const PAGE_DEFAULT: usize = 25;
const PAGE_MAX: i64 = 500;

fn page<T>(items: Vec<T>, limit: Option<i64>, position: Option<&str>) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = match limit {
        None => PAGE_DEFAULT,
        // Recorded, 2026-03.
        Some(limit) if limit < 0 => return Ok((Vec::new(), None)),
        // A larger page than there may be is a full one.
        Some(limit) => usize::try_from(limit.min(PAGE_MAX)).ok().filter(|size| *size > 0).ok_or_else(|| {
            fault::bad_request(format!("Invalid value for limit: {limit}. Must be between 1 and {PAGE_MAX}"))
        })?,
    };
    let invalid = |paging::BadToken| fault::bad_request("Invalid position parameter specified");
    paging::page(items, Some(size), position).map_err(invalid)
}
