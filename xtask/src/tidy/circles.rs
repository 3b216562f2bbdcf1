//! No circle of modules inside a crate. A room is a module below the crate's root with everything under it; rooms may use one another in
//! one direction only, or neither can be read, tested or moved alone. Files within a room may lean on one another, up to a bound that
//! only goes down.
//!
//! What a file uses is read from its text: `use` and paths that begin with `crate`, `super` or `self`. Test modules and what a
//! module uses of the modules above it do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::text;

/// A module of a crate, from its root; the root itself is empty.
type Module = Vec<String>;
type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// What a crate may still have.
pub(super) struct Allowance {
    /// The directory of its sources.
    pub(super) sources: &'static str,
    /// Edges between rooms that close a circle: who, whom, and until when.
    edges: &'static [(&'static str, &'static str, &'static str)],
    /// The most files in one circle.
    files_max: usize,
}

/// Every crate.
pub(super) const CRATES: &[Allowance] = &[
    Allowance { sources: "crates/topology/src", edges: &[], files_max: 2 },
    Allowance {
        sources: "crates/wire/src",
        edges: &[
            ("codec", "query", "the codec chooses the protocol; what they share is to leave it"),
            ("codec", "ec2_query", "the same"),
            ("codec", "json", "the same"),
            ("codec", "rest_json", "the same"),
            ("codec", "resolve", "a call is resolved and decoded by one type"),
            ("codec", "unserved", "the same"),
            ("resolve", "unserved", "what is not served is resolved like what is"),
            ("sigv4_canonical", "sigv4", "two halves of one idea"),
            ("model", "generated", "the table of services is generated"),
        ],
        files_max: 10,
    },
    Allowance { sources: "crates/control/src", edges: &[], files_max: 5 },
    Allowance { sources: "crates/kernel/src", edges: &[], files_max: 2 },
    Allowance { sources: "crates/plane/src", edges: &[], files_max: 5 },
    Allowance { sources: "crates/tidegate/src", edges: &[], files_max: 4 },
    Allowance {
        sources: "xtask/src",
        edges: &[
            ("codegen_coverage", "codegen", "the parts of one generator"),
            ("codegen_rust", "codegen", "the same"),
            ("codegen_unserved", "codegen", "the same"),
            ("bench_stack", "bench", "the parts of one benchmark"),
        ],
        files_max: 4,
    },
];
/// Judges one crate by the texts of its files, named by their path below its sources.
pub(super) fn judge(allowance: &Allowance, files: &[(String, String)]) -> Vec<String> {
    let graph = graph(files);
    let mut problems = Vec::new();
    let mut rooms = rooms(&graph);
    for (from, to, _) in allowance.edges {
        let is_there =
            rooms.get_mut(&vec![(*from).to_owned()]).is_some_and(|used| used.remove(&vec![(*to).to_owned()]));
        if !is_there {
            problems.push(format!("{}: {from} no longer uses {to}: take the row away", allowance.sources));
        }
    }
    for circle in circles(&rooms) {
        let names = spelled(&circle);
        problems
            .push(format!("{}: rooms use one another in a circle: {names}; move what closes it", allowance.sources));
    }
    for circle in circles(&graph).into_iter().filter(|circle| circle.len() > allowance.files_max) {
        let (count, max, names) = (circle.len(), allowance.files_max, spelled(&circle));
        problems.push(format!("{}: {count} files in one circle, {max} may be: {names}", allowance.sources));
    }
    problems
}

fn spelled(circle: &[Module]) -> String {
    circle.iter().map(|module| module.join("/")).collect::<Vec<_>>().join(", ")
}

/// The same graph by rooms.
fn rooms(graph: &Graph) -> Graph {
    let room = |module: &Module| module.iter().take(1).cloned().collect::<Module>();
    let mut rooms = Graph::new();
    for (from, used) in graph.iter().filter(|(from, _)| !from.is_empty()) {
        let others = used.iter().map(room).filter(|to| !to.is_empty() && *to != room(from));
        rooms.entry(room(from)).or_default().extend(others);
    }
    rooms
}

