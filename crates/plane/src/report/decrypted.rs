//! A line of a network load balancer's access log (NLB user guide, "Access log entries", 2026-11): one for each connection to a TLS listener,
//! when it is over, whether its handshake came about or not.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use topology::id::ListenerId;

use super::entry::or_dash;
use crate::http::percent;
use crate::limits::LOGGED_PROTOCOLS_BYTES_MAX;

/// What is known of a connection that is over. What there is nothing of is written as `-`.
#[derive(Debug)]
pub(crate) struct Decrypted<'a> {
    /// When it ended, since 1970.
    pub(crate) ended: Duration,
    /// `net/NAME/ID`
    pub(crate) balancer: &'a str,
    /// The listener.
    pub(crate) listener: ListenerId,
    /// Whose it was.
    pub(crate) client: SocketAddr,
    /// The listener's port at the node that it came to.
    pub(crate) node: SocketAddr,
    /// How long it lasted.
    pub(crate) lasted: Duration,
    /// Bytes from the client and to it, without TLS.
    pub(crate) bytes: (u64, u64),
    /// The client's last word, where that was an alert.
    pub(crate) alert: Option<u8>,
    /// What the client began with, where that could be read.
    pub(crate) hello: Option<&'a Hello>,
    /// What was agreed, if anything was.
    pub(crate) session: Option<&'a Session>,
    /// When it began, since 1970.
    pub(crate) began: Duration,
}

/// What a client began with.
#[derive(Debug)]
pub(crate) struct Hello {
    /// The ARN of the certificate that it was shown.
    pub(crate) certificate: Option<String>,
    /// The server that it asked for.
    pub(crate) name: Option<String>,
    /// What it offered by ALPN, written as [`offered`] does; `None` where the listener agrees on nothing, or it offered nothing.
    pub(crate) offered: Option<String>,
}

/// What was agreed.
#[derive(Debug)]
pub(crate) struct Session {
    /// How long that took.
    pub(crate) handshake: Duration,
    /// The suite, as OpenSSL calls it, and the version: `TLSv1.3`.
    pub(crate) agreed: (&'static str, &'static str),
    /// How keys were exchanged.
    pub(crate) key_exchange: Option<&'static str>,
    /// What is spoken within, by ALPN.
    pub(crate) protocol: Option<String>,
}

impl Decrypted<'_> {
    /// The line, without a line end.
    pub(crate) fn line(&self) -> String {
        let (hello, session) = (self.hello, self.session);
        let agreed = session.map(|session| session.agreed);
        let mut line = String::with_capacity(384);
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "tls 2.0 {} {} {} {} {} {} {} {} {} {} {} -",
            iso_second(self.ended),
            self.balancer,
            self.listener,
            self.client,
            self.node,
            self.lasted.as_millis(),
            or_dash(session.map(|session| session.handshake.as_millis())),
            self.bytes.0,
            self.bytes.1,
            or_dash(self.alert),
            or_dash(hello.and_then(|hello| hello.certificate.as_deref())),
        );
        let _ = write!(
            line,
            " {} {} {} {} {} - {} {}",
            or_dash(agreed.map(|(suite, _)| suite)),
            or_dash(agreed.map(|(_, version)| version_name(version))),
            or_dash(session.and_then(|session| session.key_exchange)),
            or_dash(hello.and_then(|hello| Some(percent::encode(hello.name.as_deref()?, is_plain)))),
            or_dash(session.and_then(|session| session.protocol.as_deref())),
            or_dash(hello.and_then(|hello| hello.offered.as_deref())),
            iso_second(self.began),
        );
        line
    }
}

/// What a client offers by ALPN: each protocol in quotes, with commas between them, cut where the field may be no longer.
pub(crate) fn offered(protocols: &[&[u8]]) -> Option<String> {
    let mut text = String::new();
    for protocol in protocols {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}\"{}\"", percent::encode(protocol, is_plain));
    }
    text.truncate(LOGGED_PROTOCOLS_BYTES_MAX);
    Some(text).filter(|text| !text.is_empty())
}

/// AWS's own example has the slash of `http/1.1` as it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte)
}

/// `tlsv13`
fn version_name(version: &str) -> &'static str {
    if version == "TLSv1.3" { "tlsv13" } else { "tlsv12" }
}

/// `2018-12-20T02:59:40`, in UTC.
fn iso_second(since_epoch: Duration) -> String {
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).map(|time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    time.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(hello: Option<&Hello>, session: Option<&Session>) -> String {
        let bytes = if session.is_some() { (98, 246) } else { (0, 0) };
        Decrypted {
            ended: Duration::from_millis(1_585_731_102_900),
            balancer: "net/my-network-loadbalancer/c6e77e28c25b2234",
            listener: "a3d4b5e8bb8464cd".parse().unwrap(),
            client: "72.21.218.154:51341".parse().unwrap(),
            node: "172.100.100.185:443".parse().unwrap(),
            lasted: Duration::from_micros(5_999),
            bytes,
            alert: session.is_none().then_some(48),
            hello,
            session,
            began: Duration::from_secs(1_585_731_080),
        }
        .line()
    }

    #[test]
    fn a_line_has_the_fields_of_aws_in_their_order() {
        let hello = Hello {
            certificate: Some("arn:aws:acm:us-east-2:671290407336:certificate/x".into()),
            name: Some("a_b.example".into()),
            offered: offered(&[b"h2", b"http/1.1"]),
        };
        let session = Session {
            handshake: Duration::from_millis(2),
            agreed: ("ECDHE-RSA-AES128-SHA", "TLSv1.2"),
            key_exchange: Some("x25519"),
            protocol: Some("h2".into()),
        };
        let begin = "tls 2.0 2020-04-01T08:51:42 net/my-network-loadbalancer/c6e77e28c25b2234 a3d4b5e8bb8464cd \
                     72.21.218.154:51341 172.100.100.185:443 5";
        assert_eq!(
            line(Some(&hello), Some(&session)),
            format!(
                "{begin} 2 98 246 - arn:aws:acm:us-east-2:671290407336:certificate/x - ECDHE-RSA-AES128-SHA tlsv12 x25519 \
                 a_b.example h2 - \"h2\",\"http/1.1\" 2020-04-01T08:51:20"
            )
        );
        let nothing = "- - - - - - - - - 2020-04-01T08:51:20";
        assert_eq!(line(None, None), format!("{begin} - 0 0 48 {nothing}"));
    }

    #[test]
    fn what_a_client_offers_stays_in_its_field() {
        assert_eq!(offered(&[]), None);
        assert_eq!(offered(&[b"a \"b\xff"]).unwrap(), "\"a%20%22b%FF\"");
        assert_eq!(offered(&[[b'x'; 255].as_slice(); 9]).unwrap().len(), LOGGED_PROTOCOLS_BYTES_MAX);
    }
}
