//! What the schema of a model must be, and the template that shows its form (REST API developer guide, "Data models", 2026-11).
//! Whether a body meets a schema is traffic's business.

use std::collections::BTreeMap;

use serde_json::Value;
use topology::id::ApiId;
use topology::resource::rest_api::{MODEL_APPLICATIONS_MAX, MODEL_NESTING_MAX};
use wire::Fault;

use super::{fault, load};
use crate::context::Context;

/// How another model of the API is referred to; the API's id and the model's name follow.
const MODEL_URL: &str = "https://apigateway.amazonaws.com/restapis/";
/// Characters of a schema. AWS bounds its imports by 6 MB and documents nothing for a model.
const SCHEMA_CHARS_MAX: usize = 400 * 1024;
/// Levels of a template, so that models that refer to each other in a circle come to an end.
const DEPTH_MAX: usize = 16;
/// Characters of a template: a model that refers to others twice doubles at every level.
const TEMPLATE_CHARS_MAX: usize = 64 * 1024;
/// Models that a template is made of; what others would add is left open. Ours.
const MODELS_MAX: usize = 1_000;

/// Refuses a schema that AWS would not take: it must be JSON that says something, and every reference must lead somewhere.
pub(super) fn check(context: &Context<'_>, api: ApiId, schema: &str) -> Result<(), Fault> {
    let whole = checked_form(schema)?;
    check_references(context, api, &whole)?;
    if load::is_bearable(context, api, whole) { Ok(()) } else { Err(unbearable()) }
}

/// A model asks too much of traffic.
pub(super) fn unbearable() -> Fault {
    let why = format!(
        "one value would have to meet more than {MODEL_APPLICATIONS_MAX} schemas, or more than {MODEL_NESTING_MAX} within each other"
    );
    invalid(&format!("Invalid model schema specified. {why}"))
}

/// A schema, once it is JSON that says something.
pub(super) fn checked_form(schema: &str) -> Result<Value, Fault> {
    let empty = || fault::bad_request("Model schema must have at least 1 property or array items defined");
    if schema.trim().is_empty() {
        return Err(empty());
    }
    if schema.chars().count() > SCHEMA_CHARS_MAX {
        return Err(invalid("Invalid model schema specified. The schema is too large"));
    }
    let whole: Value = serde_json::from_str(schema).map_err(|_| invalid("Invalid model schema specified"))?;
    match whole.as_object() {
        None => Err(invalid("Invalid model schema specified")),
        Some(members) if members.is_empty() => Err(empty()),
        Some(_) => Ok(whole),
    }
}

/// Refuses a schema with a reference that leads nowhere.
pub(super) fn check_references(context: &Context<'_>, api: ApiId, whole: &Value) -> Result<(), Fault> {
    each_reference(whole, &mut |reference| {
        let leads = match reference.strip_prefix('#') {
            Some(pointer) => whole.pointer(pointer).is_some(),
            None => named_model(api, reference).is_some_and(|name| context.estate().models.contains(&(api, name))),
        };
        if leads {
            return Ok(());
        }
        Err(invalid(&format!("Invalid model reference specified: {reference}")))
    })
}

fn invalid(why: &str) -> Fault {
    fault::bad_request(format!("Invalid model specified: Validation Result: warnings : [], errors : [{why}]"))
}

/// Calls `found` with every `$ref` of a schema. `serde_json` has bounded how deep it goes.
fn each_reference(value: &Value, found: &mut impl FnMut(&str) -> Result<(), Fault>) -> Result<(), Fault> {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found(reference)?;
            }
            members.values().try_for_each(|member| each_reference(member, found))
        }
        Value::Array(items) => items.iter().try_for_each(|item| each_reference(item, found)),
        _ => Ok(()),
    }
}

/// The names of the models that a schema refers to.
pub(super) fn references(schema: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Ok(whole) = serde_json::from_str(schema) {
        let _ = each_reference(&whole, &mut |reference| {
            names.extend(model_of(reference).map(|(_, name)| name.to_owned()));
            Ok(())
        });
    }
    names
}

/// API and name of a reference to a model.
pub(super) fn model_of(reference: &str) -> Option<(&str, &str)> {
    reference.strip_prefix(MODEL_URL)?.split_once("/models/")
}

/// The name of the model of this API that a reference leads to.
fn named_model(api: ApiId, reference: &str) -> Option<String> {
    let (of, name) = model_of(reference)?;
    (of == api.as_str()).then(|| name.to_owned())
}

