//! The page of metrics: reads what there is now. Series stand for what the newest snapshot holds, so that those of things
//! that are gone end with them, and their number is bounded by the estate. Names and units are in `docs/metrics.md`.

mod balancers;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::front::watch::Connections;
use crate::report::meter::{Latency, Meter};
use crate::report::outlet::{Loss, Outlet, Weigh};
use crate::shared::Shared;
use crate::task;
use crate::world::World;

/// Labels of one series.
type Labels = Vec<(&'static str, String)>;

/// What one scrape reads.
pub(crate) struct Page {
    shared: Arc<Shared>,
    connections: Arc<Connections>,
    world: Arc<World>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page")
    }
}

/// The page as text, in the OpenMetrics form that Prometheus reads.
pub(crate) fn text(shared: &Arc<Shared>, connections: &Arc<Connections>) -> String {
    let (shared, connections) = (Arc::clone(shared), Arc::clone(connections));
    let world = shared.world.load_full();
    let mut registry = Registry::with_prefix("tidegate");
    registry.register_collector(Box::new(Page { shared, connections, world }));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.stages(&mut encoder)?;
        self.routes(&mut encoder)?;
        balancers::encode(&mut encoder, &self.world)?;
        self.agents(&mut encoder)?;
        self.plane(&mut encoder)?;
        outlet(&mut encoder, ("access_log_lines", "Access-log lines"), self.shared.config.lines.as_ref())?;
        let lines = self.shared.config.balancer_lines.as_ref();
        outlet(&mut encoder, ("load_balancer_log_lines", "Lines of logs of load balancers"), lines)?;
        outlet(&mut encoder, ("spans", "Spans of requests"), self.shared.config.spans.as_ref())
    }
}

impl Page {
    fn stages(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut series = Vec::new();
        for realm in &self.world.realms {
            for (api, state) in realm.apis() {
                for (stage, state) in api.stages.iter().zip(&state.stages) {
                    let labels = vec![("api_id", api.id.to_string()), ("stage", stage.name.to_string())];
                    series.push((labels, Arc::clone(&state.meter)));
                }
            }
        }
        meters(encoder, "apigateway", &series)
    }

    /// Only routes with detailed metrics have any of their own.
    fn routes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut series = Vec::new();
        for realm in &self.world.realms {
            for (api, state) in realm.apis() {
                for (stage, state) in api.stages.iter().zip(&state.stages) {
                    let routes = stage.deployed.iter().flat_map(|deployed| &deployed.routes);
                    for (route, meter) in routes.zip(&state.route_meters) {
                        let Some(meter) = meter else { continue };
                        let place = [("api_id", api.id.to_string()), ("stage", stage.name.to_string())];
                        let labels = place.into_iter().chain([("route", route.key.to_string())]);
                        series.push((labels.collect(), Arc::clone(meter)));
                    }
                }
            }
        }
        meters(encoder, "apigateway_route", &series)
    }

    /// Agents of the newest snapshot, connected or not; without any, nothing.
    fn agents(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (mut connected, mut connections, mut round_trips) = (Vec::new(), Vec::new(), Vec::new());
        for agent in self.world.realms.iter().flat_map(|realm| &realm.snapshot.fabric.agents) {
            let labels: Labels = vec![("agent", agent.id.to_string()), ("vpc", agent.vpc.to_string())];
            let lane = self.shared.lanes.agent(agent.id);
            connected.push((labels.clone(), u64::from(lane.as_ref().is_some_and(|lane| lane.takes()))));
            let Some(lane) = lane else { continue };
            let (idle, busy) = lane.connections();
            for (state, count) in [("idle", idle), ("busy", busy)] {
                let labels = labels.iter().cloned().chain([("state", state.to_owned())]);
                connections.push((labels.collect(), count as u64));
            }
            round_trips.push((labels, u64::from(lane.round_trip_micros())));
        }
        if connected.is_empty() {
            return Ok(());
        }
        family(encoder, ("agent_connected", "Whether an agent is given requests", MetricType::Gauge), &connected)?;
        let name = ("agent_connections", "Connections of an agent that carry requests", MetricType::Gauge);
        family(encoder, name, &connections)?;
        let name = ("agent_round_trip_microseconds", "The last ping of an agent and its answer", MetricType::Gauge);
        family(encoder, name, &round_trips)
    }

    fn plane(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let rows = [
            ("client_connections", "Open connections of clients", self.connections.open() as u64),
            ("idle_upstream_connections", "Kept connections to targets", self.shared.home.pool.idle() as u64),
            ("snapshot_revision", "Revision of the snapshot in force", self.world.snapshot.revision),
        ];
        for (name, help, value) in rows {
            family(encoder, (name, help, MetricType::Gauge), &[(Labels::new(), value)])?;
        }
        let mut engine = vec![("engine", self.shared.config.engine.enforcement().to_string())];
        engine.extend(self.shared.config.kernel_refused_at.iter().map(|step| ("kernel_refused_at", step.clone())));
        let name = ("fabric_info", "The engine that carries private networks", MetricType::Gauge);
        family(encoder, name, &[(engine, 1)])?;
        let name = ("fabric_faults", "Private networks that the kernel refused a change of", MetricType::Gauge);
        family(encoder, name, &[(Labels::new(), self.shared.config.engine.faults().len() as u64)])?;
        let rows = [
            ("traces", "Requests whose hops were recorded", self.shared.home.traces.recorded()),
            ("task_panics", "Tasks of the data plane that ended in a panic", task::panics()),
        ];
        for (name, help, value) in rows {
            family(encoder, (name, help, MetricType::Counter), &[(Labels::new(), value)])?;
        }
        Ok(())
    }
}

