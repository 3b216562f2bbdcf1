//! The hop trace: what each step of one request decided, with the ids that decided it. It is recorded on the hot path, so a
//! hop is a small `Copy` record; names and groups are looked up when somebody asks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::id::{
    ApiId, ApiKeyId, AuthorizerId, IdError, IntegrationId, LinkId, ListenerId, ListenerRuleId, LoadBalancerId,
    NetworkAclId, NetworkInterfaceId, RouteId, RouteTableId, SecurityGroupRuleId, TargetGroupId, UsagePlanId,
};
use crate::reason::{Reason, Weight};
use crate::resource::rest_api::MethodRef;

/// The id that HTTP APIs answer in `apigw-requestid`: 15 base64 characters and `=`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl RequestId {
    /// The id spelled by the low 90 bits of `bits`.
    #[must_use]
    pub fn from_bits(mut bits: u128) -> Self {
        let mut text = [b'='; 16];
        for place in &mut text[..15] {
            *place = BASE64[(bits & 63) as usize];
            bits >>= 6;
        }
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both ways in admit ASCII only, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RequestId {
    type Err = IdError;
    /// From either form that clients see.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(id) = Self::from_uuid(text) {
            return Ok(id);
        }
        let bytes: [u8; 16] = text.as_bytes().try_into().map_err(|_| IdError { kind: "RequestId" })?;
        let spelled = bytes[..15].iter().all(|b| BASE64.contains(b)) && bytes[15] == b'=';
        if spelled { Ok(Self(bytes)) } else { Err(IdError { kind: "RequestId" }) }
    }
}

/// One run of a server. Every id that it gives carries this mark, so that an id tells which run gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Run(u32);

/// Bits of a mark. Where 64 runs are known, one id of another maker in 260 000 is by chance taken for one of theirs; 66 bits are left
/// to tell the ids of a run apart.
const RUN_BITS: u32 = 24;
/// Bits that an id has beside the mark of its run.
const OWN_BITS: u32 = 90 - RUN_BITS;

impl Run {
    /// The run whose mark is the low 24 bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << RUN_BITS) - 1))
    }

    /// Its mark.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl RequestId {
    /// The id that this run gives by the low 66 bits of `bits`.
    #[must_use]
    pub fn of_run(run: Run, bits: u128) -> Self {
        Self::from_bits((u128::from(run.0) << OWN_BITS) | (bits & ((1 << OWN_BITS) - 1)))
    }

    /// The run that gave it, if a server did.
    #[must_use]
    pub fn run(&self) -> Run {
        // An id has 90 bits, so that only the mark is left.
        Run::from_bits(u32::try_from(self.bits() >> OWN_BITS).unwrap_or_default())
    }
}

/// Where the 32 bits of a request's UUID that are no part of the id come from, so that a UUID of another maker is not taken for one.
const UUID_CHECK: u64 = 0x7469_6465_6761_7465;

impl RequestId {
    /// The id as the UUID that REST APIs answer in `x-amzn-RequestId`: the 90 bits of the id and a check of them, as version 4.
    #[must_use]
    pub fn uuid(&self) -> String {
        let bits = self.bits();
        let check = u128::from(Self::check(bits));
        // 122 bits around the version and the variant: 90 of the id, 32 of the check.
        let whole = (bits << 32) | check;
        let (high, middle, low) = (whole >> 74, (whole >> 62) & 0xfff, whole & ((1 << 62) - 1));
        let value = (high << 80) | (0x4 << 76) | (middle << 64) | (0b10 << 62) | low;
        let text = format!("{value:032x}");
        format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
    }

    fn from_uuid(text: &str) -> Option<Self> {
        let dashes = [8, 13, 18, 23];
        let shaped = text.len() == 36 && dashes.iter().all(|at| text.as_bytes().get(*at) == Some(&b'-'));
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if !shaped || digits.len() != 32 {
            return None;
        }
        let value = u128::from_str_radix(&digits, 16).ok()?;
        let (high, middle, low) = (value >> 80, (value >> 64) & 0xfff, value & ((1 << 62) - 1));
        let whole = (high << 74) | (middle << 62) | low;
        let (bits, check) = (whole >> 32, u32::try_from(whole & 0xffff_ffff).ok()?);
        (Self::check(bits) == check).then(|| Self::from_bits(bits))
    }

    fn bits(&self) -> u128 {
        let digit = |byte: &u8| BASE64.iter().position(|b| b == byte).unwrap_or(0) as u128;
        self.0[..15].iter().rev().fold(0, |bits, byte| (bits << 6) | digit(byte))
    }

