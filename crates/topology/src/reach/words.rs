//! Names, ids and sentences for the hops of a trace, in words that an operator knows. It only words what the trace and the
//! verdicts say.
//!
//! Where VPC Reachability Analyzer has a code for the same thing, the sentence ends in it (VPC Reachability Analyzer guide,
//! "Explanation codes", 2026-11).

use std::sync::Arc;

use crate::arn::{BalancerKind, ElbArn, ElbResource, LoadBalancerName};
use crate::id::{
    AuthorizerId, ListenerRuleId, NetworkInterfaceId, SecurityGroupId, SecurityGroupRuleId, TargetGroupId,
};
use crate::reason::Reason;
use crate::snapshot::RealmSnapshot;
use crate::snapshot::balancer::{Action, Balancer, Listener, Rule, TargetGroup};
use crate::snapshot::fabric::{Group, GroupRule, Interface, Peer};
use crate::snapshot::gateway::{Api, Connection, SERVICE_ADDRESS};
use crate::trace::{Hop, HopId, HopKind, HopVerdict, Leg, Sender, Trace};
use crate::verdict::{Direction, Family};

use super::barrier::{self, told_by};
use super::fix::Fix;
use super::path::Path;
use super::{direction, instead, mends};

/// Knows what the ids of one trace are called.
pub(super) struct Words<'a> {
    path: Option<&'a Path<'a>>,
}

impl<'a> Words<'a> {
    /// By the realm of this path.
    pub(super) fn of(path: &'a Path<'a>) -> Self {
        Self { path: Some(path) }
    }

    /// When nothing of the trace is known: ids stand for themselves.
    pub(super) fn without_realm() -> Self {
        Self { path: None }
    }

