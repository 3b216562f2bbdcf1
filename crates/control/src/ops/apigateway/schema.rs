//! What the schema of a model must be, and the template that shows its form (REST API developer guide, "Data models", 2026-11).
//! Whether a body meets a schema is traffic's business.

use serde_json::Value;
use topology::id::ApiId;
use topology::resource::rest_api::MODEL_APPLICATIONS_MAX;
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

/// Refuses a schema that AWS would not take: it must be JSON that says something, and every reference must lead somewhere.
pub(super) fn check(context: &Context<'_>, api: ApiId, schema: &str) -> Result<(), Fault> {
    let empty = || fault::bad_request("Model schema must have at least 1 property or array items defined");
    if schema.trim().is_empty() {
        return Err(empty());
    }
    if schema.chars().count() > SCHEMA_CHARS_MAX {
        return Err(invalid("Invalid model schema specified. The schema is too large"));
    }
    let whole: Value = serde_json::from_str(schema).map_err(|_| invalid("Invalid model schema specified"))?;
    match whole.as_object() {
        None => return Err(invalid("Invalid model schema specified")),
        Some(members) if members.is_empty() => return Err(empty()),
        Some(_) => {}
    }
    each_reference(&whole, &mut |reference| {
        if resolve(context, api, (&whole, reference)).is_some() {
            return Ok(());
        }
        Err(invalid(&format!("Invalid model reference specified: {reference}")))
    })?;
    if load::is_bearable(context, api, schema) {
        return Ok(());
    }
    let why = format!("one value would have to meet more than {MODEL_APPLICATIONS_MAX} schemas");
    Err(invalid(&format!("Invalid model schema specified. {why}")))
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

/// The schema that a reference leads to, with the whole that its own references are within.
fn resolve(context: &Context<'_>, api: ApiId, from: (&Value, &str)) -> Option<(Value, Value)> {
    let (whole, reference) = from;
    if let Some(pointer) = reference.strip_prefix('#') {
        return Some((whole.pointer(pointer)?.clone(), whole.clone()));
    }
    let (of, name) = model_of(reference)?;
    if of != api.to_string() {
        return None;
    }
    let model = context.estate().models.get(&(api, name.to_owned()))?;
    let whole: Value = serde_json::from_str(&model.schema).ok()?;
    Some((whole.clone(), whole))
}

/// A mapping template that makes a document of a schema's form out of the input.
pub(super) fn template(context: &Context<'_>, api: ApiId, schema: &str) -> String {
    let text = "#set($inputRoot = $input.path('$'))\n".to_owned();
    let mut writer = Writer { context, api, text, level: 0 };
    if let Ok(whole) = serde_json::from_str::<Value>(schema) {
        writer.value((&whole, &whole), "$inputRoot", 0);
    }
    writer.text
}

struct Writer<'c, 'a> {
    context: &'c Context<'a>,
    api: ApiId,
    text: String,
    /// How many schemas deep the writer is, references included.
    level: usize,
}

impl Writer<'_, '_> {
    /// Writes an example of `schema`, which stands within `whole`; `from` is where the input has it.
    fn value(&mut self, schema: (&Value, &Value), from: &str, depth: usize) {
        if self.level >= DEPTH_MAX || self.text.len() > TEMPLATE_CHARS_MAX {
            self.text.push_str("{ }");
            return;
        }
        self.level += 1;
        self.bounded(schema, from, depth);
        self.level -= 1;
    }

    fn bounded(&mut self, (schema, whole): (&Value, &Value), from: &str, depth: usize) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            match resolve(self.context, self.api, (whole, reference)) {
                Some((schema, whole)) => self.value((&schema, &whole), from, depth),
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

    fn object(&mut self, (schema, whole): (&Value, &Value), from: &str, depth: usize) {
        let Some(members) = schema.get("properties").and_then(Value::as_object).filter(|members| !members.is_empty())
        else {
            self.text.push_str("{ }");
            return;
        };
        self.text.push('{');
        for (at, (name, member)) in members.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            self.text.push_str(&format!("{comma}\n{}\"{name}\" : ", indent(depth + 1)));
            self.value((member, whole), &format!("{from}.{name}"), depth + 1);
        }
        self.text.push_str(&format!("\n{}}}", indent(depth)));
    }

    fn array(&mut self, (schema, whole): (&Value, &Value), from: &str, depth: usize) {
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
