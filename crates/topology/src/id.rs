//! One newtype per kind of id, made from one table. `Display` and `Debug` are the AWS form, `FromStr` is the only way in
//! from text. ARNs live in [`crate::arn`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    /// The kind that was wanted, for example `VpcId`.
    pub kind: &'static str,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a valid {}", self.kind)
    }
}

impl std::error::Error for IdError {}

fn lower_hex(text: &str) -> Option<u128> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if plain { u128::from_str_radix(text, 16).ok() } else { None }
}

/// The low 68 bits, the highest first. Ids are bytes rather than numbers, so that what holds many of them (the hops of a
/// trace, a permit) is not padded to a number's alignment; they compare as their digits do.
const fn nine_bytes(bits: u128) -> [u8; 9] {
    let [_, _, _, _, _, _, _, a, b, c, d, e, f, g, h, i] = (bits & ((1 << 68) - 1)).to_be_bytes();
    [a, b, c, d, e, f, g, h, i]
}

fn bits(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
}

macro_rules! serde_as_text {
    ($name:ident) => {
        serde_as_text!($name<>);
    };
    ($name:ident<$(const $parameter:ident: $kind:ty)?>) => {
        impl$(<const $parameter: $kind>)? fmt::Debug for $name$(<$parameter>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl$(<const $parameter: $kind>)? Serialize for $name$(<$parameter>)? {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de $(, const $parameter: $kind)?> Deserialize<'de> for $name$(<$parameter>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;

mod certificate;
mod digest;
mod name;

pub use certificate::CertificateId;
pub use digest::{AuthorityPin, TokenHash};
pub use name::{HostName, LogGroupName, StageName};

/// EC2 ids: a prefix and 17 lower-case hexadecimal digits.
macro_rules! ec2_ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name([u8; 9]);
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                let [high, low @ ..] = self.0;
                state.write_u64(u64::from_be_bytes(low));
                state.write_u8(high);
            }
        }
        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;
            /// The id whose digits are the low 68 bits of `bits`.
            #[must_use]
            pub const fn from_bits(bits: u128) -> Self { Self(nine_bytes(bits)) }
            /// Its digits, two in a byte; the first byte has but one.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 9] { self.0 }
            /// The id of these digits; where the first byte has two, the first of them is left out.
            #[must_use]
            pub const fn from_bytes(mut bytes: [u8; 9]) -> Self {
                bytes[0] &= 0xf;
                Self(bytes)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:017x}"), bits(&self.0))
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .filter(|digits| digits.len() == 17)
                    .and_then(lower_hex)
                    .map(Self::from_bits)
                    .ok_or(IdError { kind: stringify!($name) })
            }
        }
        serde_as_text!($name);
    )*};
}

ec2_ids! {
    /// A VPC.
    VpcId "vpc-";
    /// A subnet.
    SubnetId "subnet-";
    /// A security group.
    SecurityGroupId "sg-";
    /// A rule of a security group.
    SecurityGroupRuleId "sgr-";
    /// A network interface (ENI).
    NetworkInterfaceId "eni-";
    /// An instance.
    InstanceId "i-";
    /// The reservation of instances: the call that made them.
    ReservationId "r-";
    /// The attachment of a network interface.
    InterfaceAttachmentId "eni-attach-";
    /// An internet gateway.
    InternetGatewayId "igw-";
    /// An egress-only internet gateway.
    EgressOnlyInternetGatewayId "eigw-";
    /// A route table.
    RouteTableId "rtb-";
    /// The association of a route table with a subnet or, for the main table, its VPC.
    RouteTableAssociationId "rtbassoc-";
    /// A NAT gateway.
    NatGatewayId "nat-";
    /// An Elastic IP address.
    AllocationId "eipalloc-";
    /// The association of an Elastic IP address.
    AddressAssociationId "eipassoc-";
    /// A network ACL.
    NetworkAclId "acl-";
    /// The association of a network ACL with a subnet.
    NetworkAclAssociationId "aclassoc-";
    /// A set of DHCP options.
    DhcpOptionsId "dopt-";
    /// A VPC endpoint.
    VpcEndpointId "vpce-";
    /// A flow log.
    FlowLogId "fl-";
    /// A VPC peering connection.
    VpcPeeringConnectionId "pcx-";
    /// The association of a CIDR block with a VPC.
    VpcCidrAssociationId "vpc-cidr-assoc-";
    /// The association of an IPv6 block with a subnet.
    SubnetCidrAssociationId "subnet-cidr-assoc-";
    /// An agent: our own.
    AgentId "agent-";
}

