//! Load balancers, listeners, rules and target groups of one realm, compiled.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::Problem;
use super::attributes::{BalancerAttributes, GroupAttributes, ListenerAttributes};
use super::fabric::InterfaceIndex;
use super::index::{Key, RuleIndex};
use super::logs::BalancerLogs;
use super::pattern::{Glob, Pattern, Transforms};
use crate::arn::BalancerKind;
use crate::id::{ListenerId, ListenerRuleId, LoadBalancerId, TargetGroupId, VpcId, Zone};
use crate::resource::certificate::Certificate;
pub use crate::resource::gate::{AdditionalClaim, Check, ClaimFormat, JwtValidation};
pub use crate::resource::listener::AlpnPolicy;
pub use crate::resource::oidc::{Provider, Unauthenticated};
use crate::resource::ssl_policy::SslPolicy;
use crate::resource::target_group::HttpVersion;
use crate::time::Moment;

/// The place of a load balancer in [`Balancers::balancers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalancerIndex(pub u32);

/// The place of a listener in [`Balancers::listeners`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerIndex(pub u32);

/// The place of a target group in [`Balancers::groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupIndex(pub u32);

/// Everything that balances in one realm.
#[derive(Debug, Default, PartialEq)]
pub struct Balancers {
    /// Load balancers.
    pub balancers: Vec<Balancer>,
    /// Listeners of all of them.
    pub listeners: Vec<Listener>,
    /// Target groups, referenced or not.
    pub groups: Vec<TargetGroup>,
    /// Where listeners are entered from the host.
    pub sockets: Vec<Socket>,
    pub(crate) listener_by_id: HashMap<ListenerId, ListenerIndex>,
    pub(crate) group_by_id: HashMap<TargetGroupId, GroupIndex>,
    /// Listeners that dangle.
    pub problems: Vec<Problem>,
}

impl Balancers {
    /// The load balancer at this place.
    #[must_use]
    pub fn balancer(&self, index: BalancerIndex) -> Option<&Balancer> {
        self.balancers.get(index.0 as usize)
    }

    /// The listener at this place.
    #[must_use]
    pub fn listener(&self, index: ListenerIndex) -> Option<&Listener> {
        self.listeners.get(index.0 as usize)
    }

    /// The target group at this place.
    #[must_use]
    pub fn group(&self, index: GroupIndex) -> Option<&TargetGroup> {
        self.groups.get(index.0 as usize)
    }

    /// Whether clients on the internet come to this listener.
    #[must_use]
    pub fn faces_internet(&self, listener: &Listener) -> bool {
        self.balancer(listener.balancer).is_some_and(|balancer| !balancer.internal)
    }

    /// The socket of this listener.
    #[must_use]
    pub fn socket(&self, listener: ListenerIndex) -> Option<&Socket> {
        self.sockets.iter().find(|socket| socket.listener == listener)
    }

    /// The listener of this id.
    #[must_use]
    pub fn listener_by_id(&self, id: ListenerId) -> Option<ListenerIndex> {
        self.listener_by_id.get(&id).copied()
    }

    /// The target group of this id.
    #[must_use]
    pub fn group_by_id(&self, id: TargetGroupId) -> Option<GroupIndex> {
        self.group_by_id.get(&id).copied()
    }
}

/// One node of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its zone.
    pub zone: Zone,
    /// Its interface.
    pub interface: InterfaceIndex,
}

/// A load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balancer {
    /// Its id.
    pub id: LoadBalancerId,
    /// Whether it balances requests or connections.
    pub kind: BalancerKind,
    /// Its name.
    pub name: String,
    /// Its DNS name.
    pub dns_name: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether the scheme is `internal`.
    pub internal: bool,
    /// Whether its state is `active`; before that it answers nothing.
    pub active: bool,
    /// One node for each enabled zone.
    pub nodes: Vec<Node>,
    /// Its attributes, of an application load balancer; all at their defaults for another.
    pub attributes: BalancerAttributes,
    /// Those that were asked for and mean nothing here, with the reasons.
    pub idle: Vec<(&'static str, &'static str)>,
    /// `app/NAME/ID`: how logs and metrics name it.
    pub full_name: String,
    /// Its logs.
    pub logs: BalancerLogs,
}

