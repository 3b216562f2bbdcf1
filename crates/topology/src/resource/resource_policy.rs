//! The words of resource policies that are carried out (API Gateway developer guide, "Control access to a REST API with API Gateway
//! resource policies", 2026-11). `control` refuses a policy with other words when it is written; traffic reads statements by the same
//! words. No JSON here.

use std::net::IpAddr;

use ipnet::IpNet;

/// The members of a statement.
pub const STATEMENT_MEMBERS: [&str; 8] =
    ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// Where a condition on addresses wants the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// In one of the blocks.
    Inside,
    /// In none of them.
    Outside,
}

/// What an operator of a condition asks.
#[must_use]
pub fn operator(name: &str) -> Option<Whereabouts> {
    match name {
        "IpAddress" => Some(Whereabouts::Inside),
        "NotIpAddress" => Some(Whereabouts::Outside),
        _ => None,
    }
}

/// Whether a condition's key is the client's address.
#[must_use]
pub fn is_source_address(key: &str) -> bool {
    key.eq_ignore_ascii_case("aws:SourceIp")
}

/// A block of addresses, or one address.
#[must_use]
pub fn block(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
