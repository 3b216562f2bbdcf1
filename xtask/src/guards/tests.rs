//! The rows are judged as the module says; no compiler is asked here.

use super::scratch::{copy_dir, errors_in};
use super::*;

/// Compiles by a rule in place of a compiler.
struct Rule<F>(F, usize);

impl<F: Fn(&[Changed]) -> Vec<CompileError>> Compiler for Rule<F> {
    fn source(&self, file: &str) -> Result<String, String> {
        Ok(format!("{file}: let guarded = check(request); serve(guarded); serve"))
    }

    fn errors(&mut self, changed: &[Changed]) -> Result<Vec<CompileError>, String> {
        self.1 += 1;
        Ok((self.0)(changed))
    }
}

fn guard(file: &str, text: &str) -> Guard {
    let instead = "let guarded = request;".to_owned();
    Guard {
        name: format!("{file} {text}"),
        file: file.to_owned(),
        text: text.to_owned(),
        instead,
        error: "E0308".into(),
    }
}

fn error(file: &str, rendered: &str) -> CompileError {
    CompileError { file: file.to_owned(), rendered: rendered.to_owned() }
}

const CHECK: &str = "let guarded = check(request);";

/// As a compiler that minds every file.
fn strict(changed: &[Changed]) -> Vec<CompileError> {
    changed.iter().map(|changed| error(&changed.file, "error[E0308]: mismatched types")).collect()
}

#[test]
fn a_row_that_does_not_compile_as_named_is_well() {
    let mut compiler = Rule(strict, 0);
    let guards = [guard("a.rs", CHECK), guard("b.rs", CHECK), guard("a.rs", "serve(guarded);")];
    assert_eq!(judge(&guards, &mut compiler).unwrap(), Vec::<String>::new());
    assert_eq!(compiler.1, 3, "the tree as it stands, then a round for each row of one file");
}

#[test]
fn a_row_that_compiles_is_red() {
    let problems = judge(&[guard("a.rs", CHECK)], &mut Rule(|_: &[Changed]| Vec::new(), 0)).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("it compiles, in a.rs"), "{problems:?}");
}

#[test]
fn a_row_that_compiles_is_red_beside_one_that_does_not() {
    let only_a = |changed: &[Changed]| strict(changed).into_iter().filter(|error| error.file == "a.rs").collect();
    let problems = judge(&[guard("a.rs", CHECK), guard("b.rs", CHECK)], &mut Rule(only_a, 0)).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("it compiles, in b.rs"), "{problems:?}");
}

#[test]
fn a_row_whose_error_another_hides_is_tried_alone() {
    let first_only = |changed: &[Changed]| strict(changed).into_iter().take(1).collect();
    let problems = judge(&[guard("a.rs", CHECK), guard("b.rs", CHECK)], &mut Rule(first_only, 0)).unwrap();
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn a_text_that_does_not_stand_exactly_once_is_red() {
    for (text, count) in [("verify(request)", "0 times"), ("serve", "2 times")] {
        let problems = judge(&[guard("a.rs", text)], &mut Rule(strict, 0)).unwrap();
        assert!(problems.len() == 1 && problems[0].contains(count), "{problems:?}");
    }
}

#[test]
fn another_error_than_the_one_named_is_red() {
    let other = |changed: &[Changed]| {
        let mut errors = strict(changed);
        errors.extend(changed.iter().map(|changed| error(&changed.file, "error[E0425]: cannot find value")));
        errors
    };
    let problems = judge(&[guard("a.rs", CHECK)], &mut Rule(other, 0)).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("E0425"), "{problems:?}");
}

#[test]
fn an_error_in_a_file_that_nobody_changed_is_red() {
    let elsewhere = |changed: &[Changed]| {
        let mut errors = strict(changed);
        errors.extend(changed.iter().map(|_| error("c.rs", "error[E0308]: mismatched types")));
        errors
    };
    let problems = judge(&[guard("a.rs", CHECK)], &mut Rule(elsewhere, 0)).unwrap();
    assert!(problems.len() == 1 && problems[0].starts_with("of no row"), "{problems:?}");
}

#[test]
fn a_tree_that_does_not_compile_shows_nothing() {
    let broken = |_: &[Changed]| vec![error("a.rs", "error[E0308]: mismatched types")];
    let why = judge(&[guard("a.rs", CHECK)], &mut Rule(broken, 0)).unwrap_err();
    assert!(why.contains("as it stands"), "{why}");
}

#[test]
fn errors_are_read_with_their_files() {
    let line = |level: &str, rendered: &str, spans: &str| {
        format!(
            r#"{{"reason":"compiler-message","message":{{"level":"{level}","rendered":"{rendered}","spans":[{spans}]}}}}"#
        )
    };
    let span = |file: &str, primary: &str| format!(r#"{{"file_name":"{file}","is_primary":{primary}}}"#);
    let spans = [span("/usr/lib/core.rs", "false"), span("crates/plane/src/link/mod.rs", "true")].join(",");
    let lines = [
        r#"{"reason":"compiler-artifact","target":{}}"#.to_owned(),
        line("warning", "warning: unused", &spans),
        line("error", "error[E0308]: mismatched types", &spans),
        line("error", "error: aborting due to 1 previous error", ""),
        line("error", "error: linking failed", ""),
    ];
    let expected = vec![error("link/mod.rs", "error[E0308]: mismatched types"), error("", "error: linking failed")];
    assert_eq!(errors_in(&lines.join("\n")).unwrap(), expected);
    assert!(errors_in("not JSON").is_err());
}

#[test]
fn a_copy_loses_what_its_source_has_no_more() {
    let dir = std::env::temp_dir().join(format!("tidegate-guards-{}", std::process::id()));
    let (from, to) = (dir.join("from"), dir.join("to"));
    for (file, text) in
        [("from/a.rs", "new"), ("from/b/c.rs", "c"), ("to/a.rs", "old"), ("to/gone.rs", ""), ("to/d/e.rs", "")]
    {
        codegen::write(&dir.join(file), text).unwrap();
    }
    copy_dir(&from, &to).unwrap();
    assert_eq!(codegen::read(&to.join("a.rs")).unwrap(), "new");
    assert_eq!(codegen::read(&to.join("b/c.rs")).unwrap(), "c");
    assert!(!to.join("gone.rs").exists() && !to.join("d").exists());
    std::fs::remove_dir_all(&dir).unwrap();
}
