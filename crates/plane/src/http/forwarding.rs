//! Writes the headers that tell a backend who asked: `Forwarded` and `Via` by the gateway, `X-Forwarded-*` by the ALB, and
//! `X-Amzn-Trace-Id` by both (HTTP API developer guide, known issues; ALB user guide, "HTTP headers and Application Load
//! Balancers" and "Request tracing"; both 2026-11).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue, VIA};
use topology::snapshot::attributes::XffMode;

use super::survey::Survey;
use super::unique::unique;
use crate::entropy;
use crate::limits::{FORWARDED_ADDRESSES_MAX, TRACE_HEADER_BYTES_MAX};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// The id that a request is known by on its whole way.
pub(crate) const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// What the gateway's own element of `Forwarded` ends with. The public side of an HTTP API is always HTTPS on AWS, and
/// backends build links from this.
pub(crate) fn forwarded_tail(api_host: &str) -> String {
    format!(";host={api_host};proto=https")
}

/// Turns what the client claims into `Forwarded` and adds the gateway's own element last: only that one is to be trusted.
pub(crate) fn write_forwarded(headers: &mut HeaderMap, seen: &Survey, client: IpAddr, tail: &str) {
    let mut out = String::with_capacity(24 + tail.len());
    if seen.forwarding {
        for value in headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok()) {
            push_element(&mut out, value);
        }
        fold_claims(headers, &mut out);
        if !out.is_empty() {
            out.push_str(", ");
        }
    }
    out.push_str("for=");
    match client {
        IpAddr::V4(client) => push_address(&mut out, client),
        // Writing to a String cannot fail.
        IpAddr::V6(client) => _ = write!(out, "\"[{client}]\""),
    }
    out.push_str(tail);
    // Claims were filtered to visible ASCII, so this is a header value.
    if let Ok(value) = HeaderValue::try_from(out) {
        headers.insert(FORWARDED, value);
    }
    headers.append(VIA, HeaderValue::from_static("HTTP/1.1 AmazonAPIGateway"));
}

/// Writes an IPv4 address without the formatting machinery: it stands in every request.
fn push_address(out: &mut String, address: Ipv4Addr) {
    let mut buffer = itoa::Buffer::new();
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        out.push_str(buffer.format(octet));
    }
}

/// Adds the client to `X-Forwarded-For`, and says how it came, as REST APIs do towards `HTTP_PROXY` integrations. Their public
/// side is always HTTPS on AWS.
pub(crate) fn write_client(headers: &mut HeaderMap, client: IpAddr) {
    let claimed = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok().map(str::to_owned));
    let chain = claimed.chain([client.to_string()]).collect::<Vec<_>>().join(", ");
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(X_FORWARDED_FOR, chain);
    }
    headers.insert(X_FORWARDED_PORT, HeaderValue::from_static("443"));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
}

/// Client-sent `X-Forwarded-*` become elements; the headers themselves go.
fn fold_claims(headers: &mut HeaderMap, out: &mut String) {
    let host = headers.remove(X_FORWARDED_HOST);
    let proto = headers.remove(X_FORWARDED_PROTO);
    headers.remove(X_FORWARDED_PORT);
    let mut extra = String::new();
    for (name, value) in [("host", host), ("proto", proto)] {
        if let Some(value) = value.as_ref().and_then(|v| v.to_str().ok()).filter(|v| is_plain(v)) {
            let _ = write!(extra, ";{name}={value}");
        }
    }
    let chain: Vec<HeaderValue> = headers.get_all(X_FORWARDED_FOR).iter().cloned().collect();
    for address in chain.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
        let address = address.trim();
        if is_plain(address) {
            let quoted = address.contains(':');
            let element = if quoted { format!("for=\"{address}\"{extra}") } else { format!("for={address}{extra}") };
            push_element(out, &element);
            extra.clear();
        }
    }
    if !extra.is_empty() {
        push_element(out, &extra[1..]);
    }
    headers.remove(X_FORWARDED_FOR);
}

fn push_element(out: &mut String, element: &str) {
    if !out.is_empty() {
        out.push_str(", ");
    }
    out.push_str(element);
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
}

/// Makes sure that the request, which came at this time since 1970, carries a trace id.
pub(crate) fn ensure_trace_root(headers: &mut HeaderMap, seen: &Survey, arrived: Duration) {
    let traced =
        seen.trace && headers.get(X_AMZN_TRACE_ID).is_some_and(|v| v.to_str().is_ok_and(|v| v.contains("Root=")));
    if !traced {
        set_trace(headers, &root(arrived));
    }
}

/// `Root=` and a fresh id.
fn root(arrived: Duration) -> [u8; ROOT_BYTES] {
    let mut text = [0; ROOT_BYTES];
    text[..5].copy_from_slice(b"Root=");
    text[5..].copy_from_slice(&fresh_id(arrived));
    text
}