impl Balancer {
    /// The nodes that traffic from or to a zone goes through: those of this zone where there are any, else all.
    pub fn nodes_near<'b>(&'b self, zone: Option<&'b Zone>) -> impl Iterator<Item = &'b Node> + Clone {
        let is_near = move |node: &Node| Some(&node.zone) == zone;
        let has_near = self.nodes.iter().any(is_near);
        self.nodes.iter().filter(move |node| !has_near || is_near(node))
    }
}

/// An address of the host where clients enter a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// The listener.
    pub listener: ListenerIndex,
    /// Where on the host.
    pub host: SocketAddr,
    /// The interface from which its clients come.
    pub interface: InterfaceIndex,
}

/// A listener with its rules in order of evaluation; the default rule is the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its id.
    pub id: ListenerId,
    /// Its ARN.
    pub arn: String,
    /// Its load balancer.
    pub balancer: BalancerIndex,
    /// Its port.
    pub port: u16,
    /// What it presents, if it speaks TLS.
    pub tls: Option<ListenerTls>,
    /// The rules: of a network load balancer the default one alone, which forwards to one group.
    pub rules: Rules,
    /// Its attributes.
    pub attributes: ListenerAttributes,
    /// What it does with connections, where it belongs to a network load balancer; `None` where it takes requests.
    pub stream: Option<StreamListener>,
}

/// What a listener of a network load balancer does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamListener {
    /// How long a connection may be silent both ways (`tcp.idle_timeout.seconds`; 60–6000 s, 350 s when unset).
    pub idle_timeout: Duration,
    /// What is agreed with clients by ALPN, where it speaks TLS.
    pub alpn: AlpnPolicy,
}

/// What an HTTPS listener presents, and how it shakes hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// The certificates, the default one first. One that is gone is left out.
    pub certificates: Vec<Arc<Certificate>>,
    /// The security policy.
    pub policy: SslPolicy,
    /// What it asks of clients' certificates.
    pub mutual: MutualTls,
}

/// What an HTTPS listener asks of clients' certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MutualTls {
    /// Nothing.
    Off,
    /// To be told of them.
    Passthrough,
    /// That there is one, which leads to a trust store.
    Verify(Verify),
}

/// How clients' certificates are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// Whom they must lead to; `None` if the trust store is gone: nobody is let in.
    pub trust: Option<Trust>,
    /// Whether one that has expired is taken.
    pub ignores_expiry: bool,
    /// Whether clients are told whom theirs must lead to.
    pub advertises_names: bool,
}

/// What a trust store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The certificates of authorities in PEM.
    pub bundle: Arc<str>,
    /// Its revocation lists in PEM.
    pub revoked: Vec<Arc<str>>,
}

impl ListenerTls {
    /// The certificate for a client that names this server, and takes signatures by elliptic curves or does not, at this moment. Without
    /// a name, and where no certificate is for the name, it is the default one; of several that are for it, the one by elliptic curves
    /// where the client takes it, then one that is valid, then the longest key, then the longest validity (ALB user guide, "SSL
    /// certificates for your Application Load Balancer", 2026-11).
    #[must_use]
    pub fn certificate(&self, name: Option<&str>, takes_curves: bool, now: Moment) -> Option<&Arc<Certificate>> {
        let fits = |certificate: &&Arc<Certificate>| name.is_some_and(|name| certificate.is_for(name));
        let rank = |certificate: &&Arc<Certificate>| {
            let is_by_curves = certificate.is_by_curves();
            let is_valid = certificate.not_before <= now && now <= certificate.not_after;
            let validity = certificate.not_after.ms_since(certificate.not_before);
            (is_by_curves == takes_curves, is_valid, certificate.key_bits(), validity)
        };
        // The first of the best, as the default one is.
        self.certificates.iter().filter(fits).rev().max_by_key(rank).or_else(|| self.certificates.first())
    }
}

