//! One look over the headers of a message, so that what is usually absent costs nothing to remove.

use http::HeaderMap;

/// What a set of headers holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Bytes of all header lines.
    pub(crate) bytes: usize,
    /// How many `Host` lines.
    pub(crate) hosts: usize,
    /// How many `Transfer-Encoding` lines.
    pub(crate) codings: usize,
    /// Whether there is anything that concerns one connection only.
    pub(crate) hop: bool,
    /// Whether there is `Forwarded` or `X-Forwarded-*`.
    pub(crate) forwarding: bool,
    /// Whether there is `X-Amzn-Trace-Id`.
    pub(crate) trace: bool,
    /// Whether there is `Expect`.
    pub(crate) expect: bool,
    /// Whether there is `Content-Length`.
    pub(crate) length: bool,
}

impl Survey {
    /// Looks over the headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            let name = name.as_str();
            // A line adds a colon, a blank and a line end.
            seen.bytes += name.len() + value.len() + 4;
            match name {
                "host" => seen.hosts += 1,
                "transfer-encoding" => {
                    seen.codings += 1;
                    seen.hop = true;
                }
                "content-length" => seen.length = true,
                "connection"
                | "keep-alive"
                | "proxy-connection"
                | "upgrade"
                | "trailer"
                | "te"
                | "proxy-authorization"
                | "proxy-authenticate" => seen.hop = true,
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
        let seen = Survey::of(&headers);
        assert_eq!((seen.hosts, seen.hop, seen.codings, seen.bytes), (2, true, 0, 9 + 9 + 14));
        assert!(!seen.forwarding && !seen.trace && !seen.expect && !seen.length);
    }
}
