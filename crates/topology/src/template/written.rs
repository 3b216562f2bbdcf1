//! A template as somebody wrote it, with what was read of it. Whoever holds a copy shares the reading: the call that wrote it, every
//! deployment that froze it, and traffic.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::{Template, Unusable, served};
use crate::text::Text;

/// Templates by content type.
pub type Templates = BTreeMap<String, Written>;

/// Templates of an answer by content type. An answer whose template is none passes as it is: AWS shows a template that was given as
/// null, or as an empty text, as null (recorded, 2026-11).
pub type AnswerTemplates = BTreeMap<String, Option<Written>>;

/// A template as it was written. It is read when that is first asked for: of what a store holds, only what is served. Whoever only
/// asks whether it may be written keeps the verdict, not what was read, which takes many times the bytes of its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written(Text<Reading>);

/// What is known of a template.
#[derive(Default)]
struct Reading {
    template: OnceLock<Result<Template, Unusable>>,
    /// Whether it may be written: more is asked for than that it can be evaluated as far as it goes.
    verdict: OnceLock<Result<(), Unusable>>,
}

impl Written {
    /// A template of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Text::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    fn reading(&self) -> &Reading {
        self.0.read(|_| Reading::default())
    }

    /// Whether it was read, so that [`Written::read`] costs nothing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.reading().template.get().is_some()
    }

    /// What was read. Methods that no value has are left to the evaluation, which may never come to them.
    ///
    /// # Errors
    /// When it is not in the language, uses a directive that is not carried out, or is larger or deeper than a template may be.
    pub fn read(&self) -> Result<&Template, &Unusable> {
        self.reading().template.get_or_init(|| Template::parse(self.as_str())).as_ref()
    }

    /// Whether it may be written: nothing in it may be beyond what is carried out.
    ///
    /// # Errors
    /// As above, and when it calls a method that nothing it may be called on has.
    pub fn check(&self) -> Result<(), &Unusable> {
        let Reading { template, verdict } = self.reading();
        let judged = verdict.get_or_init(|| match template.get() {
            Some(read) => served::check(read.as_ref().map_err(Clone::clone)?, self.as_str()),
            None => served::check(&Template::parse(self.as_str())?, self.as_str()),
        });
        judged.as_ref().copied()
    }
}

impl From<&str> for Written {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
