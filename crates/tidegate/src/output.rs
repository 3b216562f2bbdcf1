//! The only place that writes to standard output, which belongs to what scripts parse. Logs go to standard error, by
//! `tracing`. A reader that has gone away, as `head` does, is no failure of ours.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// The width of a terminal that does not tell.
const USUAL_COLUMNS: u16 = 80;
/// How much further in the rest of a folded line stands.
const FOLD_INDENT: usize = 4;

/// Prints one line.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a part of a line.
pub(crate) fn piece(text: &str) {
    let mut out = io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// How wide the terminal is that a person reads; `None` where there is none.
pub(crate) fn columns() -> Option<u16> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok()?;
    // Some terminals do not know.
    Some(if size.ws_col == 0 { USUAL_COLUMNS } else { size.ws_col })
}

/// A line folded between words where it is longer; what follows stands further in, and in a command ends with a backslash before that.
pub(crate) fn folded(text: &str, columns: usize, is_command: bool) -> Vec<String> {
    if text.chars().count() <= columns {
        return vec![text.to_owned()];
    }
    let indent = text.len() - text.trim_start().len();
    let (within, end) = if is_command { (columns - 2, " \\") } else { (columns, "") };
    let mut lines = vec![" ".repeat(indent)];
    // Between spaces that follow one another is a word of no letters: so what stands in columns stays there.
    for (at, word) in text.trim_start().split(' ').enumerate() {
        let line = lines.last().map(|line| line.chars().count()).unwrap_or_default();
        let is_over = line + 1 + word.chars().count() > within;
        match lines.last_mut() {
            Some(line) if at == 0 || line.trim().is_empty() => line.push_str(word),
            Some(line) if !is_over => line.extend([" ", word]),
            _ => lines.push(format!("{}{word}", " ".repeat(indent + FOLD_INDENT))),
        }
    }
    let last = lines.len() - 1;
    lines[..last].iter_mut().for_each(|line| line.push_str(end));
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_words() {
        assert_eq!(folded("  short line", 20, false), ["  short line"]);
        assert_eq!(folded("  one two three four", 13, false), ["  one two", "      three", "      four"]);
        assert_eq!(folded("  aws one --two x", 12, true), ["  aws one \\", "      --two \\", "      x"]);
        assert_eq!(folded("  pass  link  one two", 17, false), ["  pass  link  one", "      two"]);
        // A word that is longer than a line is left whole.
        assert_eq!(folded("abcdefghijkl", 5, false), ["abcdefghijkl"]);
    }
}
