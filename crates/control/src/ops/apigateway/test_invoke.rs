//! `TestInvokeMethod`: one request to a method as it is now (REST API reference, "TestInvokeMethod", 2026-11). Here the request is
//! checked and the draft is compiled, by the code that compiles deployments, onto a stage that is neither kept nor published.
//! Traffic carries it out, and `crate::trial` shapes the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use topology::compile::compile;
use topology::estate::{RealmEstate, Table};
use topology::id::{ApiId, ClientCertificateId, DeploymentId};
use topology::resource::rest_api::{Method, MethodName, Resource, RestApi};
use topology::resource::rest_stage::{FrozenRest, RestDeployment, RestStage};
use topology::snapshot::RealmSnapshot;
use topology::snapshot::rest::MethodRef;
use topology::snapshot::routes::RouteTable;
use topology::trial::{self, Trial, TrialCaller};
use wire::Fault;
use wire::apigateway as shapes;

use super::{client_certificate, deployment, fault, known_api, method, resource};
use crate::context::Context;
use crate::ops::gateway_common::variables;
use crate::trial::Names;

/// Has the method tried. What this answers is never seen: the answer is shaped when it is known.
pub(super) fn begin(
    context: &mut Context<'_>,
    input: shapes::TestInvokeMethodRequest,
) -> Result<shapes::TestInvokeMethodResponse, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    let resource = Arc::clone(resource::known(context, api, &input.resource_id)?);
    let (name, kept) = asked(&resource, &input.http_method)?;
    if kept.integration.is_none() {
        return Err(fault::bad_request("No integration defined for method"));
    }
    let target = target(context, &resource, input.path_with_query_string.as_deref())?;
    let headers = headers(input.headers.unwrap_or_default(), input.multi_value_headers.unwrap_or_default())?;
    let variables = variables::checked(input.stage_variables.unwrap_or_default())?;
    let certificate = client_certificate::named(context, &input.client_certificate_id.unwrap_or_default())?;
    let frozen = deployment::draft(context, api)?;
    let names = names(kept, &frozen);
    let realm = aside(context, (api, frozen), (variables, certificate));
    let account = context.account();
    let trial = Trial {
        realm: Arc::new(realm),
        api,
        method: MethodRef { resource: resource.id, method: name },
        verb: input.http_method,
        target,
        headers,
        body: input.body.unwrap_or_default().into_bytes(),
        caller: TrialCaller {
            account: account.to_string(),
            id: account.to_string(),
            arn: format!("arn:aws:iam::{account}:root"),
        },
    };
    context.carry_out(trial, names);
    Ok(shapes::TestInvokeMethodResponse::default())
}

/// The method that answers this one: its own, else `ANY`.
fn asked<'r>(resource: &'r Resource, verb: &str) -> Result<(MethodName, &'r Method), Fault> {
    let name = method::method_name(verb)?;
    let of = |name: MethodName| resource.methods.get(&name).map(|method| (name, method));
    of(name).or_else(|| of(MethodName(None))).ok_or_else(|| fault::no_method(verb))
}

/// Path and query. Without a path it is the resource's own, and its variables have no values.
fn target(context: &Context<'_>, resource: &Resource, wanted: Option<&str>) -> Result<String, Fault> {
    let own = resource::path(context, resource);
    let wanted = wanted.unwrap_or_default();
    if wanted.is_empty() || wanted.starts_with('?') {
        return printable(format!("{own}{wanted}"));
    }
    let (path, _) = wanted.split_once('?').unwrap_or((wanted, ""));
    // Any method that there is: the key is of all of them.
    let fits = || RouteTable::new([&resource::key(context, resource)]).find_method("GET", path).is_some();
    if path.starts_with('/') && fits() {
        return printable(wanted.to_owned());
    }
    Err(fault::bad_request(format!("Invalid pathWithQueryString specified: {path} is no path of the resource {own}")))
}

