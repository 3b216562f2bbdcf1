//! The table of attributes, by noun and key (ALB user guide, "Application Load Balancers" and "Target groups"; NLB user guide, "Network
//! Load Balancers" and "Target groups"; ELBv2 API reference, ListenerAttribute; all 2026-11). Where a key means one thing for one
//! owner and another for another, it has two rows. Only data here.

use super::Owner::{
    ApplicationBalancer, GeneveGroup, HttpGroup, HttpListener, HttpsListener, LambdaGroup, NetworkBalancer, TcpGroup,
    TcpListener,
};
use super::Standing::{CarriedOut, Elsewhere, Kept};
use super::{Owner, Row, Standing, Values};

const BALANCERS: &[Owner] = &[ApplicationBalancer, NetworkBalancer];
const GROUPS: &[Owner] = &[HttpGroup, TcpGroup];
const WEB_LISTENERS: &[Owner] = &[HttpListener, HttpsListener];

const TRUE: Values = Values::Boolean { default: true };
const FALSE: Values = Values::Boolean { default: false };
/// As many targets as a group may have.
const TARGETS_MAX: u32 = 1000;
const WEEK_S: u32 = 604_800;

const LOG_BUCKET: Standing = CarriedOut("which folder below `s3.root` the files are in");
const LOG_PREFIX: Standing = CarriedOut("which folders they are in below that");
const NO_DNS: Standing = Kept("names of load balancers always stand for every node");
const NO_ZONAL_SHIFT: Standing = Kept("no zone can be shifted away from");
const NO_IPV6: Standing = Kept("no IPv6 traffic comes by internet gateways");
const CERTIFICATE_HEADER: Standing = CarriedOut("which header tells targets this of a client's certificate");
const AGREED_HEADER: Standing =
    CarriedOut("what the header is called that tells targets of the TLS of a client of a socket of the listener");
const ANSWER_HEADER: Standing = CarriedOut("this header of each answer, in place of the target's");

const fn row(key: &'static str, owners: &'static [Owner], values: Values, standing: Standing) -> Row {
    Row { key, owners, values, standing }
}

const fn number(low: u32, high: u32, default: u32) -> Values {
    Values::Number { low, high, default }
}

const fn off_or(low: u32, high: u32, default: Option<u32>) -> Values {
    Values::OffOrNumber { low, high, default }
}

const fn answer_header(key: &'static str) -> Row {
    row(key, WEB_LISTENERS, Values::HeaderValue, ANSWER_HEADER)
}

const fn tls_header(key: &'static str, default: &'static str, standing: Standing) -> Row {
    row(key, &[HttpsListener], Values::HeaderName { default }, standing)
}

