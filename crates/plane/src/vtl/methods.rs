//! The Java methods that templates call on their values: those of strings, lists, maps and numbers that API Gateway's documents
//! and common templates use. An unknown method is an error that names it, never silence.

use regex::RegexBuilder;
use topology::template::vocabulary::{AnyMethod, ListMethod, MapMethod, NumberMethod, TextMethod};

use super::TemplateError;
use super::evaluate::Evaluation;
use super::value::{Arena, ENTRY_BYTES, Entries, Shared, Value, bounded};
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
    let count = arguments.len();
    match AnyMethod::find(name, count) {
        Some(AnyMethod::ToString) => return printed(evaluation, value),
        Some(AnyMethod::Equals) => return Ok(Value::Boolean(evaluation.arena.equal(value, at(arguments, 0))?)),
        None => {}
    }
    let answer = match value {
        Value::Text(text) => {
            TextMethod::find(name, count).map(|method| of_text(evaluation, text, (method, name, arguments)))
        }
        Value::List(place) => {
            ListMethod::find(name, count).map(|method| of_list(evaluation, *place, (method, name, arguments)))
        }
        Value::Map(place) => MapMethod::find(name, count).map(|method| of_map(evaluation, *place, (method, arguments))),
        Value::Integer(_) | Value::Float(_) => {
            NumberMethod::find(name, count).map(|method| of_number(evaluation, value, (method, name, arguments)))
        }
        Value::Null
        | Value::Boolean(_)
        | Value::Context(_)
        | Value::Input
        | Value::Util
        | Value::Loop(_)
        | Value::Block(_) => None,
    };
    answer.unwrap_or_else(|| Err(missing("this value", (name, arguments))))
}

