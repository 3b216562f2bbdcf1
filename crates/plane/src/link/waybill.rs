//! What goes over a link to another machine beside a request: in its head where it goes and for whom, in the head of its answer what
//! came of it. Both are one header each, versioned with the lanes they cross (`docs/link-protocol.md`), and read as what strangers send:
//! whoever reads one that is malformed refuses it.
//!
//! Nothing of a token, a key or an API is in either.

mod raw;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use topology::id::{
    LinkId, ListenerId, ListenerRuleId, LoadBalancerId, NetworkAclId, NetworkInterfaceId, RouteTableId,
    SecurityGroupRuleId, TargetGroupId, VpcLinkId, VpcLinkV1Id,
};
use topology::reason::Reason;
use topology::trace::{Hop, HopId, HopKind, Leg, Sender};

use super::parcel::{Greeting, Refused};
use crate::http::body::BodyFault;
use crate::limits::{LINK_HINTS_MAX, LINK_HOPS_MAX, LINK_NOTE_BYTES_MAX, TRACE_DETAIL_BYTES_MAX};

/// In a request: where it goes.
pub(crate) static WAYBILL: HeaderName = HeaderName::from_static("tidegate-waybill");
/// In an answer: what came of it.
pub(crate) static RECEIPT: HeaderName = HeaderName::from_static("tidegate-receipt");

/// A header that cannot be read, or says more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Bytes of most notes.
const NOTE_BYTES_USUAL: usize = 512;

/// A header's value that says this.
fn write(said: &impl Serialize) -> HeaderValue {
    // Neither can fail: nothing here has a form of its own, and Base64 is visible ASCII.
    let bytes = postcard::to_extend(said, Vec::with_capacity(NOTE_BYTES_USUAL)).unwrap_or_default();
    let text = Bytes::from(STANDARD_NO_PAD.encode(bytes));
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn read<T: DeserializeOwned>(value: &HeaderValue) -> Result<T, Unreadable> {
    if value.len() > LINK_NOTE_BYTES_MAX {
        return Err(Unreadable);
    }
    let bytes = STANDARD_NO_PAD.decode(value.as_bytes()).map_err(|_| Unreadable)?;
    match postcard::take_from_bytes(&bytes) {
        Ok((said, [])) => Ok(said),
        Ok(_) | Err(_) => Err(Unreadable),
    }
}

/// Which link, by its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum LinkName {
    V2(VpcLinkId),
    V1(VpcLinkV1Id),
}

impl From<LinkId> for LinkName {
    fn from(id: LinkId) -> Self {
        match id {
            LinkId::V2(id) => Self::V2(id),
            LinkId::V1(id) => Self::V1(id),
        }
    }
}

impl From<LinkName> for LinkId {
    fn from(name: LinkName) -> Self {
        match name {
            LinkName::V2(id) => Self::V2(id),
            LinkName::V1(id) => Self::V1(id),
        }
    }
}

/// How the listener is greeted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Greets {
    Plain,
    Verified(String),
    Unverified,
}

/// Where a request goes, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waybill {
    link: LinkName,
    /// The listener behind the link.
    #[serde(with = "raw")]
    pub(crate) listener: ListenerId,
    /// The interface of the link that it leaves from; a link of version 1 has none.
    #[serde(with = "raw::optional")]
    pub(crate) from: Option<NetworkInterfaceId>,
    /// The interface of the node that it enters.
    #[serde(with = "raw")]
    pub(crate) node: NetworkInterfaceId,
    greets: Greets,
    /// What is left of the integration's time, in milliseconds.
    left_ms: u32,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    /// The revision by which the gateway judged.
    pub(crate) revision: u64,
    /// Whether nobody waits through silence: the request was sent for its explanation alone.
    pub(crate) skips_silence: bool,
}

impl Waybill {
    /// One for this way, whose time runs out so soon.
    pub(crate) fn new(
        (link, listener): (LinkId, ListenerId),
        (from, node): (Option<NetworkInterfaceId>, NetworkInterfaceId),
        greeting: Greeting<'_>,
        (left, peer): (Duration, SocketAddr),
    ) -> Self {
        let greets = match greeting {
            Greeting::Plain => Greets::Plain,
            Greeting::Verified(name) => Greets::Verified(name.to_string()),
            Greeting::Unverified => Greets::Unverified,
        };
        let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
        Self { link: link.into(), listener, from, node, greets, left_ms, peer, revision: 0, skips_silence: false }
    }

