//! A snapshot with what the plane knows besides, linked by place: one value, swapped as one. A realm that did not change
//! keeps its part.

mod listener;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use http::header::HeaderValue;
use tokio::time::Instant;
use topology::id::{ApiId, DeploymentId, HostName, LinkId, ListenerId, LoadBalancerId, Realm, TargetGroupId};
use topology::observed::TargetKey;
use topology::resource::domain::is_label;
use topology::snapshot::balancer::{Balancer, GroupIndex, Listener, ListenerIndex, Target, TargetGroup};
use topology::snapshot::domain::Domain;
use topology::snapshot::fabric::InterfaceIndex;
use topology::snapshot::gateway::{Api, Gateway, Link, LinkIndex, Route, RouteRef, Stage};
use topology::snapshot::{RealmSnapshot, Snapshot};

pub(crate) use self::listener::ListenerWorld;
use crate::bucket::Bucket;
use crate::clock;
use crate::fabric::dial::Net;
use crate::fabric::engine::Engine;
use crate::fabric::flow::FlowBook;
use crate::http::forwarding::forwarded_tail;
use crate::limits::LINK_USED_INTERVAL;
use crate::readied::Readied;
use crate::report::balancer_meter::BalancerMeter;
use crate::report::meter::Meter;
use crate::targets::state::{GroupState, Rotation, TargetState};
use crate::tls::listener::ListenerPresented;
use crate::tls::presented::DomainTls;
use crate::tls::verify::ListenerChecks;

/// What a request sees, from its beginning to its end.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The snapshot.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Its realms, at the same places.
    pub(crate) realms: Vec<Arc<RealmWorld>>,
    /// What flow logs are told of.
    pub(crate) flows: Arc<FlowBook>,
    /// Who carries connections in private networks.
    pub(crate) engine: Engine,
    /// The places of realm and API.
    apis: Arc<HashMap<ApiId, (u32, u32), RandomState>>,
    /// The places of realm and custom domain name. Hosts come from outside: the standard library's hash.
    domains: HashMap<HostName, (u32, u32)>,
}

/// A realm with what the plane knows besides.
#[derive(Debug)]
pub(crate) struct RealmWorld {
    /// The compiled realm.
    pub(crate) snapshot: Arc<RealmSnapshot>,
    apis: Arc<[Arc<ApiWorld>]>,
    addresses: Arc<[HeaderValue]>,
    groups: Arc<[GroupState]>,
    listeners: Arc<[ListenerWorld]>,
    balancer_meters: Arc<[Arc<BalancerMeter>]>,
    links: Vec<Arc<LinkState>>,
    domains: Arc<[DomainWorld]>,
    /// The account's requests, counted.
    pub(crate) bucket: Arc<Bucket>,
    /// Who notes what passes, where there is a flow log.
    flows: Option<Arc<FlowBook>>,
    engine: Engine,
}

/// How a host is written on requests.
#[derive(Debug, Clone)]
pub(crate) struct HostNames {
    /// The host that backends see.
    pub(crate) host: HeaderValue,
    /// The end of the gateway's element of `Forwarded`.
    pub(crate) forwarded_tail: String,
}

impl HostNames {
    /// `host` is the name of a domain or an API, or a label below a wildcard: letters, digits, dots, hyphens and underscores.
    pub(crate) fn new(host: &str) -> Self {
        let value = HeaderValue::from_str(host).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { host: value, forwarded_tail: forwarded_tail(host) }
    }
}

/// A custom domain name's state.
#[derive(Debug)]
struct DomainWorld {
    names: HostNames,
    tls: Arc<DomainTls>,
}

/// A custom domain name that a host leads to.
#[derive(Debug)]
pub(crate) struct DomainFound<'w> {
    /// Its realm.
    pub(crate) realm: &'w RealmWorld,
    /// The domain.
    pub(crate) compiled: &'w Domain,
    /// Its side of TLS.
    pub(crate) tls: &'w Arc<DomainTls>,
    /// How the host is written on requests.
    pub(crate) names: Cow<'w, HostNames>,
}

/// What an API writes on each request, made once.
#[derive(Debug)]
pub(crate) struct ApiWorld {
    /// Its host.
    pub(crate) names: HostNames,
    /// The stages, at the same places.
    pub(crate) stages: Vec<StageWorld>,
}

