//! Reads models into schemas that can be judged by: draft 4 of JSON schema, every keyword of its validation part (draft-zyp-json-schema-04
//! and draft-fge-json-schema-validation-00; REST API developer guide, "Data models", 2026-11). References are followed once, to other
//! models or within a model, so that judging needs no look-up and fetches nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::format::Format;
use super::judge::canonical;
use crate::limits::SELECTION_PATTERN_BYTES_MAX;

/// The place of a schema in its [`Schemas`].
pub(super) type Place = usize;

/// Every schema that a model leads to.
#[derive(Debug, Default)]
pub(super) struct Schemas(Vec<Keywords>);

/// What one schema asks. What it does not ask is empty.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    /// Where a reference leads; nothing beside it counts.
    pub(super) reference: Option<Place>,
    pub(super) types: Vec<String>,
    /// The values as they are told, and each in one spelling.
    pub(super) enumerated: Option<(String, HashSet<String>)>,
    pub(super) multiple_of: Option<serde_json::Number>,
    pub(super) minimum: Option<Limit>,
    pub(super) maximum: Option<Limit>,
    pub(super) lengths: Range,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<Format>,
    pub(super) items: Items,
    pub(super) item_counts: Range,
    pub(super) unique: bool,
    pub(super) required: Vec<String>,
    pub(super) properties: HashMap<String, Place>,
    pub(super) pattern_properties: Vec<(Pattern, Place)>,
    pub(super) additional_properties: Rest,
    pub(super) property_counts: Range,
    pub(super) dependencies: Vec<(String, Dependency)>,
    pub(super) all_of: Vec<Place>,
    pub(super) any_of: Vec<Place>,
    pub(super) one_of: Vec<Place>,
    pub(super) not: Option<Place>,
}

/// A bound of numbers.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) number: serde_json::Number,
    pub(super) kind: LimitKind,
}

/// Whether the bound itself is within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitKind {
    Within,
    Beyond,
}

/// Least and most.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Range {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

/// A regular expression, and how it was written.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) regex: Regex,
}

/// What is asked of what nothing else is asked of.
#[derive(Debug, Default, Clone, Copy)]
pub(super) enum Rest {
    #[default]
    Anything,
    Nothing,
    Schema(Place),
}

/// What is asked of items.
#[derive(Debug, Default)]
pub(super) enum Items {
    #[default]
    Anything,
    Each(Place),
    /// One schema for each place, and what is asked of those behind.
    Places(Vec<Place>, Rest),
}

/// What a property asks of the object that it is in.
#[derive(Debug)]
pub(super) enum Dependency {
    Properties(Vec<String>),
    Schema(Place),
}

impl Schemas {
    pub(super) fn get(&self, place: Place) -> Option<&Keywords> {
        self.0.get(place)
    }
}

/// Reads the model of this name with all that it leads to; the first place is its own.
pub(super) fn compile(models: &BTreeMap<String, Value>, name: &str) -> Result<Schemas, String> {
    let mut reader = Reader { models, schemas: Schemas::default(), known: HashMap::new(), waiting: Vec::new() };
    reader.refer(name, String::new());
    while let Some((place, at)) = reader.waiting.pop() {
        let value = reader.find(&at)?;
        let keywords = reader.keywords(&at.model, value)?;
        if let Some(slot) = reader.schemas.0.get_mut(place) {
            *slot = keywords;
        }
    }
    Ok(reader.schemas)
}

/// Where a referenced schema stands: a model, and the way into it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct At {
    model: String,
    pointer: String,
}

struct Reader<'m> {
    models: &'m BTreeMap<String, Value>,
    schemas: Schemas,
    known: HashMap<At, Place>,
    waiting: Vec<(Place, At)>,
}

impl<'m> Reader<'m> {
    /// The place of a schema that something refers to; it is read later, since schemas may lead to themselves.
    fn refer(&mut self, model: &str, pointer: String) -> Place {
        let at = At { model: model.to_owned(), pointer };
        if let Some(place) = self.known.get(&at) {
            return *place;
        }
        let place = self.reserve();
        self.known.insert(at.clone(), place);
        self.waiting.push((place, at));
        place
    }

    fn reserve(&mut self) -> Place {
        self.schemas.0.push(Keywords::default());
        self.schemas.0.len() - 1
    }

