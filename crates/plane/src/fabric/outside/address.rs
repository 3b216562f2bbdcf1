//! What kind of address an address is, and which kinds may be reached from here. A pure table: nothing is resolved and nothing
//! is dialled.
//!
//! Sources: the IANA special-purpose registries for IPv4 and IPv6 (2026-11), and the instance metadata addresses of the EC2
//! user guide (2026-11). What no registry gives to the public is refused, so that a block that is missing here fails closed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use topology::net::{IpNet, Ipv4Net};

/// Why the public network does not own an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Instance metadata.
    Metadata,
    /// This machine.
    Loopback,
    /// A public address that this machine has itself.
    Own,
    /// RFC 1918.
    Private,
    /// One link only.
    LinkLocal,
    /// RFC 4193.
    UniqueLocal,
    /// RFC 6598: between a provider and its customers.
    CarrierNat,
    /// More than one receiver.
    Multicast,
    /// No address, or "this network".
    Unspecified,
    /// For documentation.
    Documentation,
    /// For benchmarks.
    Benchmark,
    /// Set aside by the registries for other uses.
    Reserved,
}

impl Class {
    /// The class in words.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "instance metadata",
            Self::Loopback => "loopback",
            Self::Own => "this machine's own",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique-local",
            Self::CarrierNat => "carrier-grade NAT",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Documentation => "documentation",
            Self::Benchmark => "benchmark",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The blocks of IPv4 that are not public; the first that holds an address names it.
const V4: &[(Ipv4Addr, u32, Class)] = &[
    (Ipv4Addr::new(169, 254, 169, 254), 32, Class::Metadata),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Class::LinkLocal),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Class::Loopback),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Class::Private),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Class::Private),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Class::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Class::CarrierNat),
    (Ipv4Addr::new(0, 0, 0, 0), 8, Class::Unspecified),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Class::Documentation),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Class::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Class::Documentation),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Class::Benchmark),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Class::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Class::Reserved),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Class::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Class::Reserved),
];

/// The same of IPv6. What lies outside `2000::/3` is reserved unless it stands here.
const V6: &[(Ipv6Addr, u32, Class)] = &[
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, Class::Metadata),
    (Ipv6Addr::UNSPECIFIED, 128, Class::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Class::Loopback),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Class::UniqueLocal),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Class::LinkLocal),
    // Site-local: withdrawn by RFC 3879, still routed by some.
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Class::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Class::Multicast),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Class::Documentation),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Class::Documentation),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, Class::Benchmark),
    // IETF protocol assignments, Teredo among them, which would carry an IPv4 address of the sender's choice.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Class::Reserved),
];

/// The blocks of IPv4 that are not public.
pub(super) fn blocks() -> impl Iterator<Item = Ipv4Net> {
    V4.iter().filter_map(|(first, length, _)| Ipv4Net::new(*first, u8::try_from(*length).ok()?).ok())
}

/// The class of an address; `None` is public. Forms of IPv6 that carry an IPv4 address are judged by that address.
pub(crate) fn class(address: IpAddr) -> Option<Class> {
    match carried(address) {
        IpAddr::V4(v4) => class_v4(v4),
        IpAddr::V6(v6) => class_v6(v6),
    }
}

