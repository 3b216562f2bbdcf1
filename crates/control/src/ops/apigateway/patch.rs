//! `patchOperations`: one engine for every resource of REST APIs. A resource has a [`Table`] from path patterns to what may be
//! done there; the engine matches, refuses in AWS's words, and applies in order to a copy, so that all changes are made or none
//! (API Gateway REST API reference, "Patch operations", 2026-11).
//!
//! What a path means is the resource's business; nothing here knows one.

use std::collections::BTreeMap;
use std::str::FromStr;

use wire::Fault;
use wire::apigateway::PatchOperation;

use super::fault;
use crate::context::Context;

/// Changes that one call may ask for. AWS documents no bound; a stage with ten settings for each of 300 methods needs fewer. Above: refused.
const CHANGES_MAX: usize = 4_000;

/// Bytes of a path. Ours; the longest that leads anywhere holds a resource's path. Above: it is no path of any resource.
const PATH_BYTES_MAX: usize = 8 * 1024;

/// What is done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// `add`
    Add,
    /// `remove`
    Remove,
    /// `replace`
    Replace,
    /// `copy`
    Copy,
}

impl Op {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Copy => "copy",
        }
    }

    /// `move` and `test` are operations that no path takes.
    fn from_name(name: &str) -> Option<Self> {
        [Self::Add, Self::Remove, Self::Replace, Self::Copy].into_iter().find(|op| op.as_str() == name)
    }
}

/// Paths that only take a new value.
pub(super) const REPLACE: &[Op] = &[Op::Replace];
/// Paths of a map's entries.
pub(super) const ENTRY: &[Op] = &[Op::Add, Op::Replace, Op::Remove];
/// Paths of a list's entries.
pub(super) const MEMBER: &[Op] = &[Op::Add, Op::Remove];

/// One operation on its way into a resource.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// What is done.
    pub(super) op: Op,
    /// Where, as written.
    pub(super) path: &'a str,
    /// Where from, for `copy`.
    pub(super) from: Option<&'a str>,
    value: Option<&'a str>,
    keys: Vec<String>,
}

impl Change<'_> {
    /// What stands where the pattern has its place, with its escapes undone.
    pub(super) fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// What stands in the pattern's second place.
    pub(super) fn second_key(&self) -> &str {
        self.keys.get(1).map_or("", String::as_str)
    }

    /// The value; none is an empty one.
    pub(super) fn text(&self) -> &str {
        self.value.unwrap_or_default()
    }

    /// The value, or nothing where it is empty.
    pub(super) fn optional(&self) -> Option<String> {
        Some(self.text().to_owned()).filter(|text| !text.is_empty())
    }

    /// The value as a boolean: whatever is not `true` is false, and none is refused (recorded, 2026-03).
    pub(super) fn flag(&self) -> bool {
        self.text().eq_ignore_ascii_case("true")
    }

    /// Refuses an entry that gets no value.
    pub(super) fn refuse_empty(&self, map: &str) -> Result<(), Fault> {
        if self.op != Op::Remove && self.text().is_empty() {
            return Err(fault::bad_request(format!("Invalid null or empty value in {map}")));
        }
        Ok(())
    }

    /// The value as a number.
    pub(super) fn parsed<T: FromStr>(&self) -> Result<T, Fault> {
        self.text().parse().map_err(|_| self.invalid())
    }

    /// The value as whichever of these is written so.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, Fault> {
        choices.iter().find(|(text, _)| *text == self.text()).map(|(_, choice)| *choice).ok_or_else(|| self.invalid())
    }

    /// The fault for a value that the path does not take.
    pub(super) fn invalid(&self) -> Fault {
        fault::bad_request(format!("Invalid value '{}' specified for path '{}'", self.text(), self.path))
    }

    /// Puts the value under the path's key, or takes the key away. `missing` is said when it is not there to be changed.
    pub(super) fn edit<V>(&self, map: &mut BTreeMap<String, V>, value: V, missing: &str) -> Result<(), Fault> {
        if self.op != Op::Add && !map.contains_key(self.key()) {
            return Err(fault::not_found(missing));
        }
        match self.op {
            Op::Remove => map.remove(self.key()),
            Op::Add | Op::Replace | Op::Copy => map.insert(self.key().to_owned(), value),
        };
        Ok(())
    }

    /// Adds `member` to a list once, or takes it away.
    pub(super) fn edit_list(&self, list: &mut Vec<String>, member: &str) {
        if self.op == Op::Remove {
            list.retain(|known| known != member);
        } else if !list.iter().any(|known| known == member) {
            list.push(member.to_owned());
        }
    }
}

/// What may be done at the paths of one pattern.
pub(super) struct Rule<T> {
    /// Segments; `{name}` takes one, `{name+}` one or more.
    path: &'static str,
    ops: &'static [Op],
    set: Setter<T>,
}

