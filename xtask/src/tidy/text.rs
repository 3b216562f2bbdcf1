//! Rules about one file's text: banned words with their replacement, module docs, and size.
//!
//! A line's code is what stands before `//`; everything after the first top-level `#[cfg(test)]` that does not only declare a module, and
//! everything below a `tests/` directory, is test code. Both are conventions of this tree, simple on purpose. This file and generated files are
//! exempt from the table: the one has to spell the words, the others are judged by their generator.

/// Where in a file a ban looks.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    /// The code of Rust files outside tests.
    Shipped,
    /// The code of Rust files, in tests only.
    Tests,
    /// The code of Rust files.
    Rust,
    /// Every line of every text file.
    Everything,
}

struct Ban {
    text: &'static str,
    scope: Scope,
    /// Path prefixes where the text is right.
    allowed: &'static [&'static str],
    instead: &'static str,
    why: &'static str,
}

/// Where sockets to private addresses are opened for a permit, where sockets to the outside are opened for a judged address,
/// and the rooms that never carry private traffic.
const DIALLERS: &[&str] = &[
    "crates/plane/src/fabric/dial.rs",
    "crates/plane/src/fabric/kernel/mod.rs",
    "crates/plane/src/fabric/outside.rs",
    "crates/kernel/src/examination.rs",
    "crates/tidegate/",
    "xtask/",
];
/// Where the wall clock and the monotonic clock may be read.
const CLOCKS: &[&str] = &[
    "crates/tidegate/",
    "crates/plane/src/clock.rs",
    "crates/topology/examples/compile_estate.rs",
    "crates/kernel/examples/changed_group.rs",
    "xtask/",
];

const BANS: &[Ban] = &[
    Ban {
        text: "TcpStream::connect",
        scope: Scope::Shipped,
        allowed: DIALLERS,
        instead: "fabric::dial, or fabric::outside",
        why: "only a permit from a verdict may open a private connection, and only a judged address any other",
    },
    Ban {
        text: "TcpSocket",
        scope: Scope::Shipped,
        allowed: DIALLERS,
        instead: "fabric::dial, or fabric::outside",
        why: "only a permit from a verdict may open a private connection, and only a judged address any other",
    },
    Ban {
        text: "tokio::spawn",
        scope: Scope::Shipped,
        allowed: &["crates/plane/src/task.rs", "crates/tidegate/", "xtask/"],
        instead: "task::spawn",
        why: "a panic in a task of the plane is counted, or nobody hears of it",
    },
    Ban {
        text: "SystemTime::now",
        scope: Scope::Shipped,
        allowed: CLOCKS,
        instead: "a moment passed in as an argument, or the plane's clock",
        why: "a room that reads the clock cannot be tested without waiting",
    },
    Ban {
        text: "Instant::now",
        scope: Scope::Shipped,
        allowed: CLOCKS,
        instead: "a moment passed in as an argument, or the plane's clock",
        why: "a room that reads the clock cannot be tested without waiting",
    },
    Ban {
        text: "println!",
        scope: Scope::Shipped,
        allowed: &["crates/tidegate/src/output.rs"],
        instead: "tracing, or tidegate's output module",
        why: "standard output belongs to what scripts parse",
    },
    Ban { text: "dbg!", scope: Scope::Rust, allowed: &[], instead: "tracing::debug!", why: "it is a note to oneself" },
    Ban {
        text: "FIXME",
        scope: Scope::Everything,
        allowed: &[],
        instead: "the fix, or a line in CHANGELOG.md under Internals",
        why: "what is known to be broken does not merge",
    },
    Ban {
        text: "#[ignore",
        scope: Scope::Rust,
        allowed: &[],
        instead: "asserting the wrong behaviour, with the reason",
        why: "a test that does not run is no test",
    },
    Ban {
        text: "thread::sleep",
        scope: Scope::Tests,
        allowed: &[],
        instead: "waiting for the event itself",
        why: "sleeps are slow when they work and flaky when they do not",
    },
    Ban {
        text: "time::sleep(",
        scope: Scope::Tests,
        allowed: &[],
        instead: "waiting for the event, or paused time and time::advance",
        why: "sleeps are slow when they work and flaky when they do not",
    },
    Ban {
        text: "/root/",
        scope: Scope::Everything,
        allowed: &[],
        instead: "a path relative to the repository, PATH, or a variable",
        why: "no other machine has this directory",
    },
    Ban {
        text: "/work/",
        scope: Scope::Everything,
        allowed: &[],
        instead: "a path relative to the repository, PATH, or a variable",
        why: "no other machine has this directory",
    },
    Ban {
        text: "/home/",
        scope: Scope::Everything,
        allowed: &[],
        instead: "a path relative to the repository, PATH, or a variable",
        why: "no other machine has this directory",
    },
];

/// Lines of code that a file may have, its tests among them; blank lines and comments are none. House rule.
const LINES_MAX: usize = 500;

/// Judges one file by its path from the root and its text.
pub(super) fn judge(path: &str, text: &str) -> Vec<String> {
    if path == "xtask/src/tidy/text.rs" || path.contains("/generated/") || text.starts_with("// @generated") {
        return Vec::new();
    }
    let is_rust = path.ends_with(".rs");
    let tests_from = if is_rust { first_test_line(path, text) } else { usize::MAX };
    let mut problems = banned(path, text, tests_from);
    if is_rust && !has_module_doc(text) {
        problems.push(format!("{path}:1: no module doc: open with `//!`: what lives here and what must not"));
    }
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    if is_rust && lines > LINES_MAX {
        problems.push(format!("{path}: {lines} lines of code, at most {LINES_MAX}: split it by what changes together"));
    }
    problems
}