/// The IPv4 address that a packet to this address would reach in the end, where the address itself says so: mapped
/// (`::ffff:0:0/96`), NAT64 (`64:ff9b::/96`) and 6to4 (`2002::/16`).
fn carried(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

fn class_v4(address: Ipv4Addr) -> Option<Class> {
    let bits = address.to_bits();
    let held = |&&(block, length, _): &&(Ipv4Addr, u32, Class)| {
        // A shift by the whole width would be no shift at all; no block has length zero.
        (bits ^ block.to_bits()) >> (32 - length) == 0
    };
    V4.iter().find(held).map(|(_, _, class)| *class)
}

fn class_v6(address: Ipv6Addr) -> Option<Class> {
    let bits = address.to_bits();
    let held = |&&(block, length, _): &&(Ipv6Addr, u32, Class)| (bits ^ block.to_bits()) >> (128 - length) == 0;
    let known = V6.iter().find(held).map(|(_, _, class)| *class);
    let is_global = address.segments()[0] >> 13 == 0b001;
    known.or_else(|| (!is_global).then_some(Class::Reserved))
}

/// Whether one of the blocks holds the address, as written or as the IPv4 address that it carries.
pub(crate) fn is_listed(blocks: &[IpNet], address: IpAddr) -> bool {
    let carried = carried(address);
    blocks.iter().any(|block| block.contains(&address) || block.contains(&carried))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_its_class_and_public_addresses_have_none() {
        let rows: &[(&str, Option<Class>)] = &[
            ("1.1.1.1", None),
            ("8.8.8.8", None),
            ("9.255.255.255", None),
            ("10.0.0.0", Some(Class::Private)),
            ("10.255.255.255", Some(Class::Private)),
            ("11.0.0.0", None),
            ("100.63.255.255", None),
            ("100.64.0.1", Some(Class::CarrierNat)),
            ("100.128.0.0", None),
            ("127.0.0.1", Some(Class::Loopback)),
            ("127.255.255.254", Some(Class::Loopback)),
            ("0.0.0.0", Some(Class::Unspecified)),
            ("0.1.2.3", Some(Class::Unspecified)),
            ("169.254.169.254", Some(Class::Metadata)),
            ("169.254.169.253", Some(Class::LinkLocal)),
            ("169.254.170.2", Some(Class::LinkLocal)),
            ("172.15.255.255", None),
            ("172.16.0.1", Some(Class::Private)),
            ("172.31.255.255", Some(Class::Private)),
            ("172.32.0.0", None),
            ("192.0.0.1", Some(Class::Reserved)),
            ("192.0.2.1", Some(Class::Documentation)),
            ("192.168.1.1", Some(Class::Private)),
            ("198.17.255.255", None),
            ("198.18.0.1", Some(Class::Benchmark)),
            ("198.19.255.255", Some(Class::Benchmark)),
            ("198.51.100.7", Some(Class::Documentation)),
            ("203.0.113.9", Some(Class::Documentation)),
            ("223.255.255.255", None),
            ("224.0.0.1", Some(Class::Multicast)),
            ("239.255.255.255", Some(Class::Multicast)),
            ("240.0.0.1", Some(Class::Reserved)),
            ("255.255.255.255", Some(Class::Reserved)),
            ("::", Some(Class::Unspecified)),
            ("::1", Some(Class::Loopback)),
            ("::2", Some(Class::Reserved)),
            ("::7f00:1", Some(Class::Reserved)),
            ("::ffff:127.0.0.1", Some(Class::Loopback)),
            ("::ffff:169.254.169.254", Some(Class::Metadata)),
            ("::ffff:10.1.2.3", Some(Class::Private)),
            ("::ffff:1.1.1.1", None),
            ("64:ff9b::127.0.0.1", Some(Class::Loopback)),
            ("64:ff9b::8.8.8.8", None),
            ("64:ff9b:1::1", Some(Class::Reserved)),
            ("100::1", Some(Class::Reserved)),
            ("2001::1", Some(Class::Reserved)),
            ("2001:2::1", Some(Class::Benchmark)),
            ("2001:db8::1", Some(Class::Documentation)),
            ("2001:4860:4860::8888", None),
            ("2002:7f00:1::", Some(Class::Loopback)),
            ("2002:a00:1::1", Some(Class::Private)),
            ("2002:808:808::1", None),
            ("2606:4700::1111", None),
            ("3fff::1", Some(Class::Documentation)),
            ("4000::1", Some(Class::Reserved)),
            ("fc00::1", Some(Class::UniqueLocal)),
            ("fd00:ec2::254", Some(Class::Metadata)),
            ("fd00:ec2::253", Some(Class::UniqueLocal)),
            ("fe80::1", Some(Class::LinkLocal)),
            ("fec0::1", Some(Class::Private)),
            ("ff02::1", Some(Class::Multicast)),
        ];
        for (address, expected) in rows {
            assert_eq!(class(address.parse().unwrap()), *expected, "{address}");
        }
    }

    #[test]
    fn an_allowed_block_holds_the_forms_that_carry_its_addresses() {
        let blocks = ["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (address, expected) in [
            ("10.1.2.3", true),
            ("10.2.2.3", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:10.2.2.3", false),
            ("fd12::1", true),
            ("::1", false),
        ] {
            assert_eq!(is_listed(&blocks, address.parse().unwrap()), expected, "{address}");
        }
    }
}