/// Adds the ALB's own `Self` in front of what came at this time since 1970, or replaces an earlier one.
pub(crate) fn insert_trace_self(headers: &mut HeaderMap, arrived: Duration) {
    let old = headers.get(X_AMZN_TRACE_ID).map_or(&b""[..], HeaderValue::as_bytes);
    if old.len() == ROOT_BYTES && old.starts_with(b"Root=") && !old.contains(&b';') {
        // The usual case: what the gateway wrote.
        let mut text = [b';'; 2 * ROOT_BYTES + 1];
        text[..5].copy_from_slice(b"Self=");
        text[5..ROOT_BYTES].copy_from_slice(&fresh_id(arrived));
        text[ROOT_BYTES + 1..].copy_from_slice(old);
        return set_trace(headers, &text);
    }
    let text = match std::str::from_utf8(old) {
        Ok(old) if old.len() <= TRACE_HEADER_BYTES_MAX && old.contains("Root=") => {
            let mut text = [&b"Self="[..], &fresh_id(arrived)].concat();
            for field in old.split(';').map(str::trim).filter(|f| !f.is_empty() && !f.starts_with("Self=")) {
                text.push(b';');
                text.extend_from_slice(field.as_bytes());
            }
            text
        }
        _ => root(arrived).to_vec(),
    };
    set_trace(headers, &text);
}

fn set_trace(headers: &mut HeaderMap, text: &[u8]) {
    // Made of ASCII text and of what was a header value before.
    if let Ok(value) = HeaderValue::from_bytes(text) {
        headers.insert(X_AMZN_TRACE_ID, unique(value));
    }
}

const ID_BYTES: usize = 35;
const ROOT_BYTES: usize = ID_BYTES + 5;

/// `1-` with eight digits of the time, and 24 random ones.
fn fresh_id(arrived: Duration) -> [u8; ID_BYTES] {
    let mut text = *b"1-00000000-000000000000000000000000";
    hex(&mut text[2..10], arrived.as_secs());
    hex(&mut text[11..27], entropy::bits64());
    hex(&mut text[27..35], entropy::bits64());
    text
}

fn hex(out: &mut [u8], mut value: u64) {
    for place in out.iter_mut().rev() {
        *place = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

/// More addresses in `X-Forwarded-For` than an ALB takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyAddresses;

/// How the ALB treats `X-Forwarded-For`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct XffPolicy {
    /// Append, preserve or remove.
    pub(crate) mode: XffMode,
    /// Whether the client's port joins the address, when appending.
    pub(crate) client_port: bool,
}

/// Who connected to a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'w> {
    /// The address of the link's interface, as a header value.
    pub(crate) address: &'w HeaderValue,
    /// The client's socket: the link's own port is none here, so this one stands for it.
    pub(crate) socket: SocketAddr,
}

/// Writes `X-Forwarded-For`, `-Proto` and `-Port` as the ALB does. Its client is the link's interface.
pub(crate) fn write_x_forwarded(
    headers: &mut HeaderMap,
    policy: XffPolicy,
    client: Client<'_>,
    (proto, port): (&HeaderValue, &HeaderValue),
) -> Result<(), TooManyAddresses> {
    let present = headers.contains_key(X_FORWARDED_FOR);
    if present && addresses(headers) > FORWARDED_ADDRESSES_MAX {
        return Err(TooManyAddresses);
    }
    match policy.mode {
        XffMode::Preserve => {}
        XffMode::Remove => {
            headers.remove(X_FORWARDED_FOR);
        }
        XffMode::Append if present || policy.client_port => append_client(headers, policy.client_port, client),
        XffMode::Append => {
            headers.insert(X_FORWARDED_FOR, client.address.clone());
        }
    }
    headers.insert(X_FORWARDED_PROTO, proto.clone());
    headers.insert(X_FORWARDED_PORT, port.clone());
    Ok(())
}

fn append_client(headers: &mut HeaderMap, with_port: bool, client: Client<'_>) {
    let mut text = String::with_capacity(24);
    for value in headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()) {
        text.push_str(value);
        text.push_str(", ");
    }
    text.push_str(client.address.to_str().unwrap_or_default());
    if with_port {
        // Writing to a String cannot fail.
        let _ = write!(text, ":{}", client.socket.port());
    }
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(X_FORWARDED_FOR, value);
    }
}

fn addresses(headers: &HeaderMap) -> usize {
    let values = headers.get_all(X_FORWARDED_FOR).iter();
    values.map(|value| value.as_bytes().split(|b| *b == b',').count()).sum()
}

