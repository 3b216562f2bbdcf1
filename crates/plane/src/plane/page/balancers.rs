//! The metrics of load balancers and target groups, by CloudWatch's names (ALB user guide, "CloudWatch metrics for your Application Load
//! Balancer", 2026-11; `docs/metrics.md`). A metric that nobody counts is not here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use topology::arn::BalancerKind;
use topology::snapshot::balancer::{Balancer, TargetGroup};

use super::{Labels, family};
use crate::report::balancer_meter::BalancerMeter;
use crate::report::counted::{BALANCERS, GROUPS};
use crate::targets::state::{GroupState, Standing, TargetState};
use crate::world::World;

const BALANCER: &str = "load_balancer";
const COUNTER: MetricType = MetricType::Counter;
const MS_IN_S: f64 = 1000.0;

/// What is counted at one moment of the targets of a group.
type Hosts = fn(&TargetState) -> bool;

const HOSTS: [(&str, &str, Hosts); 4] = [
    ("healthy_host_count", "Targets that are healthy", |target| target.standing() == Standing::Healthy),
    ("unhealthy_host_count", "Targets that are unhealthy", |target| target.standing() == Standing::Unhealthy),
    ("anomalous_host_count", "Targets that fail far more than their neighbours", |target| {
        target.anomaly().is_anomalous
    }),
    ("mitigated_host_count", "Targets that get less because they do", |target| target.anomaly().is_mitigated),
];

/// Writes the families, each with all its series.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, world: &Arc<World>) -> fmt::Result {
    for (name, help, of) in BALANCERS {
        let series = applications(world).map(|(balancer, meter)| (balancer_label(balancer), of(meter).read()));
        write(encoder, (name, help, COUNTER), series)?;
    }
    let open = applications(world).map(|(balancer, meter)| (balancer_label(balancer), meter.open.read()));
    let family = ("active_connection_count", "Open connections of clients to sockets of listeners", MetricType::Gauge);
    write(encoder, family, open)?;
    let units = applications(world).map(|(balancer, meter)| (balancer_label(balancer), meter.units()));
    let help = "Capacity units of the last whole minute";
    let mut family = encoder.encode_descriptor("applicationelb_consumed_lcus", help, None, MetricType::Gauge)?;
    for (labels, units) in units {
        family.encode_family(&labels)?.encode_gauge(&units)?;
    }
    let groups: Vec<_> = groups(world, |group| group.stream.is_none()).collect();
    for (name, help, of) in GROUPS {
        let series = groups.iter().map(|(labels, state)| (labels.clone(), of(&state.meter).read()));
        write(encoder, (name, help, COUNTER), series)?;
    }
    for (name, help, is_one) in HOSTS {
        let count = |state: &GroupState| state.targets.iter().filter(|target| is_one(target)).count() as u64;
        let series = groups.iter().map(|(labels, state)| (labels.clone(), count(state)));
        write(encoder, (name, help, MetricType::Gauge), series)?;
    }
    response_times(encoder, &groups)?;
    let of_targets = groups.iter().flat_map(|(labels, state)| {
        state.targets.iter().map(|target| {
            let mut labels = labels.clone();
            labels.push(("target", format!("{}:{}", target.key.address, target.key.port)));
            (labels, target.requests())
        })
    });
    write(encoder, ("request_count", "Requests that a target was chosen for", COUNTER), of_targets)?;
    networks(encoder, world)
}

/// The load balancers of requests, each with what is counted of it.
fn applications(world: &World) -> impl Iterator<Item = (&Balancer, &Arc<BalancerMeter>)> {
    let all = world.realms.iter().flat_map(|realm| realm.balancers());
    all.filter(|(balancer, _)| balancer.kind == BalancerKind::Application)
}

/// What is counted of a load balancer of connections, by its targets.
type Flows = fn(&TargetState) -> u64;

const FLOWS: [(&str, &str, MetricType, Flows); 2] = [
    ("networkelb_new_flow_count", "Connections that were led to a target", COUNTER, TargetState::requests),
    ("networkelb_active_flow_count", "Connections that are open to a target", MetricType::Gauge, |target| {
        target.in_flight().into()
    }),
];

/// The metrics of network load balancers (NLB user guide, "CloudWatch metrics for your Network Load Balancer", 2026-11).
fn networks(encoder: &mut DescriptorEncoder<'_>, world: &World) -> fmt::Result {
    let groups: Vec<_> = groups(world, |group| group.stream.is_some()).collect();
    for (name, help, kind, of) in FLOWS {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        for (labels, state) in &groups {
            if let Some((_, balancer)) = labels.iter().find(|(name, _)| *name == BALANCER) {
                *sums.entry(balancer.clone()).or_default() +=
                    state.targets.iter().map(|target| of(target)).sum::<u64>();
            }
        }
        let series = sums.into_iter().map(|(balancer, sum)| (vec![(BALANCER, balancer)], sum));
        family(encoder, (name, help, kind), &series.collect::<Vec<_>>())?;
    }
    let balancers = world.realms.iter().flat_map(|realm| realm.balancers());
    let failed = balancers.filter(|(balancer, _)| balancer.kind == BalancerKind::Network);
    let failed: Vec<_> = failed.map(|(own, meter)| (balancer_label(own), meter.client_tls_errors.read())).collect();
    let help = "Handshakes of clients with TLS listeners that came to nothing";
    family(encoder, ("networkelb_client_tls_negotiation_error_count", help, COUNTER), &failed)?;
    for (name, help, is_one) in &HOSTS[..2] {
        let count = |state: &GroupState| state.targets.iter().filter(|target| is_one(target)).count() as u64;
        let series: Vec<_> = groups.iter().map(|(labels, state)| (labels.clone(), count(state))).collect();
        family(encoder, (&format!("networkelb_{name}"), help, MetricType::Gauge), &series)?;
    }
    Ok(())
}

type Group<'w> = (Labels, &'w GroupState);

/// The groups of which this holds, each with its labels: that of its load balancer, if it has one, and its own.
fn groups(world: &World, is_meant: fn(&TargetGroup) -> bool) -> impl Iterator<Item = Group<'_>> {
    let all = world.realms.iter().flat_map(|realm| realm.groups().map(move |found| (realm, found)));
    all.filter(move |(_, (group, _))| is_meant(group)).map(|(realm, (group, state))| {
        let balancer = group.balancer.and_then(|index| realm.snapshot.balancers.balancer(index));
        let mut labels = balancer.map(balancer_label).unwrap_or_default();
        labels.push(("target_group", group.arn.rsplit(':').next().unwrap_or_default().to_owned()));
        (labels, state)
    })
}

fn balancer_label(balancer: &Balancer) -> Labels {
    vec![(BALANCER, balancer.full_name.clone())]
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    series: impl Iterator<Item = (Labels, u64)>,
) -> fmt::Result {
    family(encoder, (&format!("applicationelb_{name}"), help, kind), &series.collect::<Vec<_>>())
}

/// CloudWatch has them in seconds.
fn response_times(encoder: &mut DescriptorEncoder<'_>, groups: &[Group<'_>]) -> fmt::Result {
    let (name, help) = ("applicationelb_target_response_time", "From sending a request on to the head of its answer");
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for (labels, state) in groups {
        let read = state.meter.response_time.read();
        let buckets: Vec<_> = read.buckets.iter().map(|(bound, count)| (bound / MS_IN_S, *count)).collect();
        let mut metric = family.encode_family(labels)?;
        metric.encode_histogram::<NoLabelSet>(read.sum_ms / MS_IN_S, read.count, &buckets, None)?;
    }
    Ok(())
}
