//! The language of mapping templates: the Velocity Template Language as API Gateway documents it (API Gateway developer guide,
//! "Mapping template reference", 2026-11; Velocity 1.7 user guide). Read here, when a template is written, to refuse it, and for
//! traffic, which evaluates what was read. What a template gives is traffic's business.
//!
//! Spoken: references with properties, methods and indexes (`$a.b`, `${a}`, `$!a`, `$a[0]`, `$a.size()`), the directives and
//! methods of [`vocabulary`], comments, `#[[…]]#`; arithmetic, comparison, logic, ranges, lists and maps.

mod expression;
mod parse;
mod served;
pub mod syntax;
#[cfg(test)]
mod tests;
pub mod vocabulary;
mod written;

use std::collections::BTreeMap;
use std::fmt;

use syntax::{Macro, Node};
pub use written::{AnswerTemplates, Templates, Written};

/// Bytes of a template: 300 KB (REST API quotas, 2026-11). Above: refused.
pub const TEMPLATE_BYTES_MAX: usize = 300 * 1024;

/// Levels of directives, expressions and texts within each other: 64. Ours. Above: refused.
pub const TEMPLATE_NESTING_MAX: usize = 64;

/// A template that was read.
#[derive(Debug, PartialEq)]
pub struct Template {
    /// Its pieces.
    pub nodes: Vec<Node>,
    /// The macros that it defines, by name.
    pub macros: BTreeMap<String, Macro>,
}

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It is not in the language.
    Malformed(Position, &'static str),
    /// It is in the language, and asks for what is not carried out here.
    Unserved(Position, String),
    /// There is more than so much of something.
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
}

/// A place in a template, both from 1. A column is a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// Where these bytes of a text end.
    fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(place, what) => write!(f, "{place} of the template: {what}"),
            Self::Unserved(place, what) => write!(f, "{place} of the template: {what} is not carried out here"),
            Self::TooMuch { what, limit } => write!(f, "the template needs more than {limit} {what}"),
        }
    }
}

impl std::error::Error for Unusable {}

impl Template {
    fn parse(text: &str) -> Result<Self, Unusable> {
        parse::template(text)
    }
}
