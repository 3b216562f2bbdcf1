//! Filter patterns of `FilterLogEvents` (CloudWatch Logs user guide, "Filter pattern syntax", 2026-11): terms, and comparisons
//! of JSON members. Patterns for space-delimited events and regular expressions are refused by name, not misread.

use serde_json::Value;

/// A pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pattern {
    /// Every event.
    Everything,
    /// Events by the terms in them.
    Terms {
        /// Each must occur.
        required: Vec<String>,
        /// None may occur.
        excluded: Vec<String>,
        /// One must occur, unless some are required.
        optional: Vec<String>,
    },
    /// Events that are JSON: one of these lists, each of whose comparisons must hold.
    Json(Vec<Vec<Comparison>>),
}

/// A comparison of one member.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    path: Vec<String>,
    operator: Operator,
    operand: Operand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Number(f64),
    /// Text; `*` at either end stands for anything.
    Text(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.as_bytes().first() {
            None => Ok(Self::Everything),
            Some(b'{') => json(text).map(Self::Json),
            Some(b'[') => {
                Err(format!("Invalid filter pattern: {}", wire::unserved("patterns for space-delimited events")))
            }
            Some(b'%') => Err(format!("Invalid filter pattern: {}", wire::unserved("regular expressions"))),
            Some(_) => terms(text),
        }
    }

    /// Whether an event matches.
    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        match self {
            Self::Everything => true,
            Self::Terms { required, excluded, optional } => {
                let wanted = !required.is_empty() || optional.is_empty() || optional.iter().any(has);
                wanted && required.iter().all(has) && !excluded.iter().any(has)
            }
            Self::Json(choices) => serde_json::from_str::<Value>(message).is_ok_and(|event| {
                choices.iter().any(|choice| choice.iter().all(|comparison| comparison.holds(&event)))
            }),
        }
    }
}

fn terms(text: &str) -> Result<Pattern, String> {
    let (mut required, mut excluded, mut optional) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (list, after) = match rest.as_bytes().first() {
            Some(b'-') => (&mut excluded, &rest[1..]),
            Some(b'?') => (&mut optional, &rest[1..]),
            _ => (&mut required, rest),
        };
        let (term, after) = if after.starts_with('"') { quoted(after)? } else { word(after)? };
        list.push(term);
        rest = after.trim_start();
    }
    Ok(Pattern::Terms { required, excluded, optional })
}

/// A bare term: what is not a letter, a digit or an underscore must stand in quotes.
fn word(text: &str) -> Result<(String, &str), String> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() || !word.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(format!("Invalid character(s) in term '{word}'"));
    }
    Ok((word.to_owned(), rest))
}

/// A text in quotes, and what follows it; a backslash takes the next character as it is.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Ok((value, &text[at + 1..])),
            c => value.push(c),
        }
    }
    Err("Invalid filter pattern: a quotation mark is not closed".to_owned())
}

fn json(text: &str) -> Result<Vec<Vec<Comparison>>, String> {
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let mut rest = inner.ok_or("Invalid filter pattern: a brace is not closed")?.trim();
    let mut choices = vec![Vec::new()];
    loop {
        let (comparison, after) = comparison(rest)?;
        if let Some(choice) = choices.last_mut() {
            choice.push(comparison);
        }
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(choices);
        }
        if let Some(after) = rest.strip_prefix("&&") {
            rest = after.trim_start();
        } else if let Some(after) = rest.strip_prefix("||") {
            choices.push(Vec::new());
            rest = after.trim_start();
        } else {
            return Err(format!("Invalid filter pattern: '{rest}' is not understood here"));
        }
    }
}

fn comparison(text: &str) -> Result<(Comparison, &str), String> {
    const OPERATORS: [(&str, Operator); 6] = [
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let unclear = || format!("Invalid filter pattern: '{text}' is no comparison of a member that is understood here");
    let path = text.strip_prefix("$.").ok_or_else(unclear)?;
    let end = path.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).ok_or_else(unclear)?;
    let (path, rest) = path.split_at(end);
    let rest = rest.trim_start();
    let (operator, rest) = OPERATORS
        .iter()
        .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)))
        .ok_or_else(unclear)?;
    let (operand, rest) = operand(rest.trim_start()).ok_or_else(unclear)?;
    let is_ordered = matches!(operator, Operator::Equal | Operator::Unequal) || matches!(operand, Operand::Number(_));
    if path.split('.').any(str::is_empty) || !is_ordered {
        return Err(unclear());
    }
    Ok((Comparison { path: path.split('.').map(str::to_owned).collect(), operator, operand }, rest))
}

fn operand(text: &str) -> Option<(Operand, &str)> {
    if text.starts_with('"') {
        let (text, rest) = quoted(text).ok()?;
        return Some((Operand::Text(text), rest));
    }
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '&' | '|' | ')')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if word.is_empty() || word.starts_with(['%', '(']) {
        return None;
    }
    Some((word.parse().map_or_else(|_| Operand::Text(word.to_owned()), Operand::Number), rest))
}

impl Comparison {
    fn holds(&self, event: &Value) -> bool {
        let member = self.path.iter().try_fold(event, |value, name| value.get(name));
        match (member, &self.operand) {
            (None | Some(Value::Null | Value::Array(_) | Value::Object(_)), _) => false,
            (Some(member), Operand::Text(wanted)) => {
                let text = member.as_str().map_or_else(|| member.to_string(), str::to_owned);
                fits(&text, wanted) == (self.operator == Operator::Equal)
            }
            // A format may put numbers in quotes.
            (Some(member), Operand::Number(wanted)) => {
                let number = member.as_f64().or_else(|| member.as_str().and_then(|text| text.parse().ok()));
                number.map_or(self.operator == Operator::Unequal, |number| self.operator.compares(number, *wanted))
            }
        }
    }
}

impl Operator {
    fn compares(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

fn fits(text: &str, wanted: &str) -> bool {
    match (wanted.strip_prefix('*'), wanted.strip_suffix('*')) {
        (Some(_), Some(_)) => wanted.len() < 3 || text.contains(&wanted[1..wanted.len() - 1]),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_events() {
        let json = r#"{"status":403,"bytes":"12","route":{"key":"GET /a"},"gone":null,"message":"not found"}"#;
        let rows = [
            ("", "anything", true),
            ("found", json, true),
            ("found lost", json, false),
            ("found -403", json, false),
            ("-lost", json, true),
            ("?lost ?found", json, true),
            ("?lost ?gone_too", json, false),
            ("?lost found", json, true),
            (r#""not found""#, json, true),
            (r#""found not""#, json, false),
            (r#"-"not found""#, json, false),
            ("{ $.status = 403 }", json, true),
            ("{ $.status != 403 }", json, false),
            ("{$.status>=400&&$.status<500}", json, true),
            ("{ $.status = 500 || $.bytes < 13 }", json, true),
            (r#"{ $.route.key = "GET *" }"#, json, true),
            (r#"{ $.route.key = "*b" }"#, json, false),
            ("{ $.message = *fou* }", json, true),
            ("{ $.status = 4* }", json, true),
            ("{ $.absent != 1 }", json, false),
            ("{ $.gone = 1 }", json, false),
            ("{ $.status = 403 }", "status 403", false),
        ];
        for (pattern, event, expected) in rows {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(event), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for pattern in [
            "[ip, user, status=4*]",
            "%4[0-9]{2}%",
            "{ $.a = 1",
            "{ ($.a = 1) }",
            "{ $.a IS NULL }",
            "{ $.a[0] = 1 }",
            "{ $.a > b }",
            "{ $.a }",
            "{ }",
            "a/b",
            "\"open",
            "-",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
