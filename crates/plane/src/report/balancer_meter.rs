//! Counts of load balancers and target groups, each where CloudWatch has a metric of that name (ALB user guide, "CloudWatch metrics for
//! your Application Load Balancer", 2026-11). They stand beside listeners and groups, so that counting looks nothing up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::capacity::{Totals, Units, counting};
use super::meter::Latency;
use crate::guard::{Guard, Lasting};

/// A count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// One less, of what is counted while it lasts.
    pub(crate) fn one_less(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Where it is kept.
    pub(super) const fn cell(&self) -> &AtomicU64 {
        &self.0
    }
}

/// What is counted of a load balancer.
#[derive(Debug, Default)]
pub(crate) struct BalancerMeter {
    /// `HTTPCode_ELB_3XX_Count`: answers of its own, as the next five.
    pub(crate) own_3xx: Count,
    /// `HTTPCode_ELB_4XX_Count`, 460 among them.
    pub(crate) own_4xx: Count,
    /// `HTTPCode_ELB_5XX_Count`
    pub(crate) own_5xx: Count,
    /// `HTTPCode_ELB_500_Count`
    pub(crate) own_500: Count,
    /// `HTTPCode_ELB_502_Count`
    pub(crate) own_502: Count,
    /// `HTTPCode_ELB_503_Count`
    pub(crate) own_503: Count,
    /// `HTTPCode_ELB_504_Count`
    pub(crate) own_504: Count,
    /// `RuleEvaluations`
    rules: Count,
    /// Those of them that count for `ConsumedLCUs`.
    rules_counting: Count,
    /// `ConsumedLCUs`
    units: Units,
    /// `ProcessedBytes`
    pub(crate) bytes: Count,
    /// `HTTP_Fixed_Response_Count`
    pub(crate) fixed: Count,
    /// `HTTP_Redirect_Count`
    pub(crate) redirects: Count,
    /// `HTTP_Redirect_Url_Limit_Exceeded_Count`
    pub(crate) redirects_too_long: Count,
    /// `DesyncMitigationMode_NonCompliant_Request_Count`
    pub(crate) noncompliant: Count,
    /// `DroppedInvalidHeaderRequestCount`
    pub(crate) dropped_headers: Count,
    /// `NewConnectionCount`, of clients alone.
    pub(crate) connections: Count,
    /// `ActiveConnectionCount`, of clients alone: those that are open now.
    pub(crate) open: Count,
    /// `ClientTLSNegotiationErrorCount`
    pub(crate) client_tls_errors: Count,
}

/// A connection of a client, from its handshake to its end.
impl Lasting for BalancerMeter {
    fn over(&self) {
        self.open.one_less();
    }
}

impl BalancerMeter {
    /// Counts a client's connection, which is open until the guard is dropped.
    pub(crate) fn connected(self: &Arc<Self>) -> Guard {
        self.connections.one();
        self.open.one();
        Guard::new(Arc::<Self>::clone(self))
    }

    /// Counts the rules that were evaluated for one request.
    pub(crate) fn evaluated(&self, rules: usize) {
        self.rules.add(rules as u64);
        self.rules_counting.add(counting(rules));
    }

    /// `RuleEvaluations`
    pub(crate) const fn rules(&self) -> &Count {
        &self.rules
    }

    /// Those of them that count for `ConsumedLCUs`.
    pub(super) const fn rules_counting(&self) -> &Count {
        &self.rules_counting
    }

    /// Weighs what was used, where a minute is over. Called in every sweep.
    pub(crate) fn weigh(&self, now: Instant) {
        let (connections, open) = (self.connections.read(), self.open.read());
        self.units.look(now, Totals { connections, open, bytes: self.bytes.read(), rules: self.rules_counting.read() });
    }

    /// `ConsumedLCUs` of the last whole minute.
    pub(crate) fn units(&self) -> f64 {
        self.units.read()
    }

    /// Counts an answer that the load balancer made itself.
    pub(crate) fn answered(&self, status: u16) {
        match status {
            300..=399 => self.own_3xx.one(),
            400..=499 => self.own_4xx.one(),
            500..=599 => self.own_5xx.one(),
            _ => {}
        }
        match status {
            500 => self.own_500.one(),
            502 => self.own_502.one(),
            503 => self.own_503.one(),
            504 => self.own_504.one(),
            _ => {}
        }
    }
}

/// What is counted of a target group.
#[derive(Debug, Default)]
pub(crate) struct GroupMeter {
    /// `HTTPCode_Target_2XX_Count` and the three after it.
    pub(crate) codes: [Count; 4],
    /// `TargetResponseTime`
    pub(crate) response_time: Latency,
    /// `TargetConnectionErrorCount`
    pub(crate) connection_errors: Count,
    /// `TargetTLSNegotiationErrorCount`
    pub(crate) tls_errors: Count,
    /// `NonStickyRequestCount`
    pub(crate) non_sticky: Count,
    /// `UnhealthyRoutingRequestCount`
    pub(crate) failed_open: Count,
}

impl GroupMeter {
    /// Counts a target's answer, and how long it took.
    pub(crate) fn answered(&self, status: u16, took: Duration) {
        if let Some(codes) = usize::from(status / 100).checked_sub(2).and_then(|class| self.codes.get(class)) {
            codes.one();
        }
        self.response_time.observe(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_by_class_and_some_by_themselves() {
        let meter = BalancerMeter::default();
        [200, 301, 302, 404, 460, 500, 502, 503, 504, 561].into_iter().for_each(|status| meter.answered(status));
        let classes = [&meter.own_3xx, &meter.own_4xx, &meter.own_5xx].map(Count::read);
        assert_eq!(classes, [2, 2, 5]);
        assert_eq!([&meter.own_500, &meter.own_502, &meter.own_503, &meter.own_504].map(Count::read), [1; 4]);
        let group = GroupMeter::default();
        let took = Duration::from_millis(3);
        [101, 200, 204, 302, 404, 500, 599, 700].into_iter().for_each(|status| group.answered(status, took));
        assert_eq!(group.codes.each_ref().map(Count::read), [2, 1, 1, 2]);
        assert_eq!((group.response_time.read().count, group.response_time.read().sum_ms), (8, 24.0));
    }
}
