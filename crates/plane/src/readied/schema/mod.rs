//! Models as JSON schemas, draft 4, and what AWS says of a body that does not meet one: its validator has a sentence for each
//! keyword, and all that were found stand in brackets.
//!
//! `compile` reads models, `judge` applies them within a budget of steps, time and memory, `words` has the sentences. No schema is ever
//! fetched: a reference leads to another model of the API, or within its own document. Why there is no library for it is in
//! `docs/decisions/0010-a-judge-of-models-of-our-own.md`.

mod compile;
mod format;
mod judge;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use topology::resource::rest_api::Model;

use self::compile::Schemas;
use self::judge::{Budget, Found, Judge, Spent};
use crate::limits::{
    INLINE_STEPS_MAX, VALIDATION_BYTES_HELD_MAX, VALIDATION_NESTING_MAX, VALIDATION_STEPS_MAX, VALIDATION_TIME_MAX,
};

/// A schema, or why it is none; bodies for it are then refused.
#[derive(Debug, Clone)]
pub(crate) struct Schema(Result<Arc<Schemas>, String>);

/// The models of a deployment.
#[derive(Debug)]
pub(crate) struct Models(BTreeMap<String, Value>);

impl Models {
    /// Reads them.
    pub(crate) fn new(models: &[Arc<Model>]) -> Self {
        let read = |model: &Arc<Model>| Some((model.name.clone(), serde_json::from_str(&model.schema).ok()?));
        Self(models.iter().filter_map(read).collect())
    }

    /// The schema of this name.
    pub(crate) fn schema(&self, name: &str) -> Schema {
        if !self.0.contains_key(name) {
            return Schema(Err(format!("the model {name} is no JSON schema")));
        }
        let read = compile::compile(&self.0, name);
        Schema(read.map(Arc::new).map_err(|error| format!("the model {name} is no schema: {error}")))
    }
}

/// Judges a body by a model for `crate::fuzzing`: it must end, with what is wrong in brackets.
///
/// # Panics
/// When it does not.
pub(crate) fn attempt(schema: &str, body: &[u8]) {
    let read = serde_json::from_str(schema).ok().map(|read| ("Model".to_owned(), read));
    let schema = Models(read.into_iter().collect()).schema("Model");
    let judged = schema.judge_body(body, Patience::Long).expect("with patience it ends");
    if let Some(briefly) = schema.judge_body(body, Patience::Brief) {
        assert_eq!(briefly, judged, "patience changes no verdict");
    }
}

/// How much may be done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What is done where the request is served.
    Brief,
    /// What is done in a turn for long work.
    Long,
}

impl Schema {
    /// What is wrong with a body: the sentences in brackets. An empty body counts as an empty object. `None` where it takes more
    /// than patience allows; it is begun anew with more.
    pub(crate) fn judge_body(&self, body: &[u8], patience: Patience) -> Option<Result<(), String>> {
        let schemas = match &self.0 {
            Ok(schemas) => schemas,
            Err(why) => return Some(Err(format!("[{why}]"))),
        };
        let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
        if held(body) > VALIDATION_BYTES_HELD_MAX {
            return Some(Err(format!("[the body needs more than {VALIDATION_BYTES_HELD_MAX} bytes to be validated]")));
        }
        match serde_json::from_slice(body) {
            Ok(value) => judge(schemas, &value, patience),
            Err(error) => Some(Err(format!("[the body is not JSON: {error}]"))),
        }
    }
}

fn judge(schemas: &Schemas, value: &Value, patience: Patience) -> Option<Result<(), String>> {
    let steps = match patience {
        Patience::Brief => INLINE_STEPS_MAX,
        Patience::Long => VALIDATION_STEPS_MAX,
    };
    let mut found = Found::default();
    let judge = Judge { schemas, budget: &Budget::new(steps) };
    let more = match judge.judge(0, value, (&mut found, 0)) {
        Ok(()) => {
            let all: Vec<String> = found.lacks.into_iter().chain(found.told).collect();
            return Some(if all.is_empty() { Ok(()) } else { Err(format!("[{}]", all.join(", "))) });
        }
        Err(Spent::Steps) if patience == Patience::Brief => return None,
        Err(Spent::Steps) => format!("{VALIDATION_STEPS_MAX} steps"),
        Err(Spent::Time) => format!("{} s", VALIDATION_TIME_MAX.as_secs()),
        Err(Spent::Nesting) => format!("{VALIDATION_NESTING_MAX} schemas within each other"),
    };
    // What cannot be judged is not let in.
    Some(Err(format!("[the model needs more than {more} for this body]")))
}

/// What a value of a document takes beside its text, and what a member's name takes more.
const VALUE_BYTES: usize = 64;
const MEMBER_BYTES: usize = 96;

