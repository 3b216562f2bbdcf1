//! The formats that draft 4 names (draft-fge-json-schema-validation-00, section 7.3). Any other format asks nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Uri,
}

impl Format {
    const TABLE: [(Self, &'static str); 6] = [
        (Self::DateTime, "date-time"),
        (Self::Email, "email"),
        (Self::Hostname, "hostname"),
        (Self::Ipv4, "ipv4"),
        (Self::Ipv6, "ipv6"),
        (Self::Uri, "uri"),
    ];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|(_, text)| *text == name).map(|(format, _)| *format)
    }

    pub(super) const fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }

    pub(super) fn fits(self, text: &str) -> bool {
        match self {
            // RFC 3339, section 5.6: with a time zone.
            Self::DateTime => {
                text.as_bytes().get(10).is_some_and(|at| b"Tt".contains(at)) && text.parse::<jiff::Timestamp>().is_ok()
            }
            Self::Email => text.rsplit_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && !local.contains(char::is_whitespace) && is_host(domain)
            }),
            Self::Hostname => is_host(text),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv6 => text.parse::<Ipv6Addr>().is_ok(),
            Self::Uri => is_uri(text),
        }
    }
}

/// RFC 1034, section 3.1.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// RFC 3986, section 3: a scheme, and nothing that has no place in a URI.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let named = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    begins && named && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_table() {
        let rows = [
            ("date-time", "2026-11-28T10:00:00Z", true),
            ("date-time", "2026-11-28T10:00:00.5+01:00", true),
            ("date-time", "2026-11-28", false),
            ("date-time", "2026-13-28T10:00:00Z", false),
            ("email", "a@example.com", true),
            ("email", "example.com", false),
            ("hostname", "a-b.example", true),
            ("hostname", "-a", false),
            ("ipv4", "10.0.0.1", true),
            ("ipv4", "10.0.0.256", false),
            ("ipv6", "2001:db8::1", true),
            ("ipv6", "10.0.0.1", false),
            ("uri", "https://example.com/a?b#c", true),
            ("uri", "/a", false),
            ("uri", "a:b c", false),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Format::from_name(name).unwrap().fits(text), expected, "{name} {text}");
        }
        assert!(Format::TABLE.iter().all(|(format, name)| format.name() == *name));
        assert_eq!(Format::from_name("phone"), None);
    }
}
