//! The values of a template while it is evaluated. Lists and maps live in an arena and are named by their place in it: they are
//! shared and changed in place as in Java, and go with the arena, even where one holds itself.

use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::time::Instant;
use topology::template::syntax::Node;

use super::TemplateError;
use super::json::Json;
use crate::clock;
use crate::limits::{
    TEMPLATE_BYTES_HELD_MAX, TEMPLATE_NESTING_MAX, TEMPLATE_OUTPUT_BYTES_MAX, TEMPLATE_SECONDS_MAX, TEMPLATE_TIME_MAX,
};

/// Text that values share while a template is evaluated.
pub(super) type Shared = Rc<str>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Shared),
    /// A list, by its place.
    List(usize),
    /// A map, by its place.
    Map(usize),
    /// `$context`, or what stands below it, by its name there.
    Context(Shared),
    /// `$input`
    Input,
    /// `$util`
    Util,
    /// `$foreach` of the loop at this place.
    Loop(usize),
    /// What `#define` gave a name; it is text wherever the name stands.
    Block(Arc<Vec<Node>>),
}

/// A map keeps the order of its entries.
pub(super) type Entries = IndexMap<Shared, Value>;

/// What an entry costs beside its text.
pub(super) const ENTRY_BYTES: usize = 64;

/// Lists and maps, and what all values together may hold.
#[derive(Debug)]
pub(super) struct Arena {
    lists: Vec<Vec<Value>>,
    maps: Vec<Entries>,
    held: usize,
    steps: Cell<usize>,
    steps_max: usize,
    begun: Instant,
    /// Maps of headers, whose names are found whatever their case: over HTTP/2 all of them are in lower case.
    of_headers: Vec<usize>,
}

/// How often the clock is looked at: once in so many steps.
const STEPS_OF_A_LOOK: usize = 1024;

/// Bytes of text that cost a step.
const BYTES_OF_A_STEP: usize = 256;

impl Arena {
    /// For an evaluation of so many steps at most.
    pub(super) fn new(steps_max: usize) -> Self {
        Self {
            lists: Vec::new(),
            maps: Vec::new(),
            held: 0,
            steps: Cell::new(0),
            steps_max,
            begun: clock::now(),
            of_headers: Vec::new(),
        }
    }

    /// Counts work.
    pub(super) fn step(&self, steps: usize) -> Result<(), TemplateError> {
        let (before, now) = (self.steps.get(), self.steps.get().saturating_add(steps));
        self.steps.set(now);
        if now > self.steps_max {
            return Err(TemplateError::TooMuch { what: "steps", limit: self.steps_max });
        }
        let looks = before / STEPS_OF_A_LOOK != now / STEPS_OF_A_LOOK;
        if looks && clock::now().duration_since(self.begun) > TEMPLATE_TIME_MAX {
            return Err(TemplateError::TooMuch { what: "s", limit: TEMPLATE_SECONDS_MAX });
        }
        Ok(())
    }

    /// Counts work on text of this length.
    pub(super) fn work(&self, bytes: usize) -> Result<(), TemplateError> {
        self.step(1 + bytes / BYTES_OF_A_STEP)
    }

