//! The format of an access log, parsed once: what stands in it, and how a value is written where it stands (HTTP API
//! developer guide, "Configure logging for HTTP APIs" and "Customize HTTP API access logs", 2026-11). What a variable is
//! worth is the plane's to say; where lines go is the stage's.
//!
//! A value comes from a client and must not pretend to be format: quotes and control characters are escaped. AWS has
//! escaped quotes and backslashes in JSON formats since 2024 (seen in public logs); the rest of the rules is ours and
//! stands in `docs/differences-from-aws.md`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::serde_as_text;
use crate::variable::{Known, Variable};

/// Bytes of a format: 3 KiB at most (HTTP API quotas, 2026-11).
pub const FORMAT_BYTES_MAX: usize = 3 * 1024;

/// What is written where a variable has no value.
pub const UNSET: &str = "-";

/// A format: one line of at most [`FORMAT_BYTES_MAX`] bytes that holds the request's id. Shown as it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessLogFormat {
    text: String,
    parts: Vec<Part>,
}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// A variable, and where it stands.
    Variable(Variable, Setting),
}

/// Where a variable stands, which decides how its value is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// In plain text, such as the common log format or CSV.
    Text,
    /// In XML.
    Xml,
    /// Within a string of a JSON format.
    JsonString,
    /// In the place of a whole JSON value.
    JsonValue,
}

/// Why a format is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatProblem {
    /// It has more than one line.
    ManyLines,
    /// It is above [`FORMAT_BYTES_MAX`].
    TooLong,
    /// It lacks the request's id.
    NoRequestId,
}

/// What kind of text a format is, by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Xml,
    Json,
}

const INTRODUCTION: &str = "$context.";

impl fmt::Display for FormatProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ManyLines | Self::TooLong => "Access log format must be single line and at most 3 KB",
            Self::NoRequestId => {
                "Access log format must include at least $context.requestId or $context.extendedRequestId"
            }
        })
    }
}

impl std::error::Error for FormatProblem {}

impl fmt::Display for AccessLogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(AccessLogFormat);

impl FromStr for AccessLogFormat {
    type Err = FormatProblem;
    fn from_str(text: &str) -> Result<Self, FormatProblem> {
        if text.contains(['\n', '\r']) {
            return Err(FormatProblem::ManyLines);
        }
        if text.len() > FORMAT_BYTES_MAX {
            return Err(FormatProblem::TooLong);
        }
        let format = Self { text: text.to_owned(), parts: parts(text) };
        let names_request = |part: &Part| {
            matches!(part, Part::Variable(Variable::Known(Known::RequestId | Known::ExtendedRequestId), _))
        };
        if format.parts.iter().any(names_request) { Ok(format) } else { Err(FormatProblem::NoRequestId) }
    }
}

impl AccessLogFormat {
    /// Its pieces, in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

fn parts(text: &str) -> Vec<Part> {
    let kind = match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => Kind::Json,
        Some(b'<') => Kind::Xml,
        _ => Kind::Text,
    };
    let mut parts = Vec::new();
    let mut quotes = Quotes::default();
    let mut rest = text;
    while let Some(at) = rest.find(INTRODUCTION) {
        let (before, after) = (&rest[..at], &rest[at + INTRODUCTION.len()..]);
        let Some((variable, length)) = variable(after) else {
            push_text(&mut parts, &rest[..at + INTRODUCTION.len()]);
            quotes.read(before);
            rest = after;
            continue;
        };
        push_text(&mut parts, before);
        quotes.read(before);
        let setting = match kind {
            Kind::Text => Setting::Text,
            Kind::Xml => Setting::Xml,
            Kind::Json if quotes.open => Setting::JsonString,
            Kind::Json => Setting::JsonValue,
        };
        parts.push(Part::Variable(unquoted(variable, setting), setting));
        rest = &after[length..];
    }
    push_text(&mut parts, rest);
    parts
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// The variable that a text begins with, and the bytes of its name. A dot that ends a sentence is no part of a name.
fn variable(text: &str) -> Option<(Variable, usize)> {
    const CLAIMS: &str = "authorizer.claims.";
    let is_claim = text.starts_with(CLAIMS);
    let spelled = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || (is_claim && matches!(c, '-' | ':'));
    let name = &text[..text.find(|c| !spelled(c)).unwrap_or(text.len())];
    let name = name.trim_end_matches(['.', ':', '-']);
    Variable::parse(name).map(|variable| (variable, name.len()))
}

/// A whole JSON value gets its quotes from where it stands: the quoted form of the message would get them twice.
fn unquoted(variable: Variable, setting: Setting) -> Variable {
    match (variable, setting) {
        (Variable::Known(Known::ErrorMessageString), Setting::JsonValue) => Variable::Known(Known::ErrorMessage),
        (variable, _) => variable,
    }
}

/// Whether a JSON text stands within a string.
#[derive(Debug, Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                _ if self.escaped => self.escaped = false,
                '\\' if self.open => self.escaped = true,
                '"' => self.open = !self.open,
                _ => {}
            }
        }
    }
}

