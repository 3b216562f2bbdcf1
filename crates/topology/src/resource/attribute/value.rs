//! What values attributes take, and typed ways to read them: each is made of a key while the program is compiled, and one that the
//! table has not, or has with other values, does not compile.

use super::{Attributes, Owner, Row, table};

/// Characters of the name of a header that an attribute gives (ALB user guide, "HTTP header modification", 2026-11).
const HEADER_NAME_CHARS_MAX: usize = 40;

/// Names that no such header has: what frames or routes a message, or concerns one connection alone, is not the configuration's to say.
const RESERVED_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What cookies of the load balancer itself begin with (ELBv2 API reference, TargetGroupAttribute, 2026-11).
const OWN_COOKIES: &str = "AWSALB";

/// RFC 9110, section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Bytes of what keys of log files begin with.
const KEY_PREFIX_BYTES_MAX: usize = 512;

pub(super) fn is_bucket(text: &str) -> bool {
    let is_end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let fits = |b: u8| is_end(Some(b)) || b == b'.' || b == b'-';
    let (first, last) = (text.bytes().next(), text.bytes().last());
    (3..=63).contains(&text.len()) && is_end(first) && is_end(last) && text.bytes().all(fits) && !text.contains("..")
}

pub(super) fn is_key_prefix(text: &str) -> bool {
    let is_part = |part: &str| part != "." && part != "..";
    let fits = |b: u8| (b' '..=b'~').contains(&b) && b != b'\\';
    text.len() <= KEY_PREFIX_BYTES_MAX
        && text.bytes().all(fits)
        && text.split('/').all(is_part)
        && !text.contains(super::LOGS_BELOW)
}

/// What values an attribute takes, and which one it has while none is set.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values {
    /// `true` or `false`.
    Boolean {
        /// The default.
        default: bool,
    },
    /// A whole number.
    Number {
        /// The least.
        low: u32,
        /// The greatest.
        high: u32,
        /// The default.
        default: u32,
    },
    /// `off`, or a whole number.
    OffOrNumber {
        /// The least.
        low: u32,
        /// The greatest.
        high: u32,
        /// The default.
        default: Option<u32>,
    },
    /// 0, which is the default, or a whole number.
    ZeroOrNumber {
        /// The least, besides 0.
        low: u32,
        /// The greatest.
        high: u32,
    },
    /// One of these; the first is the default.
    Choice(&'static [&'static str]),
    /// The name of a header: letters, digits, hyphens and underscores, 40 at most, and none of [`RESERVED_HEADERS`].
    HeaderName {
        /// The default.
        default: &'static str,
    },
    /// The value of a header: visible ASCII and spaces; empty by default.
    HeaderValue,
    /// The name of a cookie that is a target's: a token (RFC 6265, section 4.1.1) that is none of the load balancer's own; empty by default.
    CookieName,
    /// The name of a bucket: 3–63 lower-case letters, digits, dots and hyphens, a letter or a digit at both ends, no two dots side by
    /// side (S3 user guide, "Bucket naming rules", 2026-11); empty by default, and never set to that.
    Bucket,
    /// What the keys of objects begin with: at most 512 bytes of printable ASCII, no part of it `.` or `..`, without `AWSLogs` (ALB
    /// user guide, "Enable access logs", 2026-11; the length is ours: a key has 1,024); empty by default.
    KeyPrefix,
}

/// A value that one of the [`Values`] admits. A choice is known by its place among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Boolean(bool),
    Number(u32),
    Off,
    Choice(usize),
    Text(String),
}

impl Values {
    pub(super) fn default(&self) -> Value {
        match *self {
            Self::Boolean { default } => Value::Boolean(default),
            Self::Number { default, .. } | Self::OffOrNumber { default: Some(default), .. } => Value::Number(default),
            Self::OffOrNumber { default: None, .. } => Value::Off,
            Self::ZeroOrNumber { .. } => Value::Number(0),
            Self::Choice(_) => Value::Choice(0),
            Self::HeaderName { default } => Value::Text(default.to_owned()),
            Self::HeaderValue | Self::CookieName | Self::Bucket | Self::KeyPrefix => Value::Text(String::new()),
        }
    }

    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        let within = |low: u32, high: u32| {
            let number = text.parse::<u32>().ok().filter(|number| (low..=high).contains(number));
            number.map(Value::Number)
        };
        let fits = |is_fit: bool| is_fit.then(|| Value::Text(text.to_owned()));
        match *self {
            Self::Boolean { .. } => text.parse().ok().map(Value::Boolean),
            Self::Number { low, high, .. } => within(low, high),
            Self::OffOrNumber { .. } if text == "off" => Some(Value::Off),
            Self::OffOrNumber { low, high, .. } => within(low, high),
            Self::ZeroOrNumber { .. } if text == "0" => Some(Value::Number(0)),
            Self::ZeroOrNumber { low, high } => within(low, high),
            Self::Choice(all) => all.iter().position(|one| *one == text).map(Value::Choice),
            Self::HeaderName { .. } => {
                let is_name_char = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                let is_name = (1..=HEADER_NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_name_char);
                fits(is_name && !RESERVED_HEADERS.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)))
            }
            Self::HeaderValue => fits(text.bytes().all(|b| (b' '..=b'~').contains(&b))),
            Self::CookieName => fits(text.bytes().all(is_token_byte) && !text.starts_with(OWN_COOKIES)),
            Self::Bucket => fits(is_bucket(text)),
            Self::KeyPrefix => fits(is_key_prefix(text)),
        }
    }

    /// Whether earlier programs took texts for it that it does not take now.
    pub(super) const fn took_other_texts(&self) -> bool {
        matches!(self, Self::CookieName | Self::Bucket | Self::KeyPrefix | Self::HeaderName { .. })
    }

    pub(super) fn show(&self, value: &Value) -> String {
        match (value, self) {
            (Value::Boolean(value), _) => value.to_string(),
            (Value::Number(number), _) => number.to_string(),
            (Value::Off, _) => "off".to_owned(),
            (Value::Choice(at), Self::Choice(all)) => all.get(*at).copied().unwrap_or_default().to_owned(),
            (Value::Choice(_), _) => String::new(),
            (Value::Text(text), _) => text.clone(),
        }
    }
}

