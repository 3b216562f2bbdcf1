//! The Java methods that templates call on their values: those of strings, lists, maps and numbers that API Gateway's documents
//! and common templates use. An unknown method is an error that names it, never silence.

use regex::RegexBuilder;

use super::TemplateError;
use super::evaluate::Evaluation;
use super::syntax::Shared;
use super::value::{Arena, ENTRY_BYTES, Entries, Value, bounded};
use crate::limits::TEMPLATE_REGEX_BYTES_MAX;

type Given<'g> = &'g [Value];

/// What compiling a pattern costs: it takes far longer than a step.
const STEPS_OF_A_PATTERN: usize = 1000;

/// Places of a plain search that cost a step.
const PLACES_OF_A_STEP: usize = 16;

/// `value.NAME(arguments)`
pub(super) fn call(
    evaluation: &mut Evaluation<'_>,
    value: &Value,
    (name, arguments): (&str, Given<'_>),
) -> Result<Value, TemplateError> {
    let answer = match (name, arguments) {
        ("toString", []) => Some(printed(evaluation, value)?),
        ("equals", [other]) => Some(Value::Boolean(evaluation.arena.equal(value, other)?)),
        _ => match value {
            Value::Text(text) => of_text(evaluation, text, (name, arguments))?,
            Value::List(at) => of_list(evaluation, *at, (name, arguments))?,
            Value::Map(at) => of_map(evaluation, *at, (name, arguments))?,
            Value::Integer(_) | Value::Float(_) => of_number(evaluation, value, (name, arguments))?,
            _ => None,
        },
    };
    answer.ok_or_else(|| {
        TemplateError::Function(format!("there is no method {name} with {} arguments on this value", arguments.len()))
    })
}

fn printed(evaluation: &mut Evaluation<'_>, value: &Value) -> Result<Value, TemplateError> {
    let text = evaluation.arena.printed(value)?;
    evaluation.arena.text(&text)
}

/// A count or place as Java's `int`.
fn count(n: usize) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The place of a search, in characters; −1 where it found nothing.
fn place(text: &str, found: Option<usize>) -> Value {
    found.map_or(Value::Integer(-1), |at| count(text.get(..at).unwrap_or_default().chars().count()))
}

fn index(value: &Value) -> Option<usize> {
    match value {
        Value::Integer(at) => usize::try_from(*at).ok(),
        _ => None,
    }
}

fn of_text(
    evaluation: &mut Evaluation<'_>,
    text: &Shared,
    (name, arguments): (&str, Given<'_>),
) -> Result<Option<Value>, TemplateError> {
    evaluation.arena.work(text.len())?;
    if ["matches", "split", "replaceAll", "replaceFirst"].contains(&name) {
        evaluation.arena.step(STEPS_OF_A_PATTERN)?;
    }
    let given: Vec<String> =
        arguments.iter().map(|argument| evaluation.arena.printed(argument)).collect::<Result<_, _>>()?;
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let truth = match (name, given.as_slice()) {
        ("isEmpty", []) => Some(text.is_empty()),
        ("contains", [other]) => Some(text.contains(other)),
        ("startsWith", [other]) => Some(text.starts_with(other)),
        ("endsWith", [other]) => Some(text.ends_with(other)),
        ("equalsIgnoreCase", [other]) => Some(text.to_lowercase() == other.to_lowercase()),
        ("matches", [pattern]) => Some(regex(&format!("^(?:{pattern})$"))?.is_match(text)),
        _ => None,
    };
    if let Some(truth) = truth {
        return Ok(Some(Value::Boolean(truth)));
    }
    Ok(match (name, given.as_slice()) {
        ("length", []) => Some(count(text.chars().count())),
        ("indexOf", [other]) => Some(place(text, text.find(other))),
        ("lastIndexOf", [other]) => Some(place(text, text.rfind(other))),
        ("split", [pattern]) => Some(split(evaluation, text, pattern)?),
        _ => match changed(&evaluation.arena, text, name, (&given, arguments))? {
            Some(changed) => {
                bounded(&changed)?;
                Some(evaluation.arena.text(&changed)?)
            }
            None => None,
        },
    })
}

/// Methods that make another text.
fn changed(
    arena: &Arena,
    text: &str,
    name: &str,
    (given, raw): (&[&str], Given<'_>),
) -> Result<Option<String>, TemplateError> {
    let out_of_range = || TemplateError::Function(format!("{name}: the place is outside of the text"));
    let cut = |from: &Value, to: Option<&Value>| {
        let length = text.chars().count();
        let from = index(from).filter(|from| *from <= length).ok_or_else(out_of_range)?;
        let to = match to {
            Some(to) => index(to).filter(|to| (from..=length).contains(to)).ok_or_else(out_of_range)?,
            None => length,
        };
        Ok(text.chars().skip(from).take(to - from).collect::<String>())
    };
    Ok(Some(match (name, given, raw) {
        ("trim", [], _) => text.trim().to_owned(),
        ("toUpperCase", [], _) => text.to_uppercase(),
        ("toLowerCase", [], _) => text.to_lowercase(),
        ("concat", [other], _) => format!("{text}{other}"),
        ("substring", _, [from]) => cut(from, None)?,
        ("substring", _, [from, to]) => cut(from, Some(to))?,
        ("charAt", _, [at]) => {
            let at = index(at).and_then(|at| text.chars().nth(at)).ok_or_else(out_of_range)?;
            at.to_string()
        }
        // The result may be longer than both: its size is known before it is made.
        ("replace", [from, to], _) => {
            let places = text.matches(from).count();
            arena.step(places / PLACES_OF_A_STEP)?;
            let grown = places.saturating_mul(to.len()).saturating_add(text.len());
            if grown > crate::limits::TEMPLATE_OUTPUT_BYTES_MAX {
                return Err(too_long());
            }
            text.replace(from, to)
        }
        ("replaceAll", [pattern, to], _) => replace_all(arena, text, (pattern, to))?,
        ("replaceFirst", [pattern, to], _) => regex(pattern)?.replace(text, java_groups(to)).into_owned(),
        _ => return Ok(None),
    }))
}

fn too_long() -> TemplateError {
    TemplateError::TooMuch { what: "bytes of output", limit: crate::limits::TEMPLATE_OUTPUT_BYTES_MAX }
}

/// Every match replaced; a result that grows too long is given up while it is made.
fn replace_all(arena: &Arena, text: &str, (pattern, to): (&str, &str)) -> Result<String, TemplateError> {
    let (regex, to) = (regex(pattern)?, java_groups(to));
    let (mut out, mut last) = (String::new(), 0);
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        arena.step(1)?;
        out.push_str(text.get(last..whole.start()).unwrap_or_default());
        found.expand(&to, &mut out);
        last = whole.end();
        bounded(&out)?;
    }
    out.push_str(text.get(last..).unwrap_or_default());
    Ok(out)
}

/// Java writes `$1` for a group and escapes with backslashes; the engine here takes `$1x` for another name.
fn java_groups(to: &str) -> String {
    let mut out = String::with_capacity(to.len());
    let mut chars = to.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\\', Some(next)) => {
                out.push_str(if next == '$' { "$$" } else { "" });
                if next != '$' {
                    out.push(next);
                }
                chars.next();
            }
            ('$', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str("${");
                out.push(digit);
                out.push('}');
                chars.next();
            }
            ('$', _) => out.push_str("$$"),
            (c, _) => out.push(c),
        }
    }
    out
}

