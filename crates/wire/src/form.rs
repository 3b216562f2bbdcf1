//! Form fields (`Filter.1.Value.2=x`) -> the tree of a structure; shared by query and ec2-query.
//!
//! The two protocols differ in how a list is spelled, and only query has maps (`Tags.entry.1.key=a`): codegen refuses one of ec2-query.

use crate::limits::{FORM_DEPTH_MAX, FORM_FIELDS_MAX, LIST_INDEX_MAX};
use crate::model::{List, Map, Shape, Structure};
use crate::problem::{Path, Problem, Step, Strays};
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

/// What marks the entries of a map, and what their two halves are called.
const ENTRY: &str = "entry";
const KEY: &str = "key";
const VALUE: &str = "value";

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
    strays: &mut Strays,
) -> Result<Vec<Option<Value>>, Problem> {
    let root = tree(pairs)?;
    Reader { lists, path: Path::default(), strays }.structure(&root, structure)
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

struct Reader<'s> {
    lists: Lists,
    path: Path,
    strays: &'s mut Strays,
}

impl Reader<'_> {
    fn structure(&mut self, node: &Node<'_>, structure: &'static Structure) -> Result<Vec<Option<Value>>, Problem> {
        for stray in node.children.keys().filter(|name| !structure.members.iter().any(|m| m.wire_in == **name)) {
            self.strays.add(self.path.to(Step::Unknown((*stray).to_owned())));
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
            Shape::Map(map) => self.map(node, map),
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
            Lists::Flat => Some(node),
            Lists::Marked => self.marked(node, list.item, "a list")?,
        };
        let Some(entries) = entries else { return Ok(Value::List(Vec::new())) };
        let mut items = Vec::new();
        for (index, entry) in self.indexed(entries)? {
            items.push(self.within(Step::Index(index), |r| r.value(entry, list.member))?);
        }
        Ok(Value::List(items))
    }

    /// A map (AWS query protocol, "Query key resolution", 2026-11). An entry without a value has an empty one; none has no key.
    fn map(&mut self, node: &Node<'_>, map: &'static Map) -> Result<Value, Problem> {
        self.no_text(node, "a map")?;
        let Some(entries) = self.marked(node, ENTRY, "a map")? else { return Ok(Value::Map(BTreeMap::new())) };
        let mut items = BTreeMap::new();
        for (index, entry) in self.indexed(entries)? {
            let (key, value) = self.within(Step::Index(index), |r| r.entry(entry, map))?;
            if items.contains_key(&key) {
                return Err(Problem::Repeated(self.path.to(Step::Key(key))));
            }
            items.insert(key, value);
        }
        Ok(Value::Map(items))
    }

    fn entry(&mut self, node: &Node<'_>, map: &'static Map) -> Result<(String, Value), Problem> {
        self.no_text(node, "an entry of a map")?;
        let half = |name: &str| node.children.get(name);
        if let Some(stray) = node.children.keys().find(|name| ![KEY, VALUE].contains(name)) {
            return Err(Problem::Unknown(self.path.to(Step::Unknown((*stray).to_owned()))));
        }
        let key = half(KEY).map(|key| self.within(Step::Unknown(KEY.to_owned()), |r| r.value(key, map.key)));
        let Some(Value::String(key)) = key.transpose()? else {
            let path = self.path.to(Step::Unknown(KEY.to_owned()));
            return Err(Problem::WrongType { path, expected: "a string", given: None });
        };
        let empty = Node::default();
        let value = half(VALUE).unwrap_or(&empty);
        let value = self.within(Step::Key(key.clone()), |r| r.value(value, map.value))?;
        Ok((key, value))
    }

    /// What stands below the mark of a list or map; `None` where nothing does.
    fn marked<'n, 'a>(
        &self,
        node: &'n Node<'a>,
        mark: &str,
        expected: &'static str,
    ) -> Result<Option<&'n Node<'a>>, Problem> {
        match (node.children.get(mark), node.children.len()) {
            (Some(marked), 1) => self.no_text(marked, expected).map(|()| Some(marked)),
            (None, 0) => Ok(None),
            _ => {
                let stray = node.children.keys().find(|name| **name != mark);
                let stray = stray.map_or_else(String::new, |name| (*name).to_owned());
                Err(Problem::Unknown(self.path.to(Step::Unknown(stray))))
            }
        }
    }

    /// Entries by their numbers, in order.
    fn indexed<'n, 'a>(&self, entries: &'n Node<'a>) -> Result<BTreeMap<usize, &'n Node<'a>>, Problem> {
        let mut indexed = BTreeMap::new();
        for (name, entry) in &entries.children {
            let index = self.index(name)?;
            if indexed.insert(index, entry).is_some() {
                return Err(Problem::Repeated(self.path.to(Step::Index(index))));
            }
        }
        Ok(indexed)
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