    fn find(&self, at: &At) -> Result<&'m Value, String> {
        let model = self.models.get(&at.model).ok_or_else(|| format!("there is no model {}", at.model))?;
        model.pointer(&at.pointer).ok_or_else(|| format!("nothing stands at #{}", at.pointer))
    }

    /// `#/definitions/A` within the same model, or `https://apigateway.amazonaws.com/restapis/{id}/models/{name}`.
    fn reference(&mut self, model: &str, text: &str) -> Result<Place, String> {
        let (document, pointer) = text.split_once('#').unwrap_or((text, ""));
        let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy().into_owned();
        if document.is_empty() {
            return Ok(self.refer(model, pointer));
        }
        let name = document.rsplit_once("/models/").map(|(_, name)| name);
        let name = name.filter(|name| self.models.contains_key(*name));
        let name = name.ok_or_else(|| format!("{text} leads to no model"))?.to_owned();
        Ok(self.refer(&name, pointer))
    }

    fn schema(&mut self, model: &str, value: &'m Value) -> Result<Place, String> {
        let place = self.reserve();
        let keywords = self.keywords(model, value)?;
        if let Some(slot) = self.schemas.0.get_mut(place) {
            *slot = keywords;
        }
        Ok(place)
    }

    fn schemas(&mut self, model: &str, value: &'m Value) -> Result<Vec<Place>, String> {
        let list = value.as_array().filter(|list| !list.is_empty()).ok_or("a list of schemas is none")?;
        list.iter().map(|schema| self.schema(model, schema)).collect()
    }

    fn keywords(&mut self, model: &str, value: &'m Value) -> Result<Keywords, String> {
        let members = value.as_object().ok_or_else(|| format!("{} is no object", short(value)))?;
        let mut made = Keywords::default();
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            made.reference = Some(self.reference(model, reference)?);
            return Ok(made);
        }
        for (name, value) in members {
            match name.as_str() {
                "type" => made.types = types(value)?,
                "enum" => made.enumerated = Some(enumerated(value)?),
                "required" => made.required = names(value)?,
                "uniqueItems" => made.unique = value.as_bool().ok_or("uniqueItems is no truth value")?,
                "pattern" => made.pattern = Some(pattern(value.as_str().ok_or("pattern is no text")?)?),
                "format" => made.format = value.as_str().and_then(Format::from_name),
                "properties" => made.properties = self.properties(model, value)?.into_iter().collect(),
                "patternProperties" => {
                    let properties = self.properties(model, value)?;
                    let read = properties.into_iter().map(|(text, place)| Ok((pattern(&text)?, place)));
                    made.pattern_properties = read.collect::<Result<_, String>>()?;
                }
                "additionalProperties" => made.additional_properties = self.rest(model, value)?,
                "items" => made.items = self.items(model, members)?,
                "dependencies" => made.dependencies = self.dependencies(model, value)?,
                "allOf" => made.all_of = self.schemas(model, value)?,
                "anyOf" => made.any_of = self.schemas(model, value)?,
                "oneOf" => made.one_of = self.schemas(model, value)?,
                "not" => made.not = Some(self.schema(model, value)?),
                _ => bound(&mut made, members, (name, value))?,
            }
        }
        Ok(made)
    }

    fn properties(&mut self, model: &str, value: &'m Value) -> Result<Vec<(String, Place)>, String> {
        let members = value.as_object().ok_or("properties are no object")?;
        members.iter().map(|(name, schema)| Ok((name.clone(), self.schema(model, schema)?))).collect()
    }

    fn rest(&mut self, model: &str, value: &'m Value) -> Result<Rest, String> {
        Ok(match value {
            Value::Bool(true) => Rest::Anything,
            Value::Bool(false) => Rest::Nothing,
            schema => Rest::Schema(self.schema(model, schema)?),
        })
    }

    fn items(&mut self, model: &str, members: &'m Map<String, Value>) -> Result<Items, String> {
        match members.get("items") {
            Some(Value::Array(list)) => {
                let places = list.iter().map(|schema| self.schema(model, schema)).collect::<Result<_, _>>()?;
                let rest = members.get("additionalItems").map(|rest| self.rest(model, rest)).transpose()?;
                Ok(Items::Places(places, rest.unwrap_or_default()))
            }
            Some(schema) => Ok(Items::Each(self.schema(model, schema)?)),
            None => Ok(Items::Anything),
        }
    }

    fn dependencies(&mut self, model: &str, value: &'m Value) -> Result<Vec<(String, Dependency)>, String> {
        let members = value.as_object().ok_or("dependencies are no object")?;
        let read = members.iter().map(|(name, asked)| {
            let asked = match asked {
                Value::Array(_) => Dependency::Properties(names(asked)?),
                schema => Dependency::Schema(self.schema(model, schema)?),
            };
            Ok((name.clone(), asked))
        });
        read.collect()
    }
}