/// A prefix list. AWS's own lists keep the ids of eight digits that they got before ids grew; all others have seventeen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrefixListId {
    /// One of AWS's own.
    Aws(u32),
    /// A customer's.
    Customer(CustomerListId),
}

ec2_ids! {
    /// A customer's prefix list.
    CustomerListId "pl-";
}

impl PrefixListId {
    /// The id of a customer's list whose digits are the low 68 bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self::Customer(CustomerListId::from_bits(bits))
    }
}

impl fmt::Display for PrefixListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(bits) => write!(f, "pl-{bits:08x}"),
            Self::Customer(id) => id.fmt(f),
        }
    }
}

impl FromStr for PrefixListId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let short = text.strip_prefix(CustomerListId::PREFIX).filter(|digits| digits.len() == 8).and_then(lower_hex);
        match short.and_then(|bits| u32::try_from(bits).ok()) {
            Some(bits) => Ok(Self::Aws(bits)),
            None => text.parse().map(Self::Customer),
        }
    }
}

serde_as_text!(PrefixListId);

/// Elastic Load Balancing ids: the 16 lower-case hexadecimal digits that end an ARN.
macro_rules! elb_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name([u8; 8]);
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                state.write_u64(u64::from_be_bytes(self.0));
            }
        }
        impl $name {
            /// The id whose digits are `bits`.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Self { Self(bits.to_be_bytes()) }
            /// Its digits, two in a byte.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 8] { self.0 }
            /// The id of these digits.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 8]) -> Self { Self(bytes) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{:016x}", bits(&self.0)) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Some(text).filter(|t| t.len() == 16).and_then(lower_hex)
                    .and_then(|bits| u64::try_from(bits).ok())
                    .map(Self::from_bits)
                    .ok_or(IdError { kind: stringify!($name) })
            }
        }
        serde_as_text!($name);
    )*};
}

elb_ids! {
    /// A load balancer.
    LoadBalancerId;
    /// A listener of a load balancer.
    ListenerId;
    /// A rule of a listener.
    ListenerRuleId;
    /// A target group.
    TargetGroupId;
    /// A trust store.
    TrustStoreId;
}

const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// API Gateway ids: a fixed number of lower-case letters and digits.
macro_rules! gateway_ids {
    ($($(#[$doc:meta])* $name:ident $len:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);
        impl $name {
            /// How many characters an id of this kind has.
            pub const LEN: usize = $len;
            /// The id that `bits` spells in base 36.
            #[must_use]
            pub fn from_bits(mut bits: u64) -> Self {
                let mut text = [b'0'; $len];
                for place in &mut text {
                    // The remainder of a division by 36 is always an index of BASE36.
                    *place = BASE36[(bits % 36) as usize];
                    bits /= 36;
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
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let bytes: [u8; $len] = text.as_bytes().try_into().map_err(|_| IdError { kind: stringify!($name) })?;
                if bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
                    Ok(Self(bytes))
                } else {
                    Err(IdError { kind: stringify!($name) })
                }
            }
        }
        serde_as_text!($name);
    )*};
}

gateway_ids! {
    /// An API, HTTP or REST: invoke hosts tell them apart by nothing else.
    ApiId 10;
    /// A route of an API.
    RouteId 7;
    /// An integration of an API.
    IntegrationId 7;
    /// A deployment of an API.
    DeploymentId 6;
    /// An authorizer of an API.
    AuthorizerId 6;
    /// The mapping of an API to a custom domain name.
    ApiMappingId 6;
    /// A routing rule of a custom domain name.
    RoutingRuleId 6;
    /// A VPC link (V2).
    VpcLinkId 6;
    /// A VPC link of REST APIs (V1): an id space of its own.
    VpcLinkV1Id 6;
    /// A request validator of a REST API.
    RequestValidatorId 6;
    /// A model of a REST API; models are named in requests, ids only shown.
    ModelId 6;
    /// A part of the documentation of a REST API.
    DocumentationPartId 6;
    /// A client certificate of API Gateway.
    ClientCertificateId 6;
    /// A usage plan.
    UsagePlanId 6;
    /// An API key; not its value, which is a secret.
    ApiKeyId 10;
}

/// A resource of a REST API: 10 characters for the root resource, 6 for every other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    text: [u8; 10],
    len: u8,
}