/// The metrics of stages or routes, each family with all its series.
fn meters(encoder: &mut DescriptorEncoder<'_>, prefix: &str, series: &[(Labels, Arc<Meter>)]) -> fmt::Result {
    type Counter = fn(&Meter) -> &AtomicU64;
    type Time = fn(&Meter) -> &Latency;
    let counters: [(&str, &str, Option<Unit>, Counter); 4] = [
        ("count", "Requests", None, |meter| &meter.count),
        ("4xx", "Answers with a status of 400 to 499", None, |meter| &meter.client_errors),
        ("5xx", "Answers with a status of 500 to 599", None, |meter| &meter.server_errors),
        ("data_processed", "Bytes of request and answer bodies", Some(Unit::Bytes), |meter| &meter.bytes),
    ];
    for (name, help, unit, of) in counters {
        let name = format!("{prefix}_{name}");
        let mut family = encoder.encode_descriptor(&name, help, unit.as_ref(), MetricType::Counter)?;
        for (labels, meter) in series {
            counter(&mut family, labels, of(meter).load(Ordering::Relaxed))?;
        }
    }
    let times: [(&str, &str, Time); 2] = [
        ("latency", "From a request's head to the end of its answer", |meter| &meter.latency),
        ("integration_latency", "From sending a request on to the head of its answer", |m| &m.integration_latency),
    ];
    for (name, help, of) in times {
        let (name, unit) = (format!("{prefix}_{name}"), Unit::Other("milliseconds".to_owned()));
        let mut family = encoder.encode_descriptor(&name, help, Some(&unit), MetricType::Histogram)?;
        for (labels, meter) in series {
            let read = of(meter).read();
            let mut metric = family.encode_family(labels)?;
            metric.encode_histogram::<NoLabelSet>(read.sum_ms, read.count, &read.buckets, None)?;
        }
    }
    Ok(())
}

fn outlet<T: Weigh>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, noun): (&str, &str),
    outlet: Option<&Outlet<T>>,
) -> fmt::Result {
    let Some(outlet) = outlet else { return Ok(()) };
    let (taken, lost) = (format!("{name}_taken"), format!("{name}_dropped"));
    let help = format!("{noun} that left the plane");
    family(encoder, (&taken, &help, MetricType::Counter), &[(Labels::new(), outlet.taken())])?;
    let series: Vec<_> = Loss::ALL.map(|why| (vec![("cause", why.as_str().to_owned())], outlet.lost(why))).into();
    family(encoder, (&lost, &format!("{noun} that were lost"), MetricType::Counter), &series)
}

fn family(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, kind): (&str, &str, MetricType),
    series: &[(Labels, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in series {
        match kind {
            MetricType::Counter => counter(&mut family, labels, *value)?,
            _ => family.encode_family(labels)?.encode_gauge(value)?,
        }
    }
    Ok(())
}

fn counter(family: &mut MetricEncoder<'_>, labels: &Labels, value: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, u64, u64>(&value, None)
}
