//! Judges a value by a schema, within a budget: each schema that is applied to a value is a step, and long texts are many; what is
//! above the budget is given up. Errors are cut while they are found, and sentences while they are written.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::compile::{Dependency, Items, Keywords, LimitKind, Pattern, Place, Range, Rest, Schemas};
use super::words::{self, Sentence};
use crate::clock;
use crate::limits::{VALIDATION_ERRORS_MAX, VALIDATION_NESTING_MAX, VALIDATION_TIME_MAX};

/// Bytes of text that cost a step.
const BYTES_OF_A_STEP: usize = 64;
/// How often the clock is looked at: once in so many steps.
const STEPS_OF_A_LOOK: usize = 4096;

/// Judging needs more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// Steps.
    Steps,
    /// Time.
    Time,
    /// Schemas within each other.
    Nesting,
}

/// What one body may cost.
#[derive(Debug)]
pub(super) struct Budget {
    steps: Cell<usize>,
    steps_max: usize,
    begun: tokio::time::Instant,
}

impl Budget {
    pub(super) fn new(steps_max: usize) -> Self {
        Self { steps: Cell::new(0), steps_max, begun: clock::now() }
    }

    fn step(&self, steps: usize) -> Result<(), Spent> {
        let (before, now) = (self.steps.get(), self.steps.get().saturating_add(steps));
        self.steps.set(now);
        if now > self.steps_max {
            return Err(Spent::Steps);
        }
        let looks = before / STEPS_OF_A_LOOK != now / STEPS_OF_A_LOOK;
        if looks && clock::now().duration_since(self.begun) > VALIDATION_TIME_MAX {
            return Err(Spent::Time);
        }
        Ok(())
    }

    fn text(&self, text: &str) -> Result<(), Spent> {
        self.step(text.len() / BYTES_OF_A_STEP)
    }
}

/// What was found of a value.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What objects lack.
    pub(super) lacks: Vec<String>,
    /// Everything else.
    pub(super) told: Vec<String>,
}

impl Found {
    fn is_full(&self) -> bool {
        self.lacks.len() + self.told.len() >= VALIDATION_ERRORS_MAX
    }

    /// Writes a sentence only where there is room for it.
    fn tell(&mut self, sentence: impl FnOnce() -> Sentence) {
        if !self.is_full() {
            self.told.push(sentence().into_text());
        }
    }
}

/// Judges values by the schemas of a model.
pub(super) struct Judge<'s> {
    pub(super) schemas: &'s Schemas,
    pub(super) budget: &'s Budget,
}

/// One value under one schema.
#[derive(Clone, Copy)]
struct Case<'c> {
    keywords: &'c Keywords,
    value: &'c Value,
    depth: usize,
}

