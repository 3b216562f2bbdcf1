//! Attributes of load balancers, listeners and target groups as traffic reads them: each that is carried out is a field here, beside
//! the key of its row (`resource::attribute`). What a field does to a request is the data plane's; what its row takes is the table's.

use std::time::Duration;

use super::balancer::StreamGroup;
use crate::resource::attribute::Owner::{
    ApplicationBalancer, HttpGroup, HttpListener, HttpsListener, NetworkBalancer, TcpGroup, TcpListener,
};
use crate::resource::attribute::{Attributes, Choice, Flag, Limit, Number, TextValue};
use crate::resource::target_group::{
    COOKIE_NAME, IS_BOUND_BY_TARGET, IS_CROSS_ZONE, IS_STICKY, MITIGATES, SLOW_START_S, drains_ill,
};

const IDLE_TIMEOUT_S: Number = Number::of(ApplicationBalancer, "idle_timeout.timeout_seconds");
const KEEP_ALIVE_S: Number = Number::of(ApplicationBalancer, "client_keep_alive.seconds");
const HTTP2: Flag = Flag::of(ApplicationBalancer, "routing.http2.enabled");
const XFF_CLIENT_PORT: Flag = Flag::of(ApplicationBalancer, "routing.http.xff_client_port.enabled");
const PRESERVE_HOST: Flag = Flag::of(ApplicationBalancer, "routing.http.preserve_host_header.enabled");
const DROP_INVALID: Flag = Flag::of(ApplicationBalancer, "routing.http.drop_invalid_header_fields.enabled");
const XFF_MODE: Choice<XffMode, 3> = Choice::of(
    ApplicationBalancer,
    "routing.http.xff_header_processing.mode",
    [("append", XffMode::Append), ("preserve", XffMode::Preserve), ("remove", XffMode::Remove)],
);
const DESYNC: Choice<DesyncMode, 3> = Choice::of(
    ApplicationBalancer,
    "routing.http.desync_mitigation_mode",
    [("defensive", DesyncMode::Defensive), ("monitor", DesyncMode::Monitor), ("strictest", DesyncMode::Strictest)],
);
const TLS_HEADERS: Flag = Flag::of(ApplicationBalancer, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled");
const TLS_VERSION: TextValue = TextValue::of(HttpsListener, "routing.http.request.x_amzn_tls_version.header_name");
const TLS_SUITE: TextValue = TextValue::of(HttpsListener, "routing.http.request.x_amzn_tls_cipher_suite.header_name");
const SERVER_HEADER: Flag = Flag::of(HttpListener, "routing.http.response.server.enabled");
const MTLS_CHAIN: TextValue = TextValue::of(HttpsListener, "routing.http.request.x_amzn_mtls_clientcert.header_name");
const MTLS_ISSUER: TextValue =
    TextValue::of(HttpsListener, "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name");
const MTLS_LEAF: TextValue =
    TextValue::of(HttpsListener, "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name");
const MTLS_SERIAL_NUMBER: TextValue =
    TextValue::of(HttpsListener, "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name");
const MTLS_SUBJECT: TextValue =
    TextValue::of(HttpsListener, "routing.http.request.x_amzn_mtls_clientcert_subject.header_name");
const MTLS_VALIDITY: TextValue =
    TextValue::of(HttpsListener, "routing.http.request.x_amzn_mtls_clientcert_validity.header_name");
const ALGORITHM: Choice<Algorithm, 3> = Choice::of(
    HttpGroup,
    "load_balancing.algorithm.type",
    [
        ("round_robin", Algorithm::RoundRobin),
        ("least_outstanding_requests", Algorithm::LeastOutstandingRequests),
        ("weighted_random", Algorithm::WeightedRandom),
    ],
);
const HEALTHY_COUNT: Number =
    Number::of(HttpGroup, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count");
const HEALTHY_PERCENTAGE: Limit =
    Limit::of(HttpGroup, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage");

const STREAM_HEALTHY_COUNT: Number =
    Number::of(TcpGroup, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count");
const STREAM_HEALTHY_PERCENTAGE: Limit =
    Limit::of(TcpGroup, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage");
const BALANCER_CROSS_ZONE: Flag = Flag::of(NetworkBalancer, "load_balancing.cross_zone.enabled");
const STREAM_CROSS_ZONE: Choice<Option<bool>, 3> = Choice::of(
    TcpGroup,
    "load_balancing.cross_zone.enabled",
    [("use_load_balancer_configuration", None), ("true", Some(true)), ("false", Some(false))],
);
const PROXY_PROTOCOL: Flag = Flag::of(TcpGroup, "proxy_protocol_v2.enabled");
const IS_BOUND_BY_SOURCE: Flag = Flag::of(TcpGroup, "stickiness.enabled");
const ENDS_WITH_REGISTRATION: Flag = Flag::of(TcpGroup, "deregistration_delay.connection_termination.enabled");
const STREAM_IDLE_TIMEOUT_S: Number = Number::of(TcpListener, "tcp.idle_timeout.seconds");

const BOUND_S: Number = Number::of(HttpGroup, "stickiness.lb_cookie.duration_seconds");
const APP_BOUND_S: Number = Number::of(HttpGroup, "stickiness.app_cookie.duration_seconds");

/// What happens to `X-Forwarded-For` (`routing.http.xff_header_processing.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XffMode {
    /// The client's address is added.
    #[default]
    Append,
    /// The header is left alone.
    Preserve,
    /// The header is taken away.
    Remove,
}

/// How strictly ambiguous requests are treated (`routing.http.desync_mitigation_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DesyncMode {
    /// Everything passes.
    Monitor,
    /// Severe cases are blocked.
    #[default]
    Defensive,
    /// Everything but compliant requests is blocked.
    Strictest,
}

/// How a group spreads requests (`load_balancing.algorithm.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// In turn.
    #[default]
    RoundRobin,
    /// To the target with the fewest requests under way.
    LeastOutstandingRequests,
    /// At random.
    WeightedRandom,
}

/// How a client stays with the target that had its first request (`stickiness.*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stickiness {
    /// The cookie of the target's that begins it; `None` where each first answer does.
    pub app_cookie: Option<String>,
    /// How long it lasts, from the last answer on.
    pub lasts: Duration,
}

impl Stickiness {
    fn of(attributes: &Attributes) -> Option<Self> {
        let is_bound_by_target = attributes.chosen(IS_BOUND_BY_TARGET);
        let app_cookie = is_bound_by_target.then(|| attributes.text(COOKIE_NAME).to_owned());
        let lasts_s = attributes.number(if is_bound_by_target { APP_BOUND_S } else { BOUND_S });
        attributes.is_on(IS_STICKY).then(|| Self { app_cookie, lasts: Duration::from_secs(lasts_s.into()) })
    }
}

/// A load balancer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerAttributes {
    /// How long a silent connection is kept (`idle_timeout.timeout_seconds`; 1–4000 s, 60 s when unset).
    pub idle_timeout: Duration,
    /// How long a client's connection takes requests (`client_keep_alive.seconds`; 60–604800 s, 3600 s when unset): one that comes
    /// later is the last.
    pub client_keep_alive: Duration,
    /// Whether clients may speak HTTP/2 within TLS (`routing.http2.enabled`).
    pub http2: bool,
    /// What happens to `X-Forwarded-For`.
    pub xff_mode: XffMode,
    /// Whether the client's port joins its address (`routing.http.xff_client_port.enabled`).
    pub xff_client_port: bool,
    /// Whether the Host header passes unchanged (`routing.http.preserve_host_header.enabled`).
    pub preserve_host: bool,
    /// Whether header names outside `[-A-Za-z0-9]+` are dropped.
    pub drop_invalid_headers: bool,
    /// How ambiguous requests are treated.
    pub desync: DesyncMode,
    /// Whether targets are told of a client's TLS (`routing.http.x_amzn_tls_version_and_cipher_suite.enabled`).
    pub tls_headers: bool,
}