/// Every attribute.
pub(super) const ROWS: &[Row] = &[
    // Load balancers.
    row("access_logs.s3.bucket", BALANCERS, Values::Bucket, LOG_BUCKET),
    row(
        "access_logs.s3.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether each request leaves a line in files of a bucket"),
    ),
    row(
        "access_logs.s3.enabled",
        &[NetworkBalancer],
        FALSE,
        CarriedOut("whether each connection to a socket of a TLS listener leaves a line in files of a bucket"),
    ),
    row("access_logs.s3.prefix", BALANCERS, Values::KeyPrefix, LOG_PREFIX),
    row(
        "client_keep_alive.seconds",
        &[ApplicationBalancer],
        number(60, WEEK_S, 3600),
        CarriedOut("for how long a connection to a socket of a listener takes requests, over HTTP/1.1"),
    ),
    row("connection_logs.s3.bucket", &[ApplicationBalancer], Values::Bucket, LOG_BUCKET),
    row(
        "connection_logs.s3.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether each connection to a socket of a listener leaves a line in files of a bucket"),
    ),
    row("connection_logs.s3.prefix", &[ApplicationBalancer], Values::KeyPrefix, LOG_PREFIX),
    row("deletion_protection.enabled", BALANCERS, FALSE, CarriedOut("whether it can be deleted")),
    row(
        "dns_record.client_routing_policy",
        &[NetworkBalancer],
        Values::Choice(&["any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity"]),
        NO_DNS,
    ),
    row("health_check_logs.s3.bucket", &[ApplicationBalancer], Values::Bucket, LOG_BUCKET),
    row(
        "health_check_logs.s3.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether each probe leaves a line in files of a bucket"),
    ),
    row("health_check_logs.s3.prefix", &[ApplicationBalancer], Values::KeyPrefix, LOG_PREFIX),
    row(
        "idle_timeout.timeout_seconds",
        &[ApplicationBalancer],
        number(1, 4000, 60),
        CarriedOut("how long a silent connection is kept"),
    ),
    row("ipv6.deny_all_igw_traffic", BALANCERS, FALSE, NO_IPV6),
    row(
        "load_balancing.cross_zone.enabled",
        &[ApplicationBalancer],
        Values::Choice(&["true"]),
        Kept("it is always on"),
    ),
    row(
        "load_balancing.cross_zone.enabled",
        &[NetworkBalancer],
        FALSE,
        CarriedOut("whether nodes send to targets of other zones than their own"),
    ),
    row(
        "routing.http.desync_mitigation_mode",
        &[ApplicationBalancer],
        Values::Choice(&["defensive", "monitor", "strictest"]),
        CarriedOut("which ambiguous requests are blocked"),
    ),
    row(
        "routing.http.drop_invalid_header_fields.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether headers with invalid names reach targets"),
    ),
    row(
        "routing.http.preserve_host_header.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether targets get the Host header unchanged"),
    ),
    row(
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether targets are told the TLS version and the suite of a client of a socket of a listener"),
    ),
    row(
        "routing.http.xff_client_port.enabled",
        &[ApplicationBalancer],
        FALSE,
        CarriedOut("whether X-Forwarded-For has the client's port"),
    ),
    row(
        "routing.http.xff_header_processing.mode",
        &[ApplicationBalancer],
        Values::Choice(&["append", "preserve", "remove"]),
        CarriedOut("what becomes of X-Forwarded-For"),
    ),
    row(
        "routing.http2.enabled",
        &[ApplicationBalancer],
        TRUE,
        CarriedOut("whether clients of a socket of a listener may speak HTTP/2 within TLS"),
    ),
    row(
        "secondary_ips.auto_assigned.per_subnet",
        &[NetworkBalancer],
        number(0, 7, 0),
        Kept("one address of a node takes every connection"),
    ),
    row("waf.fail_open.enabled", &[ApplicationBalancer], FALSE, Kept("there is no WAF")),
    row("zonal_shift.config.enabled", BALANCERS, FALSE, NO_ZONAL_SHIFT),
    // Target groups.
    row(
        "deregistration_delay.connection_termination.enabled",
        &[TcpGroup],
        FALSE,
        CarriedOut("whether connections end when their target has drained"),
    ),
    row(
        "deregistration_delay.timeout_seconds",
        GROUPS,
        number(0, 3600, 300),
        CarriedOut("how long a deregistered target drains"),
    ),
    row("lambda.multi_value_headers.enabled", &[LambdaGroup], FALSE, Elsewhere),
    row(
        "load_balancing.algorithm.anomaly_mitigation",
        &[HttpGroup],
        Values::Choice(&["off", "on"]),
        CarriedOut("whether a target that fails far more than its neighbours gets less"),
    ),
    row(
        "load_balancing.algorithm.type",
        &[HttpGroup],
        Values::Choice(&["round_robin", "least_outstanding_requests", "weighted_random"]),
        CarriedOut("which target gets a request"),
    ),
    row(
        "load_balancing.cross_zone.enabled",
        &[HttpGroup],
        Values::Choice(&["use_load_balancer_configuration", "true", "false"]),
        CarriedOut("whether a node sends to targets of other zones than its own"),
    ),
    row(
        "load_balancing.cross_zone.enabled",
        &[TcpGroup],
        Values::Choice(&["use_load_balancer_configuration", "true", "false"]),
        CarriedOut("whether a node sends to targets of other zones than its own"),
    ),
    row(
        "preserve_client_ip.enabled",
        &[TcpGroup],
        FALSE,
        CarriedOut("whether groups of targets, and a load balancer that is one, see the client's address or a node's"),
    ),
    row(
        "proxy_protocol_v2.enabled",
        &[TcpGroup],
        FALSE,
        CarriedOut("whether a connection to a target begins with a header of the PROXY protocol"),
    ),
    row(
        "slow_start.duration_seconds",
        &[HttpGroup],
        Values::ZeroOrNumber { low: 30, high: 900 },
        CarriedOut("how long the share of a new target grows"),
    ),
    row(
        "stickiness.app_cookie.cookie_name",
        &[HttpGroup],
        Values::CookieName,
        CarriedOut("which cookie of a target binds a client to it"),
    ),
    row(
        "stickiness.app_cookie.duration_seconds",
        &[HttpGroup],
        number(1, WEEK_S, 86_400),
        CarriedOut("how long such a client stays bound"),
    ),
    row(
        "stickiness.enabled",
        &[HttpGroup],
        FALSE,
        CarriedOut("whether a client's requests go to the target that had the first"),
    ),
    row(
        "stickiness.enabled",
        &[TcpGroup],
        FALSE,
        CarriedOut("whether a client's connections go to one target by its address alone"),
    ),
    row(
        "stickiness.lb_cookie.duration_seconds",
        &[HttpGroup],
        number(1, WEEK_S, 86_400),
        CarriedOut("how long a client stays bound"),
    ),
    row(
        "stickiness.type",
        &[HttpGroup],
        Values::Choice(&["lb_cookie", "app_cookie"]),
        CarriedOut("whether the load balancer or the target begins it"),
    ),
    row("stickiness.type", &[TcpGroup], Values::Choice(&["source_ip"]), Kept("there is one kind")),
    row("target_failover.on_deregistration", &[GeneveGroup], Values::Choice(&["no_rebalance", "rebalance"]), Elsewhere),
    row("target_failover.on_unhealthy", &[GeneveGroup], Values::Choice(&["no_rebalance", "rebalance"]), Elsewhere),
    row(
        "target_group_health.dns_failover.minimum_healthy_targets.count",
        GROUPS,
        off_or(1, TARGETS_MAX, Some(1)),
        NO_DNS,
    ),
    row("target_group_health.dns_failover.minimum_healthy_targets.percentage", GROUPS, off_or(1, 100, None), NO_DNS),
    row(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        &[HttpGroup],
        number(1, TARGETS_MAX, 1),
        CarriedOut("below how many healthy targets all get traffic"),
    ),
    row(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        &[TcpGroup],
        number(1, TARGETS_MAX, 1),
        CarriedOut("below how many healthy targets all get traffic"),
    ),
    row(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        &[HttpGroup],
        off_or(1, 100, None),
        CarriedOut("below what share of healthy targets all get traffic"),
    ),
    row(
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        &[TcpGroup],
        off_or(1, 100, None),
        CarriedOut("below what share of healthy targets all get traffic"),
    ),
    row(
        "target_health_state.unhealthy.connection_termination.enabled",
        &[TcpGroup],
        TRUE,
        CarriedOut("whether connections end when their target becomes unhealthy"),
    ),
    row(
        "target_health_state.unhealthy.draining_interval_seconds",
        &[TcpGroup],
        number(0, 360_000, 0),
        CarriedOut("how long the connections of an unhealthy target go on, where they do not end at once"),
    ),
    // Listeners.
    tls_header("routing.http.request.x_amzn_mtls_clientcert.header_name", "X-Amzn-Mtls-Clientcert", CERTIFICATE_HEADER),
    tls_header(
        "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name",
        "X-Amzn-Mtls-Clientcert-Issuer",
        CERTIFICATE_HEADER,
    ),
    tls_header(
        "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name",
        "X-Amzn-Mtls-Clientcert-Leaf",
        CERTIFICATE_HEADER,
    ),
    tls_header(
        "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
        "X-Amzn-Mtls-Clientcert-Serial-Number",
        CERTIFICATE_HEADER,
    ),
    tls_header(
        "routing.http.request.x_amzn_mtls_clientcert_subject.header_name",
        "X-Amzn-Mtls-Clientcert-Subject",
        CERTIFICATE_HEADER,
    ),
    tls_header(
        "routing.http.request.x_amzn_mtls_clientcert_validity.header_name",
        "X-Amzn-Mtls-Clientcert-Validity",
        CERTIFICATE_HEADER,
    ),
    tls_header("routing.http.request.x_amzn_tls_cipher_suite.header_name", "X-Amzn-Tls-Cipher-Suite", AGREED_HEADER),
    tls_header("routing.http.request.x_amzn_tls_version.header_name", "X-Amzn-Tls-Version", AGREED_HEADER),
    answer_header("routing.http.response.access_control_allow_credentials.header_value"),
    answer_header("routing.http.response.access_control_allow_headers.header_value"),
    answer_header("routing.http.response.access_control_allow_methods.header_value"),
    answer_header("routing.http.response.access_control_allow_origin.header_value"),
    answer_header("routing.http.response.access_control_expose_headers.header_value"),
    answer_header("routing.http.response.access_control_max_age.header_value"),
    answer_header("routing.http.response.content_security_policy.header_value"),
    row(
        "routing.http.response.server.enabled",
        WEB_LISTENERS,
        TRUE,
        CarriedOut("whether answers have a Server header"),
    ),
    answer_header("routing.http.response.strict_transport_security.header_value"),
    answer_header("routing.http.response.x_content_type_options.header_value"),
    answer_header("routing.http.response.x_frame_options.header_value"),
    row(
        "tcp.idle_timeout.seconds",
        &[TcpListener],
        number(60, 6000, 350),
        CarriedOut("how long a connection may be silent both ways"),
    ),
];
