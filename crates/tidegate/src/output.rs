//! The only place that writes to standard output, which belongs to what scripts parse. Logs go to standard error, by
//! `tracing`. A reader that has gone away, as `head` does, is no failure of ours.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// Prints one line.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a JSON value on one line.
pub(crate) fn json(value: &Value) {
    line(&value.to_string());
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let _ = io::stdout().write_all(bytes);
}

/// Prints a complaint on standard error, for the commands that keep no log.
pub(crate) fn complaint(text: &str) {
    let _ = writeln!(io::stderr(), "tidegate: {text}");
}

/// Passes on a complaint that another process of ours made.
pub(crate) fn complaint_as_it_is(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Text in a colour, where a person reads it and has not asked for none (<https://no-color.org>).
pub(crate) fn coloured(text: &str, ansi: &str) -> String {
    if has_colour(io::stdout().is_terminal()) { format!("\x1b[{ansi}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Whether colours are wanted on a stream.
pub(crate) fn has_colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
