//! Models as JSON schemas, draft 4, and what AWS says of a body that does not meet one: its validator has a sentence for each
//! keyword, and all that were found stand in brackets (as users have seen in `$context.error.validationErrorString`; sentences
//! that were not seen are worded alike).
//!
//! No schema is ever fetched: a reference leads to another model of the API, or within its own document.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;
use topology::resource::rest_api::Model;

use crate::limits::{SENTENCE_BYTES_MAX, VALIDATION_ERRORS_MAX};

/// A schema, or why it is none; bodies for it are then refused.
#[derive(Debug, Clone)]
pub(super) struct Schema(Result<Arc<Validator>, String>);

/// The models of a deployment.
#[derive(Debug)]
pub(super) struct Models(Arc<BTreeMap<String, Value>>);

impl Models {
    /// Reads them.
    pub(super) fn new(models: &[Arc<Model>]) -> Self {
        let read = |model: &Arc<Model>| Some((model.name.clone(), serde_json::from_str(&model.schema).ok()?));
        Self(Arc::new(models.iter().filter_map(read).collect()))
    }

    /// The schema of this name.
    pub(super) fn schema(&self, name: &str) -> Schema {
        let Some(model) = self.0.get(name) else { return Schema(Err(format!("the model {name} is no JSON schema"))) };
        let options = jsonschema::options()
            .with_draft(Draft::Draft4)
            // Linear in the text, whatever the pattern.
            .with_pattern_options(PatternOptions::regex())
            .with_retriever(Siblings(Arc::clone(&self.0)));
        Schema(options.build(model).map(Arc::new).map_err(|error| format!("the model {name} is no schema: {error}")))
    }
}

/// Leads references to the API's models: `https://apigateway.amazonaws.com/restapis/{id}/models/{name}`.
struct Siblings(Arc<BTreeMap<String, Value>>);

impl Retrieve for Siblings {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.as_str().rsplit_once("/models/").map_or("", |(_, name)| name);
        self.0.get(name).cloned().ok_or_else(|| format!("there is no model {name}").into())
    }
}

impl Schema {
    /// What is wrong with a value: the sentences in brackets.
    pub(super) fn judge(&self, value: &Value) -> Result<(), String> {
        let validator = self.0.as_ref().map_err(|why| format!("[{why}]"))?;
        let errors: Vec<_> = validator.iter_errors(value).take(VALIDATION_ERRORS_MAX).collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("[{}]", sentences(&errors).join(", "))) }
    }
}

/// One sentence for each error; what an object lacks stands in one.
fn sentences(errors: &[ValidationError<'_>]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for error in errors {
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                lacking.entry(error.instance_path().to_string()).or_default().push(property.to_string());
            }
            kind => told.push(shortened(sentence(kind, error.instance()))),
        }
    }
    let lacks = lacking.into_values().map(|mut names| {
        names.sort();
        format!("object has missing required properties ([{}])", names.join(","))
    });
    lacks.chain(told).collect()
}

/// A sentence quotes what the client sent, which may be the largest body that there is.
fn shortened(mut sentence: String) -> String {
    if sentence.len() > SENTENCE_BYTES_MAX {
        sentence.truncate(sentence.floor_char_boundary(SENTENCE_BYTES_MAX));
        sentence.push_str("...");
        sentence.shrink_to_fit();
    }
    sentence
}

/// The table.
fn sentence(kind: &ValidationErrorKind, instance: &Value) -> String {
    let length = || instance.as_str().map_or(0, |text| text.chars().count());
    let items = || instance.as_array().map_or(0, Vec::len);
    let members = || instance.as_object().map_or(0, serde_json::Map::len);
    let list = |names: &[String]| {
        let quoted: Vec<String> = names.iter().map(|name| Value::String(name.clone()).to_string()).collect();
        quoted.join(",")
    };
    match kind {
        ValidationErrorKind::Type { kind } => {
            let allowed = allowed(kind);
            format!(
                "instance type ({}) does not match any allowed primitive type (allowed: [{allowed}])",
                type_of(instance)
            )
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("object instance has properties which are not allowed by the schema: [{}]", list(unexpected))
        }
        ValidationErrorKind::Enum { options } => {
            format!("instance value ({instance}) not found in enum (possible values: {options})")
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("string {instance} is too short (length: {}, required minimum: {limit})", length())
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("string {instance} is too long (length: {}, maximum allowed: {limit})", length())
        }
        ValidationErrorKind::Minimum { limit } => {
            format!("numeric instance is lower than the required minimum (minimum: {limit}, found: {instance})")
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("numeric instance is greater than the required maximum (maximum: {limit}, found: {instance})")
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            format!("numeric instance is not strictly greater than the required minimum {limit}")
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            format!("numeric instance is not strictly lower than the required maximum {limit}")
        }
        ValidationErrorKind::Pattern { pattern } => {
            format!("ECMA 262 regex {} does not match input string {instance}", Value::String(pattern.clone()))
        }
        ValidationErrorKind::Format { format } => format!("string {instance} is not a valid {format}"),
        ValidationErrorKind::MinItems { limit } => {
            format!("array is too short: must have at least {limit} elements but instance has {} elements", items())
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("array is too long: must have at most {limit} elements but instance has {} elements", items())
        }
        ValidationErrorKind::AdditionalItems { limit } => {
            format!("array only allows {limit} items but instance has {} items", items())
        }
        ValidationErrorKind::UniqueItems => "array must not contain duplicate elements".to_owned(),
        ValidationErrorKind::MinProperties { limit } => {
            format!("object has too few properties (found {} but schema requires at least {limit})", members())
        }
        ValidationErrorKind::MaxProperties { limit } => {
            format!("object has too many properties (found {} but schema requires at most {limit})", members())
        }
        ValidationErrorKind::MultipleOf { multiple_of } => {
            format!("remainder of division is not zero ({instance} / {multiple_of})")
        }
        ValidationErrorKind::AnyOf { context } => {
            format!("instance failed to match at least one required schema among {}", context.len())
        }
        ValidationErrorKind::OneOfNotValid { context } => {
            format!("instance failed to match exactly one schema (matched 0 out of {})", context.len())
        }
        ValidationErrorKind::OneOfMultipleValid { context } => {
            let matched = context.iter().filter(|errors| errors.is_empty()).count();
            format!("instance failed to match exactly one schema (matched {matched} out of {})", context.len())
        }
        ValidationErrorKind::Not { .. } => "instance matched a schema which it should not have".to_owned(),
        // Keywords of later drafts, and patterns that need more than their bound.
        other => format!("instance does not meet the keyword {}", other.keyword()),
    }
}