    /// As a header has it.
    pub(crate) fn header(&self) -> HeaderValue {
        write(self)
    }

    /// The one in a header.
    pub(crate) fn of(value: &HeaderValue) -> Result<Self, Unreadable> {
        read(value)
    }

    /// The link.
    pub(crate) fn link(&self) -> LinkId {
        self.link.into()
    }

    /// What is left of the integration's time.
    pub(crate) const fn left(&self) -> Duration {
        Duration::from_millis(self.left_ms as u64)
    }

    /// The name that the listener's certificate must be for, if one is verified.
    pub(crate) fn verified(&self) -> Option<Arc<str>> {
        match &self.greets {
            Greets::Verified(name) => Some(name.as_str().into()),
            Greets::Plain | Greets::Unverified => None,
        }
    }

    /// How the listener is greeted; `verified` is [`Self::verified`].
    pub(crate) const fn greeting<'w>(&self, verified: Option<&'w Arc<str>>) -> Greeting<'w> {
        match (&self.greets, verified) {
            (Greets::Plain, _) => Greeting::Plain,
            (_, Some(name)) => Greeting::Verified(name),
            (_, None) => Greeting::Unverified,
        }
    }
}

/// What a hop of the private side may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum About {
    Nothing,
    Link(LinkName),
    Interface(#[serde(with = "raw")] NetworkInterfaceId),
    NetworkAcl(#[serde(with = "raw")] NetworkAclId),
    RouteTable(#[serde(with = "raw")] RouteTableId),
    LoadBalancer(#[serde(with = "raw")] LoadBalancerId),
    Listener(#[serde(with = "raw")] ListenerId),
    Rule(#[serde(with = "raw")] ListenerId, #[serde(with = "raw::optional")] Option<ListenerRuleId>),
    TargetGroup(#[serde(with = "raw")] TargetGroupId),
    Target(IpAddr, u16),
}

impl From<HopId> for About {
    fn from(id: HopId) -> Self {
        match id {
            HopId::Link(id) => Self::Link(id.into()),
            HopId::Interface(id) => Self::Interface(id),
            HopId::NetworkAcl(id) => Self::NetworkAcl(id),
            HopId::RouteTable(id) => Self::RouteTable(id),
            HopId::LoadBalancer(id) => Self::LoadBalancer(id),
            HopId::Listener(id) => Self::Listener(id),
            HopId::Rule(listener, id) => Self::Rule(listener, id),
            HopId::TargetGroup(id) => Self::TargetGroup(id),
            HopId::Target(address, port) => Self::Target(address, port),
            // The private side knows of no API.
            _ => Self::Nothing,
        }
    }
}

impl From<About> for HopId {
    fn from(about: About) -> Self {
        match about {
            About::Nothing => Self::None,
            About::Link(id) => Self::Link(id.into()),
            About::Interface(id) => Self::Interface(id),
            About::NetworkAcl(id) => Self::NetworkAcl(id),
            About::RouteTable(id) => Self::RouteTable(id),
            About::LoadBalancer(id) => Self::LoadBalancer(id),
            About::Listener(id) => Self::Listener(id),
            About::Rule(listener, id) => Self::Rule(listener, id),
            About::TargetGroup(id) => Self::TargetGroup(id),
            About::Target(address, port) => Self::Target(address, port),
        }
    }
}

/// The steps that the private side takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    Link,
    SecurityGroup,
    NetworkAcl,
    RouteTable,
    Listener,
    Rule,
    Authorizer,
    TargetGroup,
    Target,
}

impl Step {
    /// `None` for a step that is the gateway's.
    const fn of(kind: HopKind) -> Option<Self> {
        Some(match kind {
            HopKind::Link => Self::Link,
            HopKind::SecurityGroup => Self::SecurityGroup,
            HopKind::NetworkAcl => Self::NetworkAcl,
            HopKind::RouteTable => Self::RouteTable,
            HopKind::Listener => Self::Listener,
            HopKind::Rule => Self::Rule,
            HopKind::Authorizer => Self::Authorizer,
            HopKind::TargetGroup => Self::TargetGroup,
            HopKind::Target => Self::Target,
            _ => return None,
        })
    }

    const fn kind(self) -> HopKind {
        match self {
            Self::Link => HopKind::Link,
            Self::SecurityGroup => HopKind::SecurityGroup,
            Self::NetworkAcl => HopKind::NetworkAcl,
            Self::RouteTable => HopKind::RouteTable,
            Self::Listener => HopKind::Listener,
            Self::Rule => HopKind::Rule,
            Self::Authorizer => HopKind::Authorizer,
            Self::TargetGroup => HopKind::TargetGroup,
            Self::Target => HopKind::Target,
        }
    }
}

/// Who opens a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Opener {
    Gone,
    Interface(#[serde(with = "raw")] NetworkInterfaceId),
    Address(IpAddr),
}

/// Who opens a connection, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct LegTold {
    from: Opener,
    #[serde(with = "raw::optional")]
    to: Option<NetworkInterfaceId>,
    to_address: IpAddr,
    port: u16,
    #[serde(with = "raw::optional")]
    deciding_rule: Option<SecurityGroupRuleId>,
    #[serde(with = "raw::optional")]
    nearest_rule: Option<SecurityGroupRuleId>,
}

impl LegTold {
    const fn of(Leg { from, to, to_address, port, deciding_rule, nearest_rule }: Leg) -> Self {
        let from = match from {
            Sender::Interface(id) => Opener::Interface(id),
            Sender::Address(address) => Opener::Address(address),
            Sender::Gone => Opener::Gone,
        };
        Self { from, to, to_address, port, deciding_rule, nearest_rule }
    }

    const fn leg(self) -> Leg {
        let Self { from, to, to_address, port, deciding_rule, nearest_rule } = self;
        let from = match from {
            Opener::Interface(id) => Sender::Interface(id),
            Opener::Address(address) => Sender::Address(address),
            Opener::Gone => Sender::Gone,
        };
        Leg { from, to, to_address, port, deciding_rule, nearest_rule }
    }
}

/// The network side of a step: steps of one connection have the same, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum LegNoted {
    None,
    /// That of the last step that had one.
    Same,
    Of(LegTold),
}

/// One step of the private side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HopTold {
    step: Step,
    about: About,
    micros: u32,
    reason: Option<Word>,
    leg: LegNoted,
    status: Option<u16>,
}

/// A reason, as its code: a neighbour of another version may know more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word(Reason);

impl Serialize for Word {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.code())
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <&str>::deserialize(deserializer)?;
        Reason::from_code(code).map(Self).ok_or_else(|| serde::de::Error::custom("an unknown reason"))
    }
}