/// The rules of a listener in order of evaluation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    list: Vec<Rule>,
    index: RuleIndex,
}

impl From<Vec<Rule>> for Rules {
    fn from(list: Vec<Rule>) -> Self {
        Self { index: RuleIndex::of(list.iter().map(Rule::key)), list }
    }
}

impl Deref for Rules {
    type Target = [Rule];
    fn deref(&self) -> &[Rule] {
        &self.list
    }
}

impl Rules {
    /// The first rule that surely holds, of those that may for this path, in one or two spellings, and this host.
    pub(crate) fn first(
        &self,
        (path, other_spelling, host): (&[u8], Option<&[u8]>, &[u8]),
        holds: impl Fn(&Rule) -> bool,
    ) -> Option<&Rule> {
        if self.index.is_empty() {
            return self.list.iter().find(|rule| holds(rule));
        }
        let lists = self
            .index
            .lists(path, host)
            .chain(other_spelling.into_iter().flat_map(|path| self.index.lists(path, host)));
        let mut first = self.list.len();
        for list in lists {
            let before = list.iter().map(|at| *at as usize).take_while(|at| *at < first);
            first = before.into_iter().find(|at| self.list.get(*at).is_some_and(&holds)).unwrap_or(first);
        }
        self.list.get(first)
    }
}

/// A rule of a listener.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its id; the default rule has one too.
    pub id: ListenerRuleId,
    /// 1–50000; `None` is the default rule.
    pub priority: Option<u32>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What is asked of a request before the action.
    pub gate: Option<Box<Check>>,
    /// What is done.
    pub action: Action,
    /// What is rewritten before it; `None` for nothing.
    pub transforms: Option<Box<Transforms>>,
}

impl Rule {
    /// What it cannot hold without: the beginning of a path rather than a host, since there are more of them.
    fn key(&self) -> Key {
        let prefixes = self.conditions.iter().find_map(|condition| match condition {
            Condition::PathPattern(patterns) => patterns.iter().map(Pattern::beginning).collect::<Option<Vec<_>>>(),
            _ => None,
        });
        let hosts = || {
            self.conditions.iter().find_map(|condition| match condition {
                Condition::HostHeader(patterns) => patterns.iter().map(Pattern::only).collect::<Option<Vec<_>>>(),
                _ => None,
            })
        };
        prefixes.map(Key::Prefixes).or_else(|| hosts().map(Key::Hosts)).unwrap_or(Key::Nothing)
    }
}

/// A condition of a rule: its values are alternatives (ALB user guide, "Condition types for listener rules", 2026-11).
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The host, port ignored, case ignored.
    HostHeader(Vec<Pattern>),
    /// The path without the query, case counts.
    PathPattern(Vec<Pattern>),
    /// A header of this name (lower case), case of the value ignored.
    HttpHeader(String, Vec<Pattern>),
    /// The method, exactly.
    Method(Vec<String>),
    /// A query parameter: key (`None` is any) and value, case ignored.
    QueryString(Vec<(Option<Glob>, Glob)>),
    /// The address of the peer.
    SourceIp(Vec<IpNet>),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Sends to one of these groups.
    Forward(Forward),
    /// Answers itself.
    Fixed(FixedResponse),
    /// Redirects.
    Redirect(Redirect),
    /// The group that was meant is gone: answered as a group without targets.
    Dangling,
}

/// The groups of a forward action. Weights of 0 get nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Forward {
    /// Group and weight.
    pub groups: Vec<(GroupIndex, u32)>,
    /// The sum of the weights.
    pub total_weight: u32,
    /// How long clients stay with a group; `None` where they do not.
    pub stickiness: Option<Duration>,
}

/// A fixed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedResponse {
    /// 2XX, 4XX or 5XX.
    pub status: u16,
    /// The media type; `None` when none was given.
    pub content_type: Option<String>,
    /// At most 1024 bytes.
    pub body: String,
}

