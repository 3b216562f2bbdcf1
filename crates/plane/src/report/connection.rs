//! A line of a load balancer's connection log (ALB user guide, "Connection log entries", 2026-11): one for each attempt of a client to
//! connect, whether it came about or not.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::entry::{connection_id, iso_time, or_dash, quoted_text};
use crate::tls::mutual::LeafFacts;

/// What is known of an attempt. What there is nothing of is written as `-`.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    /// When it came about, or came to nothing, since 1970.
    pub(crate) at: Duration,
    /// Who tried.
    pub(crate) client: SocketAddr,
    /// The port of the listener.
    pub(crate) port: u16,
    /// The suite and the version of TLS, as far as the handshake came.
    pub(crate) agreed: Option<(&'static str, &'static str)>,
    /// How long the handshake took that came about.
    pub(crate) handshake: Option<Duration>,
    /// What the client's certificate says, where one was asked for and shown.
    pub(crate) leaf: Option<&'a LeafFacts>,
    /// What came of the handshake, if there was one.
    pub(crate) outcome: Option<Result<(), &'static str>>,
    /// What the connection's requests have in common in the access log.
    pub(crate) id: u128,
    /// How keys were exchanged.
    pub(crate) key_exchange: Option<&'static str>,
    /// `app/NAME/ID`
    pub(crate) balancer: &'a str,
    /// The address of the node.
    pub(crate) node: Ipv4Addr,
}

impl Attempt<'_> {
    /// The line, without a line end.
    pub(crate) fn line(&self) -> String {
        let mut line = String::with_capacity(256);
        let (suite, version) = self.agreed.unwrap_or(("-", "-"));
        let took = self.handshake.map(|took| format!("{:.3}", took.as_secs_f64()));
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "{} {} {} {} {version} {suite} {}",
            iso_time(self.at),
            self.client.ip(),
            self.client.port(),
            self.port,
            or_dash(took),
        );
        quoted_text(&mut line, self.leaf.map(|leaf| leaf.subject.as_str()));
        let status = self.outcome.map(|outcome| match outcome {
            Ok(()) => "Success".to_owned(),
            Err(code) => format!("Failed:{code}"),
        });
        let _ = write!(
            line,
            " {} {} {} {} {} {} {}",
            or_dash(self.leaf.map(|leaf| &leaf.validity)),
            or_dash(self.leaf.map(|leaf| &leaf.serial)),
            or_dash(status),
            connection_id(self.id),
            or_dash(self.key_exchange),
            self.balancer,
            self.node,
        );
        line
    }
}
