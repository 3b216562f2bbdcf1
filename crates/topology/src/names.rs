//! The names that the resolver of a VPC knows: those of load balancers, and the private DNS names of interfaces (Amazon VPC user guide, "DNS
//! attributes for your VPC", 2026-11). Other names are somebody else's to say, for VPCs with a way out.

use std::net::{IpAddr, Ipv4Addr};

use crate::arn::BalancerKind;
use crate::id::{Realm, Region, VpcId};
use crate::net::Family;
use crate::ruleset::exits;
use crate::snapshot::balancer::{Balancer, Node};
use crate::snapshot::fabric::Fabric;
use crate::snapshot::{RealmSnapshot, Snapshot};

/// The zone of names that say an address the other way round (RFC 1035 section 3.5).
const REVERSE: &str = ".in-addr.arpa";

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These addresses; a name that has none just now has no answer, but is there.
    Addresses(Vec<IpAddr>),
    /// A name, for an address the other way round.
    Name(String),
    /// There is no such name.
    Nothing,
    /// It is no name of private networks, and the VPC has a way out: whoever is there may be asked.
    Beyond,
    /// Nobody there had an answer.
    Failed,
}

/// The domain of private DNS names in a region.
#[must_use]
pub fn private_domain(region: &Region) -> String {
    match region.as_str() {
        "us-east-1" => "ec2.internal".to_owned(),
        region => format!("{region}.compute.internal"),
    }
}

/// The private DNS name of an address.
#[must_use]
pub fn private_name(address: Ipv4Addr, region: &Region) -> String {
    format!("ip-{}.{}", address.to_string().replace('.', "-"), private_domain(region))
}

/// What a name leads to in a VPC; `None` where its resolver does not answer. Upper and lower case are the same, and a dot at the end means
/// nothing. `turn` says which of several addresses is the first one, so that clients that take the first share them.
#[must_use]
pub fn find(snapshot: &Snapshot, (realm, vpc): (&Realm, VpcId), name: &str, turn: usize) -> Option<Found> {
    let own = snapshot.realm(realm)?;
    let _resolver = own.fabric.vpcs.iter().find(|net| net.id == vpc)?.resolver()?;
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if let Some(address) = name.strip_suffix(REVERSE).and_then(reversed) {
        let is_there = own.fabric.interface_at(vpc, address.into()).is_some();
        return Some(if is_there { Found::Name(private_name(address, &realm.region)) } else { Found::Nothing });
    }
    if let Some(address) = private(&name, &realm.region) {
        let is_there = own.fabric.interface_at(vpc, address.into()).is_some();
        return Some(if is_there { Found::Addresses(vec![address.into()]) } else { Found::Nothing });
    }
    // Names of load balancers are everybody's on AWS, those of internal ones too.
    let mut addresses = match snapshot.realms.iter().find_map(|realm| of_balancer(realm, &name)) {
        Some(addresses) => addresses,
        None if is_private(&name) || !exits::has_any(&own.fabric, vpc) => return Some(Found::Nothing),
        None => return Some(Found::Beyond),
    };
    let count = addresses.len().max(1);
    addresses.rotate_left(turn % count);
    Some(Found::Addresses(addresses))
}

/// `ip-10-0-1-5` in the domain of the region.
fn private(name: &str, region: &Region) -> Option<Ipv4Addr> {
    let (host, domain) = name.split_once('.')?;
    let address: Ipv4Addr = host.strip_prefix("ip-")?.replace('-', ".").parse().ok()?;
    (domain == private_domain(region)).then_some(address)
}

/// Whether nobody outside knows a name: it has one label, or is of a domain of private names.
fn is_private(name: &str) -> bool {
    let domains = [".ec2.internal", ".compute.internal", REVERSE, ".ip6.arpa", ".localhost"];
    !name.contains('.') || domains.iter().any(|domain| name.ends_with(domain))
}

/// `5.1.0.10`, which is 10.0.1.5.
fn reversed(text: &str) -> Option<Ipv4Addr> {
    let [a, b, c, d] = text.parse::<Ipv4Addr>().ok()?.octets();
    Some([d, c, b, a].into())
}

/// The addresses of a load balancer that has this name. One that is not active yet answers at none.
fn of_balancer(realm: &RealmSnapshot, name: &str) -> Option<Vec<IpAddr>> {
    realm.balancers.balancers.iter().find_map(|balancer| {
        let before = name.strip_suffix(&balancer.dns_name.to_ascii_lowercase())?;
        let zone = match before.strip_suffix('.') {
            // A network load balancer has a name for each of its zones too.
            Some(zone) if balancer.kind == BalancerKind::Network && has_zone(balancer, zone) => Some(zone),
            None if before.is_empty() => None,
            _ => return None,
        };
        let is_wanted = |node: &&Node| zone.is_none_or(|zone| node.zone.as_str() == zone);
        let nodes = balancer.nodes.iter().filter(is_wanted).filter(|_| balancer.active && balancer.internal);
        Some(nodes.flat_map(|node| addresses(&realm.fabric, node)).collect())
    })
}

fn has_zone(balancer: &Balancer, zone: &str) -> bool {
    balancer.nodes.iter().any(|node| node.zone.as_str() == zone)
}

/// Its own, and that of IPv6 where it has one.
fn addresses(fabric: &Fabric, node: &Node) -> impl Iterator<Item = IpAddr> {
    let interface = fabric.interface(node.interface);
    [Family::Ipv4, Family::Ipv6].into_iter().filter_map(move |family| interface?.address(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_its_domain_and_an_address_is_read_as_it_is_written() {
        let region = |name: &str| name.parse::<Region>().unwrap();
        let address = Ipv4Addr::new(10, 0, 1, 5);
        for (name, expected) in
            [("us-east-1", "ip-10-0-1-5.ec2.internal"), ("eu-west-1", "ip-10-0-1-5.eu-west-1.compute.internal")]
        {
            assert_eq!(private_name(address, &region(name)), expected);
            assert_eq!(private(expected, &region(name)), Some(address));
        }
        for other in
            ["ip-10-0-1-5.ec2.internal", "ip-10-0-1.eu-west-1.compute.internal", "10-0-1-5.eu-west-1.compute.internal"]
        {
            assert_eq!(private(other, &region("eu-west-1")), None, "{other}");
        }
        assert_eq!(reversed("5.1.0.10"), Some(address));
        assert_eq!(reversed("1.0.10"), None);
    }
}