fn allowed(kind: &TypeKind) -> String {
    let quoted = |name: &str| format!("\"{name}\"");
    let names: Vec<String> = match kind {
        TypeKind::Single(one) => vec![quoted(&one.to_string())],
        TypeKind::Multiple(many) => many.iter().map(|one| quoted(&one.to_string())).collect(),
    };
    // Whole numbers are numbers.
    if names == ["\"number\""] { "\"integer\",\"number\"".to_owned() } else { names.join(",") }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use topology::id::{ApiId, ModelId};

    use super::*;

    fn judged(schema: Value, value: &Value) -> String {
        let model = |name: &str, schema: Value| {
            Arc::new(Model {
                id: ModelId::from_bits(1),
                api: ApiId::from_bits(1),
                name: name.to_owned(),
                description: None,
                content_type: "application/json".to_owned(),
                schema: schema.to_string(),
            })
        };
        let pet = json!({ "type": "object", "required": ["name"], "properties": { "age": { "type": "integer" } } });
        let models = Models::new(&[model("Asked", schema), model("Pet", pet)]);
        models.schema("Asked").judge(value).err().unwrap_or_default()
    }

    #[test]
    fn sentences_table() {
        let object = json!({
            "$schema": "http://json-schema.org/draft-04/schema#",
            "type": "object",
            "required": ["name", "kind"],
            "properties": { "age": { "type": "integer", "minimum": 0, "exclusiveMinimum": true }, "kind": { "enum": ["cat", "dog"] } },
            "additionalProperties": false
        });
        let rows = [
            (
                object.clone(),
                json!({ "name": 1, "kind": "cat" }),
                r#"[object instance has properties which are not allowed by the schema: ["name"]]"#,
            ),
            (object.clone(), json!({}), r#"[object has missing required properties (["kind","name"])]"#),
            (json!({ "type": "object", "required": ["a"] }), json!({ "a": 1 }), ""),
            (
                json!({ "type": "object", "required": ["name"], "properties": { "age": { "type": "integer" } } }),
                json!({ "age": "x" }),
                r#"[object has missing required properties (["name"]), instance type (string) does not match any allowed primitive type (allowed: ["integer"])]"#,
            ),
            (
                json!({ "type": "number" }),
                json!("x"),
                r#"[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]"#,
            ),
            (
                json!({ "enum": ["cat", "dog"] }),
                json!("cow"),
                r#"[instance value ("cow") not found in enum (possible values: ["cat","dog"])]"#,
            ),
            (json!({ "minLength": 3 }), json!("ab"), r#"[string "ab" is too short (length: 2, required minimum: 3)]"#),
            (
                json!({ "maximum": 5 }),
                json!(6),
                "[numeric instance is greater than the required maximum (maximum: 5, found: 6)]",
            ),
            (json!({ "pattern": "^a" }), json!("b"), r#"[ECMA 262 regex "^a" does not match input string "b"]"#),
            (
                json!({ "minItems": 1 }),
                json!([]),
                "[array is too short: must have at least 1 elements but instance has 0 elements]",
            ),
            (json!({ "uniqueItems": true }), json!([1, 1]), "[array must not contain duplicate elements]"),
            (json!({ "not": {} }), json!(1), "[instance matched a schema which it should not have]"),
            (
                json!({ "$ref": "https://apigateway.amazonaws.com/restapis/abcdefghij/models/Pet" }),
                json!({}),
                r#"[object has missing required properties (["name"])]"#,
            ),
            (json!({ "$ref": "#/definitions/A", "definitions": { "A": { "type": "null" } } }), json!(null), ""),
        ];
        for (schema, value, expected) in rows {
            assert_eq!(judged(schema.clone(), &value), expected, "{schema} {value}");
        }
    }

    #[test]
    fn what_leads_nowhere_refuses_every_body_and_fetches_nothing() {
        for schema in [json!({ "$ref": "https://example.com/schema" }), json!({ "type": 5 })] {
            assert!(judged(schema.clone(), &json!({})).contains("is no schema"), "{schema}");
        }
    }
}
