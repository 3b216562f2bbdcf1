//! One look over the headers of a message, so that what is usually absent costs nothing to remove.

use http::HeaderMap;

use super::framing::FramingLines;

/// What a set of headers holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Bytes of all header lines.
    pub(crate) bytes: usize,
    /// How many `Host` lines.
    pub(crate) hosts: usize,
    /// What there is that concerns one connection only.
    pub(crate) hop: HopByHop,
    /// Whether there is `Forwarded` or `X-Forwarded-*`.
    pub(crate) forwarding: bool,
    /// Whether there is `X-Amzn-Trace-Id`.
    pub(crate) trace: bool,
    /// Whether there is `Expect`.
    pub(crate) expect: bool,
}

/// Headers that concern one connection only (RFC 9110, section 7.6.1), as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HopByHop(u16);

impl HopByHop {
    /// `Connection`
    pub(crate) const CONNECTION: Self = Self(1);
    /// `Transfer-Encoding`
    pub(crate) const CODING: Self = Self(1 << 1);
    /// `Trailer`
    pub(crate) const TRAILER: Self = Self(1 << 2);
    /// Any other of them.
    pub(crate) const OTHER: Self = Self(1 << 3);

    /// Whether the set holds all of `other`.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it holds nothing.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Survey {
    /// Looks over the headers, and the lines that left them at the entrance.
    pub(crate) fn of(headers: &HeaderMap, lines: &FramingLines) -> Self {
        let bytes = lines.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let mut seen = Self { bytes, ..Self::default() };
        if lines.coding().is_some() {
            seen.hop.add(HopByHop::CODING);
        }
        for (name, value) in headers {
            let name = name.as_str();
            // A line adds a colon, a blank and a line end.
            seen.bytes += name.len() + value.len() + 4;
            match name {
                "host" => seen.hosts += 1,
                "connection" => seen.hop.add(HopByHop::CONNECTION),
                "trailer" => seen.hop.add(HopByHop::TRAILER),
                "keep-alive" | "proxy-connection" | "upgrade" | "te" | "proxy-authorization" | "proxy-authenticate" => {
                    seen.hop.add(HopByHop::OTHER)
                }
                "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" | "x-forwarded-port" => {
                    seen.forwarding = true;
                }
                "x-amzn-trace-id" => seen.trace = true,
                "expect" => seen.expect = true,
                _ => {}
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_counts() {
        let mut headers = HeaderMap::new();
        headers.append("host", "a".parse().unwrap());
        headers.append("host", "b".parse().unwrap());
        headers.append("te", "trailers".parse().unwrap());
        let seen = Survey::of(&headers, &FramingLines::None);
        assert_eq!((seen.hosts, seen.hop, seen.bytes), (2, HopByHop::OTHER, 9 + 9 + 14));
        assert!(!seen.forwarding && !seen.trace && !seen.expect);
        let chunked = FramingLines::Coding("chunked".parse().unwrap());
        let seen = Survey::of(&headers, &chunked);
        assert!(seen.hop.has(HopByHop::CODING) && seen.bytes == 9 + 9 + 14 + 28);
    }
}
