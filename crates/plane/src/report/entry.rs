//! An entry of a load balancer's access log (ALB user guide, "Access log entries", 2026-11): what is noted of a request as it goes, and
//! the line that its end makes of it. What clients send is escaped as nginx escapes it, so that no client writes a field of its own.

use std::fmt::{self, Display, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use topology::snapshot::logs::LogPlace;

use super::outlet::{BalancerLine, Outlet};
use crate::clock;
use crate::limits::LOGGED_AGENT_BYTES_MAX;

/// What is noted of a request. A field that nothing was noted of is written as `-`, a time as -1.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Which log it belongs to.
    pub(crate) place: Arc<LogPlace>,
    /// Where entries go.
    pub(crate) lines: Outlet<BalancerLine>,
    /// The address of the node that took the request.
    pub(crate) node: Ipv4Addr,
    /// What was spoken: `http`, `https`, `h2`, `grpcs`, `ws` or `wss`.
    pub(crate) spoken: &'static str,
    /// The suite and the version of TLS of the client's own connection.
    pub(crate) agreed: Option<(&'static str, &'static str)>,
    /// What the requests of the client's own connection have in common.
    pub(crate) connection: Option<u128>,
    /// Who asked.
    pub(crate) client: SocketAddr,
    /// Who was chosen to answer.
    pub(crate) target: Option<SocketAddr>,
    /// Until it was sent on, in microseconds.
    pub(crate) request_time: Option<u32>,
    /// From then to the head of the target's answer, in microseconds.
    pub(crate) target_time: Option<u32>,
    /// The status that the client got.
    pub(crate) status: u16,
    /// The status that the target sent.
    pub(crate) target_status: Option<u16>,
    /// Bytes of its head, and of that of its answer.
    pub(crate) head_bytes: (u64, u64),
    /// Method, URL and version.
    pub(crate) request_line: Vec<u8>,
    /// `User-Agent`
    pub(crate) user_agent: Option<HeaderValue>,
    /// The ARN of the target group.
    pub(crate) group: Option<String>,
    /// `X-Amzn-Trace-Id`
    pub(crate) trace_id: Option<HeaderValue>,
    /// The server name that was asked for, where a certificate is for it.
    pub(crate) domain: Option<String>,
    /// The ARN of the certificate that was presented.
    pub(crate) certificate: Option<String>,
    /// The priority of the rule, 0 for the default one.
    pub(crate) rule: Option<u32>,
    /// When it came, since 1970.
    pub(crate) created: Duration,
    /// What was done, in this order.
    pub(crate) actions: Vec<&'static str>,
    /// Where it was sent instead.
    pub(crate) redirect: Option<HeaderValue>,
    /// Why what its rule asks was not met.
    pub(crate) error: Option<&'static str>,
    /// How unusual it is, and why.
    pub(crate) class: Option<(&'static str, &'static str)>,
    /// The host that the rule made of it.
    pub(crate) new_host: Option<HeaderValue>,
    /// The URI that the rule made of it.
    pub(crate) new_uri: Option<String>,
    /// What came of rewriting.
    pub(crate) transform: Option<&'static str>,
}

impl Entry {
    /// Hands the line out; `ended` is now, and the bytes are those of both bodies.
    pub(crate) fn close(self, ended: Duration, bodies: (u64, u64)) {
        let text = self.line(ended, bodies);
        self.lines.offer(BalancerLine { place: Arc::clone(&self.place), node: self.node, text });
    }

