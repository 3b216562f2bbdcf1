//! Mapping templates of REST APIs: the Velocity Template Language as API Gateway documents it, with `$input`, `$util`, `$context`
//! and `$stageVariables` (API Gateway developer guide, "Mapping template reference" and "Variables for data transformations",
//! 2026-11; Velocity 1.7 user guide).
//!
//! What a template is, and which directives and methods there are, is `topology::template`'s. Text out of what was read there; the
//! clock is looked at for the bound on time alone. A template is read once and evaluated for each request within named bounds on
//! steps, time, loops, nesting and bytes, so that none can hold a thread or fill the memory. Nothing here knows requests or
//! sockets; what a template may see comes in as a [`Scope`].

mod evaluate;
mod functions;
mod json;
mod methods;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use topology::template::{Template, Unusable};

use crate::limits::{INLINE_STEPS_MAX, TEMPLATE_STEPS_MAX};

/// Why a template gives no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// It was written before such templates were refused.
    #[error("{0}")]
    Refused(Unusable),
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

/// Evaluates a template.
///
/// # Errors
/// When a bound is reached or a function cannot take what it is given.
pub(crate) fn evaluate(template: &Template, scope: &Scope<'_>) -> Result<Rendered, TemplateError> {
    evaluate::run(template, scope, TEMPLATE_STEPS_MAX)
}

/// The same within the steps of short work; `None` where it needs more.
///
/// # Errors
/// As above.
pub(crate) fn evaluate_briefly(template: &Template, scope: &Scope<'_>) -> Result<Option<Rendered>, TemplateError> {
    match evaluate::run(template, scope, INLINE_STEPS_MAX) {
        Err(TemplateError::TooMuch { what: "steps", limit: INLINE_STEPS_MAX }) => Ok(None),
        other => other.map(Some),
    }
}
