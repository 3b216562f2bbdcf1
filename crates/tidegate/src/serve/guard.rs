//! What a browser may be tricked into is refused here: requests that another site's page sends to the API port, and names
//! that an attacker's DNS points at loopback. Invoke URLs are public and never come here.
//!
//! Enforced: the `Origin` of every request, the `Host` of AWS calls that nobody signed for us (development mode), the `Host`
//! and the peer of our own paths. Trusted: programs of this machine.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request, Uri};

use crate::loopback::is_localhost;

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// A page of another site sent it.
    Origin,
    /// An AWS call, by a name that anyone may point at loopback.
    Rebound,
    /// Our own path, by a name that is not loopback's.
    Host,
    /// Our own path, from another machine.
    Peer,
}

impl Foreign {
    /// The sentence that says so.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Origin => "Pages of other sites may not call this port",
            Self::Rebound => "In development mode AWS calls are taken by loopback names only",
            Self::Host => "Paths below /_tidegate/ answer to loopback names only",
            Self::Peer => "Paths below /_tidegate/ answer to this machine only",
        }
    }
}

/// Refuses what a page of another site sent.
pub(crate) fn browser(headers: &HeaderMap) -> Result<(), Foreign> {
    let is_foreign = |value: &http::HeaderValue| !value.to_str().is_ok_and(is_loopback_origin);
    if headers.get_all(ORIGIN).iter().any(is_foreign) {
        return Err(Foreign::Origin);
    }
    // A form or an image sent by another page may come without Origin; browsers then say so here.
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        Some(b"cross-site") => Err(Foreign::Origin),
        _ => Ok(()),
    }
}

/// Refuses AWS calls by a name that an attacker's DNS may point here: a page of that name would be of the same origin, and
/// the signature of a call proves nothing in development mode.
pub(crate) fn rebound<B>(request: &Request<B>) -> Result<(), Foreign> {
    if is_ours_to_name(host(request.uri(), request.headers())) { Ok(()) } else { Err(Foreign::Rebound) }
}

/// Whether nobody else can make a page of this `Host`: loopback's names, names without a dot, AWS's own, and the public
/// name of loopback that users of LocalStack have in their settings.
fn is_ours_to_name(host: &str) -> bool {
    let Some(name) = name_of(host).map(str::to_ascii_lowercase) else { return false };
    let below = |parent: &str| name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let known = ["amazonaws.com", "localhost.localstack.cloud"].iter().any(|parent| below(parent));
    is_loopback_host(host) || known || (!name.starts_with('[') && !name.contains('.'))
}

/// Refuses calls of our own paths from elsewhere.
pub(crate) fn own<B>(request: &Request<B>, peer: SocketAddr) -> Result<(), Foreign> {
    if !peer.ip().to_canonical().is_loopback() {
        return Err(Foreign::Peer);
    }
    if is_loopback_host(host(request.uri(), request.headers())) { Ok(()) } else { Err(Foreign::Host) }
}

fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> &'r str {
    match headers.get(HOST) {
        Some(host) => host.to_str().unwrap_or_default(),
        None => uri.authority().map_or("", |authority| authority.as_str()),
    }
}

/// `http://localhost:3000`; not `null`, which any sandboxed page may send.
fn is_loopback_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, host)| is_loopback_host(host))
}

/// Whether a `Host` is loopback's: an address, `localhost`, or a name below it.
fn is_loopback_host(host: &str) -> bool {
    let Some(name) = name_of(host) else { return false };
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => is_localhost(name),
    }
}

/// A `Host` without its port, an IPv6 address with its brackets (RFC 3986, 3.2.2 and 3.2.3). `None` where more than a port
/// follows: what a name server may answer for is the whole of the text, so no part of it may be judged alone.
fn name_of(host: &str) -> Option<&str> {
    let name_ends = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at_checked(name_ends)?;
    let is_port = |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    (rest.is_empty() || is_port(rest)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts_are_told_from_names_that_only_look_like_it() {
        for (host, is_loopback) in [
            ("localhost", true),
            ("LocalHost:4566", true),
            ("api.localhost:4566", true),
            ("127.0.0.1:4566", true),
            ("127.9.9.9", true),
            ("[::1]:4566", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.", true),
            ("", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("notlocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("[::ffff:7f00:1].evil.example", false),
            ("[::1]evil.example:4566", false),
            ("[::1", false),
            ("localhost:4566.evil.example", false),
            ("127.0.0.1:4566:evil", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
        ] {
            assert_eq!(is_loopback_host(host), is_loopback, "{host}");
        }
    }

    #[test]
    fn aws_calls_are_not_taken_by_names_that_anyone_may_own() {
        for (host, is_ours) in [
            ("127.0.0.1:4566", true),
            ("[::1]:4566", true),
            ("localhost:4566", true),
            ("tidegate:4566", true),
            ("", true),
            ("ec2.us-east-1.amazonaws.com", true),
            ("localhost.localstack.cloud:4566", true),
            ("s3.localhost.localstack.cloud:4566", true),
            ("evil.example:4566", false),
            ("evilamazonaws.com", false),
            ("amazonaws.com.evil.example", false),
            ("[::ffff:7f00:1].evil.example", false),
            ("tidegate:4566.evil.example", false),
            ("192.0.2.1:4566", false),
            ("[2001:db8::1]:4566", false),
        ] {
            assert_eq!(is_ours_to_name(host), is_ours, "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        for (name, value, passes) in [
            ("origin", "http://localhost:3000", true),
            ("origin", "http://127.0.0.1", true),
            ("origin", "https://evil.example", false),
            ("origin", "null", false),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "same-origin", true),
            ("accept", "*/*", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(browser(&headers).is_ok(), passes, "{name}: {value}");
        }
    }
}