fn graph(files: &[(String, String)]) -> Graph {
    let modules: BTreeSet<Module> = files.iter().map(|(name, _)| module_of(name)).collect();
    let mut graph = Graph::new();
    for (name, text) in files {
        let own = module_of(name);
        let used = paths(&code_of(name, text)).into_iter().map(|path| resolve(&own, &path, &modules));
        // The modules above it, itself among them, are its surroundings.
        let used = used.filter(|used| !own.starts_with(used)).collect();
        graph.insert(own, used);
    }
    graph
}

/// `gateway/mod.rs` and `gateway.rs` are the module `gateway`.
fn module_of(name: &str) -> Module {
    let mut parts: Module = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") || parts == ["lib"] || parts == ["main"] {
        parts.pop();
    }
    parts
}

/// The text without comments, strings and tests.
fn code_of(name: &str, text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines().take(text::first_test_line(name, text)) {
        let mut quoted = false;
        for part in text::code(line).split('"') {
            code.push_str(if quoted { "" } else { part });
            quoted = !quoted;
        }
        code.push('\n');
    }
    code
}

/// Every path that begins with `crate`, `super` or `self`, lists of a `use` spelled out, and every child that is named without.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                spell_out(&code[at..], &mut found);
            }
        }
    }
    for line in code.lines() {
        let declared =
            line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
        let child = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        if let Some(child) = child.filter(|child| names_child(code, child)) {
            found.push(vec!["self".to_owned(), child.to_owned()]);
        }
    }
    found
}

