//! The page `docs/load-balancer-attributes.md`, written from the table and from what tests say that they see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Owner, Row, Standing, Values};

const HEAD: &str = "<!-- generated from crates/topology/src/resource/attribute/table.rs by its test with UPDATE=1; do not edit -->
# Attributes of load balancers, target groups and listeners

What `Modify…Attributes` takes and what becomes of it. A key that is not listed is refused as AWS refuses it: by one sentence where
AWS has it for something else, by another where it does not know it. The last column names tests that set a key which is carried out
and see what it changes.
";

/// Whose attributes have a part of the page, with its title.
pub(super) const OWNERS: [(Owner, &str); 7] = [
    (Owner::ApplicationBalancer, "Application load balancers"),
    (Owner::NetworkBalancer, "Network load balancers"),
    (Owner::HttpGroup, "Target groups with protocol HTTP"),
    (Owner::TcpGroup, "Target groups with protocol TCP"),
    (Owner::HttpListener, "HTTP listeners"),
    (Owner::HttpsListener, "HTTPS listeners"),
    (Owner::TcpListener, "TCP listeners"),
];

/// Tests that see what an attribute changes, by the page's title and the key.
pub type Seen = BTreeMap<(&'static str, &'static str), BTreeSet<String>>;

/// The page, with the tests that see each attribute.
#[must_use]
pub fn page(seen: &Seen) -> String {
    let mut text = HEAD.to_owned();
    for (owner, title) in OWNERS {
        let _ = write!(text, "\n## {title}\n\n| key | values | default | | seen by |\n|---|---|---|---|---|\n");
        for row in owner.rows() {
            text.push_str(&line(row, seen.get(&(title, row.key))));
        }
    }
    text
}

fn line(row: &Row, seen: Option<&BTreeSet<String>>) -> String {
    let standing = match row.standing {
        Standing::CarriedOut(what) => format!("carried out: {what}"),
        Standing::Kept(why) => format!("kept only: {why}"),
        Standing::Elsewhere => String::new(),
    };
    let default = match row.values.show(&row.values.default()) {
        none if none.is_empty() => String::new(),
        default => format!("`{default}`"),
    };
    let seen = seen.into_iter().flatten().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", ");
    format!("| `{}` | {} | {default} | {standing} | {seen} |\n", row.key, values(&row.values))
}

fn values(values: &Values) -> String {
    match values {
        Values::Boolean { .. } => "`true`, `false`".to_owned(),
        Values::Number { low, high, .. } => format!("{low}–{high}"),
        Values::OffOrNumber { low, high, .. } => format!("`off`, {low}–{high}"),
        Values::ZeroOrNumber { low, high } => format!("0, {low}–{high}"),
        Values::Choice(all) => all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", "),
        Values::HeaderName { .. } => "the name of a header".to_owned(),
        Values::HeaderValue => "the value of a header".to_owned(),
        Values::CookieName => "the name of a cookie".to_owned(),
        Values::Bucket => "the name of a bucket".to_owned(),
        Values::KeyPrefix => "what keys of objects begin with".to_owned(),
    }
}