/// How a request ended on the private side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    Answered,
    Gone(Word),
    Closed(Word),
    Silent(Word),
    TimedOut,
    ClientSilent,
    BodyFault(BodyFault),
}

/// What came of a request on the private side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    end: End,
    hops: Vec<HopTold>,
    hints: Vec<Word>,
    /// By the place of the hop.
    details: Vec<(u8, String)>,
    /// The revision by which the private side judged.
    pub(crate) revision: u64,
}

impl Receipt {
    /// Of what was recorded, and how it ended.
    pub(crate) fn new<'r>(
        hops: impl Iterator<Item = Hop>,
        hints: &[Reason],
        details: impl Iterator<Item = (usize, &'r str)>,
        (ended, revision): (Result<(), Refused>, u64),
    ) -> Self {
        let mut last = None;
        let hops = hops.filter_map(|hop| {
            let (step, about) = (Step::of(hop.kind)?, hop.id.into());
            let leg = match hop.leg {
                None => LegNoted::None,
                same if same == last => LegNoted::Same,
                Some(leg) => LegNoted::Of(LegTold::of(leg)),
            };
            last = hop.leg.or(last);
            Some(HopTold { step, about, micros: hop.micros, reason: hop.reason.map(Word), leg, status: hop.status })
        });
        let details = details.filter_map(|(at, text)| Some((u8::try_from(at).ok()?, text.to_owned())));
        Self {
            end: End::of(ended),
            hops: hops.take(LINK_HOPS_MAX).collect(),
            hints: hints.iter().take(LINK_HINTS_MAX).map(|hint| Word(*hint)).collect(),
            details: details.take(LINK_HINTS_MAX).collect(),
            revision,
        }
    }

