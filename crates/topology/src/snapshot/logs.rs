//! Where the log files of load balancers and the files of flow logs go (ALB user guide, "Access logs", "Connection logs", "Health check logs"
//! and "Enable access logs"; NLB user guide, "Access logs for your Network Load Balancer"; VPC user guide, "Flow log files"; 2026-11). What
//! stands in them is the data plane's, when they are written the binary's.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::id::Realm;
use crate::resource::attribute::{Attributes, LOGS_BELOW, Owner};
use crate::resource::load_balancer::{ACCESS_LOG, CONNECTION_LOG, HEALTH_CHECK_LOG, LogAttributes};

/// What a log tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// Requests.
    Access,
    /// Connections that a network load balancer decrypts: its access log.
    Decrypted,
    /// Connections of clients.
    Connections,
    /// Probes.
    HealthChecks,
    /// Connections of interfaces: a flow log.
    Flows,
}

impl LogKind {
    /// What names of its files begin with.
    const fn file_prefix(self) -> &'static str {
        match self {
            Self::Access | Self::Decrypted | Self::Flows => "",
            Self::Connections => "conn_log_",
            Self::HealthChecks => "health_check_log_",
        }
    }

    /// The folder of the service.
    const fn service(self) -> &'static str {
        match self {
            Self::Access | Self::Decrypted | Self::Connections | Self::HealthChecks => "elasticloadbalancing",
            Self::Flows => "vpcflowlogs",
        }
    }
}

/// The log of one kind of one load balancer, or a flow log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogPlace {
    /// What it tells of.
    pub kind: LogKind,
    /// The bucket: a name as S3 takes it, so that it is one folder.
    pub bucket: String,
    /// What keys begin with: no part of it is `.` or `..`.
    pub prefix: String,
    /// Whose load balancer it is.
    pub realm: Realm,
    /// `app/NAME/ID`, `net/NAME/ID`, or the id of the flow log.
    pub balancer: String,
    /// The line that each file begins with; empty where there is none.
    pub header: String,
}

/// When the interval of a file ended, in UTC.
#[derive(Debug, Clone, Copy)]
pub struct IntervalEnd<'t> {
    /// `yyyy/mm/dd`
    pub day: &'t str,
    /// `yyyyMMddTHHmmZ`
    pub minute: &'t str,
}

impl LogPlace {
    /// The parts of a file's key below the bucket. `random` tells files of one interval apart; those of a network load balancer and of a
    /// flow log do not name a node.
    #[must_use]
    pub fn key(&self, end: IntervalEnd<'_>, node: Ipv4Addr, random: &str) -> String {
        let (account, region) = (self.realm.account, &self.realm.region);
        let prefix: String =
            self.prefix.split('/').filter(|part| !part.is_empty()).flat_map(|part| [part, "/"]).collect();
        let (kind, balancer) = (self.kind.file_prefix(), self.balancer.replace('/', "."));
        let IntervalEnd { day, minute } = end;
        let (service, is_of_all) = (self.kind.service(), matches!(self.kind, LogKind::Decrypted | LogKind::Flows));
        let node = if is_of_all { String::new() } else { format!("{node}_") };
        format!(
            "{prefix}{LOGS_BELOW}/{account}/{service}/{region}/{day}/\
             {kind}{account}_{service}_{region}_{balancer}_{minute}_{node}{random}.log.gz"
        )
    }
}

/// The logs of a load balancer; `None` where it keeps none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BalancerLogs {
    /// Of its requests, or of the connections that it decrypts.
    pub access: Option<Arc<LogPlace>>,
    /// Of its clients' connections.
    pub connections: Option<Arc<LogPlace>>,
    /// Of its probes.
    pub health_checks: Option<Arc<LogPlace>>,
}