/// A mapping template that makes a document of a schema's form out of the input.
pub(super) fn template(context: &Context<'_>, api: ApiId, schema: &str) -> String {
    let text = "#set($inputRoot = $input.path('$'))\n".to_owned();
    if let Ok(whole) = serde_json::from_str::<Value>(schema) {
        let models = reachable(context, api, &whole);
        let mut writer = Writer { api, models: &models, text, level: 0 };
        writer.value((&whole, &whole), "$inputRoot", 0);
        return writer.text;
    }
    text
}

/// The models that a schema refers to, and those that they refer to, each read once.
pub(super) fn reachable(context: &Context<'_>, api: ApiId, whole: &Value) -> BTreeMap<String, Value> {
    let mut models = BTreeMap::new();
    let mut wanted = names(api, whole);
    while let Some(name) = wanted.pop() {
        // A template of the bound's length names fewer.
        if models.contains_key(&name) || models.len() >= MODELS_MAX {
            continue;
        }
        let model = context.estate().models.get(&(api, name.clone()));
        if let Some(schema) = model.and_then(|model| serde_json::from_str(&model.schema).ok()) {
            wanted.extend(names(api, &schema));
            models.insert(name, schema);
        }
    }
    models
}

fn names(api: ApiId, schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let _ = each_reference(schema, &mut |reference| {
        names.extend(named_model(api, reference));
        Ok(())
    });
    names
}

struct Writer<'m> {
    api: ApiId,
    models: &'m BTreeMap<String, Value>,
    text: String,
    /// How many schemas deep the writer is, references included.
    level: usize,
}

impl<'m> Writer<'m> {
    /// The schema that a reference leads to, with the whole that its own references are within.
    fn resolve(&self, whole: &'m Value, reference: &str) -> Option<(&'m Value, &'m Value)> {
        if let Some(pointer) = reference.strip_prefix('#') {
            return Some((whole.pointer(pointer)?, whole));
        }
        let model = self.models.get(&named_model(self.api, reference)?)?;
        Some((model, model))
    }

    /// Writes an example of `schema`, which stands within `whole`; `from` is where the input has it.
    fn value(&mut self, schema: (&'m Value, &'m Value), from: &str, depth: usize) {
        if self.level >= DEPTH_MAX || self.text.len() > TEMPLATE_CHARS_MAX {
            self.text.push_str("{ }");
            return;
        }
        self.level += 1;
        self.bounded(schema, from, depth);
        self.level -= 1;
    }

    fn bounded(&mut self, (schema, whole): (&'m Value, &'m Value), from: &str, depth: usize) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            match self.resolve(whole, reference) {
                Some(found) => self.value(found, from, depth),
                None => self.text.push_str("{ }"),
            }
            return;
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => self.text.push_str("\"foo\""),
            Some("integer" | "number") => self.text.push_str("42"),
            Some("boolean") => self.text.push_str("true"),
            Some("null") => self.text.push_str("null"),
            Some("array") => self.array((schema, whole), from, depth),
            _ => self.object((schema, whole), from, depth),
        }
    }

    fn object(&mut self, (schema, whole): (&'m Value, &'m Value), from: &str, depth: usize) {
        let Some(members) = schema.get("properties").and_then(Value::as_object).filter(|members| !members.is_empty())
        else {
            self.text.push_str("{ }");
            return;
        };
        self.text.push('{');
        for (at, (name, member)) in members.iter().enumerate() {
            if self.text.len() > TEMPLATE_CHARS_MAX {
                break;
            }
            let comma = if at == 0 { "" } else { "," };
            self.text.push_str(&format!("{comma}\n{}\"{name}\" : ", indent(depth + 1)));
            self.value((member, whole), &format!("{from}.{name}"), depth + 1);
        }
        self.text.push_str(&format!("\n{}}}", indent(depth)));
    }

    fn array(&mut self, (schema, whole): (&'m Value, &'m Value), from: &str, depth: usize) {
        let inner = indent(depth + 1);
        self.text.push_str(&format!(
            "[\n{inner}##TODO: Update this foreach loop to reference array from input json\n{inner}#foreach($elem in {from})\n{inner}"
        ));
        self.value((schema.get("items").unwrap_or(&Value::Null), whole), "$elem", depth + 1);
        self.text.push_str(&format!("#if($foreach.hasNext),#end\n{inner}#end\n{}]", indent(depth)));
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}