    fn realm(&self) -> Option<&'a RealmSnapshot> {
        self.path.map(|path| path.realm)
    }

    /// The id of a hop as printed: an ARN where the resource has one.
    pub(super) fn id(&self, hop: &Hop) -> String {
        match hop.id {
            HopId::None => self.group_at_issue(hop).map(|id| id.to_string()).unwrap_or_default(),
            HopId::Api(id) => id.to_string(),
            HopId::Route(id) => id.to_string(),
            HopId::Method(at) | HopId::MethodIntegration(at) => at.to_string(),
            HopId::ApiKey(id) => id.to_string(),
            HopId::UsagePlan(id) => id.to_string(),
            HopId::Authorizer(id) => id.to_string(),
            HopId::Integration(id) => id.to_string(),
            HopId::Link(id) => id.to_string(),
            HopId::Interface(id) => id.to_string(),
            HopId::NetworkAcl(id) => id.to_string(),
            HopId::RouteTable(id) => id.to_string(),
            HopId::LoadBalancer(id) => {
                let balancer = self.realm().and_then(|r| r.balancers.balancers.iter().find(|b| b.id == id));
                let arn = balancer.and_then(|b| self.elb_arn(ElbResource::LoadBalancer(full_name(b))));
                arn.unwrap_or_else(|| id.to_string())
            }
            HopId::Listener(id) => self.listener(id).map_or_else(|| id.to_string(), |l| l.arn.clone()),
            HopId::Rule(at, rule) => self.rule_id(at, rule),
            HopId::TargetGroup(id) => self.group(id).map_or_else(|| id.to_string(), |group| group.arn.clone()),
            HopId::Target(address, port) => format!("{address}:{port}"),
        }
    }

    /// The group that a verdict hangs on: the one whose rule allowed, or the one that a missing rule belongs in.
    fn group_at_issue(&self, hop: &Hop) -> Option<SecurityGroupId> {
        let leg = hop.leg.filter(|_| hop.kind == HopKind::SecurityGroup)?;
        if let Some(rule) = leg.deciding_rule {
            let mut groups = self.realm()?.fabric.groups.iter();
            return groups
                .find(|(_, group)| group.ingress.iter().chain(&group.egress).any(|held| held.id == rule))
                .map(|(id, _)| *id);
        }
        match mends(self.path?, hop)? {
            Fix::Rule(fix) => Some(fix.group),
            Fix::Entry(_) | Fix::Route(_) => None,
        }
    }

    fn rule_id(&self, at: crate::id::ListenerId, rule: Option<ListenerRuleId>) -> String {
        let Some((listener, found)) = self.rule(at, rule) else {
            return rule.map_or_else(|| at.to_string(), |id| id.to_string());
        };
        let balancer = self.realm().and_then(|realm| realm.balancers.balancer(listener.balancer));
        let arn = balancer.and_then(|b| self.elb_arn(ElbResource::Rule(full_name(b), at, found.id)));
        arn.unwrap_or_else(|| found.id.to_string())
    }

    /// The name of what a hop is about; empty where it has none.
    pub(super) fn name(&self, hop: &Hop) -> String {
        let Some(path) = self.path else { return String::new() };
        let name = match hop.id {
            HopId::None => self.group_at_issue(hop).map(|id| self.group_name(id)),
            HopId::Target(..) | HopId::NetworkAcl(_) | HopId::RouteTable(_) => None,
            HopId::Authorizer(id) => path.api.and_then(|api| authorizer_name(api, id)),
            HopId::Api(_) => path.api.map(|api| api.name.clone()),
            HopId::Route(_) | HopId::Method(_) => {
                path.route.filter(|route| route.id.hop() == hop.id).map(|route| route.key.to_string())
            }
            HopId::Integration(_) | HopId::MethodIntegration(_) => {
                path.integration.filter(|i| i.id.hop() == hop.id).map(|i| self.leads_to(&i.connection))
            }
            HopId::ApiKey(_) => None,
            HopId::UsagePlan(id) => {
                path.realm.gateway.usage.plans.iter().find(|plan| plan.id == id).map(|plan| plan.name.clone())
            }
            HopId::Link(id) => path.realm.gateway.links.iter().find(|link| link.id == id).map(|link| link.name.clone()),
            HopId::Interface(id) => self.interface(id).map(|interface| self.role(interface)),
            HopId::LoadBalancer(id) => {
                path.realm.balancers.balancers.iter().find(|b| b.id == id).map(|b| b.name.clone())
            }
            HopId::Listener(id) => self.listener(id).map(|listener| self.listener_name(listener)),
            HopId::Rule(at, rule) => self.rule(at, rule).map(|(_, rule)| rule_name(rule)),
            HopId::TargetGroup(id) => self.group(id).map(|group| group.name.clone()),
        };
        name.unwrap_or_default()
    }

    fn leads_to(&self, connection: &Connection) -> String {
        let Some(realm) = self.realm() else { return String::new() };
        match connection {
            Connection::Broken { meant, .. } => meant.clone(),
            Connection::Internet(endpoint) => endpoint.to_string(),
            Connection::Mock => "MOCK".to_owned(),
            Connection::Private { listener, .. } => {
                realm.balancers.listener(*listener).map(|listener| self.listener_name(listener)).unwrap_or_default()
            }
        }
    }

    /// `NAME:PORT` of a listener.
    fn listener_name(&self, listener: &Listener) -> String {
        let balancer = self.realm().and_then(|realm| realm.balancers.balancer(listener.balancer));
        format!("{}:{}", balancer.map_or("", |balancer| balancer.name.as_str()), listener.port)
    }

    /// The sentence of a hop.
    pub(super) fn detail(&self, trace: &Trace, hop: &Hop) -> String {
        match (hop.reason, hop.verdict) {
            (Some(reason), HopVerdict::Deny | HopVerdict::Fail) => self.stopped(trace, hop, reason),
            _ => self.passed(trace, hop),
        }
    }

    fn stopped(&self, trace: &Trace, hop: &Hop, reason: Reason) -> String {
        if let (Some(leg), Some(direction)) = (&hop.leg, direction(reason)) {
            return format!("{}: {}", self.ends(leg), self.denial(leg, direction));
        }
        if let Some((leg, why)) = hop.leg.and_then(|leg| Some((leg, barrier::of_hop(self.path?, hop, &leg)?))) {
            return format!("{}: {why}", self.ends(&leg));
        }
        let about = match (&hop.leg, self.subject(hop)) {
            (Some(leg), _) => self.ends(leg),
            (None, subject) => subject,
        };
        let about = if about.is_empty() { String::new() } else { format!("{about}: ") };
        let instead = self.path.map(|path| instead::of(path, trace, hop)).unwrap_or_default();
        let code = analyzer(reason).map(told_by).unwrap_or_default();
        format!("{about}{}{instead}{code}", why(reason))
    }

    fn passed(&self, trace: &Trace, hop: &Hop) -> String {
        let subject = self.subject(hop);
        let status = hop.status.map(|status| status.to_string());
        match hop.kind {
            HopKind::Gateway => format!("{subject}: the request belongs to this API"),
            HopKind::Route => format!("{subject}: matches {} {}", trace.method, trace.path),
            HopKind::ResourcePolicy => format!("{subject}: its resource policy lets the caller in"),
            HopKind::ApiKey => format!("{subject}: belongs to a usage plan of the stage"),
            HopKind::Quota => format!("{subject}: within the quota"),
            HopKind::Validation => format!("{subject}: the request is valid"),
            HopKind::Authorizer => match status {
                Some(status) => format!("{subject}: answers {status}, for the client to log in"),
                None => format!("{subject}: the caller is let in"),
            },
            HopKind::Cors => format!("{subject}: its CORS configuration answers the preflight"),
            HopKind::Throttle => format!("{subject}: within the rate limits"),
            HopKind::Integration if trace.forwarded_path.is_empty() => format!("{subject}: the request is mapped"),
            HopKind::Integration => format!("{subject}: the request is mapped, its path is {}", trace.forwarded_path),
            HopKind::Link => format!("{subject}: carries the request"),
            HopKind::Socket => format!("{subject}: a connection to its socket on this machine"),
            HopKind::SecurityGroup => hop.leg.as_ref().map_or(subject, |leg| self.admitted(leg)),
            HopKind::NetworkAcl => format!("{subject}: lets the connection through"),
            HopKind::RouteTable => format!("{subject}: leads there"),
            HopKind::Listener => format!("{subject}: takes the request"),
            HopKind::Rule => match status {
                Some(status) => format!("{subject}: answers {status} itself"),
                None => format!("{subject}: {}", self.does(hop)),
            },
            HopKind::Endpoint => match status {
                Some(status) => format!("{subject}: answered {status}"),
                None => format!("{subject}: took the request"),
            },
            HopKind::TargetGroup => format!("{subject}: chooses a target"),
            HopKind::Target => match status {
                Some(status) => format!("{subject}: answered {status}"),
                None => format!("{subject}: took the request"),
            },
        }
    }

    /// What a rule does, in a few words.
    fn does(&self, hop: &Hop) -> String {
        let HopId::Rule(at, rule) = hop.id else { return "decides".to_owned() };
        match self.rule(at, rule).map(|(_, rule)| &rule.action) {
            Some(Action::Forward(forward)) => {
                let groups = forward.groups.iter().filter(|(_, weight)| *weight > 0);
                let named = groups.filter_map(|(index, _)| self.realm()?.balancers.group(*index));
                let names: Vec<_> = named.map(|group| group.name.as_str()).collect();
                format!("forwards to {}", names.join(" or "))
            }
            Some(Action::Fixed(fixed)) => format!("answers {} itself", fixed.status),
            Some(Action::Redirect(redirect)) => format!("redirects with {}", redirect.status),
            Some(Action::Dangling) => "forwards to a target group that is gone".to_owned(),
            None => "decides".to_owned(),
        }
    }

    /// `NAME (ID)`, or what there is of it.
    fn subject(&self, hop: &Hop) -> String {
        let kind = match hop.id {
            HopId::None => return String::new(),
            HopId::Target(address, port) => return format!("target {address}:{port}"),
            HopId::Interface(id) => return self.end(id),
            HopId::Rule(at, rule) => {
                let listener = self.listener(at).map_or_else(|| at.to_string(), |l| self.listener_name(l));
                let rule = self.rule(at, rule).map(|(_, rule)| rule_name(rule));
                return format!("{} of {listener}", rule.as_deref().unwrap_or("a rule"));
            }
            HopId::Api(_) => "API",
            HopId::Route(_) => "route",
            HopId::Method(_) => "method",
            HopId::ApiKey(_) => "API key",
            HopId::UsagePlan(_) => "usage plan",
            HopId::Authorizer(_) => "authorizer",
            HopId::Integration(_) => "integration",
            HopId::MethodIntegration(_) => "integration of",
            HopId::Link(_) => "link",
            HopId::NetworkAcl(_) => "network ACL",
            HopId::RouteTable(_) => "route table",
            HopId::LoadBalancer(_) => "ALB",
            HopId::Listener(_) => "listener",
            HopId::TargetGroup(_) => "target group",
        };
        let id = match hop.id {
            HopId::LoadBalancer(id) => id.to_string(),
            HopId::Listener(id) => id.to_string(),
            HopId::TargetGroup(id) => id.to_string(),
            _ => self.id(hop),
        };
        match self.name(hop) {
            name if name.is_empty() => format!("{kind} {id}"),
            name => format!("{kind} {name} ({id})"),
        }
    }

    /// `link x (eni-a) -> ALB y (eni-b) tcp 80`
    pub(super) fn ends(&self, leg: &Leg) -> String {
        let from = match leg.from {
            Sender::Interface(id) => self.end(id),
            Sender::Address(address) if address == SERVICE_ADDRESS => format!("API Gateway itself ({SERVICE_ADDRESS})"),
            Sender::Address(address) => format!("{address} (a client on the internet)"),
            Sender::Gone => "an interface that is gone".to_owned(),
        };
        let to = leg.to.map_or_else(|| leg.to_address.to_string(), |id| self.end(id));
        format!("{from} -> {to} tcp {}", leg.port)
    }

    fn end(&self, id: NetworkInterfaceId) -> String {
        match self.interface(id).map(|interface| self.role(interface)) {
            Some(role) => format!("{role} ({id})"),
            None => id.to_string(),
        }
    }

    /// Whose interface it is: a link's, a load balancer's, else the workload at its address.
    fn role(&self, interface: &Interface) -> String {
        let Some(realm) = self.realm() else { return String::new() };
        let index = realm.fabric.interface_by_id(interface.id);
        let links = &realm.gateway.links;
        if let Some(link) = links.iter().find(|link| link.interfaces.iter().any(|i| Some(*i) == index)) {
            return format!("link {}", link.name);
        }
        let mut balancers = realm.balancers.balancers.iter();
        match balancers.find(|balancer| balancer.nodes.iter().any(|node| Some(node.interface) == index)) {
            Some(balancer) if balancer.kind == BalancerKind::Network => format!("NLB {}", balancer.name),
            Some(balancer) => format!("ALB {}", balancer.name),
            None => format!("target {}", interface.private_ip),
        }
    }

    /// Why the groups of one end do not admit a connection, with the analyzer's code.
    pub(super) fn denial(&self, leg: &Leg, direction: Direction) -> String {
        let from = leg.from.interface();
        let (judged, peer) = match direction {
            Direction::Egress => (from, leg.to),
            Direction::Ingress => (leg.to, from),
        };
        let address = match (direction, leg.from) {
            (Direction::Ingress, Sender::Address(address)) => address,
            (Direction::Ingress | Direction::Egress, _) => leg.to_address,
        };
        let side = side_name(direction);
        let judged = judged.map(|id| self.groups(id)).unwrap_or_default();
        let own = self.group_names(&judged);
        let rules = judged.iter().filter_map(|id| self.security_group(*id)).map(|group| group.rules(direction).len());
        if rules.sum::<usize>() == 0 {
            let plural = if judged.len() == 1 { "has" } else { "have" };
            return format!("{own} {plural} no {side} rule{}", told_by("SG_HAS_NO_RULES"));
        }
        let peer = match peer.and_then(|id| self.interface(id)) {
            Some(interface) if interface.groups.is_empty() => interface
                .address(Family::of(leg.to_address))
                .map_or_else(|| interface.id.to_string(), |address| address.to_string()),
            Some(interface) => self.group_names(&interface.groups),
            None => peer.map_or_else(|| address.to_string(), |id| id.to_string()),
        };
        let nearest = leg.nearest_rule.map(|id| format!("; nearest is {}", self.rule_of_group(id))).unwrap_or_default();
        format!("no {side} rule of {own} admits {peer}{nearest}{}", told_by("ENI_SG_RULES_MISMATCH"))
    }

    fn admitted(&self, leg: &Leg) -> String {
        let by = leg
            .deciding_rule
            .map_or_else(|| "no group judges it".to_owned(), |id| format!("admitted by {}", self.rule_of_group(id)));
        format!("{}: {by}", self.ends(leg))
    }

    /// The groups of both ends of a hop.
    pub(super) fn groups_of(&self, leg: &Leg) -> (Vec<SecurityGroupId>, Vec<SecurityGroupId>) {
        let of = |id: Option<NetworkInterfaceId>| id.map(|id| self.groups(id)).unwrap_or_default();
        (of(leg.from.interface()), of(leg.to))
    }

    fn groups(&self, id: NetworkInterfaceId) -> Vec<SecurityGroupId> {
        self.interface(id).map(|interface| interface.groups.clone()).unwrap_or_default()
    }

    fn group_names(&self, ids: &[SecurityGroupId]) -> String {
        let named = ids.iter().map(|id| match self.group_name(*id) {
            name if name.is_empty() => id.to_string(),
            name => format!("{name} ({id})"),
        });
        let named: Vec<_> = named.collect();
        if named.is_empty() { "no group".to_owned() } else { named.join(", ") }
    }

    /// The name of a group; empty for one that is gone.
    pub(super) fn group_name(&self, id: SecurityGroupId) -> String {
        self.security_group(id).map(|group| group.name.clone()).unwrap_or_default()
    }

    /// `sgr-x (tcp 80 from sg-y)`, or the bare id of a rule that is gone.
    fn rule_of_group(&self, id: SecurityGroupRuleId) -> String {
        let groups = self.realm().into_iter().flat_map(|realm| realm.fabric.groups.values());
        let found = groups.flat_map(|group| {
            let of = |direction| group.rules(direction).iter().map(move |rule| (direction, rule));
            of(Direction::Ingress).chain(of(Direction::Egress))
        });
        match found.into_iter().find(|(_, rule)| rule.id == id) {
            Some((direction, rule)) => format!("{id} ({})", rule_text(direction, rule)),
            None => id.to_string(),
        }
    }

    fn interface(&self, id: NetworkInterfaceId) -> Option<&'a Interface> {
        let fabric = &self.realm()?.fabric;
        fabric.interface(fabric.interface_by_id(id)?)
    }

    fn security_group(&self, id: SecurityGroupId) -> Option<&'a Group> {
        self.realm()?.fabric.groups.get(&id).map(Arc::as_ref)
    }

    fn listener(&self, id: crate::id::ListenerId) -> Option<&'a Listener> {
        let balancers = &self.realm()?.balancers;
        balancers.listener(balancers.listener_by_id(id)?)
    }

    /// A rule with its listener; no id means the default rule.
    fn rule(&self, at: crate::id::ListenerId, id: Option<ListenerRuleId>) -> Option<(&'a Listener, &'a Rule)> {
        let listener = self.listener(at)?;
        let wanted = |rule: &&Rule| id.map_or(rule.priority.is_none(), |id| rule.id == id);
        Some((listener, listener.rules.iter().find(wanted)?))
    }

    fn group(&self, id: TargetGroupId) -> Option<&'a TargetGroup> {
        let balancers = &self.realm()?.balancers;
        balancers.group(balancers.group_by_id(id)?)
    }

    pub(super) fn balancer_arn(&self, balancer: &Balancer) -> Option<String> {
        self.elb_arn(ElbResource::LoadBalancer(full_name(balancer)))
    }

    fn elb_arn(&self, resource: ElbResource) -> Option<String> {
        Some(ElbArn { realm: self.realm()?.realm.clone(), resource }.to_string())
    }
}