/// Linear in the text, whatever the pattern; without look-around and back-references, which Java has.
fn regex(pattern: &str) -> Result<regex::Regex, TemplateError> {
    let built = RegexBuilder::new(pattern).size_limit(TEMPLATE_REGEX_BYTES_MAX).build();
    built.map_err(|_| TemplateError::Function(format!("{pattern} is not a regular expression that is supported here")))
}

/// Java drops empty parts at the end.
fn split(evaluation: &mut Evaluation<'_>, text: &str, pattern: &str) -> Result<Value, TemplateError> {
    let regex = regex(pattern)?;
    let mut parts: Vec<&str> = Vec::new();
    for part in regex.split(text) {
        // Each part is a value of its own, however short.
        evaluation.arena.step(1)?;
        evaluation.arena.charge(ENTRY_BYTES)?;
        parts.push(part);
    }
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    if parts.len() > 1
        && parts.first().is_some_and(|part| part.is_empty())
        && regex.find(text).is_some_and(|m| m.is_empty())
    {
        parts.remove(0);
    }
    let parts = parts.into_iter().map(|part| evaluation.arena.text(part)).collect::<Result<_, _>>()?;
    evaluation.arena.new_list(parts)
}

fn of_list(
    evaluation: &mut Evaluation<'_>,
    at: usize,
    (name, arguments): (&str, Given<'_>),
) -> Result<Option<Value>, TemplateError> {
    let length = evaluation.arena.list(at).len();
    if ["add", "remove"].contains(&name) && !matches!((name, arguments), ("add", [_])) {
        // What stands behind the place moves.
        evaluation.arena.step(length / PLACES_OF_A_STEP)?;
    }
    let out_of_range = || TemplateError::Function(format!("{name}: the place is outside of the list"));
    Ok(Some(match (name, arguments) {
        ("size" | "length", []) => count(length),
        ("isEmpty", []) => Value::Boolean(length == 0),
        ("get", [place]) => {
            index(place).and_then(|place| evaluation.arena.list(at).get(place).cloned()).ok_or_else(out_of_range)?
        }
        ("add", [item]) => {
            evaluation.arena.list_mut(at)?.push(item.clone());
            Value::Boolean(true)
        }
        ("add", [place, item]) => {
            let place = index(place).filter(|place| *place <= length).ok_or_else(out_of_range)?;
            evaluation.arena.list_mut(at)?.insert(place, item.clone());
            Value::Null
        }
        ("addAll", [Value::List(other)]) => {
            let items = evaluation.arena.list(*other).to_vec();
            evaluation.arena.charge(items.len().saturating_mul(64))?;
            evaluation.arena.list_mut(at)?.extend(items);
            Value::Boolean(true)
        }
        ("set", [place, item]) => {
            let place = index(place).filter(|place| *place < length).ok_or_else(out_of_range)?;
            let slot = evaluation.arena.list_mut(at)?.get_mut(place).ok_or_else(out_of_range)?;
            std::mem::replace(slot, item.clone())
        }
        ("remove", [place @ Value::Integer(_)]) => {
            let place = index(place).filter(|place| *place < length).ok_or_else(out_of_range)?;
            evaluation.arena.list_mut(at)?.remove(place)
        }
        ("clear", []) => {
            evaluation.arena.list_mut(at)?.clear();
            Value::Null
        }
        ("contains", [item]) => Value::Boolean(find(evaluation, at, item)?.is_some()),
        ("indexOf", [item]) => find(evaluation, at, item)?.map_or(Value::Integer(-1), count),
        _ => return Ok(None),
    }))
}

fn find(evaluation: &mut Evaluation<'_>, at: usize, wanted: &Value) -> Result<Option<usize>, TemplateError> {
    for (place, item) in evaluation.arena.list(at).iter().enumerate() {
        if evaluation.arena.equal(item, wanted)? {
            evaluation.arena.step(place)?;
            return Ok(Some(place));
        }
    }
    let length = evaluation.arena.list(at).len();
    evaluation.arena.step(length)?;
    Ok(None)
}

fn of_map(
    evaluation: &mut Evaluation<'_>,
    at: usize,
    (name, arguments): (&str, Given<'_>),
) -> Result<Option<Value>, TemplateError> {
    let length = evaluation.arena.map(at).len();
    Ok(Some(match (name, arguments) {
        ("size", []) => count(length),
        ("isEmpty", []) => Value::Boolean(length == 0),
        ("getKey", []) => member(evaluation, at, &Value::Text("key".into()))?.unwrap_or(Value::Null),
        ("getValue", []) => member(evaluation, at, &Value::Text("value".into()))?.unwrap_or(Value::Null),
        ("get", [key]) => member(evaluation, at, key)?.unwrap_or(Value::Null),
        ("getOrDefault", [key, default]) => member(evaluation, at, key)?.unwrap_or_else(|| default.clone()),
        ("containsKey", [key]) => Value::Boolean(member(evaluation, at, key)?.is_some()),
        ("containsValue", [value]) => {
            evaluation.arena.step(length)?;
            let mut found = false;
            for item in evaluation.arena.map(at).values() {
                found = found || evaluation.arena.equal(item, value)?;
            }
            Value::Boolean(found)
        }
        ("put", [key, value]) => {
            let key: Shared = evaluation.arena.printed(key)?.into();
            evaluation.arena.charge(key.len())?;
            evaluation.arena.map_mut(at)?.insert(key, value.clone()).unwrap_or(Value::Null)
        }
        ("putAll", [Value::Map(other)]) => {
            let entries = evaluation.arena.map(*other).clone();
            evaluation.arena.charge(entries.len().saturating_mul(64))?;
            evaluation.arena.map_mut(at)?.extend(entries);
            Value::Null
        }
        ("remove", [key]) => {
            let key = evaluation.arena.printed(key)?;
            evaluation.arena.step(length)?;
            evaluation.arena.map_mut(at)?.shift_remove(key.as_str()).unwrap_or(Value::Null)
        }
        ("clear", []) => {
            evaluation.arena.map_mut(at)?.clear();
            Value::Null
        }
        ("keySet" | "keys", []) => {
            let keys = evaluation.arena.map(at).keys().cloned().map(Value::Text).collect();
            evaluation.arena.new_list(keys)?
        }
        ("values", []) => {
            let values = evaluation.arena.map(at).values().cloned().collect();
            evaluation.arena.new_list(values)?
        }
        ("entrySet", []) => entries(evaluation, at)?,
        _ => return Ok(None),
    }))
}

fn member(evaluation: &Evaluation<'_>, at: usize, key: &Value) -> Result<Option<Value>, TemplateError> {
    let key = evaluation.arena.printed(key)?;
    Ok(evaluation.arena.member(at, &key).cloned())
}

/// Entries are maps of `key` and `value`.
fn entries(evaluation: &mut Evaluation<'_>, at: usize) -> Result<Value, TemplateError> {
    let pairs: Vec<(Shared, Value)> =
        evaluation.arena.map(at).iter().map(|(key, value)| (Shared::clone(key), value.clone())).collect();
    let mut list = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let entry = Entries::from_iter([("key".into(), Value::Text(key)), ("value".into(), value)]);
        list.push(evaluation.arena.new_map(entry)?);
    }
    evaluation.arena.new_list(list)
}

fn of_number(
    evaluation: &mut Evaluation<'_>,
    value: &Value,
    (name, arguments): (&str, Given<'_>),
) -> Result<Option<Value>, TemplateError> {
    let parsed = |text: &str| text.trim().parse().map(Value::Integer);
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as Java converts")]
    Ok(Some(match (name, arguments, value) {
        ("intValue" | "longValue", [], Value::Float(value)) => Value::Integer(*value as i64),
        ("intValue" | "longValue", [], _) => value.clone(),
        ("doubleValue" | "floatValue", [], Value::Integer(value)) => Value::Float(*value as f64),
        ("doubleValue" | "floatValue", [], _) => value.clone(),
        // `#set($Integer = 0)` and then `$Integer.parseInt("5")` is how templates read a number.
        ("parseInt" | "parseLong", [text], _) | ("valueOf", [text], Value::Integer(_)) => {
            let text = evaluation.arena.printed(text)?;
            parsed(&text).map_err(|_| TemplateError::Function(format!("{name}: this is not a whole number")))?
        }
        ("parseDouble" | "parseFloat", [text], _) | ("valueOf", [text], Value::Float(_)) => {
            let text = evaluation.arena.printed(text)?;
            let number = text.trim().parse().map(Value::Float);
            number.map_err(|_| TemplateError::Function(format!("{name}: this is not a number")))?
        }
        _ => return Ok(None),
    }))
}
