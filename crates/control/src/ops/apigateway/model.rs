//! Models: JSON schemas by name (REST API reference, "Model", 2026-11). What a schema must be is `schema`'s.

use topology::id::{ApiId, ModelId};
use topology::resource::rest_api::{Method, Model};
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::{fault, known_api, method, resource, schema};
use crate::context::Context;

pub(super) fn create(context: &mut Context<'_>, input: shapes::CreateModelRequest) -> Result<shapes::Model, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    if context.estate().models.contains(&(api, input.name.clone())) {
        return Err(fault::conflict("Model name already exists for this REST API"));
    }
    schema::check(context, api, input.schema.as_deref().unwrap_or_default())?;
    put(context, input)
}

/// Puts a model in the place of what is there under its name. What it refers to is `check_references`' to look at.
pub(super) fn put(context: &mut Context<'_>, input: shapes::CreateModelRequest) -> Result<shapes::Model, Fault> {
    let api = known_api(context, &input.rest_api_id)?;
    check_name(&input.name)?;
    let key = (api, input.name.clone());
    let schema = input.schema.unwrap_or_default();
    schema::checked_form(&schema)?;
    let id = ModelId::from_bits(context.mint.bits());
    let model = Model {
        id,
        api,
        name: input.name,
        description: input.description.filter(|text| !text.is_empty()),
        content_type: input.content_type,
        schema,
    };
    let shown = render(&model);
    context.edit().models.insert(key, model);
    Ok(shown)
}

/// Refuses a model with a reference that leads nowhere.
pub(super) fn check_references(context: &Context<'_>, api: ApiId, name: &str) -> Result<(), Fault> {
    let Some(model) = context.estate().models.get(&(api, name.to_owned())) else { return Ok(()) };
    schema::check_references(context, api, &schema::checked_form(&model.schema)?)
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(fault::bad_request("Model name must be non-empty"));
    }
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { Ok(()) } else { Err(fault::bad_request(format!("Model name must be alphanumeric: {name}"))) }
}

pub(super) fn known<'c>(context: &'c Context<'_>, api: ApiId, name: &str) -> Result<&'c Model, Fault> {
    let model = context.estate().models.get(&(api, name.to_owned()));
    model.map(|model| &**model).ok_or_else(|| no_model(name))
}

fn no_model(name: &str) -> Fault {
    fault::not_found(format!("Invalid model name specified: {name}"))
}

/// The API of a model: where it is not there, the model is not (recorded, 2026-03).
fn api_of(context: &Context<'_>, api: &str, name: &str) -> Result<ApiId, Fault> {
    known_api(context, api).map_err(|_| no_model(name))
}

pub(super) fn get(context: &Context<'_>, api: &str, name: &str) -> Result<shapes::Model, Fault> {
    known(context, api_of(context, api, name)?, name).map(render)
}

pub(super) fn list(context: &Context<'_>, api: &str) -> Result<Vec<shapes::Model>, Fault> {
    let api = known_api(context, api)?;
    Ok(context.estate().models.of(api).map(|model| render(model)).collect())
}

/// A mapping template that makes something of the model's form.
pub(super) fn template(context: &Context<'_>, api: &str, name: &str) -> Result<shapes::Template, Fault> {
    let api = known_api(context, api)?;
    let model = known(context, api, name)?;
    Ok(shapes::Template { value: Some(schema::template(context, api, &model.schema)) })
}

pub(super) fn update(context: &mut Context<'_>, input: shapes::UpdateModelRequest) -> Result<shapes::Model, Fault> {
    let api = api_of(context, &input.rest_api_id, &input.model_name)?;
    let mut model = known(context, api, &input.model_name)?.clone();
    PATHS.apply(context, &mut model, input.patch_operations)?;
    let shown = render(&model);
    context.edit().models.insert((api, input.model_name), model);
    Ok(shown)
}

const PATHS: Table<Model> = Table {
    rules: &[
        Rule::new("/description", REPLACE, |_, model, change| {
            model.description = change.optional();
            Ok(())
        }),
        Rule::new("/schema", REPLACE, |context, model, change| {
            schema::check(context, model.api, change.text())?;
            model.schema = change.text().to_owned();
            Ok(())
        }),
    ],
    sentence: Sentence::Listed,
};

pub(super) fn delete(context: &mut Context<'_>, api: &str, name: &str) -> Result<(), Fault> {
    let api = api_of(context, api, name)?;
    known(context, api, name)?;
    if let Some(user) = user(context, api, name) {
        return Err(fault::conflict(format!("Cannot delete model '{name}', is referenced in {user}")));
    }
    context.edit().models.remove(&(api, name.to_owned()));
    Ok(())
}

/// What refers to a model, in the words of the refusal.
fn user(context: &Context<'_>, api: ApiId, name: &str) -> Option<String> {
    let first = |of: &dyn Fn(&Method) -> bool| {
        resource::of_api(context, api)
            .find_map(|resource| method::named_where(context, resource, of).into_iter().next())
    };
    let is_named = |models: &std::collections::BTreeMap<String, String>| models.values().any(|model| model == name);
    if let Some(at) = first(&|method| is_named(&method.request_models)) {
        return Some(format!("method request: {at}"));
    }
    if let Some(at) = first(&|method| method.responses.values().any(|response| is_named(&response.models))) {
        return Some(format!("method response: {at}"));
    }
    // Few models name another, and one that does has its name in its text.
    let names = |model: &Model| model.name != name && model.schema.contains(name);
    let of_api = context.estate().models.from((api, String::new())).take_while(|((of, _), _)| *of == api);
    let others = of_api.map(|(_, model)| model).filter(|model| names(model));
    let by_schema = others.map(|model| (model, schema::references(&model.schema)));
    let mut refers = by_schema.filter(|(_, names)| names.iter().any(|reference| reference == name));
    refers.next().map(|(model, _)| format!("model: {}", model.name))
}

fn render(model: &Model) -> shapes::Model {
    shapes::Model {
        content_type: Some(model.content_type.clone()),
        description: model.description.clone(),
        id: Some(model.id.to_string()),
        name: Some(model.name.clone()),
        schema: Some(model.schema.clone()),
    }
}