impl ResourceId {
    /// The root resource's id that `bits` spells in base 36.
    #[must_use]
    pub fn root_from_bits(bits: u64) -> Self {
        Self { text: ApiId::from_bits(bits).0, len: 10 }
    }

    /// The id below the root that `bits` spells in base 36.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let mut text = ApiId::from_bits(bits).0;
        // As `from_str` leaves it, or equal ids would differ.
        text.iter_mut().skip(6).for_each(|place| *place = b'0');
        Self { text, len: 6 }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Both ways in admit ASCII only and a length within the text, so this never falls back.
        self.text.get(..usize::from(self.len)).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ResourceId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let len = match text.len() {
            6 if plain => 6,
            10 if plain => 10,
            _ => return Err(IdError { kind: "ResourceId" }),
        };
        // What stands after a short id is the same for all of them, or equal ids would differ.
        let mut whole = [b'0'; 10];
        whole.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        Ok(Self { text: whole, len })
    }
}
serde_as_text!(ResourceId);

/// An AWS account: 12 decimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(u64);

impl AccountId {
    /// The account of callers whose access key names none.
    pub const DEFAULT: Self = Self(0);
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for AccountId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.map(Self).ok_or(IdError { kind: "AccountId" })
    }
}
serde_as_text!(AccountId);

/// A region name such as `us-east-1`: 1 to 32 lower-case letters, digits and hyphens.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(std::sync::Arc<str>);