impl BalancerLogs {
    pub(crate) fn of(attributes: &Attributes, realm: &Realm, balancer: &str) -> Self {
        let place = |kind: LogKind, (is_on, bucket, prefix): LogAttributes| {
            let bucket = attributes.text(bucket);
            (attributes.is_on(is_on) && !bucket.is_empty()).then(|| {
                Arc::new(LogPlace {
                    kind,
                    bucket: bucket.to_owned(),
                    prefix: attributes.text(prefix).to_owned(),
                    realm: realm.clone(),
                    balancer: balancer.to_owned(),
                    header: String::new(),
                })
            })
        };
        let access = match attributes.owner() {
            Owner::NetworkBalancer => LogKind::Decrypted,
            _ => LogKind::Access,
        };
        Self {
            access: place(access, ACCESS_LOG),
            connections: place(LogKind::Connections, CONNECTION_LOG),
            health_checks: place(LogKind::HealthChecks, HEALTH_CHECK_LOG),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::attribute::Owner::{ApplicationBalancer, NetworkBalancer};

    #[test]
    fn files_have_the_keys_that_aws_gives_them() {
        let mut attributes = Attributes::new(ApplicationBalancer);
        attributes.set("access_logs.s3.enabled", "true").unwrap();
        let realm = Realm { account: "123456789012".parse().unwrap(), region: "us-east-2".parse().unwrap() };
        let logs = |attributes: &Attributes| BalancerLogs::of(attributes, &realm, "app/my-lb/1234567890abcdef");
        assert_eq!(logs(&attributes), BalancerLogs::default(), "without a bucket there is nothing to write to");
        for (kind, prefix) in [("access", "logging-prefix"), ("connection", "c"), ("health_check", "/a//b/")] {
            attributes.set(&format!("{kind}_logs.s3.enabled"), "true").unwrap();
            attributes.set(&format!("{kind}_logs.s3.bucket"), "my-logs").unwrap();
            attributes.set(&format!("{kind}_logs.s3.prefix"), prefix).unwrap();
        }
        let BalancerLogs { access, connections, health_checks } = logs(&attributes);
        let key = |place: Option<Arc<LogPlace>>| {
            let end = IntervalEnd { day: "2022/02/15", minute: "20220215T2340Z" };
            place.unwrap().key(end, Ipv4Addr::new(172, 160, 1, 192), "20sg8hgm")
        };
        assert_eq!(
            key(access),
            "logging-prefix/AWSLogs/123456789012/elasticloadbalancing/us-east-2/2022/02/15/123456789012_\
             elasticloadbalancing_us-east-2_app.my-lb.1234567890abcdef_20220215T2340Z_172.160.1.192_20sg8hgm.log.gz"
        );
        assert_eq!(
            key(connections),
            "c/AWSLogs/123456789012/elasticloadbalancing/us-east-2/2022/02/15/conn_log_123456789012_\
             elasticloadbalancing_us-east-2_app.my-lb.1234567890abcdef_20220215T2340Z_172.160.1.192_20sg8hgm.log.gz"
        );
        assert_eq!(
            key(health_checks),
            "a/b/AWSLogs/123456789012/elasticloadbalancing/us-east-2/2022/02/15/health_check_log_123456789012_\
             elasticloadbalancing_us-east-2_app.my-lb.1234567890abcdef_20220215T2340Z_172.160.1.192_20sg8hgm.log.gz"
        );
    }

    #[test]
    fn files_of_a_network_load_balancer_do_not_name_its_node() {
        let mut attributes = Attributes::new(NetworkBalancer);
        for (key, value) in [("enabled", "true"), ("bucket", "my-logs"), ("prefix", "prefix")] {
            attributes.set(&format!("access_logs.s3.{key}"), value).unwrap();
        }
        let realm = Realm { account: "123456789012".parse().unwrap(), region: "us-east-2".parse().unwrap() };
        let logs = BalancerLogs::of(&attributes, &realm, "net/my-loadbalancer/1234567890abcdef");
        assert_eq!((logs.connections, logs.health_checks), (None, None));
        let end = IntervalEnd { day: "2020/05/01", minute: "20200501T0000Z" };
        assert_eq!(
            logs.access.unwrap().key(end, Ipv4Addr::new(172, 160, 1, 192), "20sg8hgm"),
            "prefix/AWSLogs/123456789012/elasticloadbalancing/us-east-2/2020/05/01/123456789012_\
             elasticloadbalancing_us-east-2_net.my-loadbalancer.1234567890abcdef_20200501T0000Z_20sg8hgm.log.gz"
        );
    }
}
