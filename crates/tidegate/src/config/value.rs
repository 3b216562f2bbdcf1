//! One value of the configuration at a time: text in, what it means or what is wrong with it out. Which setting a value belongs to
//! is said by `config`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use topology::id::Region;
use topology::net::IpNet;

use super::{Fabric, Unsupported};
use crate::journal::Copies;

/// Shortest and longest `timeouts.blocked_connect`: below, a denial would be hard to tell from a refusal; above, every
/// timeout of the chain has run out.
const BLOCKED_CONNECT_RANGE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(60));

/// A URL that issuers may be below: with TLS, or of this machine. Which machine that is, the plane judges.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let uri: http::Uri = text.parse().map_err(|_| format!("{text:?} is no URL"))?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    match (is_web && uri.authority().is_some(), uri.query()) {
        (true, None) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(format!("{text:?} must begin with http:// or https:// and hold no query")),
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    match local {
        Some(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text.parse().map_err(|_| format!("{text:?} is no HOST:PORT with an address for its host")),
    }
}

/// The same, or nowhere.
pub(super) fn somewhere(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "none" { Ok(None) } else { address(text).map(Some) }
}

/// Where sockets are opened whose ports are said elsewhere, if anywhere.
pub(super) fn host(text: &str) -> Result<Option<Ipv4Addr>, String> {
    match (text, text.parse::<IpAddr>()) {
        ("none", _) => Ok(None),
        ("localhost", _) => Ok(Some(Ipv4Addr::LOCALHOST)),
        (_, Ok(IpAddr::V4(host))) => Ok(Some(host)),
        (_, Ok(IpAddr::V6(host))) => {
            Err(format!("{host} is an IPv6 address, and clients of load balancers have IPv4 ones"))
        }
        (_, Err(_)) => Err(format!("must be none or an address without a port, such as 127.0.0.1, not {text:?}")),
    }
}

pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn copies(text: &str) -> Result<Copies, String> {
    match text {
        "" => Err("must be none, stdout or a file".to_owned()),
        "none" => Ok(Copies::None),
        "stdout" => Ok(Copies::Stdout),
        file => Ok(Copies::File(PathBuf::from(file))),
    }
}

/// A block, or one address as a block of its own.
pub(super) fn block(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| alone()).map_err(|_| format!("{text:?} is no block such as \"10.0.0.0/8\""))
}

pub(super) fn region(text: &str) -> Result<Region, String> {
    Region::named(text).map_err(|_| format!("{text:?} is no region name such as us-east-1"))
}

pub(super) fn fabric(text: &str) -> Result<Fabric, String> {
    one_of(text, &[("auto", Fabric::Auto), ("proxy", Fabric::Proxy), ("kernel", Fabric::Kernel)])
}

pub(super) fn level(text: &str) -> Result<tracing::Level, String> {
    use tracing::Level;
    one_of(
        text,
        &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ],
    )
}

pub(super) fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        format!("must be {}, not {text:?}", names.join(" or "))
    })
}

pub(super) fn unsupported(text: &str) -> Result<Unsupported, String> {
    one_of(text, &[("refuse", Unsupported::Refuse), ("warn", Unsupported::Warn)])
}

pub(super) fn blocked(text: &str) -> Result<Duration, String> {
    let (shortest, longest) = BLOCKED_CONNECT_RANGE;
    match duration(text) {
        Some(given) if (shortest..=longest).contains(&given) => Ok(given),
        Some(_) => Err(format!("must lie between {shortest:?} and {longest:?}")),
        None => Err(format!("{text:?} is no duration such as \"1s\" or \"250ms\"")),
    }
}

/// `250ms`, `1s`, `2m`, `24h`: a whole number and its unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}
