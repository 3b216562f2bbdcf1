//! Finds again, in a snapshot, the way that a trace took, and lists every connection that a request on it may need. It looks
//! things up and chooses nothing: where traffic has a choice, every choice is listed.

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::{ListenerId, ListenerRuleId};
use crate::matcher::{self, Head};
use crate::net::Family;
use crate::reason::Reason;
use crate::snapshot::balancer::{
    Action, Balancer, LeadsTo, Listener, ListenerIndex, Node, Target, TargetAt, TargetGroup,
};
use crate::snapshot::fabric::Fabric;
use crate::snapshot::gateway::{Api, Connection, Deployed, Integration, Link, Route, SERVICE_ADDRESS};
use crate::snapshot::{RealmSnapshot, Snapshot};
use crate::trace::{HOST_BYTES_MAX, Hop, HopId, Leg, PATH_BYTES_MAX, Sender, Trace};
use crate::verdict::acl::{self, AclDenial, Going};
use crate::verdict::route::{self, RouteDenial};
use crate::verdict::{Direction, End, Flow, Side, side};
use crate::way::{self, Denial, Destination};

/// The way of a request, as far as the snapshot still knows it.
pub(super) struct Path<'a> {
    pub(super) realm: &'a RealmSnapshot,
    pub(super) api: Option<&'a Api>,
    pub(super) route: Option<&'a Route>,
    pub(super) integration: Option<&'a Integration>,
    pub(super) link: Option<&'a Link>,
    pub(super) listener: Option<&'a Listener>,
    pub(super) balancer: Option<&'a Balancer>,
    /// The groups that the request may be forwarded to.
    pub(super) groups: Vec<&'a TargetGroup>,
    /// The application load balancer that is the target of one of them.
    pub(super) behind: Option<Behind<'a>>,
}

/// A load balancer that is the target of another.
pub(super) struct Behind<'a> {
    pub(super) balancer: &'a Balancer,
    /// The groups that the request may be forwarded to from there.
    pub(super) groups: Vec<&'a TargetGroup>,
}

/// One connection that a request may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) from: End,
    pub(super) to: Destination,
    pub(super) port: u16,
    /// The address that the receiver sees in place of the sender's.
    pub(super) seen_as: Option<IpAddr>,
}

impl Passage {
    pub(super) fn flow(self, fabric: &Fabric) -> Flow {
        let Self { from, to, port, seen_as } = self;
        Flow { from, to: to.end(fabric, from), family: to.family(), port, seen_as }
    }
}

/// What nodes send to the targets of a group, for a client at this address where it is seen.
fn to_targets(group: &TargetGroup, nodes: &[&Node], client: Option<IpAddr>) -> Vec<Passage> {
    let seen_as = client.filter(|_| group.stream.as_ref().is_some_and(|stream| stream.preserves_client));
    let each = |target: &Target| {
        let (to, port) = (Destination::Address(group.vpc, target.address), target.port);
        // A client of the other family is not seen.
        let seen_as = seen_as.filter(|client| Family::of(*client) == to.family());
        let serving = nodes.iter().filter(|node| group.serves(&node.zone, target));
        serving.map(|node| Passage { from: End::Interface(node.interface), to, port, seen_as }).collect::<Vec<_>>()
    };
    group.targets.iter().flat_map(each).collect()
}

/// The probes of a group's targets: each node may send them.
fn probes(group: &TargetGroup, balancer: &Balancer) -> Vec<Passage> {
    let usable = group.targets.iter().filter(|target| target.place == TargetAt::Usable);
    let each = |target: &Target| {
        let to = Destination::Address(group.vpc, target.address);
        let port = group.health_check.port.unwrap_or(target.port);
        let probe = move |node: &Node| Passage { from: End::Interface(node.interface), to, port, seen_as: None };
        balancer.nodes.iter().map(probe)
    };
    usable.flat_map(each).collect()
}

impl<'a> Path<'a> {
    /// The way of `trace`; `None` when not even its realm is known.
    pub(super) fn find(snapshot: &'a Snapshot, trace: &Trace) -> Option<Self> {
        let realm = realm_of(snapshot, trace)?;
        let api = trace.api.and_then(|id| snapshot.api(id)).map(|(_, api)| api);
        let (route, integration) = api.map_or((None, None), |api| route_of(api, trace));
        let (mut link, mut listener) = ends_of(realm, integration);
        link = link.or_else(|| linked(realm, trace));
        listener = listener.or_else(|| listening(realm, trace));
        let balancer = listener.and_then(|listener| realm.balancers.balancer(listener.balancer));
        let mut path =
            Self { realm, api, route, integration, link, listener, balancer, groups: Vec::new(), behind: None };
        path.groups = path.groups_of(trace, listener);
        path.behind = path.behind(trace);
        Some(path)
    }