impl Default for BalancerAttributes {
    /// All at their defaults.
    fn default() -> Self {
        Self::of(&Attributes::new(ApplicationBalancer))
    }
}

impl BalancerAttributes {
    pub(crate) fn of(attributes: &Attributes) -> Self {
        Self {
            idle_timeout: Duration::from_secs(attributes.number(IDLE_TIMEOUT_S).into()),
            client_keep_alive: Duration::from_secs(attributes.number(KEEP_ALIVE_S).into()),
            http2: attributes.is_on(HTTP2),
            xff_mode: attributes.chosen(XFF_MODE),
            xff_client_port: attributes.is_on(XFF_CLIENT_PORT),
            preserve_host: attributes.is_on(PRESERVE_HOST),
            drop_invalid_headers: attributes.is_on(DROP_INVALID),
            desync: attributes.chosen(DESYNC),
            tls_headers: attributes.is_on(TLS_HEADERS),
        }
    }
}

/// A listener's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerAttributes {
    /// Headers that are set on every answer (`routing.http.response.*.header_value`), name and value.
    pub response_headers: Vec<(String, String)>,
    /// Whether answers carry `Server`, those of targets too (`routing.http.response.server.enabled`).
    pub server_header: bool,
    /// What the headers are called that tell of a client's TLS: of its version, and of its suite
    /// (`routing.http.request.x_amzn_tls_*.header_name`).
    pub tls_header_names: [String; 2],
    /// Headers that tell targets of a client's certificate.
    pub mtls_headers: MtlsHeaders,
}

