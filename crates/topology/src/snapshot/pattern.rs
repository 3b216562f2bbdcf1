//! Patterns of rules, as requests are compared with them and rewritten by them.

use regex::bytes::{Captures, Regex};

/// A pattern of `*` (any run) and `?` (one character).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    pub(crate) pattern: Box<[u8]>,
    pub(crate) fold_case: bool,
    pub(crate) escapes: bool,
}

/// What a text is compared with.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Wildcards.
    Glob(Glob),
    /// A regular expression, found anywhere.
    Regex(Regex),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Glob(one), Self::Glob(other)) => one == other,
            // Whether case counts goes with the condition that it stands in.
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Pattern {
    /// Whether a text fits.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Pattern {
    /// What each text that fits begins with; `None` where it may begin with anything.
    pub(crate) fn beginning(&self) -> Option<Box<[u8]>> {
        let Self::Glob(Glob { pattern, fold_case: false, escapes: false }) = self else { return None };
        let literal = pattern.split(|b| matches!(b, b'*' | b'?')).next().unwrap_or_default();
        (!literal.is_empty()).then(|| literal.into())
    }

    /// The one text that fits, in lower case where case does not count; `None` where there may be others.
    pub(crate) fn only(&self) -> Option<Box<[u8]>> {
        let Self::Glob(Glob { pattern, fold_case: true, escapes: false }) = self else { return None };
        (!pattern.contains(&b'*') && !pattern.contains(&b'?')).then(|| pattern.to_ascii_lowercase().into())
    }
}

/// A rewriting of a text: what is found first is replaced.
#[derive(Debug, Clone)]
pub struct Rewrite {
    regex: Regex,
    replace: Vec<Piece>,
}

/// A piece of a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    /// What the group of this number found, as `$1` says.
    Group(usize),
}

/// What a rewriting makes is longer than whoever asked has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        (self.regex.as_str(), &self.replace) == (other.regex.as_str(), &other.replace)
    }
}

impl Rewrite {
    /// A `$` before digits names a group, every other is one.
    pub(crate) fn new(regex: Regex, replace: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = replace;
        while let Some((before, after)) = rest.split_once('$') {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let literal = |_| Piece::Text(format!("${}", &after[..digits]).into());
            let piece = after[..digits].parse().map_or_else(literal, Piece::Group);
            pieces.extend([Piece::Text(before.into()), piece]);
            rest = &after[digits..];
        }
        pieces.push(Piece::Text(rest.into()));
        Self { regex, replace: pieces }
    }

    /// The text with what is found first replaced; `None` where nothing is found.
    ///
    /// # Errors
    /// When it would have more bytes than `bytes_max`.
    pub fn of(&self, text: &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>, TooLong> {
        let Some(found) = self.regex.captures(text) else { return Ok(None) };
        let (start, end) = found.get(0).map_or((0, 0), |whole| (whole.start(), whole.end()));
        let mut out = Vec::with_capacity(text.len());
        let pieces = self.replace.iter().map(|piece| piece.of(&found));
        for piece in std::iter::once(&text[..start]).chain(pieces).chain(std::iter::once(&text[end..])) {
            if out.len() + piece.len() > bytes_max {
                return Err(TooLong);
            }
            out.extend_from_slice(piece);
        }
        Ok(Some(out))
    }
}

impl Piece {
    /// A group that found nothing, or is none, stands for nothing.
    fn of<'p>(&'p self, found: &Captures<'p>) -> &'p [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Group(number) => found.get(*number).map_or(&[], |group| group.as_bytes()),
        }
    }
}

/// What a rule rewrites of a request before it is forwarded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transforms {
    /// Of `Host`.
    pub host: Option<Rewrite>,
    /// Of the path and the query.
    pub url: Option<Rewrite>,
}

impl Glob {
    /// A pattern that counts upper and lower case.
    #[must_use]
    pub fn exact_case(pattern: &str) -> Self {
        Self { pattern: pattern.as_bytes().into(), fold_case: false, escapes: false }
    }

    /// A pattern that counts upper and lower case, in which a backslash makes the next `*`, `?` or backslash literal.
    #[must_use]
    pub fn exact_case_with_escapes(pattern: &str) -> Self {
        Self { pattern: pattern.as_bytes().into(), fold_case: false, escapes: true }
    }