    fn behind(&self, trace: &Trace) -> Option<Behind<'a>> {
        let streams = self.groups.iter().filter_map(|group| group.stream.as_ref());
        let index = streams.into_iter().find_map(|stream| match stream.leads_to {
            LeadsTo::Balancer(index) => index,
            LeadsTo::Addresses => None,
        })?;
        let listener = self.realm.balancers.listener(index)?;
        let balancer = self.realm.balancers.balancer(listener.balancer)?;
        Some(Behind { balancer, groups: self.groups_of(trace, Some(listener)) })
    }

    /// The groups of the rule of a listener that decided, else of every rule that may.
    fn groups_of(&self, trace: &Trace, listener: Option<&'a Listener>) -> Vec<&'a TargetGroup> {
        let Some(listener) = listener else { return Vec::new() };
        let rules = match decided(trace, listener.id) {
            Some(None) => listener.rules.last().into_iter().collect(),
            Some(Some(id)) => listener.rules.iter().filter(|rule| rule.id == id).collect(),
            None => matcher::candidates(&listener.rules, &Told { trace, integration: self.integration }),
        };
        let mut groups: Vec<&'a TargetGroup> = Vec::new();
        for rule in rules {
            let Action::Forward(forward) = &rule.action else { continue };
            let weighted = forward.groups.iter().filter(|(_, weight)| *weight > 0);
            for group in weighted.filter_map(|(index, _)| self.realm.balancers.group(*index)) {
                if groups.iter().all(|known| known.id != group.id) {
                    groups.push(group);
                }
            }
        }
        groups
    }

    /// Every connection that the request may need, in the order of the path: link or socket to load balancer, load
    /// balancer to targets, then the probes that keep the targets in service.
    pub(super) fn passages(&self, trace: &Trace) -> Vec<Passage> {
        let mut passages = Vec::new();
        let (Some(listener), Some(balancer)) = (self.listener, self.balancer) else { return passages };
        let mut nodes: Vec<&'a Node> = Vec::new();
        let origins = self.origins(listener, trace);
        for from in &origins {
            let zone = from.interface(&self.realm.fabric).map(|interface| &interface.zone);
            for node in balancer.nodes_near(zone) {
                let to = Destination::Interface(node.interface, Family::Ipv4);
                passages.push(Passage { from: *from, to, port: listener.port, seen_as: None });
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
        // A link of version 1 has no interfaces: it comes out at the nodes themselves, and no client is seen behind them.
        if self.link.is_some_and(|link| link.service.is_some()) {
            nodes = balancer.nodes.iter().collect();
        }
        let client = origins.first().and_then(|from| from.address(&self.realm.fabric, Family::Ipv4));
        passages.extend(self.onward((&self.groups, balancer), &nodes, client));
        if let Some(Behind { balancer, groups, .. }) = &self.behind {
            let near = |node: &&'a Node| balancer.nodes_near(Some(&node.zone)).next();
            let inner: Vec<&'a Node> = nodes.iter().filter_map(near).collect();
            passages.extend(self.onward((groups, balancer), &inner, None));
        }
        passages
    }

    /// What nodes of a load balancer send to the targets of groups, and the probes of these.
    fn onward(
        &self,
        (groups, balancer): (&[&TargetGroup], &Balancer),
        nodes: &[&Node],
        client: Option<IpAddr>,
    ) -> Vec<Passage> {
        let mut passages = Vec::new();
        for group in groups {
            match group.stream.as_ref().map(|stream| stream.leads_to) {
                Some(LeadsTo::Balancer(index)) => passages.extend(self.to_balancer(index, nodes, client)),
                Some(LeadsTo::Addresses) | None => passages.extend(to_targets(group, nodes, client)),
            }
            if group.health_check.port.is_some() {
                passages.extend(probes(group, balancer));
            }
        }
        passages
    }

    /// What nodes send to the nodes of a load balancer that is a target.
    fn to_balancer(&self, index: Option<ListenerIndex>, nodes: &[&Node], client: Option<IpAddr>) -> Vec<Passage> {
        let listener = index.and_then(|index| self.realm.balancers.listener(index));
        let balancer = listener.and_then(|listener| self.realm.balancers.balancer(listener.balancer));
        let (Some(listener), Some(balancer)) = (listener, balancer) else { return Vec::new() };
        let entering = nodes.iter().filter_map(|from| {
            let node = balancer.nodes_near(Some(&from.zone)).next()?;
            let to = Destination::Interface(node.interface, Family::Ipv4);
            Some(Passage { from: End::Interface(from.interface), to, port: listener.port, seen_as: client })
        });
        entering.collect()
    }

    /// Who a listener's client may be: the interfaces of the link; without one the address on the internet that the trace tells of, or
    /// the interface of the listener's socket.
    fn origins(&self, listener: &Listener, trace: &Trace) -> Vec<End> {
        if let Some(link) = self.link {
            return link.interfaces.iter().copied().map(End::Interface).collect();
        }
        if let Some(Sender::Address(address)) = trace.hops.iter().find_map(|hop| hop.leg).map(|leg| leg.from) {
            return vec![End::Address(address)];
        }
        let socket = self.realm.balancers.listener_by_id(listener.id);
        let socket = socket.and_then(|listener| self.realm.balancers.socket(listener));
        socket.map(|socket| End::Interface(socket.interface)).into_iter().collect()
    }

    /// The first connection of a group's probes that a security group or a network ACL denies.
    pub(super) fn blocked_probe(&self, group: &TargetGroup) -> Option<Leg> {
        let probes = probes(group, self.balancer?);
        let denial = |probe: &Passage| match probe.from {
            End::Interface(from) => way::ask(&self.realm.fabric, from, probe.to, probe.port).err(),
            End::Address(_) => None,
        };
        let is_rules = |denial: &Denial| denial.reason != Reason::NoInterface;
        probes.iter().filter_map(denial).find(is_rules).map(|denial| denial.leg)
    }

    /// The network side of a hop as a passage, if its sender is still there. API Gateway itself is nobody of whom a rule could speak.
    pub(super) fn passage_of(&self, leg: &Leg) -> Option<Passage> {
        let fabric = &self.realm.fabric;
        let from = match leg.from {
            Sender::Interface(id) => End::Interface(fabric.interface_by_id(id)?),
            Sender::Gone => return None,
            Sender::Address(address) if address == SERVICE_ADDRESS => return None,
            Sender::Address(address) => End::Address(address),
        };
        let to = match leg.to {
            Some(id) => Destination::Interface(fabric.interface_by_id(id)?, Family::of(leg.to_address)),
            None => Destination::Address(from.interface(fabric)?.vpc, leg.to_address),
        };
        Some(Passage { from, to, port: leg.port, seen_as: None })
    }

    /// The network ACL that lets this hop, or the replies to it, not through.
    pub(super) fn acl_denial(&self, leg: &Leg) -> Option<AclDenial> {
        let flow = self.passage_of(leg)?.flow(&self.realm.fabric);
        let denial = |going| acl::denial(&self.realm.fabric, flow, going);
        denial(Going::There).or_else(|| denial(Going::Back))
    }

    /// The route that this hop, or what is replied to it, lacks.
    pub(super) fn route_denial(&self, leg: &Leg) -> Option<RouteDenial> {
        let flow = self.passage_of(leg)?.flow(&self.realm.fabric);
        route::denial(&self.realm.fabric, flow)
    }

    /// A passage as the network side of a hop that one side denies.
    pub(super) fn leg_of(&self, passage: &Passage, direction: Direction) -> Leg {
        let fabric = &self.realm.fabric;
        let nearest_rule = match side(fabric, passage.flow(fabric), direction) {
            Side::Denied(nearest) => nearest,
            Side::Unjudged | Side::Allowed(_) => None,
        };
        Leg { nearest_rule, ..way::leg(fabric, passage.flow(fabric)) }
    }
}

/// A request as its trace tells of it.
struct Told<'a> {
    trace: &'a Trace,
    integration: Option<&'a Integration>,
}

impl Head for Told<'_> {
    fn method(&self) -> Option<&str> {
        Some(self.integration.and_then(|integration| integration.method.as_deref()).unwrap_or(&self.trace.method))
    }

    fn host(&self) -> Option<&[u8]> {
        let host = self.trace.host.as_bytes();
        // One this long may have been cut.
        (!host.is_empty() && host.len() < HOST_BYTES_MAX).then_some(host)
    }

    fn path(&self) -> Option<&str> {
        sent_path(self.trace)
    }

    /// A trace keeps no query, which may hold secrets.
    fn query(&self) -> Option<&str> {
        None
    }

    /// Nor headers.
    fn any_value(&self, _name: &str, _fits: &dyn Fn(&[u8]) -> bool) -> Option<bool> {
        None
    }

    /// The peer is whichever of the link's interfaces was chosen.
    fn source(&self) -> Option<IpAddr> {
        None
    }
}