    /// Counts bytes that are held to the end.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.held = self.held.saturating_add(bytes);
        if self.held > TEMPLATE_BYTES_HELD_MAX {
            return Err(TemplateError::TooMuch { what: "bytes of values", limit: TEMPLATE_BYTES_HELD_MAX });
        }
        Ok(())
    }

    pub(super) fn text(&mut self, text: &str) -> Result<Value, TemplateError> {
        self.charge(text.len())?;
        Ok(Value::Text(text.into()))
    }

    pub(super) fn new_list(&mut self, items: Vec<Value>) -> Result<Value, TemplateError> {
        self.charge(items.len().saturating_add(1).saturating_mul(ENTRY_BYTES))?;
        self.lists.push(items);
        Ok(Value::List(self.lists.len() - 1))
    }

    pub(super) fn new_map(&mut self, entries: Entries) -> Result<Value, TemplateError> {
        self.charge(entries.len().saturating_add(1).saturating_mul(ENTRY_BYTES))?;
        self.maps.push(entries);
        Ok(Value::Map(self.maps.len() - 1))
    }

    /// A map of texts.
    pub(super) fn map_of<'t>(
        &mut self,
        entries: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Value, TemplateError> {
        let mut map = Entries::default();
        for (name, value) in entries {
            let value = self.text(value)?;
            map.insert(name.into(), value);
        }
        self.new_map(map)
    }

    pub(super) fn list(&self, at: usize) -> &[Value] {
        self.lists.get(at).map_or(&[], Vec::as_slice)
    }

    pub(super) fn map(&self, at: usize) -> &Entries {
        // Places come from `new_map` of the same arena only.
        &self.maps[at]
    }

    /// A map of texts that is one of headers.
    pub(super) fn map_of_headers<'t>(
        &mut self,
        entries: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Value, TemplateError> {
        let map = self.map_of(entries)?;
        if let Value::Map(at) = map {
            self.of_headers.push(at);
        }
        Ok(map)
    }

    /// The member of this name.
    pub(super) fn member(&self, at: usize, name: &str) -> Option<&Value> {
        let map = self.map(at);
        let any_case = || map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        map.get(name).or_else(|| if self.of_headers.contains(&at) { any_case() } else { None })
    }

    pub(super) fn list_mut(&mut self, at: usize) -> Result<&mut Vec<Value>, TemplateError> {
        self.charge(ENTRY_BYTES)?;
        // Places come from `new_list` of the same arena only.
        Ok(&mut self.lists[at])
    }

    pub(super) fn map_mut(&mut self, at: usize) -> Result<&mut Entries, TemplateError> {
        self.charge(ENTRY_BYTES)?;
        Ok(&mut self.maps[at])
    }

    /// A JSON document as values.
    pub(super) fn adopt(&mut self, json: &Json) -> Result<Value, TemplateError> {
        Ok(match json {
            Json::Null => Value::Null,
            Json::Boolean(value) => Value::Boolean(*value),
            Json::Integer(value) => Value::Integer(*value),
            Json::Float(value) => Value::Float(*value),
            Json::Text(text) => self.text(text)?,
            Json::List(items) => {
                let items = items.iter().map(|item| self.adopt(item)).collect::<Result<_, _>>()?;
                self.new_list(items)?
            }
            Json::Map(entries) => {
                let mut map = Entries::with_capacity(entries.len());
                for (name, value) in entries {
                    self.charge(name.len())?;
                    let value = self.adopt(value)?;
                    map.insert(name.as_str().into(), value);
                }
                self.new_map(map)?
            }
        })
    }

    /// Prints a value as Java does: `[a, b]`, `{a=b}`. Nothing prints nothing.
    pub(super) fn print(&self, value: &Value, into: &mut String) -> Result<(), TemplateError> {
        self.print_at(value, into, 0)
    }

    fn print_at(&self, value: &Value, into: &mut String, depth: usize) -> Result<(), TemplateError> {
        if depth > TEMPLATE_NESTING_MAX {
            return Err(TemplateError::TooMuch { what: "levels of nesting", limit: TEMPLATE_NESTING_MAX });
        }
        self.step(1)?;
        match value {
            Value::Text(text) => {
                self.work(text.len())?;
                into.push_str(text);
            }
            // Writing to a String does not fail.
            Value::Boolean(value) => drop(write!(into, "{value}")),
            Value::Integer(value) => drop(write!(into, "{value}")),
            Value::Float(value) => drop(write!(into, "{value:?}")),
            Value::List(at) => {
                into.push('[');
                for (n, item) in self.list(*at).iter().enumerate() {
                    into.push_str(if n == 0 { "" } else { ", " });
                    self.print_inner(item, into, depth)?;
                }
                into.push(']');
            }
            Value::Map(at) => {
                into.push('{');
                for (n, (name, item)) in self.map(*at).iter().enumerate() {
                    into.push_str(if n == 0 { "" } else { ", " });
                    into.push_str(name);
                    into.push('=');
                    self.print_inner(item, into, depth)?;
                }
                into.push('}');
            }
            Value::Null | Value::Context(_) | Value::Input | Value::Util | Value::Loop(_) | Value::Block(_) => {}
        }
        bounded(into)
    }

    /// Within a list or map, nothing prints `null`.
    fn print_inner(&self, value: &Value, into: &mut String, depth: usize) -> Result<(), TemplateError> {
        if *value == Value::Null {
            into.push_str("null");
            return Ok(());
        }
        self.print_at(value, into, depth + 1)
    }

    /// A value as text.
    pub(super) fn printed(&self, value: &Value) -> Result<String, TemplateError> {
        let mut text = String::new();
        self.print(value, &mut text)?;
        Ok(text)
    }

    /// Whether two values are equal, contents and all.
    pub(super) fn equal(&self, left: &Value, right: &Value) -> Result<bool, TemplateError> {
        #[allow(clippy::cast_precision_loss, reason = "as Java compares a long with a double")]
        Ok(match (left, right) {
            (Value::Integer(a), Value::Float(b)) | (Value::Float(b), Value::Integer(a)) => (*a as f64) == *b,
            (Value::List(_) | Value::Map(_), Value::List(_) | Value::Map(_)) => {
                left == right || self.printed(left)? == self.printed(right)?
            }
            // Texts and anything else are compared as text, as Velocity does.
            (Value::Text(text), other) | (other, Value::Text(text)) if *other != Value::Null => match other {
                Value::Text(other) => text == other,
                other => self.printed(other)? == **text,
            },
            (left, right) => left == right,
        })
    }
}

/// Refuses text that is longer than what a template may give.
pub(super) fn bounded(text: &str) -> Result<(), TemplateError> {
    if text.len() > TEMPLATE_OUTPUT_BYTES_MAX {
        return Err(TemplateError::TooMuch { what: "bytes of output", limit: TEMPLATE_OUTPUT_BYTES_MAX });
    }
    Ok(())
}

/// Whether a value holds in a condition: everything but nothing and `false` (Velocity 1.7).
pub(super) const fn holds(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Boolean(false))
}
