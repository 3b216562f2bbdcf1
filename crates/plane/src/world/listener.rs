//! What a listener writes on each request or answer, and counts by, made once.

use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use topology::snapshot::balancer::Listener;

use crate::report::balancer_meter::BalancerMeter;
use crate::tls::listener::ListenerPresented;
use crate::tls::verify::ListenerChecks;

/// What a listener writes on each request or answer, made once.
#[derive(Debug)]
pub(crate) struct ListenerWorld {
    /// The port as a header value.
    pub(crate) port: HeaderValue,
    /// What it speaks, as a header value.
    pub(crate) proto: HeaderValue,
    /// Checks of what it presents, if it speaks TLS.
    pub(crate) checks: Option<Arc<ListenerChecks>>,
    /// What it presents to clients that dial it, if it speaks TLS.
    pub(crate) presented: Option<Arc<ListenerPresented>>,
    /// What is counted of its load balancer.
    pub(crate) meter: Arc<BalancerMeter>,
    /// Headers set on every answer.
    pub(crate) response_headers: Vec<(HeaderName, HeaderValue)>,
}

impl ListenerWorld {
    /// What a listener has; what it presents, and checks of that, are taken over from what it had.
    pub(super) fn new(
        (listener, takes_http2): (&Listener, bool),
        (checks, presented): (Option<&Arc<ListenerChecks>>, Option<&Arc<ListenerPresented>>),
        meter: Arc<BalancerMeter>,
    ) -> Self {
        // Names come from a fixed table and values were checked when they were set; one that is no header is left out.
        let header = |(name, value): &(String, String)| {
            Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
        };
        Self {
            port: HeaderValue::from(listener.port),
            proto: HeaderValue::from_static(if listener.tls.is_some() { "https" } else { "http" }),
            checks: listener.tls.as_ref().map(|tls| ListenerChecks::of(tls, checks)),
            presented: listener.tls.as_ref().map(|tls| ListenerPresented::of(tls, takes_http2, presented)),
            meter,
            response_headers: listener.attributes.response_headers.iter().filter_map(header).collect(),
        }
    }
}