    /// As a header has it.
    pub(crate) fn header(&self) -> HeaderValue {
        write(self)
    }

    /// The one in a header.
    pub(crate) fn of(value: &HeaderValue) -> Result<Self, Unreadable> {
        let receipt: Self = read(value)?;
        let is_long = receipt.hops.len() > LINK_HOPS_MAX
            || receipt.hints.len() > LINK_HINTS_MAX
            || receipt.details.len() > LINK_HINTS_MAX
            || receipt.details.iter().any(|(_, text)| text.len() > TRACE_DETAIL_BYTES_MAX);
        if is_long { Err(Unreadable) } else { Ok(receipt) }
    }

    /// The steps, each with what it has to say beyond its ids. Times are of the private side.
    pub(crate) fn hops(&self) -> impl Iterator<Item = (Hop, Option<&str>)> {
        let mut last = None;
        (0u8..).zip(&self.hops).map(move |(at, told)| {
            let hop = match told.reason {
                Some(Word(reason)) => Hop::stop(told.step.kind(), told.about.into(), reason, told.micros),
                None => Hop::pass(told.step.kind(), told.about.into(), told.micros),
            };
            let detail = self.details.iter().find(|(of, _)| *of == at).map(|(_, text)| text.as_str());
            let leg = match told.leg {
                LegNoted::None => None,
                LegNoted::Same => last,
                LegNoted::Of(leg) => Some(leg.leg()),
            };
            last = leg.or(last);
            (Hop { leg, status: told.status, ..hop }, detail)
        })
    }

    /// The hints.
    pub(crate) fn hints(&self) -> impl Iterator<Item = Reason> {
        self.hints.iter().map(|hint| hint.0)
    }

    /// Whether there is an answer, or why there is none.
    pub(crate) fn ended(&self) -> Result<(), Refused> {
        Err(match self.end {
            End::Answered => return Ok(()),
            End::Gone(Word(reason)) => Refused::Gone(reason),
            End::Closed(Word(reason)) => Refused::Closed(reason),
            End::Silent(Word(reason)) => Refused::Silent(reason),
            End::TimedOut => Refused::TimedOut,
            End::ClientSilent => Refused::ClientSilent,
            End::BodyFault(fault) => Refused::BodyFault(fault),
        })
    }

    /// Whether a verdict of the private side denied.
    pub(crate) fn was_denied(&self) -> bool {
        let is_verdict = |step| matches!(step, Step::SecurityGroup | Step::NetworkAcl | Step::RouteTable);
        self.hops.iter().find(|hop| is_verdict(hop.step)).is_some_and(|first| first.reason.is_some())
    }
}

