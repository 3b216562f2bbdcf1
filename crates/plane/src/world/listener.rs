//! What a listener writes on each request or answer, and counts by, made once.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use topology::snapshot::balancer::Listener;

use crate::report::balancer_meter::BalancerMeter;
use crate::tls::listener::ListenerPresented;
use crate::tls::told::Names;
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
    /// What tells targets of the TLS of a client.
    pub(crate) tls_headers: TlsHeaders,
    /// Headers that tell targets of a client's certificate.
    pub(crate) mtls_headers: Names,
}

impl ListenerWorld {
    /// What a listener has; what it presents, and checks of that, are taken over from what it had.
    pub(super) fn new(
        (listener, protocols): (&Listener, &'static [&'static str]),
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
            presented: listener.tls.as_ref().map(|tls| ListenerPresented::of(tls, protocols, presented)),
            meter,
            mtls_headers: Names::of(&listener.attributes.mtls_headers),
            response_headers: listener.attributes.response_headers.iter().filter_map(header).collect(),
            tls_headers: TlsHeaders::named(&listener.attributes.tls_header_names),
        }
    }
}

const TLS_VERSION: HeaderName = HeaderName::from_static("x-amzn-tls-version");
const TLS_SUITE: HeaderName = HeaderName::from_static("x-amzn-tls-cipher-suite");

/// The headers that tell targets of the TLS of a client (ALB user guide, "HTTP headers and Application Load Balancers" and "HTTP header
/// modification", 2026-11): of its version, and of its suite.
#[derive(Debug)]
pub(crate) struct TlsHeaders {
    version: HeaderName,
    suite: HeaderName,
}

impl TlsHeaders {
    /// Headers of these names, which were checked when they were set.
    fn named([version, suite]: &[String; 2]) -> Self {
        Self {
            version: HeaderName::try_from(version).unwrap_or(TLS_VERSION),
            suite: HeaderName::try_from(suite).unwrap_or(TLS_SUITE),
        }
    }

    /// Writes what was agreed with the client, suite and version, where it has a connection of its own with TLS. What the client says
    /// of it goes in any case, also under the names that the headers have on other listeners.
    pub(crate) fn write(&self, headers: &mut HeaderMap, agreed: Option<(&'static str, &'static str)>) {
        for name in [&TLS_VERSION, &TLS_SUITE, &self.version, &self.suite] {
            headers.remove(name);
        }
        if let Some((suite, version)) = agreed {
            headers.insert(&self.version, HeaderValue::from_static(version));
            headers.insert(&self.suite, HeaderValue::from_static(suite));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What targets get of a client that claims something under every name.
    fn written(names: [&str; 2], agreed: Option<(&'static str, &'static str)>) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for name in ["x-amzn-tls-version", "x-amzn-tls-cipher-suite", "x-v", "x_s", "x-other"] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("claimed"));
        }
        TlsHeaders::named(&names.map(str::to_owned)).write(&mut headers, agreed);
        let text =
            |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned());
        let mut all: Vec<_> = headers.iter().map(text).filter(|(_, value)| value != "claimed").collect();
        all.sort();
        let claimed = headers.iter().filter(|(_, value)| *value == "claimed").count();
        all.push(("claimed".to_owned(), claimed.to_string()));
        all
    }

    #[test]
    fn the_session_is_told_by_its_names_and_claims_of_clients_go() {
        let own =
            |rows: &[(&str, &str)]| rows.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        let usual = ["X-Amzn-Tls-Version", "X-Amzn-Tls-Cipher-Suite"];
        let agreed = Some(("TLS_AES_128_GCM_SHA256", "TLSv1.3"));
        let told = own(&[
            ("x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256"),
            ("x-amzn-tls-version", "TLSv1.3"),
            ("claimed", "3"),
        ]);
        assert_eq!(written(usual, agreed), told);
        let renamed = own(&[("x-v", "TLSv1.3"), ("x_s", "TLS_AES_128_GCM_SHA256"), ("claimed", "1")]);
        assert_eq!(written(["X-V", "X_S"], agreed), renamed);
        assert_eq!(written(usual, None), own(&[("claimed", "3")]));
    }
}
