//! What is counted of load balancers and target groups, by name: for the page of metrics, and so that the counts of one plane are added to
//! another's.

use std::sync::atomic::AtomicU64;

use super::balancer_meter::{BalancerMeter, Count, GroupMeter};
use super::meter::BOUNDS_MS;

type OfBalancer = fn(&BalancerMeter) -> &Count;
type OfGroup = fn(&GroupMeter) -> &Count;

/// Counts of load balancers: name, help, and which.
pub(crate) const BALANCERS: [(&str, &str, OfBalancer); 16] = [
    ("httpcode_elb_3xx_count", "Answers of a load balancer's own with a status of 300 to 399", |m| &m.own_3xx),
    ("httpcode_elb_4xx_count", "Answers of a load balancer's own with a status of 400 to 499", |m| &m.own_4xx),
    ("httpcode_elb_5xx_count", "Answers of a load balancer's own with a status of 500 to 599", |m| &m.own_5xx),
    ("httpcode_elb_500_count", "Answers of a load balancer's own with status 500", |m| &m.own_500),
    ("httpcode_elb_502_count", "Answers of a load balancer's own with status 502", |m| &m.own_502),
    ("httpcode_elb_503_count", "Answers of a load balancer's own with status 503", |m| &m.own_503),
    ("httpcode_elb_504_count", "Answers of a load balancer's own with status 504", |m| &m.own_504),
    ("rule_evaluations", "Rules that were evaluated, the default ones not counted", |m| m.rules()),
    ("processed_bytes", "Bytes of heads and bodies of requests and answers", |m| &m.bytes),
    ("http_fixed_response_count", "Answers of fixed-response actions", |m| &m.fixed),
    ("http_redirect_count", "Answers of redirect actions", |m| &m.redirects),
    ("http_redirect_url_limit_exceeded_count", "Redirects to a URL that is too long", |m| &m.redirects_too_long),
    ("desync_mitigation_mode_non_compliant_request_count", "Requests that could be read in two ways", |m| {
        &m.noncompliant
    }),
    ("dropped_invalid_header_request_count", "Requests that lost headers with invalid names", |m| &m.dropped_headers),
    ("new_connection_count", "Connections of clients to sockets of listeners", |m| &m.connections),
    ("client_tls_negotiation_error_count", "Handshakes of clients that came to nothing", |m| &m.client_tls_errors),
];

/// Counts of target groups.
pub(crate) const GROUPS: [(&str, &str, OfGroup); 8] = [
    ("httpcode_target_2xx_count", "Answers of targets with a status of 200 to 299", |m| &m.codes[0]),
    ("httpcode_target_3xx_count", "Answers of targets with a status of 300 to 399", |m| &m.codes[1]),
    ("httpcode_target_4xx_count", "Answers of targets with a status of 400 to 499", |m| &m.codes[2]),
    ("httpcode_target_5xx_count", "Answers of targets with a status of 500 to 599", |m| &m.codes[3]),
    ("target_connection_error_count", "Connections to targets that did not come about", |m| &m.connection_errors),
    ("target_tls_negotiation_error_count", "TLS handshakes with targets that failed", |m| &m.tls_errors),
    ("non_sticky_request_count", "Requests that could not be kept with a target", |m| &m.non_sticky),
    ("unhealthy_routing_request_count", "Requests to a group that fails open", |m| &m.failed_open),
];

/// Buckets of response times, by their upper bounds.
const TIMES: [&str; BOUNDS_MS.len() + 1] = [
    "response_time_1_ms",
    "response_time_2_ms",
    "response_time_5_ms",
    "response_time_10_ms",
    "response_time_20_ms",
    "response_time_50_ms",
    "response_time_100_ms",
    "response_time_200_ms",
    "response_time_500_ms",
    "response_time_1000_ms",
    "response_time_2000_ms",
    "response_time_5000_ms",
    "response_time_10000_ms",
    "response_time_30000_ms",
    "response_time_above",
];

/// A count with its name.
pub(crate) type Counted<'m> = (&'static str, &'m AtomicU64);

/// Everything that is counted of a load balancer; what lasts now is none of it.
pub(crate) fn of_balancer(meter: &BalancerMeter) -> impl Iterator<Item = Counted<'_>> {
    let counting = ("rule_evaluations_counting", meter.rules_counting().cell());
    BALANCERS.iter().map(|(name, _, of)| (*name, of(meter).cell())).chain([counting])
}

/// Everything that is counted of a target group.
pub(crate) fn of_group(meter: &GroupMeter) -> impl Iterator<Item = Counted<'_>> {
    let (buckets, micros) = meter.response_time.cells();
    let times = TIMES.iter().copied().zip(buckets).chain([("response_time_micros", micros)]);
    GROUPS.iter().map(|(name, _, of)| (*name, of(meter).cell())).chain(times)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_count_has_a_name_of_its_own_and_buckets_that_of_their_bound() {
        let (balancer, group) = (BalancerMeter::default(), GroupMeter::default());
        for names in [
            of_balancer(&balancer).map(|(name, _)| name).collect::<Vec<_>>(),
            of_group(&group).map(|(name, _)| name).collect(),
        ] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        }
        for bound in BOUNDS_MS {
            group.response_time.observe(Duration::from_millis(bound));
            let name = format!("response_time_{bound}_ms");
            let (_, cell) = of_group(&group).find(|(known, _)| *known == name).unwrap();
            assert_eq!(cell.load(Ordering::Relaxed), 1, "{name}");
        }
    }
}