/// Whether a path begins with this child.
fn names_child(code: &str, child: &str) -> bool {
    let path = format!("{child}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// The paths at the beginning of the text: one, or one for each name of its list.
fn spell_out(text: &str, found: &mut Vec<Module>) {
    let mut open: Vec<Module> = Vec::new();
    let mut path = Module::new();
    let mut word = String::new();
    for c in text.chars() {
        match c {
            _ if c.is_alphanumeric() || c == '_' => word.push(c),
            ':' => path.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            '{' => open.push(path.clone()),
            ',' | '}' if !open.is_empty() => {
                path.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                if open.last() != Some(&path) {
                    found.push(std::mem::take(&mut path));
                }
                if c == '}' {
                    open.pop();
                }
                path = open.last().cloned().unwrap_or_default();
                if open.is_empty() {
                    return;
                }
            }
            // What stands behind `as` is another name of the same; it is no module.
            _ if c.is_whitespace() && !open.is_empty() => {
                path.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            _ => break,
        }
    }
    path.extend((!word.is_empty()).then_some(word));
    found.push(path);
}

/// The module that a path names, from where it stands: as far down as there are modules.
fn resolve(own: &Module, path: &[String], modules: &BTreeSet<Module>) -> Module {
    let mut at = own.clone();
    for (place, word) in path.iter().enumerate() {
        match word.as_str() {
            "crate" if place == 0 => at.clear(),
            "self" if place == 0 => {}
            "super" => drop(at.pop()),
            _ => {
                at.push(word.clone());
                if !modules.contains(&at) {
                    at.pop();
                    break;
                }
            }
        }
    }
    at
}

/// The sets of modules of which each reaches every other, of two at least (Tarjan's algorithm).
fn circles(graph: &Graph) -> Vec<Vec<Module>> {
    let mut walk = Walk { graph, order: BTreeMap::new(), low: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for module in graph.keys() {
        if !walk.order.contains_key(module) {
            walk.visit(module);
        }
    }
    walk.found
}

struct Walk<'g> {
    graph: &'g Graph,
    order: BTreeMap<&'g Module, usize>,
    low: BTreeMap<&'g Module, usize>,
    stack: Vec<&'g Module>,
    found: Vec<Vec<Module>>,
}

impl<'g> Walk<'g> {
    fn visit(&mut self, module: &'g Module) {
        let place = self.order.len();
        self.order.insert(module, place);
        self.low.insert(module, place);
        self.stack.push(module);
        for used in self.graph.get(module).into_iter().flatten() {
            if !self.order.contains_key(used) {
                self.visit(used);
                self.lower(module, self.low.get(used).copied());
            } else if self.stack.contains(&used) {
                self.lower(module, self.order.get(used).copied());
            }
        }
        if self.low.get(module) == Some(&place) {
            let begin = self.stack.iter().position(|waiting| *waiting == module).unwrap_or(self.stack.len());
            let circle: Vec<Module> = self.stack.drain(begin..).cloned().collect();
            if circle.len() > 1 {
                self.found.push(circle);
            }
        }
    }

    fn lower(&mut self, module: &'g Module, to: Option<usize>) {
        if let (Some(low), Some(to)) = (self.low.get_mut(module), to) {
            *low = (*low).min(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        rows.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    const STRICT: Allowance = Allowance { sources: "x", edges: &[], files_max: 2 };

    #[test]
    fn a_planted_circle_is_red() {
        let rows = [
            ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
            ("a.rs", "use crate::b::Thing;\n"),
            ("b/mod.rs", "mod inner;\n"),
            ("b/inner.rs", "fn f() { crate::c::g(super::x()) }\n"),
            ("c.rs", "use crate::{a::{One, Two}, b};\n"),
        ];
        let problems = judge(&STRICT, &files(&rows));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("rooms use one another in a circle: a, b, c"), "{problems:?}");
        let green = rows.map(|(name, text)| if name == "c.rs" { (name, "use crate::d;\n") } else { (name, text) });
        assert_eq!(judge(&STRICT, &files(&green)), Vec::<String>::new());
    }

    #[test]
    fn what_is_above_what_is_tested_and_what_is_said_does_not_count() {
        let rows = [
            (
                "a.rs",
                "// crate::b::x\nmod c;\nfn f() { c::g(\"crate::b\") }\n#[cfg(test)]\nmod tests {\n use crate::b::X;\n}\n",
            ),
            ("a/c.rs", "use super::f;\nuse crate::a::g;\n"),
            ("a/tests.rs", "use crate::b::X;\n"),
            ("b.rs", "use crate::a::f;\n"),
        ];
        assert_eq!(judge(&STRICT, &files(&rows)), Vec::<String>::new());
    }

    #[test]
    fn what_stands_behind_a_test_module_that_is_only_declared_counts() {
        let rows = [("a.rs", "#[cfg(test)]\nmod tests;\nuse crate::b::X;\n"), ("b.rs", "use crate::a::f;\n")];
        assert_eq!(judge(&STRICT, &files(&rows)).len(), 1);
    }

    #[test]
    fn files_of_a_room_lean_on_one_another_up_to_the_bound() {
        let row = |name: &str, used: &str| (format!("a/{name}.rs"), format!("use super::{used}::f;\n"));
        let two = vec![row("b", "c"), row("c", "b")];
        assert_eq!(judge(&STRICT, &two), Vec::<String>::new());
        let three = vec![row("b", "c"), row("c", "d"), row("d", "b")];
        assert_eq!(judge(&STRICT, &three), ["x: 3 files in one circle, 2 may be: a/b, a/c, a/d"]);
    }

    #[test]
    fn a_row_for_an_edge_that_is_gone_is_red() {
        const ROW: Allowance = Allowance { sources: "x", edges: &[("a", "b", "for now")], files_max: 2 };
        let both = [("a.rs", "use crate::b::X;\n"), ("b.rs", "use crate::a::Y;\n")];
        assert_eq!(judge(&ROW, &files(&both)), Vec::<String>::new());
        let problems = judge(&ROW, &files(&[("a.rs", ""), ("b.rs", "use crate::a::Y;\n")]));
        assert_eq!(problems, ["x: a no longer uses b: take the row away"]);
    }

    #[test]
    fn paths_table() {
        let rows: [(&str, &[&str]); 5] = [
            ("use crate::a::b;", &["crate/a/b"]),
            ("use super::{a, b::{self, c as d}, E};", &["super/a", "super/b/self", "super/b/c/as/d", "super/E"]),
            ("let x = self::a::f(1);", &["self/a/f"]),
            ("my_crate::a(); x::self::y", &[]),
            ("mod child;\nfn f() { child::g() }", &["self/child"]),
        ];
        for (code, expected) in rows {
            let found: Vec<String> = paths(code).iter().map(|path| path.join("/")).collect();
            assert_eq!(found, expected, "{code}");
        }
    }
}
