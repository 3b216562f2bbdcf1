//! Probes targets (ALB user guide, "Health checks for target groups", 2026-11). One task for each (group, target) that may
//! get traffic; it outlives snapshots and reads the newest one before each probe. The first probe goes out at once,
//! and so does one to a target that has just become reachable.
//!
//! Simplifying assumption: AWS probes from every node; here one node probes for all of them, the one in the target's zone if
//! there is one (`docs/differences-from-aws.md`). The probe is judged like any other connection, on the health-check port.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT};
use http::{HeaderValue, Request};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use topology::id::{Realm, TargetGroupId};
use topology::observed::{Fact, Health, TargetKey, Unhealthy};
use topology::resource::attachment::ServedAt;
use topology::resource::target_group::HttpVersion;
use topology::snapshot::RealmSnapshot;
use topology::snapshot::balancer::{Balancers, HealthCheck, LeadsTo, TargetAt, TargetGroup};
use topology::snapshot::fabric::{Fabric, InterfaceIndex};
use topology::snapshot::logs::LogPlace;

use super::probe_http2;
use super::probed::Probed;
use super::state::{GroupState, TargetState};
use crate::clock;
use crate::fabric::dial::{self, Destination, Net, Speech};
use crate::fabric::engine::Engine;
use crate::fabric::flow::FlowBook;
use crate::fabric::outside::Stream;
use crate::http::body::RequestBody;
use crate::limits::RESPONSE_HEAD_BYTES_MAX;
use crate::report::outlet::BalancerLine;
use crate::task;

/// Where the newest realms are, and who hears of health.
pub(crate) trait Newest: Send + Sync {
    /// The newest state of this realm.
    fn realm(&self, realm: &Realm) -> Option<Arc<RealmSnapshot>>;
    /// Who notes what passes, for flow logs.
    fn flows(&self) -> Arc<FlowBook>;
    /// Who carries probes in private networks.
    fn engine(&self) -> Engine;
    /// Now by the clock that can be moved on.
    fn now(&self) -> Instant;
    /// Takes what was found out. It must not wait.
    fn report(&self, fact: Fact);
    /// Takes a line of a load balancer's log. It must not wait.
    fn log(&self, line: BalancerLine);
    /// Probes a load balancer that is a target, within this process: the status.
    fn probe_balancer<'p>(&'p self, probe: BalancerProbe<'p>) -> Probing<'p>;
}

/// A probe of an application load balancer that is the target of a group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BalancerProbe<'p> {
    /// The realm of both.
    pub(crate) realm: &'p Realm,
    /// The group.
    pub(crate) group: TargetGroupId,
    /// The port of the load balancer that is probed.
    pub(crate) port: u16,
}

/// A probe under way.
pub(crate) type Probing<'p> = Pin<Box<dyn Future<Output = Result<u16, Unhealthy>> + Send + 'p>>;

/// The running probers.
#[derive(Debug, Default)]
pub(crate) struct Probers(HashMap<TargetKey, Running>);

/// A prober under way.
#[derive(Debug)]
struct Running {
    state: Arc<TargetState>,
    task: JoinHandle<()>,
    /// What this was read from: a plan is made of these two parts of a realm alone.
    seen: (Arc<Fabric>, Arc<Balancers>),
    /// Where its probes arrive now, if groups and attachments let them.
    arrives: Option<ServedAt>,
    wake: Arc<Notify>,
}

impl Probers {
    /// Starts a prober for each target that may get traffic and stops those of targets that are gone.
    pub(crate) fn reconcile<'w>(
        &mut self,
        handle: &Handle,
        newest: &Arc<dyn Newest>,
        groups: impl Iterator<Item = (&'w Arc<RealmSnapshot>, &'w TargetGroup, &'w GroupState)>,
    ) {
        let mut wanted: HashMap<TargetKey, (&Arc<TargetState>, &Arc<RealmSnapshot>)> = HashMap::new();
        for (realm, group, state) in groups.filter(|(_, group, _)| group.balancer.is_some()) {
            for (target, state) in group.targets.iter().zip(&state.targets) {
                if target.place == TargetAt::Usable {
                    wanted.insert(state.key, (state, realm));
                }
            }
        }
        self.0.retain(|key, running| {
            let kept = wanted.get(key).is_some_and(|(now, _)| Arc::ptr_eq(now, &running.state));
            if !kept {
                running.task.abort();
                running.state.set(Health::Initial, (false, newest.now()));
            }
            kept
        });
        for (key, (state, realm)) in wanted {
            match self.0.entry(key) {
                // What did not change is the same value: nothing is judged again.
                Entry::Occupied(known) if known.get().is_as_seen(realm) => {}
                Entry::Occupied(mut known) => known.get_mut().see(realm, key),
                Entry::Vacant(place) => {
                    let (state, wake) = (Arc::clone(state), Arc::<Notify>::default());
                    let prober = Prober {
                        newest: Arc::clone(newest),
                        realm: realm.realm.clone(),
                        state: Arc::clone(&state),
                        key,
                        wake: Arc::clone(&wake),
                    };
                    let task = handle.spawn(task::watched(prober.run()));
                    place.insert(Running { state, task, seen: seen(realm), arrives: arrival(realm, key), wake });
                }
            }
        }
    }

