//! Form fields (`Filter.1.Value.2=x`) -> the tree of a structure; shared by query and ec2-query.
//!
//! The two protocols differ only in how a list is spelled. No supported service sends a map in a form: codegen refuses one.

use crate::limits::{FORM_DEPTH_MAX, FORM_FIELDS_MAX, LIST_INDEX_MAX};
use crate::model::{List, Shape, Structure};
use crate::problem::{Path, Problem, Step};
use crate::time;
use crate::value::Value;
use std::collections::BTreeMap;

/// How a list's entries are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// `Subnets.member.1`
    Marked,
    /// `SubnetId.1`
    Flat,
}

/// Parameters that every form has, or that carry its signature; they are no members.
const COMMON: [&str; 9] = [
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// Fields by their dotted names.
#[derive(Debug, Default)]
struct Node<'a> {
    value: Option<&'a str>,
    children: BTreeMap<&'a str, Node<'a>>,
}

/// The slots of `structure` from a form's pairs.
pub(crate) fn decode(
    pairs: &[(String, String)],
    structure: &'static Structure,
    lists: Lists,
) -> Result<Vec<Option<Value>>, Problem> {
    let root = tree(pairs)?;
    Reader { lists, path: Path::default() }.structure(&root, structure)
}

fn tree(pairs: &[(String, String)]) -> Result<Node<'_>, Problem> {
    if pairs.len() > FORM_FIELDS_MAX {
        return Err(Problem::TooMuch { what: "parameters", limit: FORM_FIELDS_MAX });
    }
    let mut root = Node::default();
    for (name, value) in pairs.iter().filter(|(name, _)| !COMMON.contains(&name.as_str())) {
        if name.split('.').count() > FORM_DEPTH_MAX {
            return Err(Problem::TooMuch { what: "levels in a parameter name", limit: FORM_DEPTH_MAX });
        }
        let node = name.split('.').fold(&mut root, |node, part| node.children.entry(part).or_default());
        if node.value.replace(value).is_some() {
            return Err(Problem::Repeated(Path::default().to(Step::Unknown(name.clone()))));
        }
    }
    Ok(root)
}

struct Reader {
    lists: Lists,
    path: Path,
}

impl Reader {
    fn structure(&mut self, node: &Node<'_>, structure: &'static Structure) -> Result<Vec<Option<Value>>, Problem> {
        let stray = node.children.keys().find(|name| !structure.members.iter().any(|m| m.wire_in == **name));
        if let Some(stray) = stray {
            return Err(Problem::Unknown(self.path.to(Step::Unknown((*stray).to_owned()))));
        }
        let mut slots = Vec::with_capacity(structure.members.len());
        for member in structure.members {
            let child = node.children.get(member.wire_in);
            slots.push(match child {
                Some(child) => Some(self.within(Step::Member(member), |r| r.value(child, member.shape))?),
                None => None,
            });
        }
        Ok(slots)
    }

    fn value(&mut self, node: &Node<'_>, shape: &'static Shape) -> Result<Value, Problem> {
        match shape {
            Shape::Structure(inner) => {
                self.no_text(node, "a structure")?;
                Ok(Value::Structure(self.structure(node, inner)?))
            }
            Shape::List(list) => self.list(node, list),
            Shape::Map(_) => Err(Problem::Unknown(self.path.clone())),
            scalar => {
                if let Some(stray) = node.children.keys().next() {
                    return Err(Problem::Unknown(self.path.to(Step::Unknown((*stray).to_owned()))));
                }
                self.scalar(node.value.unwrap_or_default(), scalar)
            }
        }
    }

    /// A list or structure has no text of its own; an empty one is how clients spell an empty list.
    fn no_text(&self, node: &Node<'_>, expected: &'static str) -> Result<(), Problem> {
        match node.value {
            None | Some("") => Ok(()),
            Some(_) => Err(Problem::WrongType { path: self.path.clone(), expected, given: None }),
        }
    }

    fn list(&mut self, node: &Node<'_>, list: &'static List) -> Result<Value, Problem> {
        self.no_text(node, "a list")?;
        let entries = match self.lists {
            Lists::Flat => node,
            Lists::Marked => match (node.children.get(list.item), node.children.len()) {
                (Some(marked), 1) => {
                    self.no_text(marked, "a list")?;
                    marked
                }
                (None, 0) => return Ok(Value::List(Vec::new())),
                _ => {
                    let stray = node.children.keys().find(|name| **name != list.item);
                    let stray = stray.map_or_else(String::new, |name| (*name).to_owned());
                    return Err(Problem::Unknown(self.path.to(Step::Unknown(stray))));
                }
            },
        };
        let mut indexed = BTreeMap::new();
        for (name, entry) in &entries.children {
            let index = self.index(name)?;
            if indexed.insert(index, entry).is_some() {
                return Err(Problem::Repeated(self.path.to(Step::Index(index))));
            }
        }
        let mut items = Vec::with_capacity(indexed.len());
        for (index, entry) in indexed {
            items.push(self.within(Step::Index(index), |r| r.value(entry, list.member))?);
        }
        Ok(Value::List(items))
    }

    fn index(&self, name: &str) -> Result<usize, Problem> {
        let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
        let index = name.parse::<usize>().unwrap_or(usize::MAX);
        if !digits || index == 0 {
            return Err(Problem::Unknown(self.path.to(Step::Unknown(name.to_owned()))));
        }
        if index > LIST_INDEX_MAX {
            return Err(Problem::TooMuch { what: "list entries", limit: LIST_INDEX_MAX });
        }
        Ok(index)
    }

    fn scalar(&self, text: &str, shape: &'static Shape) -> Result<Value, Problem> {
        let parsed = match shape {
            Shape::String(_) => Some(Value::String(text.to_owned())),
            Shape::Integer(_) => text.parse::<i32>().ok().map(|n| Value::Integer(n.into())),
            Shape::Long(_) => text.parse::<i64>().ok().map(Value::Integer),
            Shape::Double(_) => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::Double),
            Shape::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" => Some(Value::Boolean(true)),
                "false" => Some(Value::Boolean(false)),
                _ => None,
            },
            Shape::Timestamp(_) => time::parse_iso(text).map(Value::Timestamp),
            Shape::Blob(_) => crate::json_value::base64(text).map(Value::Blob),
            Shape::List(_) | Shape::Map(_) | Shape::Structure(_) => None,
        };
        parsed.ok_or_else(|| Problem::WrongType { path: self.path.clone(), expected: shape.noun(), given: None })
    }

    fn within<T>(&mut self, step: Step, inside: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        self.path.push(step);
        let result = inside(self);
        self.path.pop();
        result
    }
}
