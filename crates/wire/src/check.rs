//! The model's constraints on a decoded request: required, length, range, pattern, enumeration, in nested members too.
//!
//! One walk along the table for all protocols; what a violation is called on the wire is the protocol's business.

use crate::limits::{VIOLATIONS_MAX, echo};
use crate::model::{Need, Shape, Structure, Text};
use crate::problem::{Path, Problem, Rule, Step};
use crate::value::Value;

/// How an entry of a list is told that is none of an enumeration's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entries {
    /// By itself, with its place in the list.
    Each,
    /// With the whole list, once.
    Together,
}

/// Everything in a request that breaks a constraint, the first `VIOLATIONS_MAX`.
pub(crate) fn violations(structure: &'static Structure, slots: &[Option<Value>], entries: Entries) -> Vec<Problem> {
    let mut check = Check { path: Path::default(), found: Vec::new(), entries };
    check.structure(structure, slots);
    if entries == Entries::Together {
        // Lists are told before the rest (recorded, 2026-03).
        check.found.sort_by_key(|problem| !matches!(problem, Problem::Violation { rule: Rule::EachOneOf(_), .. }));
    }
    check.found
}

struct Check {
    path: Path,
    found: Vec<Problem>,
    entries: Entries,
}

impl Check {
    fn structure(&mut self, structure: &'static Structure, slots: &[Option<Value>]) {
        for (member, slot) in structure.members.iter().zip(slots) {
            match slot {
                Some(value) => self.within(Step::Member(member), |check| check.value(member.shape, value)),
                None if member.need == Need::Required => {
                    let path = self.path.to(Step::Member(member));
                    self.add(Problem::Missing(path));
                }
                None => {}
            }
        }
    }

    fn value(&mut self, shape: &'static Shape, value: &Value) {
        match (shape, value) {
            (Shape::String(text), Value::String(given)) => self.text(text, given),
            (Shape::Integer(s) | Shape::Long(s), Value::Integer(given)) => {
                let shown = (!s.sensitive).then(|| given.to_string());
                self.range(s.min, s.max, *given, shown);
            }
            (Shape::Double(s), Value::Double(given)) => {
                let shown = (!s.sensitive).then(|| given.to_string());
                #[allow(clippy::cast_precision_loss)] // bounds in models are small whole numbers
                if s.min.is_some_and(|min| *given < min as f64) {
                    self.violation(shown, Rule::ValueAtLeast(s.min.unwrap_or_default()));
                } else if s.max.is_some_and(|max| *given > max as f64) {
                    self.violation(shown, Rule::ValueAtMost(s.max.unwrap_or_default()));
                }
            }
            (Shape::Blob(s), Value::Blob(given)) => self.length(s.min, s.max, given.len(), None),
            (Shape::List(list), Value::List(items)) => {
                self.length(list.min, list.max, items.len(), None);
                if self.entries == Entries::Together
                    && let Shape::String(Text { choices: choices @ [_, ..], sensitive: false, .. }) = list.member
                {
                    return self.choices(choices, items);
                }
                for (i, item) in items.iter().enumerate() {
                    self.within(Step::Index(i + 1), |check| check.value(list.member, item));
                }
            }
            (Shape::Map(map), Value::Map(items)) => {
                self.length(map.min, map.max, items.len(), None);
                for (key, item) in items {
                    self.within(Step::Key(key.clone()), |check| {
                        check.value(map.key, &Value::String(key.clone()));
                        check.value(map.value, item);
                    });
                }
            }
            (Shape::Structure(inner), Value::Structure(slots)) => self.structure(inner, slots),
            _ => {}
        }
    }

    /// A list of an enumeration's values.
    fn choices(&mut self, choices: &'static [&'static str], items: &[Value]) {
        let text = |item: &'_ Value| match item {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        let texts: Vec<String> = items.iter().filter_map(text).collect();
        if texts.iter().any(|text| !choices.contains(&text.as_str())) {
            let shown = format!("[{}]", texts.join(", "));
            self.violation(Some(echo(&shown)), Rule::EachOneOf(choices));
        }
    }

    fn text(&mut self, text: &'static Text, given: &str) {
        let shown = (!text.sensitive).then(|| echo(given));
        if !text.choices.is_empty() && !text.choices.contains(&given) {
            self.violation(shown.clone(), Rule::OneOf(text.choices));
        }
        self.length(text.min, text.max, given.chars().count(), shown.clone());
        if let Some(pattern) = text.pattern.as_ref().filter(|p| !p.matches(given)) {
            self.violation(shown, Rule::Pattern(pattern.source));
        }
    }

    fn length(&mut self, min: Option<i64>, max: Option<i64>, given: usize, shown: Option<String>) {
        let given = i64::try_from(given).unwrap_or(i64::MAX);
        if let Some(min) = min.filter(|min| given < *min) {
            self.violation(shown, Rule::LengthAtLeast(min));
        } else if let Some(max) = max.filter(|max| given > *max) {
            self.violation(shown, Rule::LengthAtMost(max));
        }
    }

    fn range(&mut self, min: Option<i64>, max: Option<i64>, given: i64, shown: Option<String>) {
        if let Some(min) = min.filter(|min| given < *min) {
            self.violation(shown, Rule::ValueAtLeast(min));
        } else if let Some(max) = max.filter(|max| given > *max) {
            self.violation(shown, Rule::ValueAtMost(max));
        }
    }

    fn violation(&mut self, shown: Option<String>, rule: Rule) {
        let path = self.path.clone();
        self.add(Problem::Violation { path, shown, rule });
    }

    fn add(&mut self, problem: Problem) {
        if self.found.len() < VIOLATIONS_MAX {
            self.found.push(problem);
        }
    }

    fn within(&mut self, step: Step, inside: impl FnOnce(&mut Self)) {
        // The walk stops looking once the message is full, so hostile input costs no more than the decode did.
        if self.found.len() >= VIOLATIONS_MAX {
            return;
        }
        self.path.push(step);
        inside(self);
        self.path.pop();
    }
}