/// Reads the keywords that are numbers. What is no keyword of this draft asks nothing.
fn bound(made: &mut Keywords, members: &Map<String, Value>, (name, value): (&str, &Value)) -> Result<(), String> {
    let count = || value.as_u64().ok_or_else(|| format!("{name} is no count"));
    let number = || value.as_number().cloned().ok_or_else(|| format!("{name} is no number"));
    let kind = |exclusive: &str| match members.get(exclusive) {
        Some(Value::Bool(true)) => LimitKind::Beyond,
        _ => LimitKind::Within,
    };
    match name {
        "minimum" => made.minimum = Some(Limit { number: number()?, kind: kind("exclusiveMinimum") }),
        "maximum" => made.maximum = Some(Limit { number: number()?, kind: kind("exclusiveMaximum") }),
        "multipleOf" => {
            let positive = |number: &serde_json::Number| number.as_f64().is_some_and(|number| number > 0.0);
            made.multiple_of = Some(number().ok().filter(positive).ok_or("multipleOf is not above zero")?);
        }
        "minLength" => made.lengths.least = Some(count()?),
        "maxLength" => made.lengths.most = Some(count()?),
        "minItems" => made.item_counts.least = Some(count()?),
        "maxItems" => made.item_counts.most = Some(count()?),
        "minProperties" => made.property_counts.least = Some(count()?),
        "maxProperties" => made.property_counts.most = Some(count()?),
        _ => {}
    }
    Ok(())
}

/// The primitive types of draft 4.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

fn types(value: &Value) -> Result<Vec<String>, String> {
    let mut types = match value {
        Value::String(one) => vec![one.clone()],
        list => names(list)?,
    };
    types.sort_unstable();
    let known = types.iter().all(|name| TYPES.contains(&name.as_str()));
    if known { Ok(types) } else { Err(format!("{} is no type", short(value))) }
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    list.ok_or_else(|| format!("{} is no list of names", short(value)))
}

fn enumerated(value: &Value) -> Result<(String, HashSet<String>), String> {
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or("enum is no list of values")?;
    Ok((value.to_string(), list.iter().map(canonical).collect()))
}

/// A value in a message about a schema.
fn short(value: &Value) -> String {
    value.to_string().chars().take(64).collect()
}

/// Reads a pattern of ECMA 262 for an engine that is linear in the text, whatever the pattern; what that lacks (look-around and
/// back-references) is refused. Digits and words are those of ASCII, as in ECMA.
fn pattern(text: &str) -> Result<Pattern, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '[' if in_class => out.push_str("\\["),
            '[' | ']' => {
                in_class = c == '[';
                out.push(c);
            }
            '\\' => match (chars.next(), in_class) {
                (Some('d'), true) => out.push_str("0-9"),
                (Some('d'), false) => out.push_str("[0-9]"),
                (Some('w'), true) => out.push_str("A-Za-z0-9_"),
                (Some('w'), false) => out.push_str("[A-Za-z0-9_]"),
                (Some('D'), false) => out.push_str("[^0-9]"),
                (Some('W'), false) => out.push_str("[^A-Za-z0-9_]"),
                (Some(other), _) => out.extend(['\\', other]),
                (None, _) => out.push(c),
            },
            other => out.push(other),
        }
    }
    let built = RegexBuilder::new(&out).size_limit(SELECTION_PATTERN_BYTES_MAX).build();
    let regex =
        built.map_err(|_| format!("{} is no regular expression that is supported here", short(&text.into())))?;
    Ok(Pattern { text: text.to_owned(), regex })
}
