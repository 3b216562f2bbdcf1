//! Mapping templates of REST APIs: the Velocity Template Language as API Gateway documents it, with `$input`, `$util`, `$context`
//! and `$stageVariables` (API Gateway developer guide, "Mapping template reference" and "Variables for data transformations",
//! 2026-11; Velocity 1.7 user guide).
//!
//! Text in, text out; the clock is looked at for the bound on time alone. A template is parsed once and evaluated for each request within named bounds on steps, time, loops,
//! nesting and bytes, so that none can hold a thread or fill the memory. Nothing here knows requests or sockets; what a
//! template may see comes in as a [`Scope`].
//!
//! Spoken: references with properties, methods and indexes (`$a.b`, `${a}`, `$!a`, `$a[0]`, `$a.size()`), `#set`, `#if` `#elseif`
//! `#else`, `#foreach` with `$foreach`, `#break`, `#stop`, `#macro`, `#define`, comments, `#[[…]]#`; arithmetic, comparison, logic, ranges, lists
//! and maps. Not spoken: `#include`, `#parse` and `#evaluate`, which a template cannot use on AWS either; they are refused when the
//! template is parsed.

mod evaluate;
mod expression;
mod functions;
mod json;
mod methods;
mod parse;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use syntax::{Macro, Node};

use crate::limits::{INLINE_STEPS_MAX, TEMPLATE_STEPS_MAX};

/// Why a template gives no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// It is not in the language.
    #[error("line {line} of the template: {what}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// It does more than a template may.
    #[error("the template needs more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much it may.
        limit: usize,
    },
    /// A function was given what it cannot take.
    #[error("{0}")]
    Function(String),
}

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    macros: BTreeMap<String, Macro>,
}

/// What a template sees.
pub(crate) struct Scope<'a> {
    /// `$input.body`: the request's body, or the answer's where an answer is mapped.
    pub(crate) body: &'a str,
    /// `$input.params()`.
    pub(crate) params: &'a Params,
    /// What `$context.NAME` is worth; `None` prints nothing.
    pub(crate) context: &'a dyn Fn(&str) -> Option<String>,
    /// `$stageVariables`.
    pub(crate) stage_variables: &'a BTreeMap<String, String>,
}

/// The parameters of a request, decoded. Of several values of a name the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// Of the path.
    pub(crate) path: Vec<(String, String)>,
    /// Of the query string.
    pub(crate) querystring: Vec<(String, String)>,
    /// Headers. They are found whatever their case, since HTTP/2 has none.
    pub(crate) header: Vec<(String, String)>,
}

/// What came of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The text.
    pub(crate) text: String,
    /// What was set below `$context.requestOverride` and `$context.responseOverride`, by its name below `$context`:
    /// `requestOverride.header.NAME`, `responseOverride.status`.
    pub(crate) overrides: BTreeMap<String, String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is not in the language, or larger or deeper than a template may be.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::template(text)
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// When a bound is reached or a function cannot take what it is given.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Result<Rendered, TemplateError> {
        evaluate::run(self, scope, TEMPLATE_STEPS_MAX)
    }

    /// The same within the steps of short work; `None` where it needs more.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn evaluate_briefly(&self, scope: &Scope<'_>) -> Result<Option<Rendered>, TemplateError> {
        match evaluate::run(self, scope, INLINE_STEPS_MAX) {
            Err(TemplateError::TooMuch { what: "steps", limit: INLINE_STEPS_MAX }) => Ok(None),
            other => other.map(Some),
        }
    }
}