    /// A pattern that counts upper and lower case and in which only `*` is special.
    #[must_use]
    pub fn stars(pattern: &str) -> Self {
        let escaped = pattern.replace('\\', "\\\\").replace('?', "\\?");
        Self { pattern: escaped.into_bytes().into(), fold_case: false, escapes: true }
    }

    /// A pattern that does not.
    #[must_use]
    pub fn any_case(pattern: &str) -> Self {
        Self { pattern: pattern.as_bytes().into(), fold_case: true, escapes: false }
    }

    /// A pattern that does not, in which a backslash makes the next `*` or `?` literal (query strings).
    #[must_use]
    pub fn any_case_with_escapes(pattern: &str) -> Self {
        Self { pattern: pattern.as_bytes().into(), fold_case: true, escapes: true }
    }

    /// Whether the whole of `text` matches. Runs in time proportional to pattern times text at worst.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let (mut at, mut seen) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while seen < text.len() {
            match self.token(at) {
                Some((Token::Run, next)) => {
                    back = Some((next, seen));
                    at = next;
                    continue;
                }
                Some((token, next)) if self.accepts(token, text[seen]) => {
                    at = next;
                    seen += 1;
                    continue;
                }
                _ => {}
            }
            let Some((after_run, from)) = back else {
                return false;
            };
            back = Some((after_run, from + 1));
            (at, seen) = (after_run, from + 1);
        }
        while let Some((Token::Run, next)) = self.token(at) {
            at = next;
        }
        at == self.pattern.len()
    }

    fn token(&self, at: usize) -> Option<(Token, usize)> {
        match *self.pattern.get(at)? {
            b'*' => Some((Token::Run, at + 1)),
            b'?' => Some((Token::One, at + 1)),
            b'\\' if self.escapes => match self.pattern.get(at + 1) {
                Some(&next) => Some((Token::Byte(next), at + 2)),
                None => Some((Token::Byte(b'\\'), at + 1)),
            },
            byte => Some((Token::Byte(byte), at + 1)),
        }
    }

    fn accepts(&self, token: Token, byte: u8) -> bool {
        match token {
            Token::Run => false,
            Token::One => true,
            Token::Byte(wanted) if self.fold_case => wanted.eq_ignore_ascii_case(&byte),
            Token::Byte(wanted) => wanted == byte,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Token {
    Run,
    One,
    Byte(u8),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glob_table() {
        let rows = [
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("/img/*", "/img/", true),
            ("/img/*", "/img/a/b.png", true),
            ("/img/*", "/IMG/a", false),
            ("/a?c", "/abc", true),
            ("/a?c", "/ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(Glob::exact_case(pattern).matches(text.as_bytes()), expected, "{pattern} on {text}");
        }
        assert!(Glob::stars(r"a?\*").matches(br"a?\b") && !Glob::stars("a?").matches(b"ab"));
        assert!(Glob::any_case("EXAMPLE").matches(b"example"));
        assert!(Glob::any_case_with_escapes(r"a\*").matches(b"A*"));
        assert!(!Glob::any_case_with_escapes(r"a\*").matches(b"ab"));
    }

    #[test]
    fn rewritings_table() {
        let rows = [
            ("^/old/(.*)$", "/new/$1", "/old/a?b=1", Some("/new/a?b=1")),
            ("^/old/(.*)$", "/new/$1", "/other", None),
            ("([a-z]+)-([0-9]+)", "$2-$1", "/x/ab-12/cd-34", Some("/x/12-ab/cd-34")),
            ("a", "$1x", "/a", Some("/x")),
            ("a", "$1$0$$", "/a", Some("/a$$")),
            ("(a)", "$12", "/a", Some("/")),
            ("^", "/p", "/a", Some("/p/a")),
            ("a", "$99999999999999999999", "/a", Some("/$99999999999999999999")),
            ("b$", "", "/ab", Some("/a")),
        ];
        for (regex, replace, text, expected) in rows {
            let found = Rewrite::new(Regex::new(regex).unwrap(), replace).of(text.as_bytes(), 100);
            assert_eq!(found, Ok(expected.map(|text| text.as_bytes().to_vec())), "{regex} {replace} on {text}");
        }
        let grows = Rewrite::new(Regex::new("^.*$").unwrap(), &"$0".repeat(50));
        assert_eq!(
            (grows.of(&[b'a'; 3], 100), grows.of(&[b'a'; 2], 100).map(|made| made.map(|m| m.len()))),
            (Err(TooLong), Ok(Some(100)))
        );
    }
}
