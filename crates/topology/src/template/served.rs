//! Whether a template calls only methods that are carried out. What a value is, is known when traffic comes; so that a call is refused
//! only where nothing that it may be called on has such a method.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::syntax::{Expression, Node, Reference, Step};
use super::vocabulary::Subject;
use super::{Position, Template, Unusable};

/// A call of a method.
struct Call<'t> {
    /// The variable that it begins with.
    root: &'t str,
    /// Whether it is called on the variable itself.
    is_first: bool,
    name: &'t str,
    arguments: usize,
    /// Bytes of the template before its name.
    at: usize,
}

/// What is still to be looked at. A list instead of recursion: operators in a row nest deeper than a stack is sure to hold.
enum Piece<'t> {
    Nodes(&'t [Node]),
    Expression(&'t Expression),
    Reference(&'t Reference),
}

#[derive(Default)]
struct Look<'t> {
    pieces: Vec<Piece<'t>>,
    calls: Vec<Call<'t>>,
    /// Names that the template gives a meaning of its own.
    given: BTreeSet<&'t str>,
}

/// Refuses the first call of a method that cannot be.
pub(super) fn check(template: &Template, text: &str) -> Result<(), Unusable> {
    let mut look = Look::default();
    look.pieces.push(Piece::Nodes(&template.nodes));
    for defined in template.macros.values() {
        look.given.extend(defined.parameters.iter().map(|name| &**name));
        look.pieces.push(Piece::Nodes(&defined.body));
    }
    while let Some(piece) = look.pieces.pop() {
        match piece {
            Piece::Nodes(nodes) => nodes.iter().for_each(|node| look.node(template, node)),
            Piece::Expression(expression) => look.expression(expression),
            Piece::Reference(reference) => look.reference(reference),
        }
    }
    let given = &look.given;
    let unserved = look.calls.iter().filter(|call| {
        let is_known = call.is_first && !given.contains(call.root);
        let subject = if is_known { Subject::named(call.root) } else { Subject::Unknown };
        !subject.may_have(call.name, call.arguments)
    });
    let Some(first) = unserved.min_by_key(|call| call.at) else { return Ok(()) };
    let on = if first.is_first { format!("${}.", first.root) } else { String::new() };
    let what = format!("the method {on}{} with {} arguments", first.name, first.arguments);
    Err(Unusable::Unserved(Position::of(text, first.at), what))
}

impl<'t> Look<'t> {
    fn node(&mut self, template: &'t Template, node: &'t Node) {
        match node {
            Node::Text(_) | Node::Break | Node::Stop => {}
            Node::Reference(reference) => self.pieces.push(Piece::Reference(reference)),
            Node::Set { target, value } => {
                if target.steps.is_empty() {
                    self.given.insert(&target.name);
                }
                self.pieces.extend([Piece::Reference(target), Piece::Expression(value)]);
            }
            Node::If { arms, otherwise } => {
                for (condition, body) in arms {
                    self.pieces.extend([Piece::Expression(condition), Piece::Nodes(body)]);
                }
                self.pieces.push(Piece::Nodes(otherwise));
            }
            Node::Foreach { name, list, body } => {
                self.given.insert(name);
                self.pieces.extend([Piece::Expression(list), Piece::Nodes(body)]);
            }
            Node::Define { name, body } => {
                self.given.insert(name);
                self.pieces.push(Piece::Nodes(body));
            }
            // A name that no macro has is text, with everything behind it.
            Node::Call { name, arguments, .. } if template.macros.contains_key(name) => {
                self.pieces.extend(arguments.iter().map(Piece::Expression));
            }
            Node::Call { .. } => {}
        }
    }

    fn expression(&mut self, expression: &'t Expression) {
        match expression {
            Expression::Null
            | Expression::Boolean(_)
            | Expression::Integer(_)
            | Expression::Float(_)
            | Expression::Literal(_) => {}
            Expression::Interpolated(nodes) => self.pieces.push(Piece::Nodes(nodes)),
            Expression::List(items) => self.pieces.extend(items.iter().map(Piece::Expression)),
            Expression::Map(entries) => {
                let entries = entries.iter().flat_map(|(key, value)| [key, value]);
                self.pieces.extend(entries.map(Piece::Expression));
            }
            Expression::Reference(reference) => self.pieces.push(Piece::Reference(reference)),
            Expression::Not(inner) | Expression::Negative(inner) => self.pieces.push(Piece::Expression(inner)),
            Expression::Range(left, right) | Expression::Binary(_, left, right) => {
                self.pieces.extend([Piece::Expression(left), Piece::Expression(right)]);
            }
        }
    }

    fn reference(&mut self, reference: &'t Reference) {
        for (place, step) in reference.steps.iter().enumerate() {
            match step {
                Step::Property(_) => {}
                Step::Index(index) => self.pieces.push(Piece::Expression(index)),
                Step::Method { name, arguments, at } => {
                    let name: &'t Arc<str> = name;
                    self.calls.push(Call {
                        root: &reference.name,
                        is_first: place == 0,
                        name,
                        arguments: arguments.len(),
                        at: *at,
                    });
                    self.pieces.extend(arguments.iter().map(Piece::Expression));
                }
            }
        }
    }
}
