//! Walks a parsed template. Each piece and each expression is a step, and long texts are many: a template that would run on is
//! stopped.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use topology::template::Template;
use topology::template::syntax::{Expression, Macro, Node, Operator, Reference, Step};
use topology::template::vocabulary::{InputFunction, MapMethod, UtilFunction};
use topology::variable::Known;

use super::json::Document;
use super::value::{Arena, Entries, Shared, Value, bounded, holds};
use super::{Rendered, Scope, TemplateError, functions, methods};
use crate::limits::{TEMPLATE_LOOP_MAX, TEMPLATE_NESTING_MAX};

/// What a value of a document costs beside its text.
const VALUE_BYTES: usize = 32;

/// What a template may write below `$context`.
const OVERRIDES: [&str; 2] = ["requestOverride.", "responseOverride."];

/// What of `$context` is a number, so that templates can count with it.
const NUMBERS: [&str; 1] = ["requestTimeEpoch"];

/// A template under evaluation.
pub(super) struct Evaluation<'e> {
    pub(super) scope: &'e Scope<'e>,
    pub(super) arena: Arena,
    macros: &'e BTreeMap<String, Macro>,
    variables: BTreeMap<Arc<str>, Value>,
    loops: Vec<Loop>,
    out: String,
    overrides: BTreeMap<String, String>,
    document: Option<Rc<Document>>,
    stage_variables: Option<Value>,
    depth: usize,
}

/// A loop under way.
#[derive(Debug, Clone, Copy)]
struct Loop {
    index: usize,
    length: usize,
}

/// Whether evaluation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    Break,
    Stop,
}

/// Evaluates a template in so many steps at most.
pub(super) fn run(template: &Template, scope: &Scope<'_>, steps_max: usize) -> Result<Rendered, TemplateError> {
    let mut evaluation = Evaluation {
        scope,
        arena: Arena::new(steps_max),
        macros: &template.macros,
        variables: BTreeMap::new(),
        loops: Vec::new(),
        out: String::new(),
        overrides: BTreeMap::new(),
        document: None,
        stage_variables: None,
        depth: 0,
    };
    evaluation.nodes(&template.nodes)?;
    Ok(Rendered { text: evaluation.out, overrides: evaluation.overrides })
}