/// Bytes that a body takes as values, seen by its punctuation before anything is made of it.
fn held(body: &[u8]) -> usize {
    let cost = |byte: &u8| match byte {
        b',' | b'[' | b'{' => VALUE_BYTES,
        b':' => MEMBER_BYTES,
        _ => 1,
    };
    body.iter().map(cost).fold(0, usize::saturating_add)
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
        let judged = models.schema("Asked").judge_body(value.to_string().as_bytes(), Patience::Long);
        judged.expect("it ends").err().unwrap_or_default()
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

    /// Levels of `anyOf` of twice the same, which a value that fits none has to meet all of.
    fn doubling(levels: usize) -> Value {
        let level = |at: usize| {
            let below = json!({ "$ref": format!("#/definitions/l{}", at + 1) });
            (format!("l{at}"), json!({ "anyOf": [below, below] }))
        };
        let mut definitions: serde_json::Map<String, Value> = (0..levels).map(level).collect();
        definitions.insert(format!("l{levels}"), json!({ "type": "string" }));
        json!({ "$ref": "#/definitions/l0", "definitions": definitions })
    }

    #[test]
    fn what_doubles_is_given_up_and_let_in_by_nobody() {
        let told = "[instance failed to match at least one required schema among 2]";
        assert_eq!(judged(doubling(1), &json!({})), told);
        assert_eq!(judged(doubling(8), &json!("fits")), "");
        let told = judged(doubling(24), &json!({}));
        // Whichever of steps and time is spent first: a slow machine has fewer steps in a second.
        assert!(told.starts_with("[the model needs more than 1") && told.ends_with(" for this body]"), "{told}");
        let told = judged(json!({ "$ref": "#" }), &json!({}));
        assert!(told.contains("schemas within each other"), "{told}");
    }

    #[test]
    fn short_work_is_told_from_long_work() {
        let list = vec![json!("a"); INLINE_STEPS_MAX];
        let models = Models(BTreeMap::from([("A".to_owned(), json!({ "items": { "type": "string" } }))]));
        let body = Value::from(list).to_string();
        let judged = |patience| models.schema("A").judge_body(body.as_bytes(), patience);
        assert_eq!((judged(Patience::Brief), judged(Patience::Long)), (None, Some(Ok(()))));
    }

    #[test]
    fn errors_are_cut_while_they_are_found() {
        let many = judged(json!({ "items": { "type": "string" } }), &Value::from(vec![1; 100_000]));
        assert_eq!(many.matches("instance type (integer)").count(), crate::limits::VALIDATION_ERRORS_MAX);
        for schema in [json!({ "maxLength": 3 }), json!({ "enum": ["a"] }), json!({ "pattern": "^a$" })] {
            let long = judged(schema, &Value::from("é\n".repeat(1_000_000)));
            assert!(long.len() < crate::limits::SENTENCE_BYTES_MAX + 16 && long.ends_with("...]"), "{long}");
        }
        let body = format!("[{}1]", "1,".repeat(2 * 1024 * 1024));
        let models = Models(BTreeMap::from([("A".to_owned(), json!({}))]));
        let judged = models.schema("A").judge_body(body.as_bytes(), Patience::Long).unwrap();
        assert!(judged.unwrap_err().contains("bytes to be validated"));
    }

    #[test]
    fn keywords_table() {
        let rows = [
            (json!({ "enum": [1, { "a": [1] }] }), json!({ "a": [1.0] }), ""),
            (
                json!({ "uniqueItems": true }),
                json!([{ "a": 1, "b": 2 }, { "b": 2, "a": 1 }]),
                "[array must not contain duplicate elements]",
            ),
            (json!({ "multipleOf": 0.1 }), json!(0.3), ""),
            (json!({ "multipleOf": 2 }), json!(3), "[remainder of division is not zero (3 / 2)]"),
            (
                json!({ "minimum": 3, "exclusiveMinimum": true }),
                json!(3),
                "[numeric instance is not strictly greater than the required minimum 3]",
            ),
            (
                json!({ "items": [{}], "additionalItems": false }),
                json!([1, 2]),
                "[array only allows 1 items but instance has 2 items]",
            ),
            (json!({ "items": [{}], "additionalItems": { "type": "null" } }), json!([1, null]), ""),
            (json!({ "patternProperties": { "^x-": {} }, "additionalProperties": false }), json!({ "x-a": 1 }), ""),
            (json!({ "additionalProperties": { "type": "null" } }), json!({ "a": null }), ""),
            (
                json!({ "maxProperties": 1 }),
                json!({ "a": 1, "b": 2 }),
                "[object has too many properties (found 2 but schema requires at most 1)]",
            ),
            (
                json!({ "dependencies": { "a": ["b"] } }),
                json!({ "a": 1 }),
                "[instance does not meet the keyword dependencies]",
            ),
            (
                json!({ "dependencies": { "a": { "required": ["b"] } } }),
                json!({ "a": 1 }),
                r#"[object has missing required properties (["b"])]"#,
            ),
            (
                json!({ "oneOf": [{}, {}] }),
                json!(1),
                "[instance failed to match exactly one schema (matched 2 out of 2)]",
            ),
            (json!({ "allOf": [{ "type": "string" }, { "minLength": 1 }] }), json!("a"), ""),
            (json!({ "pattern": r"^[\d-]+\/\w$" }), json!("1-2/a"), ""),
            (json!({ "format": "ipv4" }), json!("x"), r#"[string "x" is not a valid ipv4]"#),
            (
                json!({ "properties": { "next": { "$ref": "#" }, "end": { "type": "null" } } }),
                json!({ "next": { "next": { "end": null } } }),
                "",
            ),
            (
                json!({ "type": ["string", "array"] }),
                json!(1),
                r#"[instance type (integer) does not match any allowed primitive type (allowed: ["array","string"])]"#,
            ),
        ];
        for (schema, value, expected) in rows {
            assert_eq!(judged(schema.clone(), &value), expected, "{schema} {value}");
        }
    }
}
