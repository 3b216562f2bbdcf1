//! Where traces are exported to. `otel.endpoint` is a setting like the others; where it is not given, OpenTelemetry's own
//! variables count (OpenTelemetry specification, "OTLP exporter configuration", 2026-11).

use std::collections::BTreeMap;

use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderName, HeaderValue};

/// The variables of OpenTelemetry that count.
pub(super) const VARIABLES: [&str; 6] = [ENDPOINT, TRACES_ENDPOINT, HEADERS, TRACES_HEADERS, PROTOCOL, SERVICE_NAME];

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const TRACES_HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The path of traces below an endpoint.
const TRACES_PATH: &str = "/v1/traces";
/// The name of this service, unless another is given.
const SERVICE: &str = "tidegate";

/// A collector of traces.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Collector {
    /// Host and port.
    pub(crate) authority: Authority,
    /// The path that takes traces.
    pub(crate) path: PathAndQuery,
    /// Headers of each request; they may hold keys.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What this service is called.
    pub(crate) service: String,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        write!(f, "http://{}{} (headers {names:?}, values hidden)", self.authority, self.path)
    }
}

/// The collector that is configured, if any, or what is wrong.
pub(super) fn collector(setting: &str, variables: &BTreeMap<String, String>) -> Result<Option<Collector>, String> {
    let given = |name: &str| variables.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let whole = match (setting, given(TRACES_ENDPOINT), given(ENDPOINT)) {
        ("none", None, None) => return Ok(None),
        ("none", Some(whole), _) => whole.to_owned(),
        ("none", None, Some(base)) | (base, _, _) => format!("{}{TRACES_PATH}", base.trim_end_matches('/')),
    };
    if let Some(other) = given(PROTOCOL).filter(|protocol| *protocol != "http/protobuf") {
        return Err(format!("{PROTOCOL} must be http/protobuf, not {other:?}"));
    }
    let uri: Uri = whole.parse().map_err(|_| format!("{whole:?} is no URL"))?;
    let parts = uri.into_parts();
    match parts.scheme.as_ref().map(http::uri::Scheme::as_str) {
        Some("http") => {}
        Some("https") => return Err("https is not built in: name a collector of this machine by http".to_owned()),
        _ => return Err(format!("{whole:?} must begin with http://")),
    }
    let headers = given(TRACES_HEADERS).or(given(HEADERS)).unwrap_or_default();
    Ok(Some(Collector {
        authority: parts.authority.ok_or_else(|| format!("{whole:?} names no host"))?,
        path: parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/")),
        headers: headers.split(',').filter(|pair| !pair.trim().is_empty()).map(header).collect::<Result<_, _>>()?,
        service: given(SERVICE_NAME).unwrap_or(SERVICE).to_owned(),
    }))
}

/// `name=value`; the value is not repeated where it is wrong, for it may be a key.
fn header(pair: &str) -> Result<(HeaderName, HeaderValue), String> {
    let bad = || format!("{HEADERS} must be a list of name=value");
    let (name, value) = pair.split_once('=').ok_or_else(bad)?;
    Ok((name.trim().parse().map_err(|_| bad())?, value.trim().parse().map_err(|_| bad())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(setting: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        collector(setting, &variables).map(|collector| collector.map(|c| format!("{}{}", c.authority, c.path)))
    }

    #[test]
    fn the_setting_wins_over_opentelemetrys_own_variables() {
        let rows = [
            ("none", &[][..], None),
            ("http://a:4318", &[(ENDPOINT, "http://b:1")], Some("a:4318/v1/traces")),
            ("none", &[(ENDPOINT, "http://b:1/base/")], Some("b:1/base/v1/traces")),
            ("none", &[(ENDPOINT, "http://b:1"), (TRACES_ENDPOINT, "http://c:2/x")], Some("c:2/x")),
        ];
        for (setting, variables, expected) in rows {
            assert_eq!(of(setting, variables), Ok(expected.map(str::to_owned)), "{setting} {variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let protocol = [(ENDPOINT, "http://b"), (PROTOCOL, "grpc")];
        let headers = [(ENDPOINT, "http://b"), (HEADERS, "no-value")];
        for (setting, variables) in
            [("https://a", &[][..]), ("a:4318", &[]), ("http://", &[]), ("none", &protocol), ("none", &headers)]
        {
            assert!(of(setting, variables).is_err(), "{setting} {variables:?}");
        }
    }

    #[test]
    fn values_of_headers_are_hidden() {
        let variables = [(ENDPOINT, "http://b"), (HEADERS, "x-key=hush, x-other=1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let collector = collector("none", &variables).unwrap().unwrap();
        assert_eq!(collector.headers.len(), 2);
        assert!(!format!("{collector:?}").contains("hush"));
    }
}