impl Evaluation<'_> {
    /// The body as JSON, read once.
    pub(super) fn document(&mut self) -> Result<Rc<Document>, TemplateError> {
        if let Some(document) = &self.document {
            return Ok(Rc::clone(document));
        }
        // Twice: as the document, and in the form that paths are followed in.
        let values = self.scope.body.bytes().filter(|byte| b",:[{".contains(byte)).count();
        self.arena.charge(self.scope.body.len().saturating_add(values.saturating_mul(2 * VALUE_BYTES)))?;
        let document = Document::parse(self.scope.body);
        // What is not JSON is its text: forms, XML and plain text are mapped as what they are.
        let document = document.unwrap_or_else(|| Document::of_text(self.scope.body));
        Ok(Rc::clone(self.document.insert(Rc::new(document))))
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<Flow, TemplateError> {
        for node in nodes {
            self.arena.step(1)?;
            let flow = self.node(node)?;
            if flow != Flow::GoOn {
                return Ok(flow);
            }
        }
        Ok(Flow::GoOn)
    }

    /// Something one level deeper.
    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, TemplateError>) -> Result<T, TemplateError> {
        self.depth += 1;
        if self.depth > TEMPLATE_NESTING_MAX {
            return Err(TemplateError::TooMuch { what: "levels of nesting", limit: TEMPLATE_NESTING_MAX });
        }
        let done = run(self);
        self.depth -= 1;
        done
    }

    fn node(&mut self, node: &Node) -> Result<Flow, TemplateError> {
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Reference(reference) => self.print(reference)?,
            Node::Set { target, value } => self.set(target, value)?,
            Node::If { arms, otherwise } => {
                for (condition, body) in arms {
                    if holds(&self.expression(condition)?) {
                        return self.deeper(|this| this.nodes(body));
                    }
                }
                return self.deeper(|this| this.nodes(otherwise));
            }
            Node::Foreach { name, list, body } => return self.foreach(name, list, body),
            Node::Break => return Ok(Flow::Break),
            Node::Stop => return Ok(Flow::Stop),
            Node::Call { name, arguments, source } => return self.call(name, arguments, source),
            Node::Define { name, body } => _ = self.variables.insert(Arc::clone(name), Value::Block(Arc::clone(body))),
        }
        Ok(Flow::GoOn)
    }

    fn write(&mut self, text: &str) -> Result<(), TemplateError> {
        self.out.push_str(text);
        bounded(&self.out)
    }

    /// A reference to nothing prints itself, unless it is quiet.
    fn print(&mut self, reference: &Reference) -> Result<(), TemplateError> {
        match self.reference(reference)? {
            Some(value) => {
                let mut out = std::mem::take(&mut self.out);
                let printed = self.arena.print(&value, &mut out);
                self.out = out;
                printed
            }
            None if reference.quiet => Ok(()),
            None => self.write(&reference.source),
        }
    }

    fn set(&mut self, target: &Reference, value: &Expression) -> Result<(), TemplateError> {
        let value = self.expression(value)?;
        // Velocity keeps what was there when there is nothing to set.
        if value == Value::Null {
            return Ok(());
        }
        let Some((last, before)) = target.steps.split_last() else {
            self.variables.insert(Arc::clone(&target.name), value);
            return Ok(());
        };
        let inner = self.root(&target.name)?;
        let inner = inner.map_or(Ok(None), |inner| self.steps_of(inner, before))?;
        let key = match last {
            Step::Property(name) => Value::Text((&**name).into()),
            Step::Index(index) => self.expression(index)?,
            Step::Method { .. } => return Ok(()),
        };
        match inner {
            Some(Value::Context(prefix)) => self.set_override(&prefix, &key, &value),
            Some(Value::Map(at)) => {
                let key: Shared = self.arena.printed(&key)?.into();
                self.arena.map_mut(at)?.insert(key, value);
                Ok(())
            }
            Some(Value::List(at)) => {
                let place = if let Value::Integer(place) = key { usize::try_from(place).ok() } else { None };
                if let Some(slot) = place.and_then(|place| self.arena.list_mut(at).ok()?.get_mut(place)) {
                    *slot = value;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn set_override(&mut self, prefix: &str, key: &Value, value: &Value) -> Result<(), TemplateError> {
        let name = below(prefix, &self.arena.printed(key)?);
        if OVERRIDES.iter().any(|known| name.starts_with(known)) {
            let value = self.arena.printed(value)?;
            self.arena.charge(name.len() + value.len())?;
            self.overrides.insert(name, value);
        }
        Ok(())
    }

    fn foreach(&mut self, name: &Arc<str>, list: &Expression, body: &[Node]) -> Result<Flow, TemplateError> {
        let items: Vec<Value> = match self.expression(list)? {
            Value::List(at) => self.arena.list(at).to_vec(),
            // A map's values, as Velocity goes through them.
            Value::Map(at) => self.arena.map(at).values().cloned().collect(),
            _ => Vec::new(),
        };
        if items.len() > TEMPLATE_LOOP_MAX {
            return Err(TemplateError::TooMuch { what: "iterations of #foreach", limit: TEMPLATE_LOOP_MAX });
        }
        self.arena.step(items.len())?;
        let before = self.variables.get(name).cloned();
        self.loops.push(Loop { index: 0, length: items.len() });
        let mut ended = Flow::GoOn;
        for (index, item) in items.into_iter().enumerate() {
            if let Some(this) = self.loops.last_mut() {
                this.index = index;
            }
            self.variables.insert(Arc::clone(name), item);
            match self.deeper(|this| this.nodes(body))? {
                Flow::GoOn => {}
                Flow::Break => break,
                Flow::Stop => {
                    ended = Flow::Stop;
                    break;
                }
            }
        }
        self.loops.pop();
        self.restore(name, before);
        Ok(ended)
    }

    fn restore(&mut self, name: &Arc<str>, before: Option<Value>) {
        match before {
            Some(value) => self.variables.insert(Arc::clone(name), value),
            None => self.variables.remove(name),
        };
    }

    /// A name that no macro has is text.
    fn call(&mut self, name: &str, arguments: &[Expression], source: &str) -> Result<Flow, TemplateError> {
        let Some(found) = self.macros.get(name) else {
            self.write(source)?;
            return Ok(Flow::GoOn);
        };
        let mut before = Vec::with_capacity(found.parameters.len());
        for (at, parameter) in found.parameters.iter().enumerate() {
            let value = arguments.get(at).map_or(Ok(Value::Null), |argument| self.expression(argument))?;
            before.push((parameter, value));
        }
        for (parameter, value) in &mut before {
            let outer = self.variables.insert(Arc::clone(parameter), std::mem::replace(value, Value::Null));
            *value = outer.unwrap_or(Value::Null);
        }
        let flow = self.deeper(|this| this.nodes(&found.body))?;
        for (parameter, outer) in before {
            self.restore(parameter, Some(outer).filter(|outer| *outer != Value::Null));
        }
        Ok(if flow == Flow::Stop { Flow::Stop } else { Flow::GoOn })
    }

    fn reference(&mut self, reference: &Reference) -> Result<Option<Value>, TemplateError> {
        let Some(root) = self.root(&reference.name)? else { return Ok(None) };
        self.steps_of(root, &reference.steps)
    }

    fn root(&mut self, name: &str) -> Result<Option<Value>, TemplateError> {
        match self.variables.get(name).cloned() {
            // Rendered anew wherever it is named, with what the variables are then (Velocity 1.7 user guide, "Define").
            Some(Value::Block(body)) => return self.interpolated(&body).map(Some),
            Some(value) => return Ok(Some(value)),
            None => {}
        }
        Ok(match name {
            "input" => Some(Value::Input),
            "util" => Some(Value::Util),
            "context" => Some(Value::Context("".into())),
            "stageVariables" => Some(self.stage_variables()?),
            "foreach" => self.loops.len().checked_sub(1).map(Value::Loop),
            "velocityCount" => self.loops.last().map(|this| integer(this.index + 1)),
            _ => None,
        })
    }

    fn stage_variables(&mut self) -> Result<Value, TemplateError> {
        if let Some(value) = &self.stage_variables {
            return Ok(value.clone());
        }
        let variables = self.scope.stage_variables.iter();
        let map = self.arena.map_of(variables.map(|(name, value)| (name.as_str(), value.as_str())))?;
        Ok(self.stage_variables.insert(map).clone())
    }

    fn steps_of(&mut self, mut value: Value, steps: &[Step]) -> Result<Option<Value>, TemplateError> {
        for step in steps {
            self.arena.step(1)?;
            let next = match step {
                Step::Property(name) => self.property(&value, name)?,
                Step::Index(index) => {
                    let index = self.expression(index)?;
                    self.indexed(&value, &index)?
                }
                Step::Method { name, arguments, .. } => self.method(&value, name, arguments)?,
            };
            match next {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }

    fn method(&mut self, value: &Value, name: &str, arguments: &[Expression]) -> Result<Option<Value>, TemplateError> {
        if *value == Value::Null {
            return Ok(None);
        }
        let given = arguments.iter().map(|argument| self.expression(argument)).collect::<Result<Vec<_>, _>>()?;
        let called = (name, given.as_slice());
        let answer = match value {
            Value::Input => match InputFunction::find(name, given.len()) {
                Some(function) => functions::input(self, function, &given)?,
                None => return Err(methods::missing("$input", called)),
            },
            Value::Util => match UtilFunction::find(name, given.len()) {
                Some(function) => functions::util(self, function, &given)?,
                None => return Err(methods::missing("$util", called)),
            },
            Value::Context(prefix) => match (MapMethod::find(name, given.len()), given.as_slice()) {
                // A name that has no value may be one that others begin with.
                (Some(MapMethod::Get), [key]) => {
                    let key = self.arena.printed(key)?;
                    self.context(prefix, &key)?
                }
                _ => {
                    let map = self.context_map(prefix)?;
                    methods::call(self, &map, called)?
                }
            },
            _ => methods::call(self, value, called)?,
        };
        Ok(Some(answer))
    }

    fn indexed(&mut self, value: &Value, index: &Value) -> Result<Option<Value>, TemplateError> {
        match (value, index) {
            (Value::List(at), Value::Integer(place)) => {
                let items = self.arena.list(*at);
                // A negative place counts from the end, as in Velocity 1.7.
                let place = if *place < 0 { i64::try_from(items.len()).unwrap_or(i64::MAX) + place } else { *place };
                Ok(usize::try_from(place).ok().and_then(|place| items.get(place).cloned()))
            }
            (Value::Map(_) | Value::Context(_), index) => {
                let name = self.arena.printed(index)?;
                self.property(value, &name)
            }
            _ => Ok(None),
        }
    }

    fn property(&mut self, value: &Value, name: &str) -> Result<Option<Value>, TemplateError> {
        Ok(match (value, name) {
            // A member that is not there is nothing, and prints nothing.
            (Value::Map(at), _) => Some(self.arena.member(*at, name).cloned().unwrap_or(Value::Null)),
            (Value::Context(prefix), _) => Some(self.context(prefix, name)?),
            (Value::Input, "body") => Some(self.arena.text(self.scope.body)?),
            (Value::Loop(at), _) => self.loops.get(*at).and_then(|this| match name {
                "index" => Some(integer(this.index)),
                "count" => Some(integer(this.index + 1)),
                "hasNext" => Some(Value::Boolean(this.index + 1 < this.length)),
                "first" => Some(Value::Boolean(this.index == 0)),
                "last" => Some(Value::Boolean(this.index + 1 == this.length)),
                "parent" => at.checked_sub(1).map(Value::Loop),
                _ => None,
            }),
            (Value::List(at), "empty") => Some(Value::Boolean(self.arena.list(*at).is_empty())),
            (Value::Text(text), "empty") => Some(Value::Boolean(text.is_empty())),
            _ => None,
        })
    }

    /// A variable of the request, or the way to those below this name.
    fn context(&mut self, prefix: &str, name: &str) -> Result<Value, TemplateError> {
        let name = below(prefix, name);
        let known = self.overrides.get(&name).cloned().or_else(|| (self.scope.context)(&name));
        match known {
            Some(text) if NUMBERS.contains(&&*name) => match text.parse() {
                Ok(number) => Ok(Value::Integer(number)),
                Err(_) => self.arena.text(&text),
            },
            Some(text) => self.arena.text(&text),
            None => Ok(Value::Context(name.into())),
        }
    }

    /// What stands below this name of `$context`, as far as it has a value.
    fn context_map(&mut self, prefix: &str) -> Result<Value, TemplateError> {
        let mut map = Entries::default();
        for known in names_below(prefix) {
            let name = known.split('.').next().unwrap_or(known);
            self.arena.step(1)?;
            match self.context(prefix, name)? {
                Value::Context(inner)
                    if names_below(&inner).all(|leaf| (self.scope.context)(&below(&inner, leaf)).is_none()) => {}
                value => _ = map.insert(name.into(), value),
            }
        }
        self.arena.new_map(map)
    }

    /// What an expression is worth. A variable of the request that has no value is nothing.
    fn expression(&mut self, expression: &Expression) -> Result<Value, TemplateError> {
        self.arena.step(1)?;
        Ok(match expression {
            Expression::Null => Value::Null,
            Expression::Boolean(value) => Value::Boolean(*value),
            Expression::Integer(value) => Value::Integer(*value),
            Expression::Float(value) => Value::Float(*value),
            Expression::Literal(text) => self.arena.text(text)?,
            Expression::Interpolated(nodes) => self.interpolated(nodes)?,
            Expression::List(items) => {
                let items = items.iter().map(|item| self.expression(item)).collect::<Result<_, _>>()?;
                self.arena.new_list(items)?
            }
            Expression::Range(first, last) => self.range(first, last)?,
            Expression::Map(entries) => self.map(entries)?,
            Expression::Reference(reference) => match self.reference(reference)? {
                Some(Value::Context(prefix)) if names_below(&prefix).next().is_none() => Value::Null,
                other => other.unwrap_or(Value::Null),
            },
            Expression::Not(inner) => Value::Boolean(!holds(&self.expression(inner)?)),
            Expression::Negative(inner) => match self.expression(inner)? {
                Value::Integer(value) => Value::Integer(value.wrapping_neg()),
                Value::Float(value) => Value::Float(-value),
                _ => Value::Null,
            },
            Expression::Binary(operator, left, right) => self.deeper(|this| this.binary(*operator, (left, right)))?,
        })
    }

    fn interpolated(&mut self, nodes: &[Node]) -> Result<Value, TemplateError> {
        let outer = std::mem::take(&mut self.out);
        let done = self.deeper(|this| this.nodes(nodes));
        let inner = std::mem::replace(&mut self.out, outer);
        done?;
        self.arena.text(&inner)
    }

    fn range(&mut self, first: &Expression, last: &Expression) -> Result<Value, TemplateError> {
        let (Value::Integer(first), Value::Integer(last)) = (self.expression(first)?, self.expression(last)?) else {
            return Ok(Value::Null);
        };
        let length = usize::try_from(first.abs_diff(last)).unwrap_or(usize::MAX);
        if length >= TEMPLATE_LOOP_MAX {
            return Err(TemplateError::TooMuch { what: "numbers in a range", limit: TEMPLATE_LOOP_MAX });
        }
        let numbers: Vec<Value> = if first <= last {
            (first..=last).map(Value::Integer).collect()
        } else {
            (last..=first).rev().map(Value::Integer).collect()
        };
        self.arena.new_list(numbers)
    }

    fn map(&mut self, entries: &[(Expression, Expression)]) -> Result<Value, TemplateError> {
        let mut map = Entries::with_capacity(entries.len());
        for (key, value) in entries {
            let key = self.expression(key)?;
            let key = self.arena.printed(&key)?;
            let value = self.expression(value)?;
            map.insert(key.into(), value);
        }
        self.arena.new_map(map)
    }

    fn binary(
        &mut self,
        operator: Operator,
        (left, right): (&Expression, &Expression),
    ) -> Result<Value, TemplateError> {
        let left = self.expression(left)?;
        // What decides alone spares the other side.
        match operator {
            Operator::Or if holds(&left) => return Ok(Value::Boolean(true)),
            Operator::And if !holds(&left) => return Ok(Value::Boolean(false)),
            _ => {}
        }
        let right = self.expression(right)?;
        Ok(match operator {
            Operator::Or | Operator::And => Value::Boolean(holds(&right)),
            Operator::Equal => Value::Boolean(self.arena.equal(&left, &right)?),
            Operator::NotEqual => Value::Boolean(!self.arena.equal(&left, &right)?),
            Operator::Add if matches!((&left, &right), (Value::Text(_), _) | (_, Value::Text(_))) => {
                let mut text = self.arena.printed(&left)?;
                self.arena.print(&right, &mut text)?;
                self.arena.text(&text)?
            }
            operator => arithmetic(operator, &left, &right),
        })
    }
}

/// What the names of `$context` below this one are called there.
fn names_below(prefix: &str) -> impl Iterator<Item = &'static str> {
    Known::NAMES.iter().filter_map(move |name| match prefix {
        "" => Some(*name),
        prefix => name.strip_prefix(prefix)?.strip_prefix('.'),
    })
}

/// The name of something below another name.
fn below(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn integer(n: usize) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Comparison and arithmetic of numbers; anything else is nothing, as in Velocity 1.7.
fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Value {
    if let (Value::Integer(a), Value::Integer(b)) = (left, right) {
        return match operator {
            Operator::Less => Value::Boolean(a < b),
            Operator::LessOrEqual => Value::Boolean(a <= b),
            Operator::Greater => Value::Boolean(a > b),
            Operator::GreaterOrEqual => Value::Boolean(a >= b),
            Operator::Add => Value::Integer(a.wrapping_add(*b)),
            Operator::Subtract => Value::Integer(a.wrapping_sub(*b)),
            Operator::Multiply => Value::Integer(a.wrapping_mul(*b)),
            Operator::Divide => a.checked_div(*b).map_or(Value::Null, Value::Integer),
            Operator::Remainder => a.checked_rem(*b).map_or(Value::Null, Value::Integer),
            Operator::Or | Operator::And | Operator::Equal | Operator::NotEqual => Value::Null,
        };
    }
    let (Some(a), Some(b)) = (float(left), float(right)) else {
        return if matches!(
            operator,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual
        ) {
            Value::Boolean(false)
        } else {
            Value::Null
        };
    };
    match operator {
        Operator::Less => Value::Boolean(a < b),
        Operator::LessOrEqual => Value::Boolean(a <= b),
        Operator::Greater => Value::Boolean(a > b),
        Operator::GreaterOrEqual => Value::Boolean(a >= b),
        Operator::Add => Value::Float(a + b),
        Operator::Subtract => Value::Float(a - b),
        Operator::Multiply => Value::Float(a * b),
        Operator::Divide if b != 0.0 => Value::Float(a / b),
        Operator::Remainder if b != 0.0 => Value::Float(a % b),
        _ => Value::Null,
    }
}

fn float(value: &Value) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "as Java converts")]
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}