    fn line(&self, ended: Duration, (received, sent): (u64, u64)) -> String {
        let mut line = String::with_capacity(512 + self.request_line.len());
        let is_answered = self.target_status.is_some();
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "{} {} {} {} {} {} {} {} {} {} {} {}",
            self.spoken,
            iso_time(ended),
            self.place.balancer,
            self.client,
            or_dash(self.target),
            seconds(self.request_time),
            seconds(self.target_time),
            // The head of an answer leaves as soon as it is there.
            seconds(is_answered.then_some(0)),
            self.status,
            or_dash(self.target_status),
            self.head_bytes.0.saturating_add(received),
            self.head_bytes.1.saturating_add(sent),
        );
        quoted(&mut line, Some(&self.request_line));
        let agent = self.user_agent.as_ref().map(|agent| cut(agent.as_bytes()));
        quoted(&mut line, agent);
        let (suite, version) = self.agreed.unwrap_or(("-", "-"));
        let _ = write!(line, " {suite} {version} {}", or_dash(self.group.as_deref()));
        quoted(&mut line, self.trace_id.as_ref().map(HeaderValue::as_bytes));
        quoted_text(&mut line, self.domain.as_deref());
        quoted_text(&mut line, self.certificate.as_deref());
        let _ = write!(line, " {} {}", or_dash(self.rule), iso_time(self.created));
        quoted_text(&mut line, Some(self.actions.join(",")).filter(|done| !done.is_empty()).as_deref());
        quoted(&mut line, self.redirect.as_ref().map(HeaderValue::as_bytes));
        quoted_text(&mut line, self.error);
        quoted_text(&mut line, self.target.map(|target| target.to_string()).as_deref());
        quoted_text(&mut line, self.target_status.map(|status| status.to_string()).as_deref());
        quoted_text(&mut line, self.class.map(|(class, _)| class));
        quoted_text(&mut line, self.class.map(|(_, why)| why));
        // There is no connection between the gateway and a listener of the same process.
        let _ = write!(line, " {}", or_dash(self.connection.map(connection_id)));
        quoted(&mut line, self.new_host.as_ref().map(HeaderValue::as_bytes));
        quoted_text(&mut line, self.new_uri.as_deref());
        quoted_text(&mut line, self.transform);
        line
    }
}

/// `2018-07-02T22:23:00.186641Z`
pub(crate) fn iso_time(since_epoch: Duration) -> String {
    let micros = i64::try_from(clock::micros(since_epoch)).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).map(|time| format!("{time:.6}")).unwrap_or_default()
}

/// Seconds with three places; -1 for none.
fn seconds(micros: Option<u32>) -> String {
    micros
        .map_or_else(|| "-1".to_owned(), |micros| format!("{:.3}", Duration::from_micros(micros.into()).as_secs_f64()))
}

/// What connection and access logs call a connection.
pub(super) fn connection_id(id: u128) -> String {
    format!("TID_{id:032x}")
}

struct OrDash<T>(Option<T>);

impl<T: Display> Display for OrDash<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

pub(super) const fn or_dash<T: Display>(value: Option<T>) -> impl Display {
    OrDash(value)
}

fn cut(agent: &[u8]) -> &[u8] {
    agent.get(..LOGGED_AGENT_BYTES_MAX).unwrap_or(agent)
}

pub(super) fn quoted_text(line: &mut String, text: Option<&str>) {
    quoted(line, text.map(str::as_bytes));
}

/// A blank and the bytes in quotes. Quotes, backslashes and all but printable ASCII become `\xHH`, so that a field ends at its quote
/// and a line at its end.
fn quoted(line: &mut String, bytes: Option<&[u8]>) {
    line.push_str(" \"");
    for byte in bytes.filter(|bytes| !bytes.is_empty()).unwrap_or(b"-") {
        match byte {
            b'"' | b'\\' | 0..b' ' | 0x7f.. => _ = write!(line, "\\x{byte:02X}"),
            _ => line.push(char::from(*byte)),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sends_stays_in_its_field() {
        for (sent, written) in [
            (&b"curl/7.46.0"[..], r#" "curl/7.46.0""#),
            (b"", r#" "-""#),
            (b"a\" 200 200 \"b\\", r#" "a\x22 200 200 \x22b\x5C""#),
            (b"a\r\n\t\0b", r#" "a\x0D\x0A\x09\x00b""#),
            ("ü\u{2028}".as_bytes(), r#" "\xC3\xBC\xE2\x80\xA8""#),
        ] {
            let mut line = String::new();
            quoted(&mut line, Some(sent));
            assert_eq!(line, written);
        }
    }

    #[test]
    fn times_have_microseconds_and_spans_have_milliseconds() {
        assert_eq!(iso_time(Duration::from_micros(1_530_570_180_186_641)), "2018-07-02T22:23:00.186641Z");
        assert_eq!(iso_time(Duration::from_secs(1_530_570_180)), "2018-07-02T22:23:00.000000Z");
        assert_eq!([None, Some(0), Some(86_400), Some(12_345_678)].map(seconds), ["-1", "0.000", "0.086", "12.346"]);
    }
}