impl Judge<'_> {
    /// Adds to `found` what is wrong with a value. Where `found` is full nothing more is looked for.
    pub(super) fn judge(&self, place: Place, value: &Value, (found, depth): (&mut Found, usize)) -> Result<(), Spent> {
        if found.is_full() {
            return Ok(());
        }
        self.budget.step(1)?;
        if depth > VALIDATION_NESTING_MAX {
            return Err(Spent::Nesting);
        }
        let Some(keywords) = self.schemas.get(place) else { return Ok(()) };
        if let Some(reference) = keywords.reference {
            return self.judge(reference, value, (found, depth + 1));
        }
        let case = Case { keywords, value, depth };
        self.any_value(case, found)?;
        match value {
            Value::Object(members) => self.object(case, members, found)?,
            Value::Array(items) => self.array(case, items, found)?,
            Value::String(text) => self.text(case, text, found)?,
            Value::Number(number) => Self::number(case, number, found),
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(case, found)
    }

    /// Whether a value has no fault. Nothing is told, so that the first fault is enough.
    fn holds(&self, place: Place, value: &Value, depth: usize) -> Result<bool, Spent> {
        let mut found = Found { lacks: Vec::new(), told: Vec::new() };
        self.judge(place, value, (&mut found, depth))?;
        Ok(found.lacks.is_empty() && found.told.is_empty())
    }

    fn any_value(&self, Case { keywords, value, .. }: Case<'_>, found: &mut Found) -> Result<(), Spent> {
        let is = |name: &String| match name.as_str() {
            "number" => value.is_number(),
            other => words::type_of(value) == other,
        };
        if !keywords.types.is_empty() && !keywords.types.iter().any(is) {
            found.tell(|| words::wrong_type(value, &keywords.types));
        }
        if let Some((told, values)) = &keywords.enumerated {
            self.weigh(value)?;
            if !values.contains(&canonical(value)) {
                found.tell(|| words::not_in_enum(value, told));
            }
        }
        Ok(())
    }

    /// Pays for a walk through a whole value.
    fn weigh(&self, value: &Value) -> Result<(), Spent> {
        self.budget.step(1)?;
        match value {
            Value::String(text) => self.budget.text(text),
            Value::Array(items) => items.iter().try_for_each(|item| self.weigh(item)),
            Value::Object(members) => members.iter().try_for_each(|(name, member)| {
                self.budget.text(name)?;
                self.weigh(member)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        }
    }

    fn object(&self, case: Case<'_>, members: &Map<String, Value>, found: &mut Found) -> Result<(), Spent> {
        let Case { keywords, depth, .. } = case;
        self.budget.step(keywords.required.len() / 8)?;
        let mut lacking: Vec<&str> =
            keywords.required.iter().filter(|name| !members.contains_key(*name)).map(String::as_str).collect();
        if !lacking.is_empty() && !found.is_full() {
            lacking.sort_unstable();
            found.lacks.push(words::lacks(&lacking).into_text());
        }
        if let Some((bound, count)) = outside(keywords.property_counts, members.len()) {
            found.tell(|| words::properties(bound, count));
        }
        let mut unexpected = Vec::new();
        for (name, member) in members {
            if found.is_full() {
                return Ok(());
            }
            self.budget.step(1 + keywords.pattern_properties.len())?;
            self.budget.text(name)?;
            let named = keywords.properties.get(name);
            let fitting = keywords.pattern_properties.iter().filter(|(pattern, _)| pattern.regex.is_match(name));
            let mut is_named = false;
            for place in named.into_iter().chain(fitting.map(|(_, place)| place)) {
                is_named = true;
                self.judge(*place, member, (found, depth + 1))?;
            }
            match keywords.additional_properties {
                Rest::Schema(place) if !is_named => self.judge(place, member, (found, depth + 1))?,
                Rest::Nothing if !is_named => unexpected.push(name.as_str()),
                Rest::Anything | Rest::Nothing | Rest::Schema(_) => {}
            }
        }
        if !unexpected.is_empty() {
            found.tell(|| words::unexpected(&unexpected));
        }
        self.dependencies(case, members, found)
    }

    fn dependencies(&self, case: Case<'_>, members: &Map<String, Value>, found: &mut Found) -> Result<(), Spent> {
        for (name, asked) in &case.keywords.dependencies {
            self.budget.step(1)?;
            if !members.contains_key(name) {
                continue;
            }
            match asked {
                Dependency::Schema(place) => self.judge(*place, case.value, (found, case.depth + 1))?,
                Dependency::Properties(names) => {
                    if names.iter().any(|name| !members.contains_key(name)) {
                        found.tell(|| words::unmet("dependencies"));
                    }
                }
            }
        }
        Ok(())
    }

    fn array(&self, Case { keywords, depth, .. }: Case<'_>, items: &[Value], found: &mut Found) -> Result<(), Spent> {
        if let Some((bound, count)) = outside(keywords.item_counts, items.len()) {
            found.tell(|| words::items(bound, count));
        }
        if keywords.unique {
            let mut seen = HashSet::new();
            for item in items {
                self.weigh(item)?;
                if !seen.insert(canonical(item)) {
                    found.tell(words::duplicates);
                    break;
                }
            }
        }
        let places: &[Place] = match &keywords.items {
            Items::Anything => return Ok(()),
            Items::Each(_) => &[],
            Items::Places(places, _) => places,
        };
        let behind = match &keywords.items {
            Items::Each(place) | Items::Places(_, Rest::Schema(place)) => Some(place),
            Items::Anything | Items::Places(..) => None,
        };
        if matches!(keywords.items, Items::Places(_, Rest::Nothing)) && items.len() > places.len() {
            found.tell(|| words::additional_items(places.len(), items.len()));
        }
        for (at, item) in items.iter().enumerate() {
            if found.is_full() {
                break;
            }
            let Some(place) = places.get(at).or(behind) else { break };
            self.judge(*place, item, (found, depth + 1))?;
        }
        Ok(())
    }

    fn text(&self, Case { keywords, value, .. }: Case<'_>, text: &str, found: &mut Found) -> Result<(), Spent> {
        self.budget.text(text)?;
        let is_bounded = keywords.lengths.least.is_some() || keywords.lengths.most.is_some();
        if is_bounded && let Some((bound, count)) = outside(keywords.lengths, text.chars().count()) {
            found.tell(|| words::length(value, bound, count));
        }
        if let Some(Pattern { text: pattern, regex }) = &keywords.pattern {
            // A pattern looks at each byte in several ways.
            self.budget.step(text.len() / 8)?;
            if !regex.is_match(text) {
                found.tell(|| words::pattern(value, pattern));
            }
        }
        if let Some(format) = keywords.format.filter(|format| !format.fits(text)) {
            found.tell(|| words::format(value, format.name()));
        }
        Ok(())
    }

    fn number(Case { keywords, value, .. }: Case<'_>, number: &serde_json::Number, found: &mut Found) {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if let Some(limit) = &keywords.minimum {
            match (compare(number, &limit.number), limit.kind) {
                (Less, LimitKind::Within) => found.tell(|| words::below(value, &limit.number)),
                (Less | Equal, LimitKind::Beyond) => found.tell(|| words::not_above(&limit.number)),
                (Equal | Greater, _) => {}
            }
        }
        if let Some(limit) = &keywords.maximum {
            match (compare(number, &limit.number), limit.kind) {
                (Greater, LimitKind::Within) => found.tell(|| words::above(value, &limit.number)),
                (Greater | Equal, LimitKind::Beyond) => found.tell(|| words::not_below(&limit.number)),
                (Less | Equal, _) => {}
            }
        }
        if let Some(divisor) = keywords.multiple_of.as_ref().filter(|divisor| !divides(divisor, number)) {
            found.tell(|| words::remainder(value, divisor));
        }
    }

    fn combined(&self, Case { keywords, value, depth }: Case<'_>, found: &mut Found) -> Result<(), Spent> {
        for place in &keywords.all_of {
            self.judge(*place, value, (found, depth + 1))?;
        }
        if !keywords.any_of.is_empty() && !found.is_full() {
            let mut fits = false;
            for place in &keywords.any_of {
                fits = self.holds(*place, value, depth + 1)?;
                if fits {
                    break;
                }
            }
            if !fits {
                found.tell(|| words::none_of(keywords.any_of.len()));
            }
        }
        if !keywords.one_of.is_empty() && !found.is_full() {
            let mut matched = 0;
            for place in &keywords.one_of {
                matched += usize::from(self.holds(*place, value, depth + 1)?);
            }
            if matched != 1 {
                found.tell(|| words::not_one_of(matched, keywords.one_of.len()));
            }
        }
        if let Some(place) = keywords.not.filter(|_| !found.is_full())
            && self.holds(place, value, depth + 1)?
        {
            found.tell(words::negated);
        }
        Ok(())
    }
}

/// A bound that a count does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Least(u64),
    Most(u64),
}

