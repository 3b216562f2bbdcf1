//! YAML into the values of JSON (YAML 1.2.2, core schema; merge keys as YAML 1.1 has them), within a budget that is asked before each
//! of them is built. A node that an alias repeats is paid for again. The reader of the syntax stops at 255 levels of brackets by
//! itself; what it reads ahead for one node is bounded too.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use super::budget::{AHEAD_CHARS_MAX, Budget, TooMuch};

/// Reads a document.
///
/// # Errors
/// Why it is no YAML, or what it has too much of.
pub(super) fn read(text: &str, budget: &mut Budget) -> Result<Value, String> {
    let ahead = Rc::new(Cell::new(0));
    let chars = Ahead { chars: text.chars(), taken: Rc::clone(&ahead) };
    let mut builder = Builder { budget, open: Vec::new(), anchored: HashMap::new(), root: None };
    for event in Parser::new_from_iter(chars) {
        if ahead.get() > AHEAD_CHARS_MAX {
            return Err(builder.budget.stop(TooMuch::Ahead).to_string());
        }
        ahead.set(0);
        let (event, _) = event.map_err(|error| error.to_string())?;
        builder.take(event)?;
    }
    builder.root.ok_or_else(|| "there is no document".to_owned())
}

/// The characters of a document, as long as the reader does not run ahead of its events.
struct Ahead<'t> {
    chars: std::str::Chars<'t>,
    taken: Rc<Cell<usize>>,
}

impl Iterator for Ahead<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if self.taken.get() > AHEAD_CHARS_MAX {
            return None;
        }
        self.taken.set(self.taken.get() + 1);
        self.chars.next()
    }
}

/// A node that an alias may repeat.
struct Anchored {
    value: Value,
    bytes: usize,
    levels: usize,
}

/// A list or map that is not closed yet.
struct Open {
    anchor: usize,
    /// What was spent before it was opened.
    before: usize,
    /// Levels below it, so far.
    levels: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Value>),
    Map { map: Map<String, Value>, key: Option<String>, merged: Vec<Value> },
}

/// The key whose value is merged into its map.
const MERGE: &str = "<<";

struct Builder<'b> {
    budget: &'b mut Budget,
    open: Vec<Open>,
    anchored: HashMap<usize, Anchored>,
    root: Option<Value>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        let said = |too_much: TooMuch| too_much.to_string();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let before = self.budget.spent();
                self.budget.value(&text).map_err(said)?;
                let value = scalar(&text, style, tag.as_deref());
                // A key is the text as it stands: `200` and `yes` are names.
                let name = (style == ScalarStyle::Plain && text == MERGE, text.into_owned());
                self.keep((anchor, before, 0), &value)?;
                self.put(value, Some(name), 0)
            }
            Event::Alias(anchor) => {
                let known = self.anchored.get(&anchor).ok_or("an alias stands within what it repeats")?;
                self.budget.again(known.bytes).map_err(said)?;
                self.budget.level(self.open.len() + known.levels).map_err(said)?;
                let (value, levels) = (known.value.clone(), known.levels);
                let name = value.as_str().map(|text| (false, text.to_owned()));
                self.put(value, name, levels)
            }
            Event::SequenceStart(anchor, _) => self.enter(anchor, Kind::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.enter(anchor, Kind::Map { map: Map::new(), key: None, merged: Vec::new() })
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(),
            Event::DocumentStart(_) if self.root.is_some() => Err("there is more than one document".to_owned()),
            _ => Ok(()),
        }
    }

    fn enter(&mut self, anchor: usize, kind: Kind) -> Result<(), String> {
        let before = self.budget.spent();
        let paid = match &kind {
            Kind::List(_) => self.budget.value(""),
            Kind::Map { .. } => self.budget.map(),
        };
        paid.and_then(|()| self.budget.level(self.open.len() + 1)).map_err(|too_much| too_much.to_string())?;
        self.open.push(Open { anchor, before, levels: 1, kind });
        Ok(())
    }

    fn leave(&mut self) -> Result<(), String> {
        let Some(Open { anchor, before, levels, kind }) = self.open.pop() else { return Ok(()) };
        let value = match kind {
            Kind::List(items) => Value::Array(items),
            Kind::Map { map, merged, .. } => Value::Object(merge(map, merged)?),
        };
        self.keep((anchor, before, levels), &value)?;
        self.put(value, None, levels)
    }

    /// Keeps a node that has an anchor: what an alias repeats is a copy, which is paid for too.
    fn keep(&mut self, (anchor, before, levels): (usize, usize, usize), value: &Value) -> Result<(), String> {
        if anchor != 0 {
            let bytes = self.budget.spent() - before;
            self.budget.again(bytes).map_err(|too_much| too_much.to_string())?;
            self.anchored.insert(anchor, Anchored { value: value.clone(), bytes, levels });
        }
        Ok(())
    }

    /// Puts a node where it belongs. `name` is what it is called if it is a key, and whether it is the one that merges.
    fn put(&mut self, value: Value, name: Option<(bool, String)>, levels: usize) -> Result<(), String> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(value);
            return Ok(());
        };
        open.levels = open.levels.max(levels + 1);
        match &mut open.kind {
            Kind::List(items) => items.push(value),
            Kind::Map { map, key, merged } => match key.take() {
                Some(known) if known == MERGE => merged.push(value),
                Some(known) => drop(map.insert(known, value)),
                None => {
                    let (is_merge, text) = name.ok_or("a key is a list or a map")?;
                    self.budget.key(&text).map_err(|too_much| too_much.to_string())?;
                    if !is_merge && text == MERGE {
                        return Err("a key is spelled <<, in quotes".to_owned());
                    }
                    *key = Some(text);
                }
            },
        }
        Ok(())
    }
}

/// A map with what is merged into it: its own entries come first, then those of earlier maps.
fn merge(mut map: Map<String, Value>, merged: Vec<Value>) -> Result<Map<String, Value>, String> {
    let mut sources = Vec::new();
    for value in merged {
        match value {
            Value::Array(several) => sources.extend(several),
            one => sources.push(one),
        }
    }
    for source in sources {
        let Value::Object(members) = source else { return Err("what is merged is no map".to_owned()) };
        for (name, value) in members {
            map.entry(name).or_insert(value);
        }
    }
    Ok(map)
}

/// A scalar by YAML's core schema. Digits with a zero before them stay text, as account numbers and codes are meant.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let as_text = || Value::String(text.to_owned());
    if style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str" || tag.suffix.is_empty()) {
        return as_text();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(as_text, Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let radix =
        |digits: &str, radix| i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']));
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16).map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8).map(Number::from);
    }
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut bytes = bare.bytes();
    let (first, second) = (bytes.next()?, bytes.next());
    let is_padded = first == b'0' && second.is_some_and(|b| b.is_ascii_digit());
    let spelled = bare.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
    if is_padded || !spelled || !(first.is_ascii_digit() || first == b'.') {
        return None;
    }
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    whole.ok().or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}
