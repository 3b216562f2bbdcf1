//! Text that is kept as somebody wrote it, with what was read of it. Whoever holds a copy shares the reading, which is made when it is
//! first asked for: of what a store holds, only what is served.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text and its reading. Two are equal when their texts are; what is stored and shown is the text.
pub struct Text<R>(Arc<Inner<R>>);

struct Inner<R> {
    text: String,
    reading: OnceLock<R>,
}

impl<R> Text<R> {
    /// A text that nobody has read.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Inner { text: text.into(), reading: OnceLock::new() }))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What was read of it; read now, where nobody has.
    pub(crate) fn read(&self, read: impl FnOnce(&str) -> R) -> &R {
        self.0.reading.get_or_init(|| read(&self.0.text))
    }
}

impl<R> Clone for Text<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> PartialEq for Text<R> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl<R> Eq for Text<R> {}

impl<R> fmt::Debug for Text<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.text, f)
    }
}

impl<R> Serialize for Text<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

impl<'de, R> Deserialize<'de> for Text<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