fn full_name(balancer: &Balancer) -> LoadBalancerName {
    LoadBalancerName { kind: balancer.kind, name: balancer.name.clone(), id: balancer.id }
}

/// The name of an authorizer of some deployment that is served.
fn authorizer_name(api: &Api, id: AuthorizerId) -> Option<String> {
    let deployed = || api.stages.iter().filter_map(|stage| stage.deployed.as_deref());
    let mut authorizers = deployed().flat_map(|deployed| &deployed.authorizers);
    let mut pools = deployed().filter_map(|deployed| deployed.rest.as_ref()).flat_map(|rest| &rest.pools);
    let named = authorizers.find(|authorizer| authorizer.id == id).map(|authorizer| &authorizer.name);
    named.or_else(|| pools.find(|pools| pools.id == id).map(|pools| &pools.name)).cloned()
}

fn rule_name(rule: &Rule) -> String {
    rule.priority.map_or_else(|| "the default rule".to_owned(), |priority| format!("rule {priority}"))
}

pub(super) fn side_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

fn rule_text(direction: Direction, rule: &GroupRule) -> String {
    let way = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let peer = match &rule.peer {
        Peer::Cidr(block) => block.to_string(),
        Peer::Group(group) => group.to_string(),
        Peer::Prefixes(blocks) => format!("a prefix list of {}", blocks.len()),
    };
    format!("{} {way} {peer}", rule.traffic)
}