impl Setting {
    /// Writes a value as it may stand here.
    pub fn write(self, value: Option<&str>, out: &mut String) {
        let value = value.filter(|value| !value.is_empty()).unwrap_or(UNSET);
        match self {
            Self::Text => escape(value, out, text),
            Self::Xml => escape(value, out, xml),
            Self::JsonString => escape(value, out, json),
            Self::JsonValue if is_json_number(value) => out.push_str(value),
            Self::JsonValue => {
                out.push('"');
                escape(value, out, json);
                out.push('"');
            }
        }
    }
}

/// A whole number without leading zeros: what counts, statuses and times are.
fn is_json_number(value: &str) -> bool {
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    digits && !value.is_empty() && value.len() <= 15 && (value == "0" || !value.starts_with('0'))
}

/// Writes a value, each character that means something here by `replace`, which says whether it did.
fn escape(value: &str, out: &mut String, replace: impl Fn(char, &mut String) -> Result<bool, fmt::Error>) {
    out.reserve(value.len());
    for c in value.chars() {
        // Writing to a string cannot fail.
        if !replace(c, out).unwrap_or(true) {
            out.push(c);
        }
    }
}

fn json(c: char, out: &mut String) -> Result<bool, fmt::Error> {
    match c {
        '"' | '\\' => write!(out, "\\{c}")?,
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => write!(out, "\\u{:04x}", u32::from(c))?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// As in JSON, but for control characters: two digits, as other servers write them in the common log format.
fn text(c: char, out: &mut String) -> Result<bool, fmt::Error> {
    match c {
        c if c.is_control() => write!(out, "\\x{:02x}", u32::from(c))?,
        c => return json(c, out),
    }
    Ok(true)
}

fn xml(c: char, out: &mut String) -> Result<bool, fmt::Error> {
    out.push_str(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        // XML has no way to say them.
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') => "\u{fffd}",
        _ => return Ok(false),
    });
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(setting: Setting, value: &str) -> String {
        let mut out = String::new();
        setting.write(Some(value), &mut out);
        out
    }

    #[test]
    fn formats_are_refused_as_aws_refuses_them() {
        let long = format!("$context.requestId {}", "x".repeat(FORMAT_BYTES_MAX));
        let rows = [
            ("$context.requestId", None),
            ("$context.extendedRequestId", None),
            ("$context.requestId\n", Some(FormatProblem::ManyLines)),
            (&long, Some(FormatProblem::TooLong)),
            ("$context.status", Some(FormatProblem::NoRequestId)),
            ("$context.requestIdentity", Some(FormatProblem::NoRequestId)),
            ("", Some(FormatProblem::NoRequestId)),
        ];
        for (text, problem) in rows {
            assert_eq!(text.parse::<AccessLogFormat>().err(), problem, "{text}");
        }
    }

    #[test]
    fn a_format_falls_into_text_and_variables() {
        let known = |known, setting| Part::Variable(Variable::Known(known), setting);
        let text = |text: &str| Part::Text(text.to_owned());
        let rows = [
            (
                r#"{"a":"$context.requestId","b":$context.status,"c":$context.error.messageString}"#,
                vec![
                    text(r#"{"a":""#),
                    known(Known::RequestId, Setting::JsonString),
                    text(r#"","b":"#),
                    known(Known::Status, Setting::JsonValue),
                    text(r#","c":"#),
                    known(Known::ErrorMessage, Setting::JsonValue),
                    text("}"),
                ],
            ),
            (
                "<request id=\"$context.requestId\">$context.</request>",
                vec![text("<request id=\""), known(Known::RequestId, Setting::Xml), text("\">$context.</request>")],
            ),
            (
                "$context.requestId.$context.authorizer.claims.cognito:groups: $contextual",
                vec![
                    known(Known::RequestId, Setting::Text),
                    text("."),
                    Part::Variable(Variable::Claim("cognito:groups".to_owned()), Setting::Text),
                    text(": $contextual"),
                ],
            ),
        ];
        for (format, expected) in rows {
            assert_eq!(format.parse::<AccessLogFormat>().unwrap().parts(), expected, "{format}");
        }
    }

    #[test]
    fn a_value_cannot_pretend_to_be_format() {
        let evil = "a\"b\\c\nd<&>'\u{7f}";
        assert_eq!(written(Setting::JsonString, evil), r#"a\"b\\c\u000ad<&>'\u007f"#);
        assert_eq!(written(Setting::JsonValue, "1,\"x\":2"), r#""1,\"x\":2""#);
        assert_eq!(written(Setting::Text, evil), r#"a\"b\\c\x0ad<&>'\x7f"#);
        assert_eq!(written(Setting::Xml, evil), "a&quot;b\\c\u{fffd}d&lt;&amp;&gt;&apos;\u{fffd}");
    }

    #[test]
    fn whole_json_values_are_numbers_or_strings() {
        for (value, expected) in [("200", "200"), ("0", "0"), ("007", "\"007\""), ("-", "\"-\""), ("", "\"-\"")] {
            assert_eq!(written(Setting::JsonValue, value), expected, "{value}");
        }
    }
}
