//! What AWS says of a body that does not meet its model: its validator has a sentence for each keyword (as users have seen in
//! `$context.error.validationErrorString`; sentences that were not seen are worded alike). A sentence quotes what the client sent, which
//! may be the largest body that there is: it is cut while it is written.

use std::fmt::{self, Display, Write};
use std::io;

use serde_json::{Number, Value};

use super::judge::Bound;
use crate::limits::SENTENCE_BYTES_MAX;

/// A sentence under way. It takes as many bytes as a sentence may have, and three dots stand for the rest.
#[derive(Debug, Default)]
pub(super) struct Sentence {
    text: String,
    is_cut: bool,
}

impl Sentence {
    fn of(parts: fmt::Arguments<'_>) -> Self {
        let mut sentence = Self::default();
        // It ends with an error where the sentence is cut, which it then is.
        let _ = sentence.write_fmt(parts);
        sentence
    }

    pub(super) fn into_text(mut self) -> String {
        if self.is_cut {
            self.text.push_str("...");
        }
        self.text.shrink_to_fit();
        self.text
    }
}

impl Write for Sentence {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = SENTENCE_BYTES_MAX - self.text.len();
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        self.is_cut = true;
        self.text.push_str(part.get(..part.floor_char_boundary(room)).unwrap_or_default());
        Err(fmt::Error)
    }
}

/// A value as JSON, written no further than a sentence goes.
struct Quoted<'v>(&'v Value);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pipe = Pipe { out: f, left: Vec::new() };
        serde_json::to_writer(&mut pipe, self.0).map_err(|_| fmt::Error)
    }
}

/// Bytes of JSON on their way into text: a character may come in two pieces.
struct Pipe<'p, 'f> {
    out: &'p mut fmt::Formatter<'f>,
    left: Vec<u8>,
}

impl io::Write for Pipe<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A text without escapes comes as one piece, however long it is: no more of it is looked at than fits.
        let taken = bytes.get(..bytes.len().min(SENTENCE_BYTES_MAX)).unwrap_or(bytes);
        self.left.extend_from_slice(taken);
        let valid = match std::str::from_utf8(&self.left) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let rest = self.left.split_off(valid);
        let text = std::mem::replace(&mut self.left, rest);
        let text = String::from_utf8(text).unwrap_or_default();
        self.out.write_str(&text).map_err(|_| io::Error::other("the sentence is full"))?;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The name of a value's type.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn wrong_type(value: &Value, allowed: &[String]) -> Sentence {
    // Whole numbers are numbers.
    let allowed = match allowed {
        [only] if only == "number" => r#""integer","number""#.to_owned(),
        names => names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(","),
    };
    let found = type_of(value);
    Sentence::of(format_args!(
        "instance type ({found}) does not match any allowed primitive type (allowed: [{allowed}])"
    ))
}

pub(super) fn not_in_enum(value: &Value, options: &str) -> Sentence {
    Sentence::of(format_args!("instance value ({}) not found in enum (possible values: {options})", Quoted(value)))
}

pub(super) fn lacks(names: &[&str]) -> Sentence {
    let names: Vec<String> = names.iter().map(|name| Value::from(*name).to_string()).collect();
    Sentence::of(format_args!("object has missing required properties ([{}])", names.join(",")))
}

/// Names of the client's, of which there may be as many as a body holds.
struct Names<'n>(&'n [&'n str]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            let shown = name.get(..name.floor_char_boundary(SENTENCE_BYTES_MAX)).unwrap_or_default();
            Quoted(&Value::from(shown)).fmt(f)?;
        }
        Ok(())
    }
}

pub(super) fn unexpected(names: &[&str]) -> Sentence {
    let names = Names(names);
    Sentence::of(format_args!("object instance has properties which are not allowed by the schema: [{names}]"))
}

pub(super) fn properties(bound: Bound, count: u64) -> Sentence {
    match bound {
        Bound::Least(least) => Sentence::of(format_args!(
            "object has too few properties (found {count} but schema requires at least {least})"
        )),
        Bound::Most(most) => Sentence::of(format_args!(
            "object has too many properties (found {count} but schema requires at most {most})"
        )),
    }
}

pub(super) fn items(bound: Bound, count: u64) -> Sentence {
    match bound {
        Bound::Least(least) => Sentence::of(format_args!(
            "array is too short: must have at least {least} elements but instance has {count} elements"
        )),
        Bound::Most(most) => Sentence::of(format_args!(
            "array is too long: must have at most {most} elements but instance has {count} elements"
        )),
    }
}

pub(super) fn additional_items(allowed: usize, count: usize) -> Sentence {
    Sentence::of(format_args!("array only allows {allowed} items but instance has {count} items"))
}

pub(super) fn duplicates() -> Sentence {
    Sentence::of(format_args!("array must not contain duplicate elements"))
}

pub(super) fn length(value: &Value, bound: Bound, count: u64) -> Sentence {
    let value = Quoted(value);
    match bound {
        Bound::Least(least) => {
            Sentence::of(format_args!("string {value} is too short (length: {count}, required minimum: {least})"))
        }
        Bound::Most(most) => {
            Sentence::of(format_args!("string {value} is too long (length: {count}, maximum allowed: {most})"))
        }
    }
}

pub(super) fn pattern(value: &Value, pattern: &str) -> Sentence {
    let pattern = Value::from(pattern);
    Sentence::of(format_args!("ECMA 262 regex {pattern} does not match input string {}", Quoted(value)))
}

pub(super) fn format(value: &Value, format: &str) -> Sentence {
    Sentence::of(format_args!("string {} is not a valid {format}", Quoted(value)))
}

pub(super) fn below(value: &Value, limit: &Number) -> Sentence {
    Sentence::of(format_args!("numeric instance is lower than the required minimum (minimum: {limit}, found: {value})"))
}

pub(super) fn above(value: &Value, limit: &Number) -> Sentence {
    Sentence::of(format_args!(
        "numeric instance is greater than the required maximum (maximum: {limit}, found: {value})"
    ))
}

pub(super) fn not_above(limit: &Number) -> Sentence {
    Sentence::of(format_args!("numeric instance is not strictly greater than the required minimum {limit}"))
}

pub(super) fn not_below(limit: &Number) -> Sentence {
    Sentence::of(format_args!("numeric instance is not strictly lower than the required maximum {limit}"))
}

pub(super) fn remainder(value: &Value, divisor: &Number) -> Sentence {
    Sentence::of(format_args!("remainder of division is not zero ({value} / {divisor})"))
}

pub(super) fn none_of(among: usize) -> Sentence {
    Sentence::of(format_args!("instance failed to match at least one required schema among {among}"))
}

pub(super) fn not_one_of(matched: usize, among: usize) -> Sentence {
    Sentence::of(format_args!("instance failed to match exactly one schema (matched {matched} out of {among})"))
}

pub(super) fn negated() -> Sentence {
    Sentence::of(format_args!("instance matched a schema which it should not have"))
}

pub(super) fn unmet(keyword: &str) -> Sentence {
    Sentence::of(format_args!("instance does not meet the keyword {keyword}"))
}
