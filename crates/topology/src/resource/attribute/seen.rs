//! Which test sees what an attribute changes. A test says so in a comment above itself:
//!
//! ```text
//! // sees: HTTP listeners: routing.http.response.server.enabled, routing.http.response.*.header_value
//! ```
//!
//! The title is one of the page's, `*` stands for any part of a key, and several such lines may follow each other. In Python a line
//! begins with `#`, and so it does in a case of calls, whose name is its file's.

use std::fs;
use std::path::{Path, PathBuf};

use super::Standing;
use super::page::{OWNERS, Seen};

/// Where tests are, from the root of the repository.
const PLACES: [&str; 4] =
    ["crates/plane/tests/it", "crates/control/tests/cases/elbv2", "crates/tidegate/tests/it", "tests/conformance"];

/// What is carried out and nothing says to have seen: each with why.
pub(super) const UNSEEN: [(&str, &str); 2] = [
    (
        "Target groups with protocol HTTP: stickiness.app_cookie.duration_seconds",
        "a cookie ages by the real clock, which no test moves; `targets/sticky.rs` judges ages that it is given",
    ),
    ("Target groups with protocol HTTP: stickiness.lb_cookie.duration_seconds", "the same"),
];

/// What all tests say that they see.
///
/// # Panics
/// Where one names no title, no attribute that is carried out, or is no test.
pub(super) fn gather() -> Seen {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut seen = Seen::new();
    for file in PLACES.iter().flat_map(|place| below(&root.join(place))) {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(said) = line.strip_prefix("// sees: ").or_else(|| line.strip_prefix("# sees: ")) else { continue };
            let (title, keys) = said.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            let test = named(&file, &lines[at + 1..]);
            let test = test.unwrap_or_else(|| panic!("{}: {line}: no test follows", file.display()));
            keys.split(", ").for_each(|key| note(&mut seen, (title, key), &test));
        }
    }
    seen
}

fn note(seen: &mut Seen, (title, wanted): (&str, &str), test: &str) {
    let found = OWNERS.iter().find(|(_, known)| *known == title);
    let (owner, title) = *found.unwrap_or_else(|| panic!("{test} names {title}, which is no title"));
    let carried_out = owner.rows().filter(|row| matches!(row.standing, Standing::CarriedOut(_)));
    let fits: Vec<_> = carried_out.map(|row| row.key).filter(|key| is_meant(key, wanted)).collect();
    assert!(!fits.is_empty(), "{test} sees {wanted} of {title}, which is not carried out");
    for key in fits {
        seen.entry((title, key)).or_default().insert(test.to_owned());
    }
}

fn is_meant(key: &str, wanted: &str) -> bool {
    match wanted.split_once('*') {
        None => key == wanted,
        Some((head, tail)) => key.len() + 1 >= wanted.len() && key.starts_with(head) && key.ends_with(tail),
    }
}

/// The name of the test that begins here, behind its comments and its attribute.
fn named(file: &Path, rest: &[&str]) -> Option<String> {
    let stem = file.file_stem()?.to_str()?;
    if file.extension()? == "http" {
        return Some(format!("{}/{stem}", file.parent()?.file_name()?.to_str()?));
    }
    let is_comment = |line: &&&str| ["// ", "/// ", "# "].iter().any(|begin| line.starts_with(begin));
    let mut rest = rest.iter().skip_while(is_comment);
    let first = *rest.next()?;
    let name = if file.extension()? == "py" {
        first.strip_prefix("def ").filter(|name| name.starts_with("test_"))?
    } else {
        let is_test = first.starts_with("#[tokio::test") || first == "#[test]";
        let second = *rest.next().filter(|_| is_test)?;
        second.strip_prefix("async ").unwrap_or(second).strip_prefix("fn ")?
    };
    Some(format!("{stem}::{}", name.split('(').next()?))
}

fn below(place: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|end| end == "rs" || end == "py" || end == "http") {
            found.push(path);
        }
    }
    found.sort();
    found
}