/// A redirect; each text may hold `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301 or 302.
    pub status: u16,
    /// Scheme.
    pub protocol: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: String,
    /// Path with its leading slash.
    pub path: String,
    /// Query without its question mark.
    pub query: String,
}

/// A status that a health check accepts, inclusive.
pub type StatusRange = (u16, u16);

/// How targets are probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The port; `None` is `traffic-port`.
    pub port: Option<u16>,
    /// What is asked; `None` where it is enough that a connection opens.
    pub asks: Option<Question>,
    /// Time between two probes.
    pub interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// Successes in a row that make an unhealthy target healthy.
    pub healthy_threshold: u32,
    /// Failures in a row that make a healthy target unhealthy.
    pub unhealthy_threshold: u32,
}

/// What a probe asks, and which answers are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Whether it is asked within TLS.
    pub is_secure: bool,
    /// The path with its query.
    pub path: String,
    /// Accepted statuses: of gRPC, where targets are called so.
    pub matcher: Vec<StatusRange>,
}

impl Question {
    /// Whether this status is a good answer.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        self.matcher.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

/// Whether a target may get traffic, apart from its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetAt {
    /// In an enabled zone, or outside the VPC with zone `all`.
    Usable,
    /// In a zone that the load balancer does not serve.
    ZoneNotEnabled,
    /// Its address belongs to a load balancer.
    AddressOfBalancer,
    /// It is an instance that does not run.
    InstanceNotRunning,
}

/// A registered target that is not draining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Whether it may get traffic.
    pub place: TargetAt,
    /// Its zone; `None` where it is registered for all.
    pub zone: Option<Zone>,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its id.
    pub id: TargetGroupId,
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether targets are spoken to within TLS.
    pub is_secure: bool,
    /// In which version of HTTP targets are spoken to, and probed.
    pub version: HttpVersion,
    /// What sets it apart, where it gets connections of a network load balancer; `None` where it gets requests.
    pub stream: Option<StreamGroup>,
    /// The load balancer whose rules refer to it; `None` means unused: nothing is probed.
    pub balancer: Option<BalancerIndex>,
    /// Its attributes.
    pub attributes: GroupAttributes,
    /// Those that were asked for and mean nothing here, with the reasons.
    pub idle: Vec<(&'static str, &'static str)>,
    /// How targets are probed.
    pub health_check: HealthCheck,
    /// The targets in registration order.
    pub targets: Vec<Target>,
}

/// What sets a group apart that gets connections of a network load balancer (NLB user guide, "Target groups for your Network Load
/// Balancers", 2026-11).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamGroup {
    /// Whether targets see the client's address in place of the node's (`preserve_client_ip.enabled`).
    pub preserves_client: bool,
    /// Whether a connection begins with a header of the PROXY protocol, version 2 (`proxy_protocol_v2.enabled`).
    pub proxy_protocol: bool,
    /// Whether a client's address alone chooses the target (`stickiness.enabled`).
    pub is_bound_by_source: bool,
    /// Whether connections end with the deregistration delay (`deregistration_delay.connection_termination.enabled`).
    pub ends_with_registration: bool,
    /// How long after their target became unhealthy connections end (`target_health_state.unhealthy.connection_termination.enabled`,
    /// `target_health_state.unhealthy.draining_interval_seconds`; 0–360000 s); `None` where they do not.
    pub ends_with_health: Option<Duration>,
    /// Targets that are on their way out: what is under way with them goes on.
    pub draining: Vec<SocketAddr>,
    /// What its targets are.
    pub leads_to: LeadsTo,
}

/// What the targets of a group are that gets connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeadsTo {
    /// Addresses.
    #[default]
    Addresses,
    /// An application load balancer: its listener on the group's port, if there is one.
    Balancer(Option<ListenerIndex>),
}

impl TargetGroup {
    /// Whether nodes in this zone send to a target, apart from its health.
    #[must_use]
    pub fn serves(&self, zone: &Zone, target: &Target) -> bool {
        let within = || target.zone.as_ref().is_none_or(|of_target| of_target == zone);
        target.place == TargetAt::Usable && (self.attributes.cross_zone || within())
    }
}