/// What a rule does.
enum Setter<T> {
    /// Anything.
    Any(fn(&Context<'_>, &mut T, &Change<'_>) -> Result<(), Fault>),
    /// Writes an entry of a map of texts, or says that it is not there.
    Texts(fn(&mut T) -> &mut BTreeMap<String, String>, &'static str),
}

impl<T> Rule<T> {
    pub(super) const fn new(
        path: &'static str,
        ops: &'static [Op],
        set: fn(&Context<'_>, &mut T, &Change<'_>) -> Result<(), Fault>,
    ) -> Self {
        Self { path, ops, set: Setter::Any(set) }
    }

    /// The entries of a map of texts.
    pub(super) const fn texts(
        path: &'static str,
        map: fn(&mut T) -> &mut BTreeMap<String, String>,
        missing: &'static str,
    ) -> Self {
        Self { path, ops: ENTRY, set: Setter::Texts(map, missing) }
    }
}

/// How a resource refuses a path: AWS has not one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    /// The path alone, or the operations that it takes.
    Plain,
    /// The path alone, whatever is wrong.
    Path,
    /// Every path that takes the operation.
    Listed,
    /// A stage's: the paths as a fixed text.
    Settings(&'static str),
}

/// The paths of one kind of resource.
pub(super) struct Table<T: 'static> {
    /// Tried in this order.
    pub(super) rules: &'static [Rule<T>],
    /// How others are refused.
    pub(super) sentence: Sentence,
}

impl<T> Table<T> {
    /// Applies every operation, in order, to `resource`. A fault leaves it half changed, so that it must be a copy.
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        resource: &mut T,
        operations: Option<Vec<PatchOperation>>,
    ) -> Result<(), Fault> {
        let operations = operations.unwrap_or_default();
        if operations.len() > CHANGES_MAX {
            return Err(fault::bad_request(format!("A patch can have at most {CHANGES_MAX} operations")));
        }
        operations.iter().try_for_each(|operation| self.apply_one(context, resource, operation))
    }

    fn apply_one(&self, context: &Context<'_>, resource: &mut T, operation: &PatchOperation) -> Result<(), Fault> {
        let path = operation.path.as_deref().unwrap_or_default();
        let name = operation.op.as_deref().unwrap_or_default();
        let op = Op::from_name(name);
        let mut at_path = self.rules.iter().filter_map(|rule| Some((rule, keys(rule.path, path)?))).peekable();
        let Some(op) = op.filter(|_| at_path.peek().is_some()) else {
            return Err(self.refuse(operation.path.as_deref(), name));
        };
        let Some((rule, keys)) = at_path.find(|(rule, _)| rule.ops.contains(&op)) else {
            return Err(self.refuse(operation.path.as_deref(), name));
        };
        let (value, from) = (operation.value.as_deref(), operation.from.as_deref());
        let change = Change { op, path, from, value, keys };
        match rule.set {
            Setter::Any(set) => set(context, resource, &change),
            Setter::Texts(map, missing) => change.edit(map(resource), change.text().to_owned(), missing),
        }
    }

    fn refuse(&self, given: Option<&str>, op: &str) -> Fault {
        let path = given.unwrap_or_default();
        let known: Vec<&Rule<T>> = self.rules.iter().filter(|rule| keys(rule.path, path).is_some()).collect();
        let taking: Vec<&str> = self
            .rules
            .iter()
            .filter(|rule| rule.ops.iter().any(|known| known.as_str() == op))
            .map(|rule| rule.path)
            .collect();
        fault::bad_request(match (self.sentence, known.as_slice()) {
            (Sentence::Plain, [rule, ..]) => {
                let ops: Vec<&str> = rule.ops.iter().map(|op| op.as_str()).collect();
                format!("Invalid patch operation specified. Must be one of: [{}]", ops.join(", "))
            }
            (Sentence::Plain, []) | (Sentence::Path, _) => format!("Invalid patch path {}", given.unwrap_or("null")),
            (Sentence::Settings(paths), _) => {
                format!("Invalid method setting path: {path}. Must be one of: [{paths}]")
            }
            (Sentence::Listed, _) if taking.is_empty() => {
                format!("Invalid patch path  '{path}' specified for op '{op}'. Please choose supported operations")
            }
            (Sentence::Listed, _) => {
                let taking = taking.join(", ");
                format!("Invalid patch path  '{path}' specified for op '{op}'. Must be one of: [{taking}]")
            }
        })
    }
}

/// What stands in the places of a pattern, or `None` when the path is another.
fn keys(pattern: &str, path: &str) -> Option<Vec<String>> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let wanted: Vec<&str> = pattern.strip_prefix('/')?.split('/').collect();
    let given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    // The one long place takes what the others leave.
    let surplus = given.len().checked_sub(wanted.len())?;
    let mut rest = given.as_slice();
    let mut found = Vec::new();
    for part in wanted {
        let taken = if part.ends_with("+}") { surplus + 1 } else { 1 };
        let (here, after) = rest.split_at_checked(taken)?;
        rest = after;
        if part.starts_with('{') {
            found.push(unescape(&here.join("/")));
        } else if here != [part] {
            return None;
        }
    }
    rest.is_empty().then_some(found)
}

