//! What a mapping finds in a body: the text itself, or what a path leads to in it, read as JSON once (HTTP API developer
//! guide, "Transform API requests and responses for HTTP APIs", 2026-11: a body is cut at 100 KB before a path is followed).

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use serde_json::Value;
use topology::snapshot::gateway::BodyStep;

/// The beginning of a body.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    text: Bytes,
    json: OnceCell<Option<Value>>,
}

impl Payload {
    /// From the bytes that were read.
    pub(crate) fn new(text: Bytes) -> Self {
        Self { text, json: OnceCell::new() }
    }

    /// What the path leads to: text as it is, anything else as JSON. Nothing where there is nothing, or no JSON.
    pub(crate) fn at(&self, path: &[BodyStep]) -> Option<Cow<'_, str>> {
        if path.is_empty() {
            return std::str::from_utf8(&self.text).ok().filter(|text| !text.is_empty()).map(Cow::Borrowed);
        }
        let mut value = self.json.get_or_init(|| serde_json::from_slice(&self.text).ok()).as_ref()?;
        for step in path {
            value = match step {
                BodyStep::Member(name) => value.get(name)?,
                BodyStep::Element(at) => value.get(at)?,
            };
        }
        match value {
            Value::Null => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_table() {
        let payload = Payload::new(Bytes::from_static(br#"{"a":{"b":[1,"x",{"c":true}]},"n":null}"#));
        let member = |name: &str| BodyStep::Member(name.to_owned());
        let rows: [(Vec<BodyStep>, Option<&str>); 6] = [
            (vec![member("a"), member("b"), BodyStep::Element(1)], Some("x")),
            (vec![member("a"), member("b"), BodyStep::Element(0)], Some("1")),
            (vec![member("a"), member("b"), BodyStep::Element(2)], Some(r#"{"c":true}"#)),
            (vec![member("a"), member("b"), BodyStep::Element(3)], None),
            (vec![member("n")], None),
            (vec![member("a"), BodyStep::Element(0)], None),
        ];
        for (path, expected) in rows {
            assert_eq!(payload.at(&path).as_deref(), expected, "{path:?}");
        }
        assert_eq!(Payload::new(Bytes::from_static(b"{")).at(&[member("a")]), None);
        assert_eq!(Payload::new(Bytes::from_static(b"{")).at(&[]).as_deref(), Some("{"));
        assert_eq!(Payload::default().at(&[]), None);
    }
}