/// The row of this key; one that is not there is a fault of the program, found while it is compiled.
const fn row(owner: Owner, key: &str) -> &'static Row {
    let mut at = 0;
    while at < table::ROWS.len() {
        let row = &table::ROWS[at];
        if is_same(row.key, key) && has(row.owners, owner) {
            return row;
        }
        at += 1;
    }
    panic!("the table of attributes has no such row")
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

const fn has(owners: &[Owner], owner: Owner) -> bool {
    let mut at = 0;
    while at < owners.len() {
        if owners[at] as u8 == owner as u8 {
            return true;
        }
        at += 1;
    }
    false
}

/// An attribute that is on or off.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    key: &'static str,
    default: bool,
}

impl Flag {
    /// The attribute of this key. `owner` is any of those that its row names: it tells rows of one key apart.
    #[must_use]
    pub const fn of(owner: Owner, key: &str) -> Self {
        let row = row(owner, key);
        let Values::Boolean { default } = row.values else { panic!("it is not on or off") };
        Self { key: row.key, default }
    }

    /// Its key.
    pub(crate) const fn key(self) -> &'static str {
        self.key
    }
}

/// An attribute that is a whole number.
#[derive(Debug, Clone, Copy)]
pub struct Number {
    key: &'static str,
    default: u32,
}

impl Number {
    /// The attribute of this key.
    #[must_use]
    pub const fn of(owner: Owner, key: &str) -> Self {
        let row = row(owner, key);
        let default = match row.values {
            Values::Number { default, .. } => default,
            Values::ZeroOrNumber { .. } => 0,
            _ => panic!("it is no number"),
        };
        Self { key: row.key, default }
    }
}

/// An attribute that is a whole number or `off`.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    key: &'static str,
    default: Option<u32>,
}

impl Limit {
    /// The attribute of this key.
    #[must_use]
    pub const fn of(owner: Owner, key: &str) -> Self {
        let row = row(owner, key);
        let Values::OffOrNumber { default, .. } = row.values else { panic!("it is no number that can be off") };
        Self { key: row.key, default }
    }
}

/// An attribute that is a text.
#[derive(Debug, Clone, Copy)]
pub struct TextValue {
    key: &'static str,
    default: &'static str,
}

impl TextValue {
    /// The attribute of this key.
    #[must_use]
    pub const fn of(owner: Owner, key: &str) -> Self {
        let row = row(owner, key);
        let default = match row.values {
            Values::HeaderName { default } => default,
            Values::HeaderValue | Values::CookieName | Values::Bucket | Values::KeyPrefix => "",
            _ => panic!("it is no text"),
        };
        Self { key: row.key, default }
    }

    /// Its key.
    pub(crate) const fn key(self) -> &'static str {
        self.key
    }
}

/// An attribute that is one of `N`, each with what it means.
#[derive(Debug, Clone, Copy)]
pub struct Choice<T, const N: usize> {
    key: &'static str,
    meanings: [(&'static str, T); N],
}

impl<T: Copy, const N: usize> Choice<T, N> {
    /// The attribute of this key, with a meaning for each of its values in the table's order.
    #[must_use]
    pub const fn of(owner: Owner, key: &str, meanings: [(&'static str, T); N]) -> Self {
        let row = row(owner, key);
        let Values::Choice(all) = row.values else { panic!("it is no choice") };
        assert!(all.len() == N && N > 0, "each value has a meaning");
        let mut at = 0;
        while at < N {
            assert!(is_same(all[at], meanings[at].0), "the meanings stand in the table's order");
            at += 1;
        }
        Self { key: row.key, meanings }
    }
}

impl Attributes {
    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self, flag: Flag) -> bool {
        match self.set.get(flag.key) {
            Some(Value::Boolean(value)) => *value,
            _ => flag.default,
        }
    }

    /// The number.
    #[must_use]
    pub fn number(&self, number: Number) -> u32 {
        match self.set.get(number.key) {
            Some(Value::Number(value)) => *value,
            _ => number.default,
        }
    }

    /// The number, or `None` for `off`.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> Option<u32> {
        match self.set.get(limit.key) {
            Some(Value::Number(value)) => Some(*value),
            Some(Value::Off) => None,
            _ => limit.default,
        }
    }

    /// The text.
    #[must_use]
    pub fn text(&self, text: TextValue) -> &str {
        match self.set.get(text.key) {
            Some(Value::Text(value)) => value,
            _ => text.default,
        }
    }

    /// What the chosen value means.
    #[must_use]
    pub fn chosen<T: Copy, const N: usize>(&self, choice: Choice<T, N>) -> T {
        let at = match self.set.get(choice.key) {
            Some(Value::Choice(at)) if *at < N => *at,
            _ => 0,
        };
        choice.meanings[at].1
    }
}