fn outside(range: Range, count: usize) -> Option<(Bound, u64)> {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let least = range.least.filter(|least| count < *least).map(Bound::Least);
    least.or_else(|| range.most.filter(|most| count > *most).map(Bound::Most)).map(|bound| (bound, count))
}

fn whole(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn compare(one: &serde_json::Number, other: &serde_json::Number) -> std::cmp::Ordering {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        // JSON has no number that is none.
        _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(std::cmp::Ordering::Equal),
    }
}

fn divides(divisor: &serde_json::Number, number: &serde_json::Number) -> bool {
    if let (Some(divisor), Some(number)) = (whole(divisor), whole(number)) {
        return divisor != 0 && number % divisor == 0;
    }
    let (divisor, number) = (divisor.as_f64().unwrap_or(1.0), number.as_f64().unwrap_or(0.0));
    let quotient = number / divisor;
    // Decimal fractions have no exact form here: 0.3 is three times 0.1 all the same.
    quotient.is_finite() && (quotient - quotient.round()).abs() <= 1e-9 * quotient.abs().max(1.0)
}

/// A value in the one spelling by which values are compared: members in order, and numbers by their worth.
pub(super) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    spell(value, &mut out);
    out
}

fn spell(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for item in items {
                spell(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            out.push('{');
            for name in names {
                // Writing to a String cannot fail.
                let _ = write!(out, "{name:?}:");
                members.get(name).into_iter().for_each(|member| spell(member, out));
                out.push(',');
            }
            out.push('}');
        }
        Value::Number(number) => {
            #[allow(clippy::cast_precision_loss, reason = "only whole numbers that a double holds exactly are turned")]
            let exact = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            let _ = match exact {
                Some(float) => write!(out, "{float:.0}"),
                None => write!(out, "{number}"),
            };
        }
        Value::String(text) => _ = write!(out, "{text:?}"),
        Value::Bool(value) => _ = write!(out, "{value}"),
        Value::Null => out.push_str("null"),
    }
}
