//! The place of a request in a distributed trace: what `traceparent` says (W3C Trace Context, level 1, 2020-02), and what is
//! handed out for export. How spans are encoded and sent is the binary's business.
//!
//! Without an exporter none of this happens: `traceparent` then passes through like any other header, as on AWS.

use http::{HeaderMap, HeaderName, HeaderValue};
use topology::trace::Trace;

use super::outlet::Weigh;
use crate::entropy;
use crate::http::body::BodyFault;
use crate::limits::SPAN_BYTES_MAX;

/// The header that carries a trace from one service to the next.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Where a request stands in a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace, not zero.
    pub trace_id: u128,
    /// This request's own span, not zero.
    pub span_id: u64,
    /// The span of whoever sent the request.
    pub parent_id: Option<u64>,
    /// Whether the trace is recorded: the sender decides, and without one it is.
    pub is_sampled: bool,
}

/// A request that has ended, for export.
#[derive(Debug, Clone)]
pub struct RequestSpan {
    /// Where it stands.
    pub context: SpanContext,
    /// Its hops.
    pub trace: Trace,
    /// The key of its route, once matched.
    pub route: Option<String>,
    /// The name of its stage, once found.
    pub stage: Option<String>,
    /// The client's address.
    pub client: std::net::IpAddr,
    /// When its answer was over, in microseconds since 1970.
    pub ended_unix_micros: u64,
    /// Why the answer broke off, if it did.
    pub broken: Option<BodyFault>,
}

impl Weigh for RequestSpan {
    fn bytes(&self) -> usize {
        let trace = &self.trace;
        let details: usize = trace.details.iter().map(|(_, text)| text.len()).sum();
        size_of::<Self>()
            + trace.hops.len() * size_of::<topology::trace::Hop>()
            + trace.method.len()
            + trace.path.len()
            + trace.forwarded_path.len()
            + details
    }
    const ONE_MAX: usize = SPAN_BYTES_MAX;
}

impl SpanContext {
    /// The place of a new request: below the sender's span where the sender names one, else a trace of its own.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let span_id = entropy::bits64().max(1);
        let mut named = headers.get_all(TRACEPARENT).iter();
        let parent = match (named.next(), named.next()) {
            (Some(only), None) => only.to_str().ok().and_then(parse),
            _ => None,
        };
        match parent {
            Some(Parent { trace_id, span_id: parent_id, is_sampled }) => {
                Self { trace_id, span_id, parent_id: Some(parent_id), is_sampled }
            }
            None => Self { trace_id: entropy::bits128().max(1), span_id, parent_id: None, is_sampled: true },
        }
    }

    /// Writes this request as the parent of whatever the backend does.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let flags = u8::from(self.is_sampled);
        let text = format!("00-{:032x}-{:016x}-{flags:02x}", self.trace_id, self.span_id);
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// A sender's span.
struct Parent {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; a later version may have more after it. Anything else counts as absent.
fn parse(text: &str) -> Option<Parent> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_extended = parts.next().is_some();
    let fits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    let spelled = fits(version, 2) && fits(trace, 32) && fits(span, 16) && fits(flags, 2) && lower;
    if !spelled || version == "ff" || (version == "00" && is_extended) {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some(Parent { trace_id, span_id, is_sampled: flags & 1 == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(values: &[&str]) -> SpanContext {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        SpanContext::of(&headers)
    }

    #[test]
    fn a_senders_span_is_the_parent() {
        let span = of(&[GOOD]);
        assert_eq!(span.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((span.parent_id, span.is_sampled), (Some(0x00f0_67aa_0ba9_02b7), true));
        assert!(!of(&["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"]).is_sampled);
        assert!(of(&["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"]).parent_id.is_some());
    }

    #[test]
    fn what_is_no_traceparent_counts_as_absent() {
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let long = format!("{GOOD}-00");
        let upper = GOOD.to_uppercase();
        for values in [&[][..], &["x"], &[zero], &[&long], &[&upper], &[GOOD, GOOD], &["ff-1-2-3"]] {
            let span = of(values);
            assert_eq!((span.parent_id, span.is_sampled), (None, true), "{values:?}");
            assert!(span.trace_id != 0 && span.span_id != 0);
        }
    }

    #[test]
    fn the_backend_gets_this_request_as_its_parent() {
        let span = of(&[GOOD]);
        let mut headers = HeaderMap::new();
        span.write(&mut headers);
        let expected = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{:016x}-01", span.span_id);
        assert_eq!(headers[TRACEPARENT], expected);
    }
}