/// The path that the backend got or would get, without its query; `None` where the trace does not say it surely.
pub(super) fn sent_path(trace: &Trace) -> Option<&str> {
    let sent = if trace.forwarded_path.is_empty() { &trace.path } else { &trace.forwarded_path };
    // A request that never came to its integration may still carry the API in its path.
    let by_path = trace.forwarded_path.is_empty() && (sent.starts_with("/_aws/") || sent.starts_with("/restapis/"));
    let cut = sent.len() >= PATH_BYTES_MAX;
    (!by_path && !cut && !sent.is_empty()).then(|| sent.split('?').next().unwrap_or(sent))
}

/// The realm of the API that a request found, else of the interfaces that it went through.
pub(super) fn realm_of<'a>(snapshot: &'a Snapshot, trace: &Trace) -> Option<&'a Arc<RealmSnapshot>> {
    let found = trace.api.and_then(|id| snapshot.api(id));
    found.map(|(realm, _)| realm).or_else(|| realm_of_legs(snapshot, trace))
}

fn realm_of_legs<'a>(snapshot: &'a Snapshot, trace: &Trace) -> Option<&'a Arc<RealmSnapshot>> {
    // One who enters from the internet has no interface: the node's is known.
    let mut ends = trace.hops.iter().filter_map(|hop| hop.leg).filter_map(|leg| leg.from.interface().or(leg.to));
    ends.find_map(|id| snapshot.realms.iter().find(|realm| realm.fabric.interface_by_id(id).is_some()))
}

