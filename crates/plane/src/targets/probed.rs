//! The line that a probe leaves in the health check log of a load balancer (ALB user guide, "Health check log entries", 2026-11).

use std::net::SocketAddr;
use std::time::Duration;

use topology::observed::Unhealthy;

use crate::report::entry::iso_time;

/// One probe, as its log tells it.
#[derive(Debug)]
pub(super) struct Probed<'p> {
    /// Whether it was sent within TLS.
    pub(super) is_secure: bool,
    /// When it began, since 1970.
    pub(super) began: Duration,
    /// How long it took.
    pub(super) took: Duration,
    /// The target.
    pub(super) target: SocketAddr,
    /// The name of its group.
    pub(super) group: &'p str,
    /// The status that was accepted, or why the target failed.
    pub(super) outcome: Result<u16, Unhealthy>,
}

impl Probed<'_> {
    /// The line.
    pub(super) fn line(&self) -> String {
        let spoken = if self.is_secure { "https" } else { "http" };
        let (result, status, why) = match self.outcome {
            Ok(status) => ("PASS", Some(status), "-"),
            Err(Unhealthy::Timeout) => ("FAIL", None, "TimedOut"),
            Err(Unhealthy::FailedHealthChecks) => ("FAIL", None, "ConnectionReset"),
            Err(Unhealthy::ResponseCodeMismatch(status @ 500..)) => ("FAIL", Some(status), "TargetError"),
            Err(Unhealthy::ResponseCodeMismatch(status)) => ("FAIL", Some(status), "ResponseCodeMismatch"),
        };
        let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let Self { began, took, target, group, .. } = self;
        let (began, took) = (iso_time(*began), took.as_secs_f64());
        format!("{spoken} {began} {took:.9} {target} {group} {result} {status} {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_guide() {
        let line = |outcome| {
            let probed = Probed {
                is_secure: false,
                began: Duration::from_micros(1_761_914_699_875_678),
                took: Duration::from_nanos(19_584_011),
                target: "172.31.20.97:80".parse().unwrap(),
                group: "HCLogsTestIPs",
                outcome,
            };
            probed.line()
        };
        let head = "http 2025-10-31T12:44:59.875678Z 0.019584011 172.31.20.97:80 HCLogsTestIPs";
        for (outcome, end) in [
            (Ok(200), "PASS 200 -"),
            (Err(Unhealthy::Timeout), "FAIL - TimedOut"),
            (Err(Unhealthy::FailedHealthChecks), "FAIL - ConnectionReset"),
            (Err(Unhealthy::ResponseCodeMismatch(404)), "FAIL 404 ResponseCodeMismatch"),
            (Err(Unhealthy::ResponseCodeMismatch(502)), "FAIL 502 TargetError"),
        ] {
            assert_eq!(line(outcome), format!("{head} {end}"));
        }
    }
}
