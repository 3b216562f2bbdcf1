//! Values into YAML in the form of AWS's exports: texts in double quotes, names without where they need none, lists not indented
//! below their name (as public exports look; grade: seen, not recorded by us).

use serde_json::{Map, Value};

/// Writes a document.
pub(crate) fn to_yaml(document: &Value) -> String {
    let mut text = "---\n".to_owned();
    match document {
        Value::Object(members) if !members.is_empty() => map(&mut text, members, 0),
        other => {
            scalar(&mut text, other);
            text.push('\n');
        }
    }
    text
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn map(text: &mut String, members: &Map<String, Value>, depth: usize) {
    for (at, (name, value)) in members.iter().enumerate() {
        // The first entry of a map within a list stands behind the dash.
        if at > 0 || text.ends_with('\n') {
            indent(text, depth);
        }
        if is_plain(name) {
            text.push_str(name);
        } else {
            text.push_str(&Value::String(name.clone()).to_string());
        }
        text.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                text.push('\n');
                map(text, members, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                list(text, items, depth);
            }
            other => {
                text.push(' ');
                scalar(text, other);
                text.push('\n');
            }
        }
    }
}

fn list(text: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(text, depth);
        match item {
            Value::Object(members) if !members.is_empty() => {
                text.push_str("- ");
                map(text, members, depth + 1);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push_str("-\n");
                list(text, items, depth + 1);
            }
            other => {
                text.push_str("- ");
                scalar(text, other);
                text.push('\n');
            }
        }
    }
}

/// JSON's spelling of texts, numbers and what is empty is YAML's too.
fn scalar(text: &mut String, value: &Value) {
    text.push_str(&value.to_string());
}

/// Whether a name is read as itself without quotes.
fn is_plain(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || "/_$".contains(c));
    let goes_on = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-.{}+$".contains(&b));
    let means = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    starts && goes_on && !means.contains(&name.to_ascii_lowercase().as_str())
}