    fn check(bits: u128) -> u32 {
        // Both halves of 90 bits fit in 64.
        let fold = (bits as u64) ^ ((bits >> 64) as u64).rotate_left(32) ^ UUID_CHECK;
        let mixed = (fold ^ (fold >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) as u32
    }
}

/// Which step a hop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopKind {
    /// Host and path found an API and a stage.
    Gateway,
    /// A route was matched.
    Route,
    /// The gateway answered a CORS preflight.
    Cors,
    /// A resource policy judged the caller.
    ResourcePolicy,
    /// Authorization.
    Authorizer,
    /// An API key was looked up.
    ApiKey,
    /// A quota was asked.
    Quota,
    /// A rate limit.
    Throttle,
    /// Parameters or the body were validated.
    Validation,
    /// The integration was mapped.
    Integration,
    /// A public endpoint answered, or did not.
    Endpoint,
    /// A link interface was chosen.
    Link,
    /// A socket of a listener took the connection.
    Socket,
    /// A security-group verdict between two interfaces.
    SecurityGroup,
    /// A network ACL denied a connection.
    NetworkAcl,
    /// A route table led nowhere.
    RouteTable,
    /// A listener took the request.
    Listener,
    /// A rule decided.
    Rule,
    /// A target group chose.
    TargetGroup,
    /// A target answered, or did not.
    Target,
}

impl HopKind {
    /// The kind as printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Route => "route",
            Self::Cors => "cors",
            Self::ResourcePolicy => "resource-policy",
            Self::Authorizer => "authorizer",
            Self::ApiKey => "api-key",
            Self::Quota => "quota",
            Self::Throttle => "throttle",
            Self::Validation => "validation",
            Self::Integration => "integration",
            Self::Endpoint => "endpoint",
            Self::Link => "link",
            Self::Socket => "socket",
            Self::SecurityGroup => "security-group",
            Self::NetworkAcl => "network-acl",
            Self::RouteTable => "route-table",
            Self::Listener => "listener",
            Self::Rule => "rule",
            Self::TargetGroup => "target-group",
            Self::Target => "target",
        }
    }
}

/// What a hop is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopId {
    /// Nothing was found that could be named.
    None,
    /// An API.
    Api(ApiId),
    /// A route.
    Route(RouteId),
    /// A method of a REST API.
    Method(MethodRef),
    /// An authorizer.
    Authorizer(AuthorizerId),
    /// An integration.
    Integration(IntegrationId),
    /// The integration of a method of a REST API.
    MethodIntegration(MethodRef),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A usage plan.
    UsagePlan(UsagePlanId),
    /// A link.
    Link(LinkId),
    /// An interface.
    Interface(NetworkInterfaceId),
    /// A network ACL.
    NetworkAcl(NetworkAclId),
    /// A route table.
    RouteTable(RouteTableId),
    /// A load balancer.
    LoadBalancer(LoadBalancerId),
    /// A listener.
    Listener(ListenerId),
    /// A rule; `None` is the listener's default rule.
    Rule(ListenerId, Option<ListenerRuleId>),
    /// A target group.
    TargetGroup(TargetGroupId),
    /// A target, by address and port.
    Target(IpAddr, u16),
}

/// What a hop decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopVerdict {
    /// The request went on.
    Pass,
    /// A rule or policy refused it.
    Deny,
    /// Something failed.
    Fail,
}

impl HopVerdict {
    /// The verdict as printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Deny => "deny",
            Self::Fail => "fail",
        }
    }
}

/// Who opens a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// An interface.
    Interface(NetworkInterfaceId),
    /// This address, which no interface has: a client on the internet, or API Gateway itself.
    Address(IpAddr),
    /// An interface that was gone already.
    Gone,
}

impl Sender {
    /// The interface that it is, if it is one.
    #[must_use]
    pub const fn interface(self) -> Option<NetworkInterfaceId> {
        match self {
            Self::Interface(id) => Some(id),
            Self::Address(_) | Self::Gone => None,
        }
    }
}

/// The network side of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Who sends.
    pub from: Sender,
    /// The receiving interface; `None` for an address outside every VPC.
    pub to: Option<NetworkInterfaceId>,
    /// The address that was meant.
    pub to_address: IpAddr,
    /// The TCP port.
    pub port: u16,
    /// The rule that allowed: the receiver's, else the sender's.
    pub deciding_rule: Option<SecurityGroupRuleId>,
    /// On a denial, the rule that came nearest.
    pub nearest_rule: Option<SecurityGroupRuleId>,
}

/// One step of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// Which step.
    pub kind: HopKind,
    /// What it is about.
    pub id: HopId,
    /// What it decided.
    pub verdict: HopVerdict,
    /// Why, when it did not simply pass.
    pub reason: Option<Reason>,
    /// Microseconds from the start of the request to the end of this step.
    pub micros: u32,
    /// The network side, for the hops that have one.
    pub leg: Option<Leg>,
    /// A status: what the target answered, or what a rule answered.
    pub status: Option<u16>,
}

impl Hop {
    /// A hop that passed.
    #[must_use]
    pub const fn pass(kind: HopKind, id: HopId, micros: u32) -> Self {
        Self { kind, id, verdict: HopVerdict::Pass, reason: None, micros, leg: None, status: None }
    }

    /// A hop that stopped the request; whether it denied or failed follows from the reason.
    #[must_use]
    pub const fn stop(kind: HopKind, id: HopId, reason: Reason, micros: u32) -> Self {
        let verdict = match reason.weight() {
            Weight::Denied => HopVerdict::Deny,
            Weight::Failed => HopVerdict::Fail,
        };
        Self { kind, id, verdict, reason: Some(reason), micros, leg: None, status: None }
    }

