//! How much work a model may ask of traffic: schemas that combine schemas apply all of them to one and the same value, and what
//! doubles at every level grows beyond any budget while its text stays short. Such a model is refused when it is written; what depends on
//! the body is traffic's to bound.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use topology::id::ApiId;
use topology::resource::rest_api::{MODEL_APPLICATIONS_MAX, MODEL_NESTING_MAX};

use super::schema::{model_of, reachable};
use crate::context::Context;

/// Whether no value has more than [`MODEL_APPLICATIONS_MAX`] schemas of this model to meet, and none leads back to itself before
/// it has gone into the value.
pub(super) fn is_bearable(context: &Context<'_>, api: ApiId, whole: Value) -> bool {
    let mut models = reachable(context, api, &whole);
    models.insert(String::new(), whole);
    let mut load = Load { models: &models, known: HashMap::new() };
    models.get("").is_some_and(|whole| load.all(("", 0), whole))
}

/// The same of every model of an API, each read and looked at once: the names of those that are not.
pub(super) fn unbearable(context: &Context<'_>, api: ApiId) -> Vec<String> {
    let of_api = context.estate().models.iter().filter(|((of, _), _)| *of == api);
    let read = of_api.filter_map(|((_, name), model)| Some((name.clone(), serde_json::from_str(&model.schema).ok()?)));
    let models: BTreeMap<String, Value> = read.collect();
    let mut load = Load { models: &models, known: HashMap::new() };
    models.iter().filter(|(name, whole)| !load.all((name, 0), whole)).map(|(name, _)| name.clone()).collect()
}

/// The models by name; the one that is written has none.
struct Load<'m> {
    models: &'m BTreeMap<String, Value>,
    /// What was found where references lead; nothing while it is looked for, and where it is too much.
    known: HashMap<(String, String), Option<u64>>,
}

/// The model that is looked at, and how many schemas led there.
type At<'a> = (&'a str, usize);

impl<'m> Load<'m> {
    /// Every schema of a document, wherever it stands. `serde_json` has bounded how deep it goes.
    fn all(&mut self, (model, depth): At<'_>, value: &'m Value) -> bool {
        match value {
            Value::Object(members) => {
                self.own((model, depth), members).is_some()
                    && members.values().all(|member| self.all((model, depth + 1), member))
            }
            Value::Array(items) => items.iter().all(|item| self.all((model, depth + 1), item)),
            _ => true,
        }
    }

    /// The schemas that a value has to meet for this one; `None` where they are too many, or lie too deep.
    fn own(&mut self, (model, depth): At<'_>, members: &'m Map<String, Value>) -> Option<u64> {
        if depth > MODEL_NESTING_MAX {
            return None;
        }
        let mut sum = 1u64;
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            return self
                .referred((model, depth), reference)
                .map(|there| there + sum)
                .filter(|sum| *sum <= MODEL_APPLICATIONS_MAX);
        }
        let lists = ["allOf", "anyOf", "oneOf"].iter().filter_map(|name| members.get(*name)?.as_array()).flatten();
        let dependencies = members.get("dependencies").and_then(Value::as_object).into_iter().flat_map(Map::values);
        for schema in lists.chain(members.get("not")).chain(dependencies).filter_map(Value::as_object) {
            sum = sum.saturating_add(self.own((model, depth + 1), schema)?);
        }
        (sum <= MODEL_APPLICATIONS_MAX).then_some(sum)
    }

    fn referred(&mut self, (model, depth): At<'_>, reference: &str) -> Option<u64> {
        let (model, pointer) = match (reference.strip_prefix('#'), model_of(reference)) {
            (Some(pointer), _) => (model, pointer),
            (None, Some((_, name))) => (name, ""),
            (None, None) => return Some(1),
        };
        let key = (model.to_owned(), pointer.to_owned());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.known.insert(key.clone(), None);
        let models = self.models;
        let found = models.get(model).and_then(|whole| whole.pointer(pointer)).and_then(Value::as_object);
        // That every reference leads somewhere was checked before.
        let sum = found.map_or(Some(1), |members| self.own((model, depth + 1), members));
        self.known.insert(key, sum);
        sum
    }
}