/// A stage's state.
#[derive(Debug)]
pub(crate) struct StageWorld {
    /// The requests of each route, counted, at the same places as the stage's limits.
    pub(crate) buckets: Vec<Arc<Bucket>>,
    /// What is counted of it.
    pub(crate) meter: Arc<Meter>,
    /// What is counted of each route, at the deployment's places; empty where no route has a meter of its own.
    pub(crate) route_meters: Vec<Option<Arc<Meter>>>,
    /// What was read of a REST API's deployment.
    pub(crate) rest: Option<Arc<Readied>>,
    /// The state of the stage's canary.
    pub(crate) canary: Option<Box<StageWorld>>,
}

/// A link's state.
#[derive(Debug)]
pub(crate) struct LinkState {
    born: Instant,
    reported_ms: AtomicU64,
    /// Which interface is next.
    pub(crate) rotation: Rotation,
}

impl LinkState {
    fn new() -> Self {
        Self { born: clock::now(), reported_ms: AtomicU64::new(u64::MAX), rotation: Rotation::default() }
    }

    /// Whether this use is to be reported: the first one, and then one in a while.
    pub(crate) fn is_report_due(&self, now: Instant) -> bool {
        let now = u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX);
        let last = self.reported_ms.load(Ordering::Relaxed);
        let interval = u64::try_from(LINK_USED_INTERVAL.as_millis()).unwrap_or(u64::MAX);
        let due = last == u64::MAX || now.saturating_sub(last) >= interval;
        due && self.reported_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl World {
    /// One without anything, whose private networks this engine is to carry.
    pub(crate) fn carried_by(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// Joins a snapshot with what is known; what is known of things that are gone is forgotten.
    pub(crate) fn next(&self, snapshot: Arc<Snapshot>) -> Self {
        let known = Known::of(self, &snapshot);
        let realms = snapshot.realms.iter().map(|realm| match self.realm(&realm.realm) {
            Some(same) if Arc::ptr_eq(&same.snapshot, realm) => Arc::clone(same),
            before => {
                Arc::new(RealmWorld::new(realm, &known, before.map(Arc::as_ref)).carried_by(&self.engine, &self.flows))
            }
        });
        let realms: Vec<Arc<RealmWorld>> = realms.collect();
        let apis = if snapshot.has_apis_where(&self.snapshot) { Arc::clone(&self.apis) } else { places(&realms) };
        let mut domains = HashMap::new();
        for (at, realm) in (0u32..).zip(&realms) {
            let places = (0u32..).zip(realm.snapshot.gateway.domains.iter());
            domains.extend(places.map(|(index, domain)| (domain.name.clone(), (at, index))));
        }
        let (flows, engine) = (Arc::clone(&self.flows), self.engine.clone());
        Self { snapshot, realms, apis, domains, flows, engine }
    }

    /// A realm.
    pub(crate) fn realm(&self, realm: &Realm) -> Option<&Arc<RealmWorld>> {
        let at = self.realms.binary_search_by(|before| before.snapshot.realm.cmp(realm)).ok()?;
        self.realms.get(at)
    }

    /// The custom domain name that this host leads to, by its own name or by the wildcard above it.
    pub(crate) fn domain(&self, host: &str) -> Option<DomainFound<'_>> {
        if self.domains.is_empty() {
            return None;
        }
        let host = host.to_ascii_lowercase();
        // A host that reads like a wildcard is none of the names below it.
        let exact = self.domains.get(host.as_str()).filter(|_| !host.starts_with("*."));
        let wildcard = || {
            let (_, parent) = host.split_once('.').filter(|(label, _)| is_label(label))?;
            self.domains.get(format!("*.{parent}").as_str())
        };
        let (at, index) = *exact.or_else(wildcard)?;
        let realm = self.realms.get(at as usize)?;
        let compiled = realm.snapshot.gateway.domains.get(index as usize)?;
        let state = realm.domains.get(index as usize)?;
        let exact = compiled.name.as_str() == host;
        if !exact && !compiled.name.as_str().starts_with("*.") {
            return None;
        }
        let names = if exact { Cow::Borrowed(&state.names) } else { Cow::Owned(HostNames::new(&host)) };
        Some(DomainFound { realm, compiled, tls: &state.tls, names })
    }

    /// A realm that is not served, joined with what is known of the served ones. It is for one request: see `rest::trial`.
    pub(crate) fn aside(&self, snapshot: &Arc<RealmSnapshot>) -> RealmWorld {
        RealmWorld::new(snapshot, &Known::of(self, &Snapshot::default()), None).carried_by(&self.engine, &self.flows)
    }

    /// The API of this id with its realm.
    pub(crate) fn api(&self, id: ApiId) -> Option<(&RealmWorld, &Api, &ApiWorld)> {
        let (realm, api) = *self.apis.get(&id)?;
        let realm = self.realms.get(realm as usize)?;
        Some((realm, realm.snapshot.gateway.apis.get(api as usize)?, realm.apis.get(api as usize)?))
    }
}

/// The places of realm and API, by id.
fn places(realms: &[Arc<RealmWorld>]) -> Arc<HashMap<ApiId, (u32, u32), RandomState>> {
    let mut places = HashMap::with_hasher(RandomState::default());
    for (at, realm) in (0u32..).zip(realms) {
        places.extend((0u32..).zip(realm.apis()).map(|(index, (api, _))| (api.id, (at, index))));
    }
    Arc::new(places)
}

/// What the world before knows, by id: of what is not taken over as it is.
#[derive(Default)]
struct Known<'a> {
    targets: HashMap<TargetKey, &'a Arc<TargetState>>,
    groups: HashMap<TargetGroupId, &'a GroupState>,
    balancer_meters: HashMap<LoadBalancerId, &'a Arc<BalancerMeter>>,
    links: HashMap<LinkId, &'a Arc<LinkState>>,
    buckets: HashMap<(ApiId, &'a str, RouteRef), &'a Arc<Bucket>>,
    meters: HashMap<(ApiId, &'a str), &'a Arc<Meter>>,
    route_meters: HashMap<(ApiId, &'a str, RouteRef), &'a Arc<Meter>>,
    deployments: HashMap<(ApiId, DeploymentId), &'a Arc<Readied>>,
    accounts: HashMap<&'a Realm, &'a Arc<Bucket>>,
    domains: HashMap<&'a str, &'a Arc<DomainTls>>,
    checks: HashMap<ListenerId, &'a Arc<ListenerChecks>>,
    presented: HashMap<ListenerId, &'a Arc<ListenerPresented>>,
}

impl<'a> Known<'a> {
    fn of(world: &'a World, next: &Snapshot) -> Self {
        let mut known = Self::default();
        for realm in &world.realms {
            let next = next.realm(&realm.snapshot.realm);
            // A realm that stays as it is is taken over whole.
            if !next.is_some_and(|next| Arc::ptr_eq(next, &realm.snapshot)) {
                known.remember(realm, next);
            }
        }
        known
    }

    /// What a realm knows, without what its next snapshot has as it is.
    fn remember(&mut self, realm: &'a RealmWorld, next: Option<&Arc<RealmSnapshot>>) {
        if !next.is_some_and(|next| Arc::ptr_eq(&next.balancers, &realm.snapshot.balancers)) {
            self.remember_balancers(realm);
        }
        if !next.is_some_and(|next| Arc::ptr_eq(&next.gateway.domains, &realm.snapshot.gateway.domains)) {
            self.domains.extend(realm.domains.iter().map(|domain| (domain.tls.name(), &domain.tls)));
        }
        if !next.is_some_and(|next| Arc::ptr_eq(&next.gateway.apis, &realm.snapshot.gateway.apis)) {
            let kept: HashSet<_> = next.iter().flat_map(|next| &*next.gateway.apis).map(Arc::as_ptr).collect();
            self.remember_stages(realm, |api| kept.contains(&Arc::as_ptr(api)));
        }
        let links = realm.snapshot.gateway.links.iter().zip(&realm.links);
        self.links.extend(links.map(|(link, state)| (link.id, state)));
        self.accounts.insert(&realm.snapshot.realm, &realm.bucket);
    }

    fn remember_balancers(&mut self, realm: &'a RealmWorld) {
        for (group, state) in realm.groups() {
            self.groups.insert(group.id, state);
            // A group that left its load balancer is forgotten: its targets begin anew when it comes back.
            if group.balancer.is_some() {
                self.targets.extend(state.targets.iter().map(|target| (target.key, target)));
            }
        }
        let balancers = realm.snapshot.balancers.balancers.iter().zip(realm.balancer_meters.iter());
        self.balancer_meters.extend(balancers.map(|(balancer, meter)| (balancer.id, meter)));
        let listeners = || realm.snapshot.balancers.listeners.iter().zip(realm.listeners.iter());
        let presented = listeners().filter_map(|(listener, state)| Some((listener.id, state.presented.as_ref()?)));
        self.presented.extend(presented);
        self.checks.extend(listeners().filter_map(|(listener, state)| Some((listener.id, state.checks.as_ref()?))));
    }

    fn remember_stages(&mut self, realm: &'a RealmWorld, is_kept: impl Fn(&Arc<Api>) -> bool) {
        let apis = realm.snapshot.gateway.apis.iter().zip(&*realm.apis);
        for (api, state) in apis.filter(|(api, _)| !is_kept(api)) {
            for (stage, state) in api.stages.iter().zip(&state.stages) {
                let routes = stage.deployed.iter().flat_map(|deployed| &deployed.routes);
                let counted = routes.zip(&state.buckets);
                self.buckets.extend(counted.map(|(route, bucket)| ((api.id, stage.name.as_str(), route.id), bucket)));
                self.meters.insert((api.id, stage.name.as_str()), &state.meter);
                let routes = stage.deployed.iter().flat_map(|deployed| &deployed.routes).zip(&state.route_meters);
                let metered = routes.filter_map(|(route, meter)| Some((route.id, meter.as_ref()?)));
                self.route_meters.extend(metered.map(|(route, meter)| ((api.id, stage.name.as_str(), route), meter)));
                self.remember_deployment(api.id, stage, state);
                if let (Some(canary), Some(state)) = (stage.canary(), &state.canary) {
                    self.remember_deployment(api.id, canary, state);
                }
            }
        }
    }

    fn remember_deployment(&mut self, api: ApiId, stage: &Stage, state: &'a StageWorld) {
        let source = stage.deployed.as_ref().and_then(|deployed| deployed.rest.as_ref());
        self.deployments.extend(source.zip(state.rest.as_ref()).map(|(rest, known)| ((api, rest.source.id), known)));
    }

    /// What was read of a deployment. It is frozen, so that it is read once.
    fn readied(&self, api: ApiId, stage: &Stage) -> Option<Arc<Readied>> {
        let rest = stage.deployed.as_ref()?.rest.as_ref()?;
        let known = self.deployments.get(&(api, rest.source.id)).map(|known| Arc::clone(known));
        Some(known.unwrap_or_else(|| Arc::new(Readied::new(rest))))
    }

    /// The canary counts with its stage: one bucket for a method, one meter for the stage.
    fn canary(&self, api: ApiId, stage: &Stage, state: &StageWorld) -> Option<Box<StageWorld>> {
        let canary = stage.canary()?;
        let mut own = self.stage(api, canary);
        let of_stage: HashMap<RouteRef, &Arc<Bucket>> =
            routes(stage).iter().map(|route| route.id).zip(&state.buckets).collect();
        for (route, bucket) in routes(canary).iter().zip(&mut own.buckets) {
            if let Some(shared) = of_stage.get(&route.id) {
                *bucket = Arc::clone(shared);
            }
        }
        own.meter = Arc::clone(&state.meter);
        Some(Box::new(own))
    }

    fn stage(&self, api: ApiId, stage: &Stage) -> StageWorld {
        let routes = stage.deployed.iter().flat_map(|deployed| &deployed.routes);
        let bucket =
            |route: RouteRef| self.buckets.get(&(api, stage.name.as_str(), route)).map(|known| Arc::clone(known));
        let buckets = stage.throttles.iter().zip(routes).map(|(_, route)| bucket(route.id).unwrap_or_default());
        let mut state = StageWorld {
            buckets: buckets.collect(),
            meter: self.meters.get(&(api, stage.name.as_str())).map(|known| Arc::clone(known)).unwrap_or_default(),
            route_meters: self.route_meters(api, stage),
            rest: self.readied(api, stage),
            canary: None,
        };
        state.canary = self.canary(api, stage, &state);
        state
    }

    fn route_meters(&self, api: ApiId, stage: &Stage) -> Vec<Option<Arc<Meter>>> {
        let routes = stage.deployed.iter().flat_map(|deployed| &deployed.routes);
        let meter = |route: RouteRef| {
            let known = self.route_meters.get(&(api, stage.name.as_str(), route));
            known.map(|known| Arc::clone(known)).unwrap_or_default()
        };
        routes.zip(&stage.detailed_metrics).map(|(route, detailed)| detailed.then(|| meter(route.id))).collect()
    }

    fn domain(&self, domain: &Domain) -> DomainWorld {
        let tls = DomainTls::of(domain, self.domains.get(domain.name.as_str()).copied());
        DomainWorld { names: HostNames::new(domain.name.as_str()), tls }
    }

    fn group(&self, group: &TargetGroup) -> GroupState {
        // Who comes while another has its whole share is a newcomer.
        let is_served = group.attributes.slow_start.is_some_and(|whole| {
            let key = |target: &Target| TargetKey { group: group.id, address: target.address, port: target.port };
            let known = group.targets.iter().filter_map(|target| self.targets.get(&key(target)));
            known.into_iter().any(|state| state.has_whole_share(whole))
        });
        let target = |target: &Target| {
            let key = TargetKey { group: group.id, address: target.address, port: target.port };
            let known = self.targets.get(&key).filter(|_| group.balancer.is_some());
            known.map_or_else(|| Arc::new(TargetState::new(key, is_served)), |state| Arc::clone(state))
        };
        GroupState {
            rotation: self.groups.get(&group.id).map_or_else(Arc::default, |known| Arc::clone(&known.rotation)),
            passed: self.groups.get(&group.id).map_or_else(Arc::default, |known| Arc::clone(&known.passed)),
            meter: self.groups.get(&group.id).map_or_else(Arc::default, |known| Arc::clone(&known.meter)),
            scales: self.groups.get(&group.id).map_or_else(Arc::default, |known| Arc::clone(&known.scales)),
            targets: group.targets.iter().map(target).collect(),
        }
    }
}

impl RealmWorld {
    /// The same, with what passes its interfaces carried by this engine, and noted here where a flow log tells of one.
    fn carried_by(self, engine: &Engine, flows: &Arc<FlowBook>) -> Self {
        let flows = (!self.snapshot.fabric.flow_logs.is_empty()).then(|| Arc::clone(flows));
        Self { flows, engine: engine.clone(), ..self }
    }

    /// Its private networks, to ask leave of.
    pub(crate) fn net(&self) -> Net<'_> {
        Net { fabric: &self.snapshot.fabric, flows: self.flows.as_ref(), engine: Some(&self.engine) }
    }

    /// What of the snapshot is as it was before is taken over with its state.
    fn new(snapshot: &Arc<RealmSnapshot>, known: &Known<'_>, before: Option<&Self>) -> Self {
        let (fabric, balancers, gateway) = (&snapshot.fabric, &snapshot.balancers, &snapshot.gateway);
        let same_fabric = before.filter(|before| Arc::ptr_eq(&before.snapshot.fabric, fabric));
        let same_balancers = before.filter(|before| Arc::ptr_eq(&before.snapshot.balancers, balancers));
        let same_domains = before.filter(|before| Arc::ptr_eq(&before.snapshot.gateway.domains, &gateway.domains));
        let addresses = || fabric.interfaces.iter().map(|interface| header_of(interface.private_ip.into())).collect();
        let groups = || balancers.groups.iter().map(|group| known.group(group)).collect();
        let meter = |balancer: &Balancer| known.balancer_meters.get(&balancer.id).map(|known| Arc::clone(known));
        let meters = || balancers.balancers.iter().map(|balancer| meter(balancer).unwrap_or_default()).collect();
        let meters: Arc<[_]> = same_balancers.map_or_else(meters, |before| Arc::clone(&before.balancer_meters));
        let listener = |listener: &Listener| {
            let meter = meters.get(listener.balancer.0 as usize).map(Arc::clone).unwrap_or_default();
            let takes_http2 = balancers.balancer(listener.balancer).is_some_and(|own| own.attributes.http2);
            let protocols = match listener.stream {
                Some(stream) => stream.alpn.protocols(),
                None if takes_http2 => &["h2", "http/1.1"],
                None => &["http/1.1"],
            };
            let checks = known.checks.get(&listener.id).copied();
            ListenerWorld::new((listener, protocols), (checks, known.presented.get(&listener.id).copied()), meter)
        };
        let listeners = || balancers.listeners.iter().map(listener).collect();
        let domains = || gateway.domains.iter().map(|domain| known.domain(domain)).collect();
        let link =
            |link: &Link| known.links.get(&link.id).map_or_else(|| Arc::new(LinkState::new()), |l| Arc::clone(l));
        Self {
            flows: None,
            engine: Engine::default(),
            apis: apis(gateway, known, before),
            addresses: same_fabric.map_or_else(addresses, |before| Arc::clone(&before.addresses)),
            groups: same_balancers.map_or_else(groups, |before| Arc::clone(&before.groups)),
            listeners: same_balancers.map_or_else(listeners, |before| Arc::clone(&before.listeners)),
            domains: same_domains.map_or_else(domains, |before| Arc::clone(&before.domains)),
            links: gateway.links.iter().map(link).collect(),
            bucket: known.accounts.get(&snapshot.realm).map(|bucket| Arc::clone(bucket)).unwrap_or_default(),
            snapshot: Arc::clone(snapshot),
            balancer_meters: meters,
        }
    }

    /// The address of the interface at this place, as a header value.
    pub(crate) fn address(&self, index: InterfaceIndex) -> Option<&HeaderValue> {
        self.addresses.get(index.0 as usize)
    }

    /// Every API.
    pub(crate) fn apis(&self) -> impl Iterator<Item = (&Api, &ApiWorld)> {
        self.snapshot.gateway.apis.iter().map(Arc::as_ref).zip(self.apis.iter().map(Arc::as_ref))
    }

    /// The group at this place.
    pub(crate) fn group(&self, index: GroupIndex) -> Option<(&TargetGroup, &GroupState)> {
        Some((self.snapshot.balancers.group(index)?, self.groups.get(index.0 as usize)?))
    }

    /// Every group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&TargetGroup, &GroupState)> {
        self.snapshot.balancers.groups.iter().zip(self.groups.iter())
    }

    /// What is counted of each load balancer.
    pub(crate) fn balancers(&self) -> impl Iterator<Item = (&Balancer, &Arc<BalancerMeter>)> {
        self.snapshot.balancers.balancers.iter().zip(self.balancer_meters.iter())
    }

    /// The listener at this place.
    pub(crate) fn listener(&self, index: ListenerIndex) -> Option<(&Listener, &ListenerWorld)> {
        Some((self.snapshot.balancers.listener(index)?, self.listeners.get(index.0 as usize)?))
    }

    /// The state of the link at this place.
    pub(crate) fn link_state(&self, index: LinkIndex) -> Option<&Arc<LinkState>> {
        self.links.get(index.0 as usize)
    }
}

impl StageWorld {
    /// The same stage, with nothing that counts for others: no bucket is known by it, and no meter is shown.
    pub(crate) fn uncounted(&self) -> Self {
        let rest = self.rest.clone();
        Self { buckets: Vec::new(), meter: Arc::default(), route_meters: Vec::new(), rest, canary: None }
    }
}

/// The APIs of a realm; those that are as they were before keep their state.
fn apis(gateway: &Gateway, known: &Known<'_>, before: Option<&RealmWorld>) -> Arc<[Arc<ApiWorld>]> {
    if let Some(same) = before.filter(|before| Arc::ptr_eq(&before.snapshot.gateway.apis, &gateway.apis)) {
        return Arc::clone(&same.apis);
    }
    let states = before.into_iter().flat_map(|before| before.snapshot.gateway.apis.iter().zip(&*before.apis));
    let states: HashMap<_, _> = states.map(|(api, state)| (Arc::as_ptr(api), state)).collect();
    let state = |api: &Arc<Api>| match states.get(&Arc::as_ptr(api)) {
        Some(state) => Arc::clone(state),
        None => Arc::new(ApiWorld::new(api, known)),
    };
    gateway.apis.iter().map(state).collect()
}

impl ApiWorld {
    fn new(api: &Api, known: &Known<'_>) -> Self {
        let stages = api.stages.iter().map(|stage| known.stage(api.id, stage)).collect();
        Self { names: HostNames::new(&api.host), stages }
    }
}

fn routes(stage: &Stage) -> &[Route] {
    stage.deployed.as_deref().map(|deployed| deployed.routes.as_slice()).unwrap_or_default()
}

/// An address as headers write it.
pub(crate) fn header_of(address: IpAddr) -> HeaderValue {
    // Hexadecimal digits, dots and colons.
    HeaderValue::from_str(&address.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}