impl End {
    const fn of(ended: Result<(), Refused>) -> Self {
        match ended {
            Ok(()) => Self::Answered,
            Err(Refused::Gone(reason)) => Self::Gone(Word(reason)),
            Err(Refused::Closed(reason)) => Self::Closed(Word(reason)),
            Err(Refused::Silent(reason)) => Self::Silent(Word(reason)),
            Err(Refused::TimedOut) => Self::TimedOut,
            Err(Refused::ClientSilent) => Self::ClientSilent,
            Err(Refused::BodyFault(fault)) => Self::BodyFault(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waybill(greeting: Greeting<'_>) -> Waybill {
        let link = LinkId::V2("a1b2c3".parse().unwrap());
        let ids = (Some(NetworkInterfaceId::from_bits(1)), NetworkInterfaceId::from_bits(2));
        let peer = "[2001:db8::1]:4711".parse().unwrap();
        Waybill::new((link, ListenerId::from_bits(3)), ids, greeting, (Duration::from_millis(29_000), peer))
    }

    fn leg(from: Sender) -> Leg {
        Leg {
            from,
            to: Some(NetworkInterfaceId::from_bits(5)),
            to_address: "10.0.0.4".parse().unwrap(),
            port: 443,
            deciding_rule: Some(SecurityGroupRuleId::from_bits(6)),
            nearest_rule: None,
        }
    }

    #[test]
    fn a_waybill_comes_out_as_it_went_in() {
        let name: Arc<str> = "api.internal".into();
        for greeting in [Greeting::Plain, Greeting::Verified(&name), Greeting::Unverified] {
            let sent = waybill(greeting);
            let read = Waybill::of(&sent.header()).unwrap();
            assert_eq!(read, sent);
            assert_eq!(read.left(), Duration::from_secs(29));
            let verified = read.verified();
            match (greeting, read.greeting(verified.as_ref())) {
                (Greeting::Plain, Greeting::Plain) | (Greeting::Unverified, Greeting::Unverified) => {}
                (Greeting::Verified(sent), Greeting::Verified(read)) => assert_eq!(sent, read),
                (sent, read) => panic!("{sent:?} became {read:?}"),
            }
        }
    }

    #[test]
    fn a_receipt_comes_out_as_it_went_in() {
        let link = LinkId::V1("a1b2c3".parse().unwrap());
        let interface = Sender::Interface(NetworkInterfaceId::from_bits(1));
        let hops = [
            Hop::pass(HopKind::SecurityGroup, HopId::None, 4).with_leg(leg(interface)),
            Hop::pass(HopKind::Listener, HopId::Listener(ListenerId::from_bits(3)), 5).with_leg(leg(Sender::Gone)),
            Hop::pass(HopKind::Rule, HopId::Rule(ListenerId::from_bits(3), None), 6),
            Hop::pass(HopKind::Link, HopId::Link(link), 7),
            Hop::stop(HopKind::Target, HopId::Target("10.0.0.4".parse().unwrap(), 80), Reason::TargetRefused, 8)
                .with_leg(leg(Sender::Address("192.0.2.1".parse().unwrap())))
                .with_status(502),
        ];
        let ends = [
            Ok(()),
            Err(Refused::Gone(Reason::LinkNotFound)),
            Err(Refused::Closed(Reason::LinkFailed)),
            Err(Refused::Silent(Reason::SgIngressDenied)),
            Err(Refused::TimedOut),
            Err(Refused::ClientSilent),
            Err(Refused::BodyFault(BodyFault::TooLarge)),
        ];
        for ended in ends {
            let details = [(2, "said more")];
            let sent = Receipt::new(hops.into_iter(), &[Reason::OpenToWorld], details.into_iter(), (ended, 12));
            let read = Receipt::of(&sent.header()).unwrap();
            assert_eq!(read, sent);
            assert_eq!((read.ended(), read.revision), (ended, 12));
            assert_eq!(read.hops().map(|(hop, _)| hop).collect::<Vec<_>>(), hops);
            assert_eq!(read.hops().map(|(_, detail)| detail).nth(2), Some(Some("said more")));
            assert!(read.hints().eq([Reason::OpenToWorld]) && !read.was_denied());
        }
    }

    #[test]
    fn what_is_cut_longer_or_altered_is_none() {
        let header = waybill(Greeting::Plain).header();
        let text = header.to_str().unwrap();
        for end in 0..text.len() {
            assert_eq!(Waybill::of(&HeaderValue::from_str(&text[..end]).unwrap()), Err(Unreadable), "{end}");
        }
        for more in ["A", "AAAA", "=", " "] {
            assert_eq!(Waybill::of(&HeaderValue::from_str(&format!("{text}{more}")).unwrap()), Err(Unreadable));
        }
        let long = HeaderValue::from_str(&"A".repeat(LINK_NOTE_BYTES_MAX + 4)).unwrap();
        assert_eq!((Waybill::of(&long), Receipt::of(&long)), (Err(Unreadable), Err(Unreadable)));
    }

    proptest! {
        #[test]
        fn nothing_that_a_stranger_sends_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let value = HeaderValue::from_str(&STANDARD_NO_PAD.encode(&bytes)).unwrap();
            let _ = Waybill::of(&value);
            if let Ok(receipt) = Receipt::of(&value) {
                prop_assert!(receipt.hops().count() <= LINK_HOPS_MAX);
            }
        }
    }
}
