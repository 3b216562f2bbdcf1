//! What rules of listeners compare texts with, and how they rewrite them: values with wildcards, or regular expressions (ALB user
//! guide, "Rule condition types" and "Transforms", 2026-11). An expression is compiled when it is written and shared from then on; it
//! runs in time linear in the text, whatever a caller sends. AWS's leave out what such engines cannot do: looking around, references
//! back, atomic groups, possessive repetition, recursion and Unicode classes.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::serde_as_text;

/// Bytes that a compiled expression may take: 256 KiB. Ours: a caller may write thousands of them.
const COMPILED_BYTES_MAX: usize = 256 * 1024;

/// Why a text is no expression of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// It has no such syntax.
    Syntax(String),
    /// It stands for too much.
    TooLarge,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(why) => f.write_str(why),
            Self::TooLarge => f.write_str("the compiled expression is too large"),
        }
    }
}

impl std::error::Error for PatternError {}

/// A regular expression. `FOLD` is whether the case of letters is ignored, as it is where AWS ignores it for wildcards.
#[derive(Clone)]
pub struct Expression<const FOLD: bool>(Regex);

impl<const FOLD: bool> Expression<FOLD> {
    /// The text that it was written as.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The expression, compiled.
    pub(crate) const fn compiled(&self) -> &Regex {
        &self.0
    }
}

impl<const FOLD: bool> FromStr for Expression<FOLD> {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        // Only visible ASCII takes part in comparisons: no class is Unicode's.
        let built = RegexBuilder::new(text)
            .unicode(false)
            .case_insensitive(FOLD)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .build();
        built.map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
            // The last line says what is wrong; those before draw where.
            other => {
                let told = other.to_string();
                let last = told.lines().last().unwrap_or_default();
                PatternError::Syntax(last.trim_start_matches("error:").trim().to_owned())
            }
        })
    }
}

impl<const FOLD: bool> PartialEq for Expression<FOLD> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const FOLD: bool> Eq for Expression<FOLD> {}

impl<const FOLD: bool> fmt::Display for Expression<FOLD> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(Expression<const FOLD: bool>);

/// What a text is compared with: one of several values with wildcards, or one of several expressions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Patterns<const FOLD: bool> {
    /// `Values`, with `*` and `?`.
    Values(Vec<String>),
    /// `RegexValues`
    Expressions {
        /// One at least.
        regex: Vec<Expression<FOLD>>,
    },
}

impl<const FOLD: bool> Patterns<FOLD> {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Expressions { regex } => regex.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<const FOLD: bool> From<Vec<String>> for Patterns<FOLD> {
    fn from(values: Vec<String>) -> Self {
        Self::Values(values)
    }
}

/// One rewriting of a text: where the expression is found first, this stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// What is looked for.
    pub regex: Expression<false>,
    /// What comes in its place; `$1` stands for the first group.
    pub replace: String,
}

/// `Transforms` of a rule: what its target gets instead of what was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transforms {
    /// `host-header-rewrite`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Rewrite>,
    /// `url-rewrite`: of the path and the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Rewrite>,
}

impl Transforms {
    /// Whether nothing is rewritten.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.host.is_none() && self.url.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_linear_engine_can_do_is_refused() {
        for text in ["^/v[0-9]+/", "a|b", "(?i)x", r"\d+\.html$", ""] {
            assert!(text.parse::<Expression<false>>().is_ok(), "{text}");
        }
        for text in [r"(a)\1", "(?=a)b", "(?<!a)b", r"\p{L}", "(", "a**b(", "(?>a)", "[z-a]"] {
            assert!(text.parse::<Expression<false>>().is_err(), "{text}");
        }
        assert_eq!("((a{100}){100}){100}".parse::<Expression<true>>(), Err(PatternError::TooLarge));
        let told = "(a".parse::<Expression<false>>().unwrap_err().to_string();
        assert!(told.contains("unclosed group") && !told.contains('\n'), "{told}");
    }

    #[test]
    fn what_was_kept_is_read_in_the_same_form() {
        for kept in [r#"["/a","/b*"]"#, r#"{"regex":["^/v\\d+"]}"#] {
            let read: Patterns<false> = serde_json::from_str(kept).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), kept);
        }
        assert!(serde_json::from_str::<Patterns<false>>(r#"{"regex":["("]}"#).is_err());
    }
}
