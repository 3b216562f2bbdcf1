//! What is wrong with a request, before a protocol puts it into AWS's words.
//!
//! Decoders and `check` make problems; each protocol turns them into a fault. Nothing here writes to a wire.

use crate::limits::{VIOLATIONS_MAX, echo};
use crate::model::{Location, Member};

/// One step from the request's root to a value.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Into a member.
    Member(&'static Member),
    /// Into a list's entry, counted from one.
    Index(usize),
    /// Into a map's entry.
    Key(String),
    /// To a name that no table has.
    Unknown(String),
}

/// Where in a request something is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    pub(crate) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    pub(crate) fn to(&self, step: Step) -> Path {
        let mut longer = self.clone();
        longer.0.push(step);
        longer
    }

    /// The names on the way that no table has.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Unknown(name) => Some(name.as_str()),
            Step::Member(_) | Step::Index(_) | Step::Key(_) => None,
        })
    }

    /// The name of its first step, where no table has that one.
    pub(crate) fn unknown_first(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Unknown(name)) => Some(name),
            Some(Step::Member(_) | Step::Index(_) | Step::Key(_)) | None => None,
        }
    }

    /// Whether it leads to a label of the request's path.
    fn is_label(&self) -> bool {
        matches!(self.0.first(), Some(Step::Member(member)) if member.location == Location::Uri)
    }

    /// As a form spells it without list markers: `Filter.1.Value.2`.
    pub(crate) fn form(&self) -> String {
        self.join(|step| match step {
            Step::Member(member) => member.wire_in.to_owned(),
            Step::Index(index) => index.to_string(),
            Step::Key(name) | Step::Unknown(name) => echo(name),
        })
    }

    /// As AWS's validation messages spell it: `defaultActions.1.member.type`.
    pub(crate) fn camel(&self) -> String {
        self.join(|step| match step {
            Step::Member(member) => lower_first(member.name),
            Step::Index(index) => format!("{index}.member"),
            Step::Key(name) => echo(name),
            Step::Unknown(name) => lower_first(&echo(name)),
        })
    }

    /// As JSON spells it: `corsConfiguration.allowOrigins.1`.
    pub(crate) fn json(&self) -> String {
        self.form()
    }

    fn join(&self, spell: impl Fn(&Step) -> String) -> String {
        self.0.iter().map(spell).collect::<Vec<_>>().join(".")
    }
}

/// The text with its first letter small.
pub(crate) fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// A constraint of the model, for the end of a message.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    LengthAtLeast(i64),
    LengthAtMost(i64),
    ValueAtLeast(i64),
    ValueAtMost(i64),
    Pattern(&'static str),
    OneOf(&'static [&'static str]),
    /// The same for every entry of a list.
    EachOneOf(&'static [&'static str]),
}

impl Rule {
    /// AWS's words for it in validation messages.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Rule::LengthAtLeast(n) => {
                format!("Member must have length greater than or equal to {n}")
            }
            Rule::LengthAtMost(n) => format!("Member must have length less than or equal to {n}"),
            Rule::ValueAtLeast(n) => format!("Member must have value greater than or equal to {n}"),
            Rule::ValueAtMost(n) => format!("Member must have value less than or equal to {n}"),
            Rule::Pattern(p) => format!("Member must satisfy regular expression pattern: {p}"),
            Rule::OneOf(list) => {
                format!("Member must satisfy enum value set: [{}]", list.join(", "))
            }
            Rule::EachOneOf(list) => {
                let each = Rule::OneOf(list).sentence();
                format!("Member must satisfy constraint: [{each}]")
            }
        }
    }
}

/// One thing wrong with a request.
#[derive(Debug, Clone)]
pub(crate) enum Problem {
    /// A parameter that the operation does not have, or that we do not support.
    Unknown(Path),
    /// A required member is absent.
    Missing(Path),
    /// A value breaks a constraint. `shown` is what a message may repeat: nothing of secrets and bytes.
    Violation { path: Path, shown: Option<String>, rule: Rule },
    /// A value is not of its type. `given` is what a framework calls the type that it has, where that is known.
    WrongType { path: Path, expected: &'static str, given: Option<&'static str> },
    /// A parameter is given more than once.
    Repeated(Path),
    /// The body is not what the protocol says.
    Malformed(String),
    /// A bound of `limits` is passed.
    TooMuch { what: &'static str, limit: usize },
}

impl Problem {
    /// The message in the manner of AWS's validation errors, for one problem.
    pub(crate) fn sentence(&self) -> String {
        self.sentence_below("")
    }

    /// The same with names below a name for the whole request, or below nothing.
    fn sentence_below(&self, whole: &str) -> String {
        let at = |path: &Path| match whole {
            // What stands in a label of the path is named by itself (recorded, 2026-03).
            _ if path.is_label() => path.camel(),
            "" => path.camel(),
            whole => format!("{whole}.{}", path.camel()),
        };
        match self {
            Problem::Unknown(path) => {
                format!("The parameter {} is not recognized", path.form())
            }
            Problem::Missing(path) => {
                format!("Value null at '{}' failed to satisfy constraint: Member must not be null", at(path))
            }
            Problem::Violation { path, shown, rule } => {
                let shown = shown.as_ref().map(|v| format!(" '{v}'")).unwrap_or_default();
                let at = at(path);
                format!("Value{shown} at '{at}' failed to satisfy constraint: {}", rule.sentence())
            }
            Problem::WrongType { path, expected, .. } => {
                format!("Value at '{}' must be {expected}", path.camel())
            }
            Problem::Repeated(path) => {
                format!("The parameter {} is given more than once", path.form())
            }
            Problem::Malformed(text) => text.clone(),
            Problem::TooMuch { what, limit } => {
                format!("The request has too many {what}; the limit is {limit}")
            }
        }
    }

    /// Whether it is one of those that AWS counts in "N validation errors detected".
    fn is_counted(&self) -> bool {
        matches!(self, Problem::Missing(_) | Problem::Violation { .. })
    }
}

/// The parameters on a decoder's way that no table has: left out of what is decoded, and told together.
#[derive(Debug, Default)]
pub(crate) struct Strays(Vec<Path>);

impl Strays {
    /// Adds one; those beyond `VIOLATIONS_MAX` are not listed.
    pub(crate) fn add(&mut self, path: Path) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(path);
        }
    }

    /// What is wrong because of them.
    pub(crate) fn problems(self) -> Vec<Problem> {
        self.0.into_iter().map(Problem::Unknown).collect()
    }
}

/// AWS's message for a non-empty list of problems.
pub(crate) fn message(problems: &[Problem]) -> String {
    message_below("", problems)
}

/// The same, where names stand below a name for the whole request.
pub(crate) fn message_below(whole: &str, problems: &[Problem]) -> String {
    let sentences: Vec<String> = problems.iter().map(|problem| problem.sentence_below(whole)).collect();
    let text = sentences.join("; ");
    if !problems.iter().all(Problem::is_counted) {
        return text;
    }
    match problems.len() {
        1 => format!("1 validation error detected: {text}"),
        n => format!("{n} validation errors detected: {text}"),
    }
}
