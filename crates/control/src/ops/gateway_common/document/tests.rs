//! Documents that people write are read; those that are made to cost are refused before they do.

use serde_json::{Value, json};

use super::{INVALID, Unread, parse, to_yaml};

fn read(text: &str) -> Result<Value, Unread> {
    parse(text).map(Value::Object)
}

#[test]
fn yaml_means_what_json_says() {
    let rows = [
        ("a: 1\nb: -2.5\nc: 0x1F\nd: 1e3\n", json!({"a": 1, "b": -2.5, "c": 31, "d": 1000.0})),
        ("a: true\nb: 'true'\nc: yes\nd: ~\ne:\n", json!({"a": true, "b": "true", "c": "yes", "d": null, "e": null})),
        ("a: 007\nb: 3.0.1\nc: 2.0\nd: +\n", json!({"a": "007", "b": "3.0.1", "c": 2.0, "d": "+"})),
        ("200: {x: [a, b]}\n", json!({"200": {"x": ["a", "b"]}})),
        ("a: |\n  one\n  two\n", json!({"a": "one\ntwo\n"})),
        ("a: !!str 1\n", json!({"a": "1"})),
        ("x: &x {k: v}\ny: *x\n", json!({"x": {"k": "v"}, "y": {"k": "v"}})),
        ("x: &x name\n*x : v\n", json!({"x": "name", "name": "v"})),
    ];
    for (text, expected) in rows {
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn merge_keys_fill_in_what_a_map_does_not_say() {
    let rows = [
        ("b: &b {k: 1, l: 2}\na:\n  <<: *b\n  l: 3\n", json!({"k": 1, "l": 3})),
        ("b: &b {k: 1}\nc: &c {k: 2, l: 4}\na:\n  <<: [*b, *c]\n", json!({"k": 1, "l": 4})),
        ("a: {<<: {k: 1}, l: 2}\n", json!({"k": 1, "l": 2})),
    ];
    for (text, expected) in rows {
        assert_eq!(read(text).unwrap()["a"], expected, "{text}");
    }
    assert!(read("a:\n  <<: text\n").is_err());
}

#[test]
fn what_is_no_document_is_unreadable() {
    for text in ["", "[]", "{", "a", "a: &a [*a]", "a: b: c", "? [x]\n: y", "a: 1\n---\nb: 2\n", "{\"a\":1} x", "a: *b"]
    {
        assert!(matches!(read(text), Err(Unread { message, .. }) if message == INVALID), "{text}");
    }
}

#[test]
fn depth_is_bounded_before_it_is_built() {
    let levels = |open: &str, n: usize| format!("a: {}", open.repeat(n));
    let rows = [
        format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100)),
        format!("a: {}{}", "[".repeat(100), "]".repeat(100)),
        levels("[", 250_000),
        levels("{", 250_000),
        levels("- ", 2_000),
        "[".repeat(250_000),
        format!("x: &x {}{}\ny: {}*x{}", "[".repeat(60), "]".repeat(60), "[".repeat(60), "]".repeat(60)),
    ];
    for text in rows {
        assert!(read(&text).is_err(), "{}", &text[..40]);
    }
    read(&format!("{{\"a\":{}{}}}", "[".repeat(99), "]".repeat(99))).unwrap();
    read(&format!("a: {}{}", "[".repeat(99), "]".repeat(99))).unwrap();
}

#[test]
fn memory_is_bounded_before_it_is_taken() {
    let doubling = |levels: usize| {
        let line = |n: usize| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1);
        format!("a0: &a0 [text, text]\n{}", (1..levels).map(line).collect::<String>())
    };
    let refused = |text: &str| read(text).unwrap_err().message;
    assert!(refused(&doubling(40)).contains("128 MiB"));
    assert!(read(&doubling(5)).is_ok());
    // 40 KB of aliases.
    let wide = format!("a: &a [{}]\n", "x, ".repeat(6_000));
    let many = format!("{wide}b: [{}]\n", "*a, ".repeat(6_000));
    assert!(refused(&many).contains("128 MiB"));
    let merges = format!("a: &a {{{}}}\nb: [{}]\n", pairs(4_000), "{<<: *a}, ".repeat(4_000));
    assert!(refused(&merges).contains("128 MiB"));
    // Small maps take more memory than text.
    let maps = format!("{{\"a\":[{}{{}}]}}", "{\"a\":0},".repeat(400_000));
    assert!(refused(&maps).contains("128 MiB"));
}

fn pairs(n: usize) -> String {
    (0..n).map(|n| format!("k{n}: v, ")).collect()
}

#[test]
fn one_node_is_not_read_ahead_without_end() {
    let text = format!("[{}]: x", "a,".repeat(300_000));
    assert!(read(&text).is_err());
    let block = format!("a: |\n  {}\n", "x".repeat(400_000));
    assert_eq!(read(&block).unwrap()["a"].as_str().unwrap().len(), 400_001);
}

#[test]
fn what_is_written_as_yaml_is_read_back() {
    let document = json!({
        "swagger": "2.0", "paths": {"/{proxy+}": {"get": {"responses": {"200": {"description": "200 \"x\"\n: #"}}}}},
        "list": [{"a": 1, "b": [[], {}]}, [1, 2], "x", null, true], "empty": {}, "on": "off", "": "", "a b": 1.5, "~": 0,
    });
    let text = to_yaml(&document);
    assert_eq!(read(&text).unwrap(), document, "{text}");
    assert!(
        text.starts_with("---\n") && text.contains("swagger: \"2.0\"\n") && text.contains("        \"200\":\n"),
        "{text}"
    );
}