    /// Stops all.
    pub(crate) fn stop(&mut self) {
        for (_, running) in self.0.drain() {
            running.task.abort();
        }
    }
}

fn seen(realm: &RealmSnapshot) -> (Arc<Fabric>, Arc<Balancers>) {
    (Arc::clone(&realm.fabric), Arc::clone(&realm.balancers))
}

impl Running {
    fn is_as_seen(&self, realm: &RealmSnapshot) -> bool {
        Arc::ptr_eq(&self.seen.0, &realm.fabric) && Arc::ptr_eq(&self.seen.1, &realm.balancers)
    }

    /// Wakes the prober where its probes arrive and did not before, or arrived elsewhere.
    fn see(&mut self, realm: &Arc<RealmSnapshot>, key: TargetKey) {
        let arrives = arrival(realm, key);
        if arrives.is_some() && arrives != self.arrives {
            self.wake.notify_one();
        }
        self.arrives = arrives;
        self.seen = seen(realm);
    }
}

/// Where a probe of a target arrives, if it does.
fn arrival(realm: &Arc<RealmSnapshot>, key: TargetKey) -> Option<ServedAt> {
    plan_of(realm, key).and_then(|plan| plan.arrives(key))
}

struct Prober {
    newest: Arc<dyn Newest>,
    realm: Realm,
    state: Arc<TargetState>,
    key: TargetKey,
    wake: Arc<Notify>,
}

/// Whence and how a target is probed now.
struct Plan {
    realm: Arc<RealmSnapshot>,
    node: InterfaceIndex,
    port: u16,
    group: usize,
}

impl Plan {
    fn check(&self) -> Option<&HealthCheck> {
        self.group().map(|group| &group.health_check)
    }

    fn group(&self) -> Option<&TargetGroup> {
        self.realm.balancers.groups.get(self.group)
    }

    /// The log that probes leave lines in.
    fn log(&self) -> Option<&Arc<LogPlace>> {
        let balancers = &self.realm.balancers;
        balancers.balancer(self.group()?.balancer?)?.logs.health_checks.as_ref()
    }

    /// Where a probe arrives, if it does.
    fn arrives(&self, key: TargetKey) -> Option<ServedAt> {
        let vpc = self.group()?.vpc;
        let permit =
            dial::ask(&*self.realm.fabric, self.node, Destination::Address(vpc, key.address), self.port).ok()?;
        permit.served_at()
    }
}

/// How a target is probed by what its realm holds.
fn plan_of(realm: &Arc<RealmSnapshot>, key: TargetKey) -> Option<Plan> {
    let balancers = &realm.balancers;
    let group = balancers.group_by_id(key.group)?;
    let compiled = balancers.group(group)?;
    let balancer = balancers.balancer(compiled.balancer?)?;
    let fabric = &realm.fabric;
    let at = fabric.interface_at(compiled.vpc, key.address).and_then(|index| fabric.interface(index));
    let node = balancer.nodes_near(at.map(|at| &at.zone)).next()?;
    Some(Plan {
        realm: Arc::clone(realm),
        node: node.interface,
        port: compiled.health_check.port.unwrap_or(key.port),
        group: usize::try_from(group.0).ok()?,
    })
}