/// A segment of a JSON pointer as it is meant (RFC 6901, section 4).
fn unescape(text: &str) -> String {
    text.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_whole_segments_and_undo_escapes() {
        let rows: &[(&str, &str, Option<&[&str]>)] = &[
            ("/name", "/name", Some(&[])),
            ("/name", "/name/x", None),
            ("/name", "name", None),
            ("/name", "", None),
            ("/types/{type}", "/types/image~1png", Some(&["image/png"])),
            ("/types/{type}", "/types/a~01", Some(&["a~1"])),
            ("/types/{type}", "/types/", Some(&[""])),
            ("/types/{type}", "/types", None),
            ("/types/{type}", "/types/a/b", None),
            ("/{path+}/{method}/metrics/enabled", "/*/*/metrics/enabled", Some(&["*", "*"])),
            ("/{path+}/{method}/metrics/enabled", "/~1a~1b/GET/metrics/enabled", Some(&["/a/b", "GET"])),
            ("/{path+}/{method}/metrics/enabled", "/a/b/GET/metrics/enabled", Some(&["a/b", "GET"])),
            ("/{path+}/{method}/metrics/enabled", "//GET/metrics/enabled", Some(&["", "GET"])),
            ("/{path+}/{method}/metrics/enabled", "/GET/metrics/enabled", None),
            ("/{path+}/{method}", "/*/*", Some(&["*", "*"])),
        ];
        for (pattern, path, expected) in rows {
            let found = keys(pattern, path);
            let found: Option<Vec<&str>> = found.as_ref().map(|keys| keys.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), *expected, "{pattern} {path}");
        }
    }

    const TABLE: Table<BTreeMap<String, String>> = Table {
        rules: &[
            Rule::new("/name", REPLACE, |_, _, _| Ok(())),
            Rule::new("/models/{type}", ENTRY, |_, map, change| {
                change.edit(map, change.text().to_owned(), "Content-Type specified was not found")
            }),
        ],
        sentence: Sentence::Listed,
    };

    #[test]
    fn paths_and_operations_are_refused_in_the_words_of_their_resource() {
        let plain = Table { sentence: Sentence::Plain, ..TABLE };
        let path = Table { sentence: Sentence::Path, ..TABLE };
        assert_eq!(path.refuse(None, "add").message, "Invalid patch path null");
        let stage = Table { sentence: Sentence::Settings("/deploymentId, /description"), ..TABLE };
        let rows = [
            (
                &TABLE,
                "/x",
                "replace",
                "Invalid patch path  '/x' specified for op 'replace'. Must be one of: [/name, /models/{type}]",
            ),
            (
                &TABLE,
                "/name",
                "add",
                "Invalid patch path  '/name' specified for op 'add'. Must be one of: [/models/{type}]",
            ),
            (
                &TABLE,
                "/name",
                "move",
                "Invalid patch path  '/name' specified for op 'move'. Please choose supported operations",
            ),
            (&plain, "/x", "replace", "Invalid patch path /x"),
            (&plain, "/name", "remove", "Invalid patch operation specified. Must be one of: [replace]"),
            (&plain, "/models/a", "test", "Invalid patch operation specified. Must be one of: [add, replace, remove]"),
            (&path, "/name", "remove", "Invalid patch path /name"),
            (&stage, "/x", "replace", "Invalid method setting path: /x. Must be one of: [/deploymentId, /description]"),
        ];
        for (table, path, op, expected) in rows {
            assert_eq!(table.refuse(Some(path), op).message, expected);
        }
    }

    #[test]
    fn entries_are_added_replaced_and_removed_and_must_be_there_to_be_changed() {
        let change = |op, value| Change { op, path: "", from: None, value, keys: vec!["a/b".to_owned()] };
        let mut map = BTreeMap::new();
        let edit = |map: &mut _, change: Change<'_>| change.edit(map, change.text().to_owned(), "gone");
        assert_eq!(edit(&mut map, change(Op::Replace, Some("1"))).unwrap_err().message, "gone");
        edit(&mut map, change(Op::Add, Some("1"))).unwrap();
        edit(&mut map, change(Op::Replace, Some("2"))).unwrap();
        assert_eq!(map.get("a/b").map(String::as_str), Some("2"));
        edit(&mut map, change(Op::Remove, None)).unwrap();
        assert_eq!(edit(&mut map, change(Op::Remove, None)).unwrap_err().message, "gone");
    }

    #[test]
    fn members_of_lists_stand_there_once() {
        let change = |op| Change { op, path: "", from: None, value: None, keys: Vec::new() };
        let mut list = vec!["a".to_owned()];
        change(Op::Add).edit_list(&mut list, "b");
        change(Op::Add).edit_list(&mut list, "a");
        assert_eq!(list, ["a", "b"]);
        change(Op::Remove).edit_list(&mut list, "b");
        assert_eq!(list, ["a"]);
    }
}
