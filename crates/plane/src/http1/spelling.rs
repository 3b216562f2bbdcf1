//! How a client spelled its head, where meaning leaves that out: the names of its headers, and the lines that framed its body. Everything
//! compares names in lower case, as HTTP/2 has them; what shows them to people or programs of a REST API shows them as they were sent.

use bytes::Bytes;
use http::HeaderName;

use crate::http::framing::FramingLines;

/// The head of a request as it came. Its values are parts of it, so that it is in memory as long as they are; nothing looks into it
/// before a spelling is asked for. A request over HTTP/2 has none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spelling {
    head: Option<Bytes>,
    lines: FramingLines,
}

/// The names of a head, in the order of its lines.
pub(crate) struct Names<'h>(Vec<&'h str>);

impl Spelling {
    /// The spelling of this head, which was read.
    pub(super) const fn of(head: Bytes, lines: FramingLines) -> Self {
        Self { head: Some(head), lines }
    }

    /// Of a head of which only these lines are known.
    pub(crate) const fn framed(lines: FramingLines) -> Self {
        Self { head: None, lines }
    }

    /// The lines that framed the body.
    pub(crate) const fn lines(&self) -> &FramingLines {
        &self.lines
    }

    /// Its names.
    pub(crate) fn names(&self) -> Names<'_> {
        Names(self.sent().into_iter().flatten().filter_map(|(name, _)| std::str::from_utf8(name).ok()).collect())
    }

    /// Names and values of its lines as they were sent, a value with the blanks around it.
    pub(crate) fn sent(&self) -> Option<impl Iterator<Item = (&[u8], &[u8])>> {
        // The first line is the request's.
        let lines = self.head.as_deref()?.split(|byte| *byte == b'\n').skip(1);
        Some(lines.filter_map(|line| {
            let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
            Some((name, value.strip_prefix(b":")?))
        }))
    }
}

impl Names<'_> {
    /// A name as the client spelled it. Of several spellings the last counts, as of several values.
    pub(crate) fn spelled<'n>(&'n self, name: &'n HeaderName) -> &'n str {
        self.0.iter().rev().find(|known| known.eq_ignore_ascii_case(name.as_str())).copied().unwrap_or(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_they_were_sent() {
        let head = "GET /a:b HTTP/1.1\r\nHost: h\r\nX-Token: a:b\r\nx-one: 1\r\nX-One: 2\nemPty:\r\n\r\n";
        let spelling = Spelling::of(Bytes::from(head), FramingLines::None);
        let names = spelling.names();
        let rows =
            [("host", "Host"), ("x-token", "X-Token"), ("x-one", "X-One"), ("empty", "emPty"), ("x-trace", "x-trace")];
        for (name, expected) in rows {
            assert_eq!(names.spelled(&HeaderName::from_static(name)), expected);
        }
        let none = Spelling::default();
        assert_eq!(none.names().spelled(&HeaderName::from_static("host")), "host");
    }
}
