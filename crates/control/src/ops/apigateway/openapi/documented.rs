//! What a version of an API's documentation adds to its document (API Gateway developer guide, "Publish API documentation using the
//! API Gateway REST API", 2026-11): the parts themselves under an extension, and what OpenAPI has a place for with the entity that
//! it is about. Members of API Gateway's own extensions are never taken from a part: documentation must not change what a document
//! builds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use topology::resource::documentation::{ANY, DocumentationLocation, DocumentationVersion, DocumentedKind};

use crate::ops::apigateway::documentation::part;
use crate::ops::gateway_common::seconds;

/// How parts of API Gateway's own extensions begin.
const OWN: &str = "x-amazon-apigateway-";
/// What the document's title has a place for. Its version and title are the API's own, whatever a part says, as in AWS's example.
pub(super) const INFO: &[&str] = &["contact", "description", "license", "termsOfService"];
/// What the document itself has a place for.
pub(super) const DOCUMENT: &[&str] = &["externalDocs", "tags"];
/// What a method has a place for.
pub(super) const OPERATION: &[&str] = &["deprecated", "description", "externalDocs", "summary", "tags"];
/// What a model, or a property of one, has a place for.
const SCHEMA: &[&str] = &["description", "example", "externalDocs", "title"];
/// What everything else has a place for.
pub(super) const OTHER: &[&str] = &["description"];

/// An entity that may be documented. What it has not is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entity<'e> {
    /// Its resource's path.
    pub(super) path: &'e str,
    /// Its method.
    pub(super) method: &'e str,
    /// Its status.
    pub(super) status: &'e str,
    /// Its name.
    pub(super) name: &'e str,
}

type Key<'a> = (DocumentedKind, &'a str, &'a str, &'a str, &'a str);

/// A version whose parts are looked up by what they are about.
pub(super) struct Documented<'a> {
    version: &'a DocumentationVersion,
    parts: BTreeMap<Key<'a>, Map<String, Value>>,
}

impl<'a> Documented<'a> {
    pub(super) fn new(version: &'a DocumentationVersion) -> Self {
        // What is kept was checked when it was written.
        let said = |text: &str| part::checked(text).unwrap_or_default();
        let parts = version.parts.iter().map(|part| (key(&part.location), said(&part.properties)));
        Self { version, parts: parts.collect() }
    }

    /// The parts themselves, without the members that are as they would be by themselves, as in AWS's example.
    pub(super) fn extension(&self) -> Value {
        let parts = self.version.parts.iter().map(
            |part| json!({ "location": written(&part.location), "properties": self.parts.get(&key(&part.location)) }),
        );
        json!({
            "version": self.version.version,
            "createdDate": seconds(self.version.created).to_the_second(),
            "documentationParts": parts.collect::<Vec<_>>(),
        })
    }

    /// Writes on an entity what its part says and the entity has a place for.
    pub(super) fn describe(&self, value: &mut Value, (kind, entity): (DocumentedKind, Entity<'_>), places: &[&str]) {
        if let Some(said) = self.part(kind, entity) {
            say(value, said, places);
        }
    }

    /// Writes on the document's title what the part of the API says of it.
    pub(super) fn describe_info(&self, info: &mut Value) {
        let of_api = self.part(DocumentedKind::Api, Entity::default());
        if let Some(said) = of_api.and_then(|said| said.get("info")).and_then(Value::as_object) {
            say(info, said, INFO);
        }
    }

    /// Writes on a schema what is said of its model, and of the model's properties: they are named `Model.property`.
    pub(super) fn describe_model(&self, schema: &mut Value, model: &str) {
        let entity = Entity { name: model, ..Entity::default() };
        self.describe(schema, (DocumentedKind::Model, entity), SCHEMA);
        let start = format!("{model}.");
        let of_kind = self.parts.range((DocumentedKind::Model, "", "", "", start.as_str())..);
        for ((.., name), said) in
            of_kind.take_while(|((kind, .., name), _)| *kind == DocumentedKind::Model && name.starts_with(&start))
        {
            let path = name.get(start.len()..).unwrap_or_default();
            let property = path.split('.').try_fold(&mut *schema, |at, part| at.get_mut("properties")?.get_mut(part));
            if let Some(property) = property.filter(|property| property.get("$ref").is_none()) {
                say(property, said, SCHEMA);
            }
        }
    }

    /// What is said of an entity: of itself, or of what stands for it. A longer path goes before a status that is named, and that
    /// before a method that is (developer guide, "Representation of API documentation in API Gateway", 2026-11).
    fn part<'e>(&'e self, kind: DocumentedKind, entity: Entity<'e>) -> Option<&'e Map<String, Value>> {
        let inherits = kind != DocumentedKind::Resource;
        let any = |member: &'static str, own: &str| if own.is_empty() { "" } else { member };
        let mut path = entity.path;
        loop {
            for status in [entity.status, any(ANY, entity.status)] {
                for method in [entity.method, any(ANY, entity.method)] {
                    if let Some(said) = self.parts.get(&(kind, path, method, status, entity.name)) {
                        return Some(said);
                    }
                }
            }
            path = above(path).filter(|_| inherits)?;
        }
    }
}

fn key(at: &DocumentationLocation) -> Key<'_> {
    let member = Option::unwrap_or_default;
    (at.kind(), member(at.path()), member(at.method()), member(at.status()), member(at.name()))
}

/// The path that a path stands below.
fn above(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (above, _) => Some(above),
    }
}

fn written(location: &DocumentationLocation) -> Value {
    let mut value = json!({ "type": location.kind().as_str() });
    let members = [
        ("path", location.path().filter(|path| *path != "/")),
        ("method", location.method().filter(|method| *method != ANY)),
        ("statusCode", location.status().filter(|status| *status != ANY)),
        ("name", location.name()),
    ];
    for (name, text) in members.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        value[name] = json!(text);
    }
    value
}

fn say(value: &mut Value, said: &Map<String, Value>, places: &[&str]) {
    let Some(members) = value.as_object_mut() else { return };
    for (name, text) in said {
        let has_place = places.contains(&name.as_str()) && has_form(name, text);
        if has_place || (name.starts_with("x-") && !name.starts_with(OWN)) {
            members.insert(name.clone(), text.clone());
        }
    }
}

/// Whether a member has the form that OpenAPI gives it.
fn has_form(name: &str, value: &Value) -> bool {
    match name {
        "description" | "summary" | "termsOfService" | "title" => value.is_string(),
        "deprecated" => value.is_boolean(),
        "tags" => value.is_array(),
        "contact" | "externalDocs" | "license" => value.is_object(),
        _ => true,
    }
}
