//! JSON as templates see it: members in the order in which they were written, and JSONPath to find them.

use std::cell::OnceCell;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json_path::{JsonPath, PathElement};

use super::TemplateError;

/// A JSON document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads a document; an empty text is one that holds nothing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::Map(Vec::new()));
        }
        serde_json::from_str(text).ok()
    }

    /// The document as text, without spaces.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn member(&self, name: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn element(&self, at: usize) -> Option<&Self> {
        let Self::List(items) = self else { return None };
        items.get(at)
    }
}

/// A document and its plain form, which paths are followed in.
#[derive(Debug)]
pub(super) struct Document {
    json: Json,
    plain: OnceCell<serde_json::Value>,
}

impl Document {
    /// Reads a document.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(Self { json: Json::parse(text)?, plain: OnceCell::new() })
    }

    /// A text that is no JSON, as a document that holds it.
    pub(super) fn of_text(text: &str) -> Self {
        Self { json: Json::Text(text.to_owned()), plain: OnceCell::new() }
    }
}

/// What a JSONPath leads to: the thing itself where the path can lead to one only, a list where it may lead to several.
pub(super) fn find(document: &Document, path: &str) -> Result<Option<Json>, TemplateError> {
    let path = path.trim();
    if path == "$" || path.is_empty() {
        return Ok(Some(document.json.clone()));
    }
    let invalid = || TemplateError::Function(format!("{path} is not a JSONPath"));
    let parsed = JsonPath::parse(&quoted_names(path)).map_err(|_| invalid())?;
    let plain = document.plain.get_or_init(|| serde_json::to_value(&document.json).unwrap_or_default());
    let found = parsed.query_located(plain);
    let several = is_indefinite(path);
    let mut values = found.iter().filter_map(|node| {
        node.location().iter().try_fold(&document.json, |at, element| match element {
            PathElement::Name(name) => at.member(name),
            PathElement::Index(index) => at.element(*index),
        })
    });
    Ok(if several { Some(Json::List(values.cloned().collect())) } else { values.next().cloned() })
}

/// Whether a path may lead to several things: wildcards, descendants, slices, unions and filters (Jayway JsonPath's rule).
fn is_indefinite(path: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    for c in path.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '*' | '?' | ':' | ',') => return true,
            (None, '.') if before == '.' => return true,
            (None, _) => {}
        }
        before = c;
    }
    false
}

/// `.a-name` as `['a-name']`: AWS's paths allow names after a dot that RFC 9535 wants in quotes.
fn quoted_names(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 8);
    let mut rest = path;
    while let Some(at) = rest.find(['.', '[']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if from.starts_with('[') {
            let end = bracket_end(from);
            out.push_str(from.get(..end).unwrap_or(from));
            rest = from.get(end..).unwrap_or_default();
            continue;
        }
        let name = from.get(1..).unwrap_or_default();
        let end = name.find(['.', '[', '(']).unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'*' || !b.is_ascii());
        if plain && !name.starts_with(|c: char| c.is_ascii_digit()) {
            out.push('.');
            out.push_str(name);
        } else {
            out.push_str("['");
            out.push_str(&name.replace('\\', "\\\\").replace('\'', "\\'"));
            out.push_str("']");
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Where a bracket ends, quotes and brackets within it passed over.
fn bracket_end(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth <= 1 => return at + 1,
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    text.len()
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        // Beyond 2^63 only the size is kept, as in every JSON number that a double carries.
        #[allow(clippy::cast_precision_loss)]
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        // Of a name that comes twice the last counts, as for the validator.
        let mut entries = indexmap::IndexMap::<String, Json>::new();
        while let Some((name, value)) = map.next_entry()? {
            entries.insert(name, value);
        }
        Ok(Json::Map(entries.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_table() {
        let document =
            Document::parse(r#"{"z":1,"a-b":{"c":[1,{"d":"x"},3]},"n":null,"l":[{"p":1},{"p":2}],"it's":5}"#).unwrap();
        let rows = [
            ("$.z", Some("1")),
            ("$.a-b.c[1].d", Some(r#""x""#)),
            ("$['a-b']['c'][0]", Some("1")),
            ("$.n", Some("null")),
            ("$.missing", None),
            ("$.l[*].p", Some("[1,2]")),
            ("$..p", Some("[1,2]")),
            ("$.l[0:1]", Some(r#"[{"p":1}]"#)),
            ("$.l[?(@.p > 1)]", Some(r#"[{"p":2}]"#)),
            ("$.l[?(@.p > 7)]", Some("[]")),
            ("$.a-b.c[-1]", Some("3")),
            ("$.it's", Some("5")),
        ];
        for (path, expected) in rows {
            let found = find(&document, path).unwrap().map(|found| found.text());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        assert!(find(&document, "$[").is_err());
        assert_eq!(find(&document, "$").unwrap().unwrap().text(), document.json.text());
    }
}