/// Headers that tell targets of a client's certificate (`routing.http.request.x_amzn_mtls_*.header_name`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MtlsHeaders {
    /// That of the chain.
    pub chain: String,
    /// That of the issuer.
    pub issuer: String,
    /// That of the certificate itself.
    pub leaf: String,
    /// That of the serial number.
    pub serial_number: String,
    /// That of the subject.
    pub subject: String,
    /// That of the validity.
    pub validity: String,
}

impl MtlsHeaders {
    /// A listener in the clear has them too: what clients send by these names is taken away everywhere.
    fn of(attributes: &Attributes) -> Self {
        let name = |key| attributes.text(key).to_owned();
        Self {
            chain: name(MTLS_CHAIN),
            issuer: name(MTLS_ISSUER),
            leaf: name(MTLS_LEAF),
            serial_number: name(MTLS_SERIAL_NUMBER),
            subject: name(MTLS_SUBJECT),
            validity: name(MTLS_VALIDITY),
        }
    }
}

impl ListenerAttributes {
    pub(crate) fn of(attributes: &Attributes) -> Self {
        let header = |(key, value): (&str, &str)| {
            let name = key.strip_prefix("routing.http.response.")?.strip_suffix(".header_value")?;
            Some((name.replace('_', "-"), value.to_owned()))
        };
        Self {
            response_headers: attributes.header_values().filter_map(header).collect(),
            server_header: attributes.is_on(SERVER_HEADER),
            tls_header_names: [TLS_VERSION, TLS_SUITE].map(|name| attributes.text(name).to_owned()),
            mtls_headers: MtlsHeaders::of(attributes),
        }
    }
}

/// A target group's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAttributes {
    /// How requests are spread.
    pub algorithm: Algorithm,
    /// Whether a target that fails far more than its neighbours gets less (`load_balancing.algorithm.anomaly_mitigation`).
    pub mitigates_anomalies: bool,
    /// `target_group_health.unhealthy_state_routing.minimum_healthy_targets.count`; below it the group fails open.
    pub minimum_healthy_count: u32,
    /// The same in percent; `None` is `off`.
    pub minimum_healthy_percentage: Option<u32>,
    /// Whether a node sends to targets of other zones (`load_balancing.cross_zone.enabled`; that of an application load balancer is always
    /// on).
    pub cross_zone: bool,
    /// How long the share of a new target grows (`slow_start.duration_seconds`); `None` gives it its full share at once.
    pub slow_start: Option<Duration>,
    /// Whether and how clients stay with a target.
    pub stickiness: Option<Stickiness>,
}

impl Default for GroupAttributes {
    /// All at their defaults.
    fn default() -> Self {
        Self::of(&Attributes::new(HttpGroup))
    }
}

/// How long connections of a listener of a network load balancer may be silent.
pub(crate) fn stream_idle_timeout(listener: &Attributes) -> Duration {
    Duration::from_secs(listener.number(STREAM_IDLE_TIMEOUT_S).into())
}

impl StreamGroup {
    /// Those of a group of addresses, none of which is on its way out.
    pub(crate) fn of(group: &Attributes, preserves_client: bool) -> Self {
        Self {
            preserves_client,
            proxy_protocol: group.is_on(PROXY_PROTOCOL),
            is_bound_by_source: group.is_on(IS_BOUND_BY_SOURCE),
            ends_with_registration: group.is_on(ENDS_WITH_REGISTRATION),
            ends_with_health: drains_ill(group),
            ..Self::default()
        }
    }
}

impl GroupAttributes {
    /// Those of a group that gets connections of a network load balancer with these.
    pub(crate) fn of_streams(group: &Attributes, balancer: Option<&Attributes>) -> Self {
        let of_balancer = || balancer.is_some_and(|balancer| balancer.is_on(BALANCER_CROSS_ZONE));
        Self {
            minimum_healthy_count: group.number(STREAM_HEALTHY_COUNT),
            minimum_healthy_percentage: group.limit(STREAM_HEALTHY_PERCENTAGE),
            cross_zone: group.chosen(STREAM_CROSS_ZONE).unwrap_or_else(of_balancer),
            ..Self::default()
        }
    }

    pub(crate) fn of(attributes: &Attributes) -> Self {
        Self {
            algorithm: attributes.chosen(ALGORITHM),
            mitigates_anomalies: attributes.chosen(MITIGATES),
            minimum_healthy_count: attributes.number(HEALTHY_COUNT),
            minimum_healthy_percentage: attributes.limit(HEALTHY_PERCENTAGE),
            cross_zone: attributes.chosen(IS_CROSS_ZONE),
            slow_start: Some(Duration::from_secs(attributes.number(SLOW_START_S).into())).filter(|all| !all.is_zero()),
            stickiness: Stickiness::of(attributes),
        }
    }
}
