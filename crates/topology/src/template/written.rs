//! A template as somebody wrote it, with what was read of it. Whoever holds a copy shares the reading: the call that wrote it, every
//! deployment that froze it, and traffic.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Refused, Template, served};

/// Templates by content type.
pub type Templates = BTreeMap<String, Written>;

/// A template as it was written. It is read when that is first asked for: of what a store holds, only what is served.
#[derive(Clone)]
pub struct Written(Arc<Inner>);

struct Inner {
    text: String,
    reading: OnceLock<Reading>,
}

/// What was read.
struct Reading {
    template: Result<Template, Refused>,
    /// Why it may not be written, although it may be evaluated as far as it goes.
    unserved: Option<Refused>,
}

impl Written {
    /// A template of this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Inner { text: text.into(), reading: OnceLock::new() }))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    fn reading(&self) -> &Reading {
        self.0.reading.get_or_init(|| {
            let template = Template::parse(&self.0.text);
            let unserved = template.as_ref().ok().and_then(|template| served::check(template, &self.0.text).err());
            Reading { template, unserved }
        })
    }

    /// What was read. Methods that no value has are left to the evaluation, which may never come to them.
    ///
    /// # Errors
    /// When it is not in the language, uses a directive that is not carried out, or is larger or deeper than a template may be.
    pub fn read(&self) -> Result<&Template, &Refused> {
        self.reading().template.as_ref()
    }

    /// Whether it may be written: nothing in it may be beyond what is carried out.
    ///
    /// # Errors
    /// As above, and when it calls a method that nothing it may be called on has.
    pub fn check(&self) -> Result<(), &Refused> {
        let reading = self.reading();
        reading.template.as_ref()?;
        reading.unserved.as_ref().map_or(Ok(()), Err)
    }
}

impl From<&str> for Written {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Written {}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.text, f)
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_a_copy_shares_the_reading() {
        let written = Written::new("$x.trim()");
        let copy = written.clone();
        let read = written.read().expect("it is in the language");
        assert!(std::ptr::eq(read, copy.read().expect("it is in the language")));
        assert_eq!(written, Written::new("$x.trim()"));
    }

    #[test]
    fn what_may_not_be_written_may_still_be_read() {
        let written = Written::new("#if(false)$x.getClass()#end");
        assert!(written.read().is_ok());
        assert!(matches!(written.check(), Err(Refused::Unserved(..))));
        assert!(matches!(Written::new("#if(").check(), Err(Refused::Malformed(..))));
    }
}
