//! What may be an issuer of tokens, by its URL alone: HTTPS, or plain HTTP to this machine. Whether the latter is allowed is
//! the control plane's to say, and whether an address may be reached the data plane's.

use std::net::{IpAddr, Ipv6Addr};

/// How an issuer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerWay {
    /// `https://…`
    Encrypted,
    /// `http://…` to a name or address that can only be this machine.
    Local,
}

/// The way to an issuer; `None` for a text that is no URL of one: another scheme, no host, a user, a query or a fragment, or
/// plain HTTP to another machine.
#[must_use]
pub fn way(url: &str) -> Option<IssuerWay> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['?', '#', '@', '\\']) {
        return None;
    }
    let (way, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (IssuerWay::Encrypted, rest),
        (None, Some(rest)) => (IssuerWay::Local, rest),
        (None, None) => return None,
    };
    let host = host(rest.split('/').next().unwrap_or_default())?;
    match way {
        IssuerWay::Local if !is_this_machine(host) => None,
        _ => Some(way),
    }
}

/// The host of an authority, without its port and brackets.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some("443"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "443")),
    };
    (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(host)
}

/// Loopback, or a name that can mean nothing else (RFC 6761, section 6.3).
fn is_this_machine(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let is_loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_table() {
        use IssuerWay::{Encrypted, Local};
        let rows = [
            ("https://issuer.example", Some(Encrypted)),
            ("https://issuer.example/", Some(Encrypted)),
            ("https://issuer.example:8443/realms/a", Some(Encrypted)),
            ("https://[2001:db8::1]/a", Some(Encrypted)),
            ("https://localhost:8443", Some(Encrypted)),
            ("http://localhost", Some(Local)),
            ("http://keycloak.localhost:8080/realms/a", Some(Local)),
            ("http://127.0.0.1:8080", Some(Local)),
            ("http://127.9.9.9", Some(Local)),
            ("http://[::1]:8080/a", Some(Local)),
            ("http://issuer.example", None),
            ("http://10.0.0.1", None),
            ("http://localhost.example", None),
            ("http://localhost@issuer.example", None),
            ("https://user@issuer.example", None),
            ("https://issuer.example?a=1", None),
            ("https://issuer.example#a", None),
            ("https://issuer.example/a b", None),
            ("https://issuer.example\\a", None),
            ("https://", None),
            ("https:///a", None),
            ("https://:443", None),
            ("https://issuer.example:port", None),
            ("https://issuer.example:0", None),
            ("https://[::1", None),
            ("https://[issuer]", None),
            ("HTTPS://issuer.example", None),
            ("ftp://issuer.example", None),
            ("issuer.example", None),
            ("", None),
        ];
        for (url, expected) in rows {
            assert_eq!(way(url), expected, "{url}");
        }
    }
}