fn printable(target: String) -> Result<String, Fault> {
    if target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Ok(target);
    }
    Err(fault::bad_request(
        "Invalid pathWithQueryString specified: what is not printable ASCII must be percent-encoded",
    ))
}

/// Values of headers of one trial. Ours, as the public listener takes them.
const HEADERS_MAX: usize = 100;
/// Bytes of their names and values. Ours, as the public listener reads them; what the gateway refuses below that, it refuses itself.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The headers of both maps. What stands in both with the same value is there once.
fn headers(
    single: BTreeMap<String, String>,
    multiple: BTreeMap<String, Vec<String>>,
) -> Result<Vec<(String, String)>, Fault> {
    let listed = multiple.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let sizes = single.iter().chain(listed.clone()).map(|(name, value)| name.len() + value.len());
    if sizes.clone().count() > HEADERS_MAX || sizes.sum::<usize>() > HEADER_BYTES_MAX {
        return Err(fault::bad_request(format!(
            "Invalid headers specified: at most {HEADERS_MAX} values and {HEADER_BYTES_MAX} bytes can be sent"
        )));
    }
    let is_repeated = |name: &str, value: &String| {
        multiple.iter().any(|(other, values)| other.eq_ignore_ascii_case(name) && values.contains(value))
    };
    let alone = single.iter().filter(|(name, value)| !is_repeated(name, value));
    let alone = alone.map(|(name, value)| (name, value, "headers"));
    let listed = listed.map(|(name, value)| (name, value, "multiValueHeaders"));
    let checked = |(name, value, member): (&String, &String, &str)| {
        if !is_token(name) {
            return Err(fault::bad_request(format!("Invalid {member} specified: {name} is no name of a header")));
        }
        // As HTTP has it: visible characters, blanks and tabs.
        if !value.chars().all(|c| c == '\t' || !c.is_control()) {
            return Err(fault::bad_request(format!(
                "Invalid {member} specified: {name} has a value that no header has"
            )));
        }
        Ok((name.clone(), value.trim().to_owned()))
    };
    alone.chain(listed).map(checked).collect()
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// How the API spells the headers that it sets.
fn names(method: &Method, frozen: &FrozenRest) -> Names {
    let responses = method.responses.values().flat_map(|response| response.parameters.keys());
    let refusals = frozen.gateway_responses.iter().flat_map(|response| response.parameters.keys());
    let mut names = Names::default();
    for name in responses.chain(refusals).filter_map(|key| key.split_once(".header.")).map(|(_, name)| name) {
        names.learn(name);
    }
    names
}

/// The realm as it is, with this API's draft on a stage, and no other API.
fn aside(
    context: &mut Context<'_>,
    (api, frozen): (ApiId, FrozenRest),
    (variables, client_certificate): (BTreeMap<String, String>, Option<ClientCertificateId>),
) -> RealmSnapshot {
    let id = DeploymentId::from_bits(context.mint.bits());
    let created = context.now;
    let mut estate = RealmEstate {
        apis: Table::default(),
        stages: Table::default(),
        domain_names: Table::default(),
        rest_apis: Table::default(),
        rest_stages: Table::default(),
        rest_deployments: Table::default(),
        ..context.estate().clone()
    };
    if let Some(kept) = context.estate().rest_apis.get(&api) {
        estate.rest_apis.insert(api, RestApi::clone(kept));
    }
    estate.rest_deployments.insert(id, RestDeployment { id, api, created, description: None, frozen });
    let name = trial::stage();
    let stage = RestStage {
        api,
        name: name.clone(),
        deployment: id,
        description: None,
        variables,
        method_settings: BTreeMap::new(),
        access_log: None,
        canary: None,
        tracing: false,
        documentation_version: None,
        client_certificate,
        created,
        updated: created,
        tags: BTreeMap::new(),
    };
    estate.rest_stages.insert((api, name), stage);
    compile(context.realm(), &estate)
}