impl Region {
    /// The region as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what a person names, which must look like a region of AWS: words of letters and a number, such as
    /// `us-gov-west-1`. What is stored or signed is taken as it is.
    ///
    /// # Errors
    /// When it does not.
    pub fn named(text: &str) -> Result<Self, IdError> {
        let words: Vec<&str> = text.split('-').collect();
        let is_word = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
        match words.as_slice() {
            [first, middle @ .., number]
                if !middle.is_empty()
                    && [first].into_iter().chain(middle).all(is_word)
                    && (1..=2).contains(&number.len())
                    && number.bytes().all(|b| b.is_ascii_digit()) =>
            {
                text.parse()
            }
            _ => Err(IdError { kind: "Region" }),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Region {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if plain && (1..=32).contains(&text.len()) { Ok(Self(text.into())) } else { Err(IdError { kind: "Region" }) }
    }
}
serde_as_text!(Region);

/// One account in one region: nothing in one realm can refer to anything in another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Realm {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// A zone name such as `us-east-1a`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone(std::sync::Arc<str>);

impl Zone {
    /// The zones that every region has here: `a`, `b` and `c`, and up to `f` in `us-east-1`.
    #[must_use]
    pub fn all(region: &Region) -> Vec<Self> {
        let letters = if region.as_str() == "us-east-1" { "abcdef" } else { "abc" };
        letters.chars().map(|letter| Self(format!("{region}{letter}").into())).collect()
    }

    /// The zone name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The zone id, for example `use1-az1` for `us-east-1a`.
    #[must_use]
    pub fn id(&self) -> String {
        let (region, letter) = self.0.split_at(self.0.len() - 1);
        let mut parts = region.split('-');
        let mut short = parts.next().unwrap_or_default().to_owned();
        let mut number = "";
        for part in parts {
            if part.bytes().all(|b| b.is_ascii_digit()) {
                number = part;
            } else {
                // AWS shortens compass words to their initials: southeast is `se`.
                short.push_str(&compass_initials(part));
            }
        }
        let place = letter.bytes().next().map_or(1, |b| u32::from(b.saturating_sub(b'a')) + 1);
        format!("{short}{number}-az{place}")
    }
}

fn compass_initials(word: &str) -> String {
    for first in ["north", "south"] {
        if let Some(rest) = word.strip_prefix(first) {
            return first.chars().take(1).chain(rest.chars().take(1)).collect();
        }
    }
    word.chars().take(1).collect()
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Zone {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let letter = text.bytes().last().is_some_and(|b| b.is_ascii_lowercase());
        let region = text.get(..text.len().saturating_sub(1)).and_then(|r| r.parse::<Region>().ok());
        if letter && region.is_some() { Ok(Self(text.into())) } else { Err(IdError { kind: "Zone" }) }
    }
}
serde_as_text!(Zone);

/// A stage's key.
pub type StageKey = (ApiId, StageName);

/// A VPC link of either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkId {
    /// Of version 2: with interfaces of its own.
    V2(VpcLinkId),
    /// Of version 1: to a network load balancer.
    V1(VpcLinkV1Id),
}

impl From<VpcLinkId> for LinkId {
    fn from(id: VpcLinkId) -> Self {
        Self::V2(id)
    }
}

impl From<VpcLinkV1Id> for LinkId {
    fn from(id: VpcLinkV1Id) -> Self {
        Self::V1(id)
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V2(id) => id.fmt(f),
            Self::V1(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_what_it_prints() {
        let vpc = VpcId::from_bits(0xabc);
        assert_eq!(vpc.to_string(), "vpc-00000000000000abc");
        assert_eq!(vpc.to_string().parse(), Ok(vpc));
        let api = ApiId::from_bits(1_234_567);
        assert_eq!(api.to_string().len(), 10);
        assert_eq!(api.to_string().parse(), Ok(api));
        let group = TargetGroupId::from_bits(7);
        assert_eq!(group.to_string(), "0000000000000007");
        assert_eq!(group.to_string().parse(), Ok(group));
    }

    #[test]
    fn lists_of_aws_keep_their_eight_digits() {
        let list: PrefixListId = "pl-02cd2c6b".parse().unwrap();
        assert_eq!((list, list.to_string().as_str()), (PrefixListId::Aws(0x02cd_2c6b), "pl-02cd2c6b"));
        let list = PrefixListId::from_bits(0x02cd_2c6b);
        assert_eq!(list.to_string(), "pl-00000000002cd2c6b");
        assert_eq!(list.to_string().parse(), Ok(list));
        for text in ["pl-", "pl-02CD2C6B", "pl-02cd2c6", "pl-02cd2c6b0", "02cd2c6b"] {
            assert!(text.parse::<PrefixListId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_compare_as_their_digits_do() {
        let bits = [0, 0xff, 0x100, 1 << 64, (1 << 68) - 1];
        assert!(bits.map(NetworkInterfaceId::from_bits).is_sorted());
        assert_eq!(NetworkInterfaceId::from_bits(u128::MAX).to_string(), "eni-fffffffffffffffff");
        assert!([0, 0xff, 0x100, u64::MAX].map(ListenerId::from_bits).is_sorted());
    }

    #[test]
    fn near_misses_are_refused() {
        for text in ["vpc-", "vpc-00000000000000ABC", "subnet-00000000000000abc", "vpc-00000000000000abcd", ""] {
            assert!(text.parse::<VpcId>().is_err(), "{text}");
        }
        for text in ["", "1234", "12345678901a", "1234567890123"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }

    #[test]
    fn zone_ids_follow_the_region() {
        let zone: Zone = "us-east-1b".parse().unwrap();
        assert_eq!(zone.id(), "use1-az2");
        let zone: Zone = "ap-southeast-2a".parse().unwrap();
        assert_eq!(zone.id(), "apse2-az1");
    }
}