fn hop_id<T>(trace: &Trace, of: impl Fn(&Hop) -> Option<T>) -> Option<T> {
    trace.hops.iter().find_map(of)
}

/// The route and integration of the trace. Stages run frozen copies that may differ: the copy whose route leads to the
/// trace's integration is preferred.
fn route_of<'a>(api: &'a Api, trace: &Trace) -> (Option<&'a Route>, Option<&'a Integration>) {
    let route = hop_id(trace, |hop| matches!(hop.id, HopId::Route(_) | HopId::Method(_)).then_some(hop.id));
    let wanted =
        hop_id(trace, |hop| matches!(hop.id, HopId::Integration(_) | HopId::MethodIntegration(_)).then_some(hop.id));
    let Some(route) = route else { return (None, None) };
    let mut best = (None, None);
    let stages = api.stages.iter().flat_map(|stage| [Some(stage), stage.canary()]).flatten();
    for deployed in stages.filter_map(|stage| stage.deployed.as_deref()) {
        let Some(found) = deployed.routes.iter().find(|candidate| candidate.id.hop() == route) else { continue };
        let integration = integration_of(deployed, found);
        best = (Some(found), integration);
        if integration.map(|integration| integration.id.hop()) == wanted {
            break;
        }
    }
    best
}

fn integration_of<'a>(deployed: &'a Deployed, route: &Route) -> Option<&'a Integration> {
    deployed.integrations.get(usize::try_from(route.integration?).ok()?)
}

fn ends_of<'a>(
    realm: &'a RealmSnapshot,
    integration: Option<&Integration>,
) -> (Option<&'a Link>, Option<&'a Listener>) {
    match integration.map(|integration| &integration.connection) {
        Some(Connection::Private { link, listener, .. }) => {
            (realm.gateway.link(*link), realm.balancers.listener(*listener))
        }
        Some(Connection::Internet(_) | Connection::Mock | Connection::Broken { .. }) | None => (None, None),
    }
}

fn linked<'a>(realm: &'a RealmSnapshot, trace: &Trace) -> Option<&'a Link> {
    let id = hop_id(trace, |hop| if let HopId::Link(id) = hop.id { Some(id) } else { None })?;
    realm.gateway.link(realm.gateway.link_by_id(id)?)
}

fn listening<'a>(realm: &'a RealmSnapshot, trace: &Trace) -> Option<&'a Listener> {
    let id = hop_id(trace, |hop| match hop.id {
        HopId::Listener(id) | HopId::Rule(id, _) => Some(id),
        _ => None,
    })?;
    realm.balancers.listener(realm.balancers.listener_by_id(id)?)
}

/// The rule of `listener` that the trace says decided: `Some(None)` is the default rule.
fn decided(trace: &Trace, listener: ListenerId) -> Option<Option<ListenerRuleId>> {
    hop_id(trace, |hop| match hop.id {
        HopId::Rule(at, rule) if at == listener => Some(rule),
        _ => None,
    })
}