/// What is said of a method that this kind of value has not.
pub(super) fn missing(subject: &str, (name, arguments): (&str, Given<'_>)) -> TemplateError {
    TemplateError::Function(format!("there is no method {name} with {} arguments on {subject}", arguments.len()))
}

/// What a method is given at this place. It was found by how much it is given.
fn at(arguments: Given<'_>, place: usize) -> &Value {
    arguments.get(place).unwrap_or(&Value::Null)
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
    (method, name, arguments): (TextMethod, &str, Given<'_>),
) -> Result<Value, TemplateError> {
    evaluation.arena.work(text.len())?;
    let one = evaluation.arena.printed(at(arguments, 0))?;
    let other = one.as_str();
    Ok(match method {
        TextMethod::IsEmpty => Value::Boolean(text.is_empty()),
        TextMethod::Contains => Value::Boolean(text.contains(other)),
        TextMethod::StartsWith => Value::Boolean(text.starts_with(other)),
        TextMethod::EndsWith => Value::Boolean(text.ends_with(other)),
        TextMethod::EqualsIgnoreCase => Value::Boolean(text.to_lowercase() == other.to_lowercase()),
        TextMethod::Matches => Value::Boolean(regex(&evaluation.arena, &format!("^(?:{other})$"))?.is_match(text)),
        TextMethod::Length => count(text.chars().count()),
        TextMethod::IndexOf => place(text, text.find(other)),
        TextMethod::LastIndexOf => place(text, text.rfind(other)),
        TextMethod::Split => split(evaluation, text, other)?,
        TextMethod::Trim => evaluation.arena.text(text.trim())?,
        TextMethod::ToUpperCase => made(evaluation, &text.to_uppercase())?,
        TextMethod::ToLowerCase => made(evaluation, &text.to_lowercase())?,
        TextMethod::Concat => made(evaluation, &format!("{text}{other}"))?,
        TextMethod::Substring | TextMethod::SubstringTo | TextMethod::CharAt => {
            let part = part(text, (method, arguments))
                .ok_or_else(|| TemplateError::Function(format!("{name}: the place is outside of the text")))?;
            made(evaluation, &part)?
        }
        TextMethod::Replace | TextMethod::ReplaceAll | TextMethod::ReplaceFirst => {
            let to = evaluation.arena.printed(at(arguments, 1))?;
            let replaced = replaced(&evaluation.arena, text, (method, other, &to))?;
            made(evaluation, &replaced)?
        }
    })
}

/// A text that a method has made.
fn made(evaluation: &mut Evaluation<'_>, text: &str) -> Result<Value, TemplateError> {
    bounded(text)?;
    evaluation.arena.text(text)
}

/// A part of a text by its places, in characters; `None` where they are outside of it.
fn part(text: &str, (method, arguments): (TextMethod, Given<'_>)) -> Option<String> {
    let from = index(at(arguments, 0))?;
    if method == TextMethod::CharAt {
        return text.chars().nth(from).map(String::from);
    }
    let length = text.chars().count();
    let to = if method == TextMethod::SubstringTo { index(at(arguments, 1))? } else { length };
    (from <= to && to <= length).then(|| text.chars().skip(from).take(to - from).collect())
}

fn replaced(arena: &Arena, text: &str, (method, from, to): (TextMethod, &str, &str)) -> Result<String, TemplateError> {
    match method {
        TextMethod::ReplaceAll => replace_all(arena, text, (from, to)),
        TextMethod::ReplaceFirst => Ok(regex(arena, from)?.replace(text, java_groups(to)).into_owned()),
        // The result may be longer than both: its size is known before it is made.
        _ => {
            let places = text.matches(from).count();
            arena.step(places / PLACES_OF_A_STEP)?;
            let grown = places.saturating_mul(to.len()).saturating_add(text.len());
            if grown > crate::limits::TEMPLATE_OUTPUT_BYTES_MAX {
                return Err(too_long());
            }
            Ok(text.replace(from, to))
        }
    }
}

fn too_long() -> TemplateError {
    TemplateError::TooMuch { what: "bytes of output", limit: crate::limits::TEMPLATE_OUTPUT_BYTES_MAX }
}

/// Every match replaced; a result that grows too long is given up while it is made.
fn replace_all(arena: &Arena, text: &str, (pattern, to): (&str, &str)) -> Result<String, TemplateError> {
    let (regex, to) = (regex(arena, pattern)?, java_groups(to));
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
fn regex(arena: &Arena, pattern: &str) -> Result<regex::Regex, TemplateError> {
    arena.step(STEPS_OF_A_PATTERN)?;
    let built = RegexBuilder::new(pattern).size_limit(TEMPLATE_REGEX_BYTES_MAX).build();
    built.map_err(|_| TemplateError::Function(format!("{pattern} is not a regular expression that is supported here")))
}

/// Java drops empty parts at the end.
fn split(evaluation: &mut Evaluation<'_>, text: &str, pattern: &str) -> Result<Value, TemplateError> {
    let regex = regex(&evaluation.arena, pattern)?;
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
    list: usize,
    (method, name, arguments): (ListMethod, &str, Given<'_>),
) -> Result<Value, TemplateError> {
    let length = evaluation.arena.list(list).len();
    let (one, two) = (at(arguments, 0), at(arguments, 1));
    let out_of_range = || TemplateError::Function(format!("{name}: the place is outside of the list"));
    Ok(match method {
        ListMethod::Size => count(length),
        ListMethod::IsEmpty => Value::Boolean(length == 0),
        ListMethod::Get => {
            index(one).and_then(|place| evaluation.arena.list(list).get(place).cloned()).ok_or_else(out_of_range)?
        }
        ListMethod::Add => {
            evaluation.arena.list_mut(list)?.push(one.clone());
            Value::Boolean(true)
        }
        ListMethod::AddAt => {
            let place = index(one).filter(|place| *place <= length).ok_or_else(out_of_range)?;
            // What stands behind the place moves.
            evaluation.arena.step(length / PLACES_OF_A_STEP)?;
            evaluation.arena.list_mut(list)?.insert(place, two.clone());
            Value::Null
        }
        ListMethod::AddAll => {
            let Value::List(other) = one else { return Err(wrong(name, "a list")) };
            let items = evaluation.arena.list(*other).to_vec();
            evaluation.arena.charge(items.len().saturating_mul(64))?;
            evaluation.arena.list_mut(list)?.extend(items);
            Value::Boolean(true)
        }
        ListMethod::Set => {
            let place = index(one).filter(|place| *place < length).ok_or_else(out_of_range)?;
            let slot = evaluation.arena.list_mut(list)?.get_mut(place).ok_or_else(out_of_range)?;
            std::mem::replace(slot, two.clone())
        }
        ListMethod::Remove => {
            let Value::Integer(_) = one else { return Err(wrong(name, "a place")) };
            let place = index(one).filter(|place| *place < length).ok_or_else(out_of_range)?;
            evaluation.arena.step(length / PLACES_OF_A_STEP)?;
            evaluation.arena.list_mut(list)?.remove(place)
        }
        ListMethod::Clear => {
            evaluation.arena.list_mut(list)?.clear();
            Value::Null
        }
        ListMethod::Contains => Value::Boolean(find(evaluation, list, one)?.is_some()),
        ListMethod::IndexOf => find(evaluation, list, one)?.map_or(Value::Integer(-1), count),
    })
}

fn wrong(name: &str, takes: &str) -> TemplateError {
    TemplateError::Function(format!("{name} takes {takes} here"))
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
    map: usize,
    (method, arguments): (MapMethod, Given<'_>),
) -> Result<Value, TemplateError> {
    let length = evaluation.arena.map(map).len();
    let (one, two) = (at(arguments, 0), at(arguments, 1));
    Ok(match method {
        MapMethod::Size => count(length),
        MapMethod::IsEmpty => Value::Boolean(length == 0),
        MapMethod::GetKey => member(evaluation, map, &Value::Text("key".into()))?.unwrap_or(Value::Null),
        MapMethod::GetValue => member(evaluation, map, &Value::Text("value".into()))?.unwrap_or(Value::Null),
        MapMethod::Get => member(evaluation, map, one)?.unwrap_or(Value::Null),
        MapMethod::GetOrDefault => member(evaluation, map, one)?.unwrap_or_else(|| two.clone()),
        MapMethod::ContainsKey => Value::Boolean(member(evaluation, map, one)?.is_some()),
        MapMethod::ContainsValue => Value::Boolean(holds_value(evaluation, map, one)?),
        MapMethod::Put => {
            let key: Shared = evaluation.arena.printed(one)?.into();
            evaluation.arena.charge(key.len())?;
            evaluation.arena.map_mut(map)?.insert(key, two.clone()).unwrap_or(Value::Null)
        }
        MapMethod::PutAll => {
            let Value::Map(other) = one else { return Err(wrong("putAll", "a map")) };
            let entries = evaluation.arena.map(*other).clone();
            evaluation.arena.charge(entries.len().saturating_mul(64))?;
            evaluation.arena.map_mut(map)?.extend(entries);
            Value::Null
        }
        MapMethod::Remove => {
            let key = evaluation.arena.printed(one)?;
            evaluation.arena.step(length)?;
            evaluation.arena.map_mut(map)?.shift_remove(key.as_str()).unwrap_or(Value::Null)
        }
        MapMethod::Clear => {
            evaluation.arena.map_mut(map)?.clear();
            Value::Null
        }
        MapMethod::KeySet => {
            let keys = evaluation.arena.map(map).keys().cloned().map(Value::Text).collect();
            evaluation.arena.new_list(keys)?
        }
        MapMethod::Values => {
            let values = evaluation.arena.map(map).values().cloned().collect();
            evaluation.arena.new_list(values)?
        }
        MapMethod::EntrySet => entries(evaluation, map)?,
    })
}

fn holds_value(evaluation: &Evaluation<'_>, map: usize, wanted: &Value) -> Result<bool, TemplateError> {
    let entries = evaluation.arena.map(map);
    evaluation.arena.step(entries.len())?;
    for item in entries.values() {
        if evaluation.arena.equal(item, wanted)? {
            return Ok(true);
        }
    }
    Ok(false)
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
    evaluation: &Evaluation<'_>,
    value: &Value,
    (method, name, arguments): (NumberMethod, &str, Given<'_>),
) -> Result<Value, TemplateError> {
    let text = evaluation.arena.printed(at(arguments, 0))?;
    let whole = || {
        let number = text.trim().parse().map(Value::Integer);
        number.map_err(|_| TemplateError::Function(format!("{name}: this is not a whole number")))
    };
    let float = || {
        let number = text.trim().parse().map(Value::Float);
        number.map_err(|_| TemplateError::Function(format!("{name}: this is not a number")))
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as Java converts")]
    Ok(match (method, value) {
        (NumberMethod::IntValue, Value::Float(value)) => Value::Integer(*value as i64),
        (NumberMethod::DoubleValue, Value::Integer(value)) => Value::Float(*value as f64),
        (NumberMethod::IntValue | NumberMethod::DoubleValue, _) => value.clone(),
        (NumberMethod::ParseDouble, _) | (NumberMethod::ValueOf, Value::Float(_)) => float()?,
        (NumberMethod::ParseInt | NumberMethod::ValueOf, _) => whole()?,
    })
}