/// VPC Reachability Analyzer's code for a reason, where it has one. Those of security groups depend on the group's rules
/// and are given where these are known.
fn analyzer(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::SgEgressDenied | Reason::SgIngressDenied => "ENI_SG_RULES_MISMATCH",
        Reason::NaclDenied => "SUBNET_ACL_RESTRICTION",
        Reason::NoRoute => "NO_ROUTE_TO_DESTINATION",
        Reason::NoInterface => "NO_SOURCE_OR_DESTINATION",
        Reason::ListenerNotInLinkVpc => "DISCONNECTED_VPCS",
        Reason::ListenerNotFound => "ELBV2_LISTENERS_MISMATCH",
        Reason::LinkPending | Reason::LinkFailed | Reason::LinkInactive => "BAD_STATE",
        Reason::NoTargets => "ELBV2_LISTENER_HAS_NO_TG",
        Reason::TargetAzNotEnabled => "ELB_INSTALLED_AZ_RESTRICTION",
        _ => return None,
    })
}

/// Each reason as the end of a sentence.
pub(super) fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::ApiNotFound => "the host or path names no API",
        Reason::StageNotFound => "the API has no such stage, or the stage was never deployed",
        Reason::RouteNotFound => "no route of the deployment takes this method and path",
        Reason::NoIntegration => "the route leads to no integration",
        Reason::BodyTooLarge => "the body is larger than a gateway takes",
        Reason::HeadersTooLarge => "the request line and headers are larger than a gateway takes",
        Reason::MalformedRequest => "the request is not valid HTTP, or can be read in two ways",
        Reason::ExecuteApiDisabled => "the API's default endpoint is disabled",
        Reason::TokenMissing => "the request carries no token where the authorizer looks for one",
        Reason::TokenMalformed => "the token is not a JSON Web Token",
        Reason::JwtAlgorithm => "the token's algorithm is not accepted",
        Reason::JwtKeyUnknown => "the issuer has no key of the token's kid",
        Reason::JwtBadSignature => "the token's signature does not fit",
        Reason::JwtExpired => "the token has expired",
        Reason::JwtNotYetValid => "the token is not valid yet",
        Reason::JwtIssuer => "the token comes from another issuer",
        Reason::JwtAudience => "the token is meant for another audience",
        Reason::ScopeMissing => "the token has none of the route's scopes",
        Reason::JwtClaim => "a claim of the token is not what the rule asks for",
        Reason::IssuerUnreachable => "the issuer's keys cannot be had",
        Reason::Sigv4Invalid => "the request's signature is missing or does not fit",
        Reason::ClientCertRequired => "the domain asks for a client certificate and none came",
        Reason::ClientCertInvalid => "the trust store does not vouch for the client's certificate",
        Reason::ResourcePolicyDenied => "the resource policy does not let the caller in",
        Reason::ApiKeyMissing => "the method needs an API key and the request has none in x-api-key",
        Reason::ApiKeyInvalid => "the API key does not open this stage",
        Reason::QuotaExceeded => "the key's quota is used up",
        Reason::ValidationFailed => "the request does not meet what the method asks of it",
        Reason::UnsupportedMediaType => {
            "the integration takes no body of this content type, or its coding cannot be undone"
        }
        Reason::Throttled => "a rate limit is used up",
        Reason::AuthorizerUnsupported => "this kind of authorizer is not carried out, so the route lets nobody in",
        Reason::IntegrationTargetNotListener => "the integration must name a listener and names something else",
        Reason::LinkVersionMismatch => "the link is of the other version",
        Reason::ListenerNotInLinkVpc => "the listener's load balancer is in another VPC than the link",
        Reason::ListenerNotFound => "the listener is gone",
        Reason::LinkNotFound => "the link is gone",
        Reason::LinkPending => "the link is still being provisioned",
        Reason::LinkFailed => "the link could not be provisioned",
        Reason::LinkInactive => "the link carried nothing for 60 days and was put to rest",
        Reason::LinkInUse => "the link is still referred to",
        Reason::LinkNoConnector => "no agent that carries this zone of the VPC is connected",
        Reason::StaleConfig => "the agent that carried the request works by an older state of its VPC",
        Reason::VerdictSplit => "the gateway and the agent came to different verdicts, and the stricter one counted",
        Reason::IntegrationTimeout => "the integration's time ran out",
        Reason::EgressForbidden => "an INTERNET integration may not reach that address",
        Reason::IntegrationUnsupported => "this kind of integration is not carried out",
        Reason::MappingFailed => "a mapping could not be applied",
        Reason::SgEgressDenied => "no egress rule of the sender's groups admits the connection",
        Reason::SgIngressDenied => "no ingress rule of the receiver's groups admits the connection",
        Reason::NaclDenied => "a network ACL denies the connection",
        Reason::NoRoute => "no route leads to the address",
        Reason::NoInterface => "no workload has the address, so nothing answers",
        Reason::NoTargets => "no target is registered that could take the request",
        Reason::TargetAzNotEnabled => "every target lies in a zone that the load balancer does not serve",
        Reason::TargetRefused => "the target refused the connection: nothing listens on that port",
        Reason::TargetClosed => "the target closed the connection before it answered",
        Reason::UpstreamClosedIdle => {
            "the target closed an idle connection just as it was used again: its keep-alive is shorter than the load balancer's"
        }
        Reason::TargetTimeout => "the target did not answer in time",
        Reason::TargetMalformedResponse => "the target's answer is not valid HTTP",
        Reason::TargetProtocolMismatch => "the target speaks another version of HTTP",
        Reason::DesyncBlocked => "the desync mitigation mode blocked the request",
        Reason::TlsNameMismatch => "the certificate is for other names",
        Reason::TlsUntrusted => "no trusted root vouches for the certificate",
        Reason::TlsExpired => "the certificate has expired or is not valid yet",
        Reason::TlsExpectedGotPlain => "TLS was to be spoken to a plain listener",
        Reason::TlsHandshakeFailed => "the TLS handshake failed",
        Reason::TlsPlainToTlsPort => "plain HTTP was spoken to a TLS listener",
        Reason::ClientClosed => "the client went away",
        Reason::StagePrefixForwarded => "the forwarded path begins with the stage",
        Reason::AllUnhealthyFailOpen => "every target is unhealthy, so the load balancer sends to all of them",
        Reason::OpenToWorld => "an internal load balancer admits every address",
        Reason::LinkUsesDefaultGroup => "the link carries its VPC's default group",
        Reason::ThrottleZero => "throttle settings without numbers mean zero",
        Reason::HealthCheckBlocked => "the health-check port is not admitted",
        Reason::AnsweredByRule => "a listener rule answered, not a target",
        Reason::StageRunsOldDeployment => "what is deployed differs from the draft",
        Reason::NotCarriedOut => "something that was asked for is taken and not carried out",
    }
}