    /// The same hop with its network side.
    #[must_use]
    pub const fn with_leg(mut self, leg: Leg) -> Self {
        self.leg = Some(leg);
        self
    }

    /// The same hop with a status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A target, or a configured answer, answered.
    Passed,
    /// A rule or policy refused.
    Denied,
    /// Anything else.
    Failed,
}

impl Outcome {
    /// The outcome as printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Bytes of a path that a trace keeps. Ours: 256. A longer one is cut.
pub const PATH_BYTES_MAX: usize = 256;

/// Bytes of a `Host` that a trace keeps. Ours: 256. A longer one is cut.
pub const HOST_BYTES_MAX: usize = 256;

/// The whole way of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The id that the client saw.
    pub request_id: RequestId,
    /// The revision of the snapshot that the request used.
    pub revision: u64,
    /// When it began, in microseconds since 1970.
    pub started_unix_micros: u64,
    /// The API, once found.
    pub api: Option<ApiId>,
    /// The stage's name, once found.
    pub stage: String,
    /// The status that the client saw.
    pub status: u16,
    /// The first reason that stopped the request.
    pub reason: Option<Reason>,
    /// The method, cut to 16 bytes.
    pub method: String,
    /// The path as the client sent it, cut to 256 bytes.
    pub path: String,
    /// The path as the backend got it, when that differs, cut to 256 bytes.
    pub forwarded_path: String,
    /// The `Host` that the private side got or would have got, cut to 256 bytes; empty for a request that never came to a link.
    pub host: String,
    /// The steps, in order.
    pub hops: Vec<Hop>,
    /// What a step has to say beyond its ids: what was asked, what was offered. By the step's place, in order. Never a secret.
    pub details: Vec<(usize, String)>,
    /// Hints: the request may have passed all the same.
    pub hints: Vec<Reason>,
}

impl Trace {
    /// What the step at this place has to say beyond its ids.
    pub fn details_of(&self, place: usize) -> impl Iterator<Item = &str> {
        self.details.iter().filter(move |(at, _)| *at == place).map(|(_, text)| text.as_str())
    }

    /// How the request ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.reason.map(Reason::weight) {
            None => Outcome::Passed,
            Some(Weight::Denied) => Outcome::Denied,
            Some(Weight::Failed) => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_stays_small() {
        // Each request writes about ten of them, and a few legs, into memory that has left the caches.
        assert!(size_of::<HopId>() <= 20, "{} bytes", size_of::<HopId>());
        assert!(size_of::<Leg>() <= 66, "{} bytes", size_of::<Leg>());
        assert!(size_of::<Hop>() <= 100, "{} bytes", size_of::<Hop>());
    }

    #[test]
    fn an_id_tells_its_run_in_both_of_its_forms() {
        for (mark, bits) in [(0, 0), (0x00ff_ffff, u128::MAX), (0x0012_3456, 1 << 66), (7, u128::MAX / 3)] {
            let id = RequestId::of_run(Run::from_bits(mark), bits);
            assert_eq!(id.run().bits(), mark);
            assert_eq!(id.to_string().parse::<RequestId>().unwrap().run().bits(), mark);
            assert_eq!(id.uuid().parse::<RequestId>().unwrap().run().bits(), mark);
        }
        let ids = [1, 2, (1 << 66) + 3].map(|bits| RequestId::of_run(Run::from_bits(9), bits));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_eq!(Run::from_bits(u32::MAX).bits(), 0x00ff_ffff);
    }

    #[test]
    fn request_ids_are_sixteen_characters_that_read_back() {
        let id = RequestId::from_bits(u128::MAX / 3);
        assert_eq!(id.as_str().len(), 16);
        assert!(id.as_str().ends_with('='));
        assert_eq!(id.as_str().parse(), Ok(id));
        assert!("short".parse::<RequestId>().is_err());
    }

    #[test]
    fn the_uuid_of_a_request_leads_back_to_it_and_no_other_uuid_does() {
        for bits in [0, 1, u128::MAX, u128::MAX / 7, 1 << 89] {
            let id = RequestId::from_bits(bits);
            let uuid = id.uuid();
            assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'));
            assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
            assert_eq!(uuid.parse(), Ok(id), "{uuid}");
        }
        assert!("9e0b2a2c-5d53-4f1a-8c1c-1b1a4f1f0c55".parse::<RequestId>().is_err());
    }

    #[test]
    fn a_hop_that_a_group_stops_is_a_denial_and_a_refused_port_is_a_failure() {
        let denied = Hop::stop(HopKind::SecurityGroup, HopId::None, Reason::SgIngressDenied, 1);
        assert_eq!(denied.verdict, HopVerdict::Deny);
        let failed = Hop::stop(HopKind::Target, HopId::None, Reason::TargetRefused, 1);
        assert_eq!(failed.verdict, HopVerdict::Fail);
    }
}
