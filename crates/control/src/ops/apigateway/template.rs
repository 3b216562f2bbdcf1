//! Mapping templates as they are written: refused where traffic could not carry them out. AWS takes any text and fails when a request
//! comes (`docs/differences-from-aws.md`). The language is `topology`'s. Templates of gateway responses are in none: variables are
//! replaced in them, and everything else is text (REST API developer guide, "Gateway responses", 2026-11).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use topology::resource::rest_api::{Integration, IntegrationType, Resource};
use topology::template::{AnswerTemplates, TEMPLATE_BYTES_MAX, Templates, Unusable, Written};
use wire::Fault;
use wire::apigateway::{Call, PatchOperation};

use crate::context::Context;
use crate::ops::gateway_common::fault;

/// The texts of the templates that a call carries.
pub(crate) fn carried(call: &wire::Call) -> Vec<&str> {
    let wire::Call::ApiGateway(call) = call else { return Vec::new() };
    match call {
        Call::PutIntegration(input) => {
            input.request_templates.iter().flatten().map(|(_, text)| text.as_str()).collect()
        }
        Call::PutIntegrationResponse(input) => {
            input.response_templates.iter().flatten().filter_map(|(_, text)| text.as_deref()).collect()
        }
        Call::UpdateIntegration(input) => patched(&input.patch_operations, "/requestTemplates/"),
        Call::UpdateIntegrationResponse(input) => patched(&input.patch_operations, "/responseTemplates/"),
        _ => Vec::new(),
    }
}

fn patched<'p>(patches: &'p Option<Vec<PatchOperation>>, below: &str) -> Vec<&'p str> {
    let is_below = |patch: &&PatchOperation| patch.path.as_ref().is_some_and(|path| path.starts_with(below));
    patches.iter().flatten().filter(is_below).filter_map(|patch| patch.value.as_deref()).collect()
}

/// Templates as they are asked for.
pub(super) fn wanted(context: &Context<'_>, texts: Option<BTreeMap<String, String>>) -> Templates {
    texts.iter().flatten().map(|(kind, text)| (kind.clone(), context.objects.template(text))).collect()
}

/// Templates as they are shown; none is nothing.
pub(super) fn shown(templates: &Templates) -> Option<BTreeMap<String, String>> {
    let texts = templates.iter().map(|(kind, template)| (kind.clone(), template.as_str().to_owned()));
    (!templates.is_empty()).then(|| texts.collect())
}

/// A template of an answer as it is asked for: an empty text is none, as null is.
pub(super) fn of_answer(context: &Context<'_>, text: &str) -> Option<Written> {
    (!text.is_empty()).then(|| context.objects.template(text))
}

/// Templates of an answer as they are asked for.
pub(super) fn wanted_of_answer(
    context: &Context<'_>,
    texts: Option<BTreeMap<String, Option<String>>>,
) -> AnswerTemplates {
    let wanted = |text: &Option<String>| text.as_deref().and_then(|text| of_answer(context, text));
    texts.iter().flatten().map(|(kind, text)| (kind.clone(), wanted(text))).collect()
}

/// Templates of an answer as they are shown; none is nothing.
pub(super) fn shown_of_answer(templates: &AnswerTemplates) -> Option<BTreeMap<String, Option<String>>> {
    let text = |template: &Option<Written>| template.as_ref().map(|template| template.as_str().to_owned());
    let texts = templates.iter().map(|(kind, template)| (kind.clone(), text(template)));
    (!templates.is_empty()).then(|| texts.collect())
}

/// Refuses templates of an integration, and of its responses, that traffic could not carry out. A proxy has none that are evaluated.
pub(super) fn check(integration: &Integration) -> Result<(), Fault> {
    if integration.kind == IntegrationType::HttpProxy {
        return sizes(integration.request_templates.values().map(Written::as_str));
    }
    each("requestTemplates", &mut integration.request_templates.iter())
}

/// The same of one of its responses.
pub(super) fn check_response(integration: &Integration, templates: &AnswerTemplates) -> Result<(), Fault> {
    if integration.kind == IntegrationType::HttpProxy {
        return sizes(templates.values().flatten().map(Written::as_str));
    }
    let written = templates.iter().filter_map(|(kind, template)| Some((kind, template.as_ref()?)));
    each("responseTemplates", &mut { written })
}

/// The path of a resource among others.
type PathOf = fn(&[Arc<Resource>], &Resource) -> String;

/// The same of everything that is about to be deployed: what a store held before such templates were refused may be among it.
pub(super) fn check_all(resources: &[Arc<Resource>], path: PathOf) -> Result<(), Fault> {
    for resource in resources {
        let methods = resource.methods.iter();
        for (name, integration) in methods.filter_map(|(name, method)| Some((name, method.integration.as_ref()?))) {
            let mut responses = integration.responses.values();
            let checked = check(integration)
                .and_then(|()| responses.try_for_each(|response| check_response(integration, &response.templates)));
            checked.map_err(|fault| {
                let path = path(resources, resource);
                let message = format!("Invalid method {name} on resource at path '{path}': {}", fault.message);
                fault::bad_request(message)
            })?;
        }
    }
    Ok(())
}

/// Refuses texts that are longer than templates may be.
pub(super) fn sizes<'t>(mut texts: impl Iterator<Item = &'t str>) -> Result<(), Fault> {
    if texts.all(|text| text.len() <= TEMPLATE_BYTES_MAX) { Ok(()) } else { Err(too_long()) }
}

fn too_long() -> Fault {
    fault::bad_request("A mapping template can have at most 300 KB")
}

fn each<'t>(member: &str, templates: &mut dyn Iterator<Item = (&'t String, &'t Written)>) -> Result<(), Fault> {
    for (kind, template) in templates {
        template.check().map_err(|refused| refusal(refused, format_args!("{member} '{kind}'")))?;
    }
    Ok(())
}

fn refusal(refused: &Unusable, at: fmt::Arguments<'_>) -> Fault {
    match refused {
        Unusable::Unserved(place, what) => fault::unsupported(&format!("{what} in a mapping template ({at}, {place})")),
        Unusable::Malformed(place, what) => {
            fault::bad_request(format!("Invalid mapping template specified: {at}, {place}: {what}"))
        }
        Unusable::TooMuch { limit: TEMPLATE_BYTES_MAX, .. } => too_long(),
        Unusable::TooMuch { what, limit } => {
            fault::bad_request(format!("Invalid mapping template specified: {at} has more than {limit} {what}"))
        }
    }
}