impl Prober {
    async fn run(self) {
        self.report(Health::Initial);
        let mut tally = Tally::default();
        loop {
            let started = clock::now();
            let Some(plan) = self.plan() else { return };
            let Some(check) = plan.check().cloned() else { return };
            let log = plan.log().map(|log| (Arc::clone(log), clock::since_epoch()));
            let outcome = tokio::select! {
                outcome = tokio::time::timeout(check.timeout, self.probe(&plan, &check)) => outcome,
                // What it waits for has changed: this probe says nothing.
                () = self.wake.notified() => continue,
            };
            let outcome = outcome.unwrap_or(Err(Unhealthy::Timeout));
            if let Some((place, began)) = log {
                self.log(&plan, place, (began, started), outcome);
            }
            let starts_slowly = plan.group().is_some_and(|group| group.attributes.slow_start.is_some());
            drop(plan);
            if let Some(health) = tally.note(outcome.map(drop), &check) {
                self.state.set(health, (starts_slowly, self.newest.now()));
                self.report(health);
            }
            tokio::select! {
                () = tokio::time::sleep_until(started + check.interval) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    fn report(&self, health: Health) {
        self.newest.report(Fact::TargetHealth { realm: self.realm.clone(), target: self.key, health });
    }

    fn log(
        &self,
        plan: &Plan,
        place: Arc<LogPlace>,
        (began, started): (Duration, Instant),
        outcome: Result<u16, Unhealthy>,
    ) {
        let node = plan.realm.fabric.interface(plan.node);
        let (Some(group), Some(node)) = (plan.group(), node.map(|node| node.private_ip)) else { return };
        let probed = Probed {
            is_secure: group.health_check.asks.as_ref().is_some_and(|asks| asks.is_secure),
            began,
            took: clock::now().duration_since(started),
            target: SocketAddr::new(self.key.address, self.key.port),
            group: &group.name,
            outcome,
        };
        self.newest.log(BalancerLine { place, node, text: probed.line() });
    }

    fn plan(&self) -> Option<Plan> {
        plan_of(&self.newest.realm(&self.realm)?, self.key)
    }

    /// One probe; the caller's timeout ends it.
    async fn probe(&self, plan: &Plan, check: &HealthCheck) -> Result<u16, Unhealthy> {
        let Some(group) = plan.group() else { return Err(Unhealthy::FailedHealthChecks) };
        let fabric = &plan.realm.fabric;
        let is_http2 = group.version != HttpVersion::Http1;
        let is_secure = check.asks.as_ref().is_some_and(|asks| asks.is_secure);
        if group.stream.as_ref().is_some_and(|stream| stream.leads_to != LeadsTo::Addresses) {
            let probe = BalancerProbe { realm: &self.realm, group: self.key.group, port: plan.port };
            let status = self.newest.probe_balancer(probe).await?;
            return judged(check, status);
        }
        let flows = Some(self.newest.flows()).filter(|_| !fabric.flow_logs.is_empty());
        let engine = self.newest.engine();
        let net = Net { fabric, flows: flows.as_ref(), engine: Some(&engine) };
        let stream = match dial::ask(net, plan.node, Destination::Address(group.vpc, self.key.address), plan.port) {
            Ok(permit) => dial::connect(&permit.speaking(Speech { is_secure, is_http2 })).await,
            // Dropped without a word.
            Err(_denial) => std::future::pending().await,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(dial::DialError::Silent(_)) => std::future::pending().await,
            Err(dial::DialError::Timeout) => return Err(Unhealthy::Timeout),
            Err(
                dial::DialError::Refused
                | dial::DialError::Handshake(_)
                | dial::DialError::Untrusted(_)
                | dial::DialError::Io(_),
            ) => return Err(Unhealthy::FailedHealthChecks),
        };
        let Some(asks) = &check.asks else { return Ok(0) };
        let at = (self.key.address, plan.port);
        let status = match group.version {
            HttpVersion::Http1 => ask(stream, at, &asks.path).await?,
            version => probe_http2::ask(stream, at, asks, version).await?,
        };
        judged(check, status)
    }
}

/// What an answer with this status says of a target.
fn judged(check: &HealthCheck, status: u16) -> Result<u16, Unhealthy> {
    let is_accepted = check.asks.as_ref().is_none_or(|asks| asks.accepts(status));
    if is_accepted { Ok(status) } else { Err(Unhealthy::ResponseCodeMismatch(status)) }
}

/// Asks over a connection of its own; the status.
async fn ask(stream: Stream, (address, port): (IpAddr, u16), path: &str) -> Result<u16, Unhealthy> {
    let failed = Unhealthy::FailedHealthChecks;
    let mut builder = http1::Builder::new();
    builder.max_header_size(RESPONSE_HEAD_BYTES_MAX);
    let shaken = builder.handshake::<_, RequestBody>(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|_| failed)?;
    let answer = sender.send_request(request(address, port, path).ok_or(failed)?);
    tokio::pin!(answer, connection);
    let response = tokio::select! {
        answer = &mut answer => answer,
        // The answer may be complete when the connection ends.
        _ = &mut connection => answer.await,
    };
    response.map(|response| response.status().as_u16()).map_err(|_| failed)
}

/// The host of a probe: known ports go without saying.
pub(super) fn host(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(_) if port == 80 || port == 443 => address.to_string(),
        IpAddr::V6(_) if port == 80 || port == 443 => format!("[{address}]"),
        _ => SocketAddr::new(address, port).to_string(),
    }
}

/// What a probe over HTTP/1.1 asks.
pub(crate) fn request(address: IpAddr, port: u16, path: &str) -> Option<Request<RequestBody>> {
    let mut request = Request::new(RequestBody::empty());
    *request.uri_mut() = path.parse().ok()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::try_from(host(address, port)).ok()?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(USER_AGENT, HeaderValue::from_static("ELB-HealthChecker/2.0"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, compressed"));
    Some(request)
}

/// Counts outcomes in a row.
#[derive(Debug, Default)]
struct Tally {
    health: Option<Health>,
    successes: u32,
    failures: u32,
}

impl Tally {
    /// Takes an outcome in; the new health, if it changed. One success makes a new target healthy; the threshold is for
    /// recovery.
    fn note(&mut self, outcome: Result<(), Unhealthy>, check: &HealthCheck) -> Option<Health> {
        let next = match outcome {
            Ok(()) => {
                (self.successes, self.failures) = (self.successes.saturating_add(1), 0);
                let recovered = self.successes >= check.healthy_threshold;
                let fresh = !matches!(self.health, Some(Health::Unhealthy(_)));
                (fresh || recovered).then_some(Health::Healthy)
            }
            Err(why) => {
                (self.successes, self.failures) = (0, self.failures.saturating_add(1));
                let known = matches!(self.health, Some(Health::Unhealthy(_)));
                (known || self.failures >= check.unhealthy_threshold).then_some(Health::Unhealthy(why))
            }
        };
        let changed = next.is_some() && next != self.health;
        self.health = next.or(self.health);
        next.filter(|_| changed)
    }
}

#[cfg(test)]
mod tests {
    use topology::snapshot::balancer::Question;

    use super::*;

    const GOOD: Result<(), Unhealthy> = Ok(());
    const LATE: Result<(), Unhealthy> = Err(Unhealthy::Timeout);
    const WRONG: Result<(), Unhealthy> = Err(Unhealthy::ResponseCodeMismatch(404));
    const HEALTHY: Option<Health> = Some(Health::Healthy);

    fn run(outcomes: &[Result<(), Unhealthy>]) -> Vec<Option<Health>> {
        let check = HealthCheck {
            port: None,
            asks: Some(Question { is_secure: false, path: "/".into(), matcher: vec![(200, 200)] }),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: 3,
            unhealthy_threshold: 2,
        };
        let mut tally = Tally::default();
        outcomes.iter().map(|outcome| tally.note(*outcome, &check)).collect()
    }

    #[test]
    fn thresholds_table() {
        let late = Some(Health::Unhealthy(Unhealthy::Timeout));
        let wrong = Some(Health::Unhealthy(Unhealthy::ResponseCodeMismatch(404)));
        assert_eq!(run(&[GOOD, GOOD]), [HEALTHY, None], "one success is enough at first");
        assert_eq!(run(&[LATE, GOOD]), [None, HEALTHY], "one failure is not enough");
        assert_eq!(run(&[LATE, LATE]), [None, late]);
        assert_eq!(run(&[LATE, LATE, GOOD, GOOD, GOOD]), [None, late, None, None, HEALTHY], "recovery takes three");
        assert_eq!(run(&[LATE, LATE, GOOD, GOOD, LATE, GOOD]), [None, late, None, None, None, None]);
        assert_eq!(run(&[LATE, WRONG, LATE]), [None, wrong, late], "the newest cause is told");
        assert_eq!(run(&[GOOD, LATE, GOOD, LATE]), [HEALTHY, None, None, None], "failures must be in a row");
    }

    #[test]
    fn a_probe_names_the_port_unless_it_is_a_known_one() {
        let host = |port| request("10.0.0.9".parse().unwrap(), port, "/h?x=1").unwrap().headers()[HOST].clone();
        assert_eq!(host(80), "10.0.0.9");
        assert_eq!(host(8080), "10.0.0.9:8080");
    }
}