/// A host without its port, and whether it had one.
pub(crate) fn split_port(host: &str) -> (&str, bool) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (name, true),
        _ => (host, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::framing::FramingLines;

    fn forwarded(lines: &[(&'static str, &str)], client: &str) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let seen = Survey::of(&headers, &FramingLines::None);
        write_forwarded(&mut headers, &seen, client.parse().unwrap(), &forwarded_tail("a.example"));
        assert!(!headers.contains_key("x-forwarded-for"));
        assert!(!headers.contains_key("x-forwarded-proto"));
        headers[FORWARDED].to_str().unwrap().to_owned()
    }

    #[test]
    fn forwarded_table() {
        assert_eq!(forwarded(&[], "203.0.113.7"), "for=203.0.113.7;host=a.example;proto=https");
        assert_eq!(forwarded(&[], "2001:db8::1"), "for=\"[2001:db8::1]\";host=a.example;proto=https");
        assert_eq!(
            forwarded(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-proto", "http")], "3.3.3.3"),
            "for=1.1.1.1;proto=http, for=2.2.2.2, for=3.3.3.3;host=a.example;proto=https"
        );
        assert_eq!(
            forwarded(&[("forwarded", "for=9.9.9.9"), ("x-forwarded-for", "evil\"; x")], "3.3.3.3"),
            "for=9.9.9.9, for=3.3.3.3;host=a.example;proto=https"
        );
    }

    fn trace(value: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(X_AMZN_TRACE_ID, value.parse().unwrap());
        }
        insert_trace_self(&mut headers, Duration::from_secs(0x6789_1233));
        headers[X_AMZN_TRACE_ID].to_str().unwrap().to_owned()
    }

    #[test]
    fn the_alb_puts_self_before_root_and_replaces_an_older_self() {
        let fresh = trace(None);
        assert!(fresh.starts_with("Root=1-67891233-") && fresh.len() == 40, "{fresh}");
        let second = trace(Some("Root=1-67891233-abcdef012345678912345678"));
        assert!(
            second.starts_with("Self=1-67891233-") && second.ends_with(";Root=1-67891233-abcdef012345678912345678")
        );
        let third = trace(Some("Self=1-a;Root=1-b;CalledFrom=app"));
        assert!(third.ends_with(";Root=1-b;CalledFrom=app") && third.matches("Self=").count() == 1, "{third}");
    }

    #[test]
    fn the_gateway_keeps_a_root_and_makes_one_where_there_is_none() {
        let mut headers = HeaderMap::new();
        ensure_trace_root(&mut headers, &Survey::default(), Duration::ZERO);
        let made = headers[X_AMZN_TRACE_ID].clone();
        let seen = Survey::of(&headers, &FramingLines::None);
        ensure_trace_root(&mut headers, &seen, Duration::from_secs(1));
        assert_eq!(headers[X_AMZN_TRACE_ID], made);
    }

    #[test]
    fn x_forwarded_for_table() {
        let eni = HeaderValue::from_static("10.0.0.4");
        let socket: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        let rows: &[(XffMode, bool, Option<&str>, Option<&str>)] = &[
            (XffMode::Append, false, None, Some("10.0.0.4")),
            (XffMode::Append, false, Some("1.1.1.1"), Some("1.1.1.1, 10.0.0.4")),
            (XffMode::Append, true, None, Some("10.0.0.4:5000")),
            (XffMode::Preserve, true, Some("1.1.1.1"), Some("1.1.1.1")),
            (XffMode::Preserve, false, None, None),
            (XffMode::Remove, false, Some("1.1.1.1"), None),
        ];
        for (mode, client_port, before, expected) in rows {
            let mut headers = HeaderMap::new();
            if let Some(before) = before {
                headers.insert(X_FORWARDED_FOR, before.parse().unwrap());
            }
            let policy = XffPolicy { mode: *mode, client_port: *client_port };
            let (proto, port) = (HeaderValue::from_static("http"), HeaderValue::from_static("80"));
            write_x_forwarded(&mut headers, policy, Client { address: &eni, socket }, (&proto, &port)).unwrap();
            assert_eq!(headers.get(X_FORWARDED_FOR).map(|v| v.to_str().unwrap()), *expected, "{mode:?} {before:?}");
            assert_eq!(headers[X_FORWARDED_PORT], "80");
        }
    }

    #[test]
    fn more_than_thirty_addresses_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, vec!["1.1.1.1"; 31].join(",").parse().unwrap());
        let policy = XffPolicy { mode: XffMode::Append, client_port: false };
        let (proto, port) = (HeaderValue::from_static("http"), HeaderValue::from_static("80"));
        let address = HeaderValue::from_static("10.0.0.4");
        let client = Client { address: &address, socket: "127.0.0.1:5000".parse().unwrap() };
        assert_eq!(write_x_forwarded(&mut headers, policy, client, (&proto, &port)), Err(TooManyAddresses));
    }

    #[test]
    fn ports_of_hosts_are_told_from_names() {
        assert_eq!(split_port("a:80"), ("a", true));
        assert_eq!(split_port("a"), ("a", false));
        assert_eq!(split_port("[::1]"), ("[::1]", false));
        assert_eq!(split_port("[::1]:8"), ("[::1]", true));
    }
}
