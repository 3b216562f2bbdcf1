//! OpenAPI documents as both versions of API Gateway read them: JSON or YAML, and the small things that are the same in each.

mod budget;
mod json;
pub(crate) mod open_api;
#[cfg(test)]
mod tests;
mod write;
mod yaml;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use wire::Fault;

use self::budget::Budget;
pub(crate) use self::write::to_yaml;
use super::fault;

/// What AWS says of a document that it cannot read (recorded, 2026-03).
pub(crate) const INVALID: &str = "Invalid OpenAPI input.";

/// A document that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// What the caller is told.
    pub(crate) message: String,
    /// What the log is told beside it.
    pub(crate) detail: String,
}

impl Unread {
    /// What is no document of its kind.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self { message: INVALID.to_owned(), detail: detail.into() }
    }

    /// What passes a bound of ours: that must not look like a mistake in the document.
    pub(crate) fn bound(message: String) -> Self {
        Self { detail: message.clone(), message }
    }
}

impl From<Unread> for Fault {
    fn from(unread: Unread) -> Self {
        fault::bad_request(unread.message).with_detail(unread.detail)
    }
}

/// Reads a document.
///
/// # Errors
/// AWS's message for what is no document, or which bound it passes.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, Unread> {
    let mut budget = Budget::default();
    let is_json = text.trim_start().starts_with('{');
    let read = if is_json { json::read(text, &mut budget) } else { yaml::read(text, &mut budget) };
    let refused = |detail: String| match budget.passed() {
        Some(bound) => Unread::bound(bound.to_string()),
        None => Unread::invalid(detail),
    };
    match read {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(Unread::invalid("the document is no map")),
        Err(detail) => Err(refused(detail)),
    }
}

/// Text, or a number that was written without quotes.
pub(crate) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `x-amazon-apigateway-tag-value` of the document's tags.
pub(crate) fn tags(document: &Map<String, Value>) -> BTreeMap<String, String> {
    let tags = document.get("tags").and_then(Value::as_array).into_iter().flatten();
    let tag = |tag: &Value| Some((plain(tag.get("name")?)?, plain(tag.get("x-amazon-apigateway-tag-value")?)?));
    tags.filter_map(tag).collect()
}

/// A list of texts.
pub(crate) fn list(value: Option<&Value>) -> Option<Vec<String>> {
    let items = value?.as_array()?;
    Some(items.iter().filter_map(plain).collect())
}

/// A map of texts.
pub(crate) fn map(value: Option<&Value>) -> Option<BTreeMap<String, String>> {
    let entries = value?.as_object()?;
    Some(entries.iter().filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect())
}

/// What becomes of the base path that a document names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BasePath {
    /// Nothing.
    Ignore,
    /// It comes before every path.
    Prepend,
    /// Its first segment is dropped, the rest comes before every path.
    Split,
}

impl BasePath {
    /// The mode of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let known = [("ignore", Self::Ignore), ("prepend", Self::Prepend), ("split", Self::Split)];
        known.into_iter().find(|(known, _)| *known == name).map(|(_, mode)| mode)
    }

    /// What comes before every path.
    pub(crate) fn prefix(self, base: &str) -> String {
        let segments = base.split('/').filter(|segment| !segment.is_empty());
        let dropped = match self {
            Self::Ignore => return String::new(),
            Self::Prepend => 0,
            Self::Split => 1,
        };
        segments.skip(dropped).map(|segment| format!("/{segment}")).collect()
    }
}

/// Refuses a document with warnings where the caller will have none.
///
/// # Errors
/// AWS's, with each warning on a line.
pub(crate) fn refuse_warnings(warnings: &[String], fail_on_warnings: Option<bool>) -> Result<(), Fault> {
    if fail_on_warnings == Some(true) && !warnings.is_empty() {
        return Err(fault::bad_request(format!("Warnings found during import:\n\t{}", warnings.join("\n\t"))));
    }
    Ok(())
}