fn banned(path: &str, text: &str, tests_from: usize) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for ban in BANS.iter().filter(|b| !b.allowed.iter().any(|a| path.starts_with(a))) {
            let looks_here = match ban.scope {
                Scope::Everything => true,
                Scope::Rust => path.ends_with(".rs"),
                Scope::Shipped => path.ends_with(".rs") && at < tests_from,
                Scope::Tests => path.ends_with(".rs") && at >= tests_from,
            };
            let seen = if ban.scope == Scope::Everything { line } else { code(line) };
            if looks_here && contains_word(seen, ban.text) {
                problems.push(format!("{path}:{}: `{}`: use {}; {}", at + 1, ban.text, ban.instead, ban.why));
            }
        }
    }
    problems
}

/// The first line that is test code, counted from zero; `usize::MAX` if there is none.
pub(super) fn first_test_line(path: &str, text: &str) -> usize {
    if path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/") {
        return 0;
    }
    let next = text.lines().skip(1).chain([""]);
    let begins = |(line, next): (&str, &str)| line.starts_with("#[cfg(test)]") && !is_declaration(next);
    text.lines().zip(next).position(begins).unwrap_or(usize::MAX)
}

/// A module whose code stands in a file of its own.
fn is_declaration(line: &str) -> bool {
    line.starts_with("mod ") && line.ends_with(';')
}

pub(super) fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// `println!` is not in `eprintln!`: where the text starts with a letter, no letter stands before it.
fn contains_word(line: &str, text: &str) -> bool {
    let starts_with_letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    line.match_indices(text).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !starts_with_letter || !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn has_module_doc(text: &str) -> bool {
    text.lines().find(|l| !l.trim().is_empty() && !l.starts_with("#!")).is_some_and(|l| l.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = "//! Doc.\n";

    #[test]
    fn each_ban_is_found_where_it_holds_and_nowhere_else() {
        let plane = "crates/plane/src/alb/forward.rs";
        for (path, text, finds) in [
            (plane, "let s = TcpStream::connect(a).await;", true),
            ("crates/plane/src/fabric/dial.rs", "let s = TcpStream::connect(a).await;", false),
            ("crates/plane/tests/it/main.rs", "let s = TcpStream::connect(a).await;", false),
            (plane, "let s = TcpSocket::new_v4()?;", true),
            (plane, "#[cfg(test)]\nmod tests { fn f() { TcpStream::connect(a) } }", false),
            (plane, "// TcpStream::connect is for dial only", false),
            (plane, "tokio::spawn(serve());", true),
            ("crates/plane/src/task.rs", "tokio::spawn(watched(future))", false),
            ("crates/control/src/lib.rs", "let now = SystemTime::now();", true),
            ("crates/plane/src/front/listen.rs", "let now = Instant::now();", true),
            ("crates/plane/src/clock.rs", "let now = Instant::now();", false),
            ("crates/tidegate/src/serve.rs", "let now = Instant::now();", false),
            (plane, "println!(\"x\");", true),
            (plane, "eprintln!(\"x\");", false),
            ("crates/tidegate/src/output.rs", "println!(\"x\");", false),
            (plane, "dbg!(x);", true),
            (plane, "#[cfg(test)]\nfn f() { dbg!(x); }", true),
            (plane, "#[cfg(test)]\nmod tests;\nfn f() { TcpStream::connect(a) }", true),
            ("docs/page.md", "FIXME later", true),
            (plane, "#[ignore = \"slow\"]", true),
            ("crates/plane/tests/it/main.rs", "std::thread::sleep(d);", true),
            ("crates/plane/src/targets/health.rs", "tokio::time::sleep(interval).await;", false),
            (plane, "#[cfg(test)]\nasync fn f() { tokio::time::sleep(d).await; }", true),
            ("examples/x.sh", "cd /root/x", true),
            ("examples/x.sh", "cd /network/x", false),
        ] {
            let found = judge(path, &format!("{DOC}{text}\n"));
            assert_eq!(!found.is_empty(), finds, "{path}: {text}: {found:?}");
        }
    }

    #[test]
    fn a_finding_names_line_replacement_and_reason() {
        let found = judge("crates/plane/src/x.rs", "//! Doc.\n\nfn f() { dbg!(1); }\n");
        assert_eq!(found, ["crates/plane/src/x.rs:3: `dbg!`: use tracing::debug!; it is a note to oneself"]);
    }

    #[test]
    fn a_rust_file_without_module_doc_is_found() {
        for (text, finds) in [
            ("use std::fmt;\n", true),
            ("// plain\n//! late\n", true),
            ("//! Doc.\n", false),
            ("\n#![allow(x)]\n//! Doc.\n", false),
            ("", true),
        ] {
            assert_eq!(!judge("crates/wire/src/x.rs", text).is_empty(), finds, "{text:?}");
        }
        assert!(judge("docs/x.md", "no module doc here\n").is_empty());
    }

    #[test]
    fn files_with_too_much_code_are_found_whatever_they_are_commented_with() {
        let line = "const A: u8 = 1;\n";
        let full = format!("{DOC}{}", line.repeat(LINES_MAX));
        let commented = full.replace(line, &format!("\n    // of a kind\n{line}"));
        assert_eq!(judge("a.rs", &commented), Vec::<String>::new());
        let tested = format!("{full}#[cfg(test)]\n");
        assert!(judge("a.rs", &tested)[0].contains("501 lines of code"), "{:?}", judge("a.rs", &tested));
    }
}
