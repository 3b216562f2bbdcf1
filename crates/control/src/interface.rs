//! Makes network interfaces: finds a free address in the subnet and fills in what every interface has. Used by the EC2
//! operations and by everything that owns interfaces: load balancers, links, NAT gateways, endpoints, attachments.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use topology::estate::RealmEstate;
use topology::id::{InterfaceAttachmentId, NetworkInterfaceId, SecurityGroupId, SubnetId, VpcId};
use topology::net::{Ipv4Net, Ipv6Net};
use topology::resource::Tags;
use topology::resource::network_interface::{InterfaceOwner, MacAddress, NetworkInterface};
use topology::resource::routing::Address;

use crate::mint::Mint;

/// How many addresses AWS keeps for itself at the start of a subnet; it keeps the last one too (VPC user guide, "Subnet CIDR
/// blocks", 2026-11).
const RESERVED_AT_START: u32 = 4;

/// Why an interface cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InterfaceError {
    /// There is no such subnet.
    NoSubnet,
    /// The wanted address is taken.
    AddressInUse,
    /// The wanted address is not one of the subnet's, or AWS keeps it.
    AddressOutside,
    /// The subnet has no free address.
    SubnetFull,
    /// IPv6 addresses are wanted, and the subnet has no IPv6 block.
    NoIpv6,
}

/// Which IPv6 addresses an interface is to have.
#[derive(Debug, Clone, Default)]
pub(crate) enum WantedIpv6 {
    /// One where its subnet gives each new interface one (`AssignIpv6AddressOnCreation`), else none.
    #[default]
    AsTheSubnet,
    /// None, whatever the subnet does.
    None,
    /// Those that are named, and so many more.
    These(Vec<Ipv6Addr>, usize),
}

/// IPv6 addresses of an interface: 50 at most, as the largest instance types have (EC2 user guide, "IP addresses per network interface",
/// 2026-11).
pub(crate) const IPV6_MAX: usize = 50;

/// What an interface is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewInterface {
    pub(crate) subnet: SubnetId,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) ipv6: WantedIpv6,
    pub(crate) description: String,
    pub(crate) groups: Vec<SecurityGroupId>,
    pub(crate) owner: InterfaceOwner,
    pub(crate) tags: Tags,
}

/// Makes an interface and puts it into the estate.
pub(crate) fn create(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    wanted: NewInterface,
) -> Result<NetworkInterfaceId, InterfaceError> {
    let subnet = estate.subnets.get(&wanted.subnet).cloned().ok_or(InterfaceError::NoSubnet)?;
    let taken = taken_addresses(estate, subnet.id);
    let private_ip = match wanted.address {
        Some(address) if !is_usable(subnet.cidr, address) => return Err(InterfaceError::AddressOutside),
        Some(address) if taken.contains(&address) => return Err(InterfaceError::AddressInUse),
        Some(address) => address,
        None => usable_addresses(subnet.cidr).find(|a| !taken.contains(a)).ok_or(InterfaceError::SubnetFull)?,
    };
    let ipv6_addresses = match &wanted.ipv6 {
        WantedIpv6::None => Vec::new(),
        WantedIpv6::AsTheSubnet if !subnet.assign_ipv6 => Vec::new(),
        WantedIpv6::AsTheSubnet => free_ipv6(estate, subnet.id, (&[], 1))?,
        WantedIpv6::These(named, count) => free_ipv6(estate, subnet.id, (named, *count))?,
    };
    let id = NetworkInterfaceId::from_bits(mint.wide());
    let [.., a, b, c, d, e] = mint.bits().to_be_bytes();
    let interface = NetworkInterface {
        id,
        vpc: subnet.vpc,
        subnet: subnet.id,
        private_ip,
        secondary_ips: Vec::new(),
        ipv6_addresses,
        // The second bit of the first byte marks an address that is administered locally.
        mac: MacAddress([0x02, a, b, c, d, e]),
        description: wanted.description,
        groups: wanted.groups,
        source_dest_check: true,
        attachment: wanted.owner.is_attached().then(|| InterfaceAttachmentId::from_bits(mint.wide())),
        owner: wanted.owner,
        tags: wanted.tags,
    };
    estate.network_interfaces.insert(id, interface);
    Ok(id)
}

/// Other addresses of an interface: those that are named, and some more.
#[derive(Debug, Clone, Default)]
pub(crate) struct MoreAddresses {
    pub(crate) named: Vec<Ipv4Addr>,
    pub(crate) count: usize,
}

/// Gives an interface more addresses of its subnet.
pub(crate) fn assign(
    estate: &mut RealmEstate,
    id: NetworkInterfaceId,
    more: &MoreAddresses,
) -> Result<(), InterfaceError> {
    let interface = estate.network_interfaces.get(&id).cloned().ok_or(InterfaceError::NoSubnet)?;
    let cidr = estate.subnets.get(&interface.subnet).ok_or(InterfaceError::NoSubnet)?.cidr;
    let mut taken = taken_addresses(estate, interface.subnet);
    let mut assigned = Vec::new();
    for address in &more.named {
        if !is_usable(cidr, *address) {
            return Err(InterfaceError::AddressOutside);
        }
        if !taken.insert(*address) {
            return Err(InterfaceError::AddressInUse);
        }
        assigned.push(*address);
    }
    let free: Vec<Ipv4Addr> = usable_addresses(cidr).filter(|a| !taken.contains(a)).take(more.count).collect();
    if free.len() < more.count {
        return Err(InterfaceError::SubnetFull);
    }
    assigned.extend(free);
    if let Some(interface) = estate.network_interfaces.edit(&id) {
        interface.secondary_ips.extend(assigned);
    }
    Ok(())
}

/// Gives an interface more IPv6 addresses of its subnet: those that are named, and so many more. What it got.
pub(crate) fn assign_ipv6(
    estate: &mut RealmEstate,
    id: NetworkInterfaceId,
    wanted: (&[Ipv6Addr], usize),
) -> Result<Vec<Ipv6Addr>, InterfaceError> {
    let subnet = estate.network_interfaces.get(&id).ok_or(InterfaceError::NoSubnet)?.subnet;
    let assigned = free_ipv6(estate, subnet, wanted)?;
    if let Some(interface) = estate.network_interfaces.edit(&id) {
        interface.ipv6_addresses.extend(&assigned);
    }
    Ok(assigned)
}

/// IPv6 addresses of a subnet that no interface has: those that are named, and so many more.
fn free_ipv6(
    estate: &RealmEstate,
    subnet: SubnetId,
    (named, count): (&[Ipv6Addr], usize),
) -> Result<Vec<Ipv6Addr>, InterfaceError> {
    if named.is_empty() && count == 0 {
        return Ok(Vec::new());
    }
    let found = estate.subnets.get(&subnet).ok_or(InterfaceError::NoSubnet)?;
    let (_, block) = found.ipv6_cidr.ok_or(InterfaceError::NoIpv6)?;
    let there = estate.network_interfaces.values().filter(|interface| interface.subnet == subnet);
    let mut taken: BTreeSet<Ipv6Addr> = there.flat_map(|interface| interface.ipv6_addresses.clone()).collect();
    let mut free = Vec::new();
    for address in named {
        if !is_usable_ipv6(block, *address) {
            return Err(InterfaceError::AddressOutside);
        }
        if !taken.insert(*address) {
            return Err(InterfaceError::AddressInUse);
        }
        free.push(*address);
    }
    let (first, last) = usable_ipv6(block);
    let more = (first..=last).map(Ipv6Addr::from_bits).filter(|address| !taken.contains(address));
    free.extend(more.take(count));
    if free.len() == named.len() + count { Ok(free) } else { Err(InterfaceError::SubnetFull) }
}

/// Takes an interface away, with what leads to it: attachments, and associations of Elastic IP addresses.
pub(crate) fn remove(estate: &mut RealmEstate, id: NetworkInterfaceId) {
    let attached = estate.attachments.iter().filter(|(_, attachment)| attachment.interface == id);
    for key in attached.map(|(key, _)| *key).collect::<Vec<_>>() {
        estate.attachments.remove(&key);
    }
    let of = |address: &Address| address.association.is_some_and(|(_, at)| at == id);
    let found: Vec<_> = estate.addresses.values().filter(|address| of(address)).map(|address| address.id).collect();
    for address in found {
        if let Some(address) = estate.addresses.edit(&address) {
            address.association = None;
        }
    }
    estate.network_interfaces.remove(&id);
}

/// The addresses of a subnet that interfaces have.
pub(crate) fn taken_addresses(estate: &RealmEstate, subnet: SubnetId) -> BTreeSet<Ipv4Addr> {
    estate.network_interfaces.values().filter(|i| i.subnet == subnet).flat_map(|i| i.private_ips()).collect()
}

/// How many addresses of the subnet are free.
pub(crate) fn available_addresses(estate: &RealmEstate, subnet: SubnetId, cidr: Ipv4Net) -> i64 {
    let usable = (1i64 << (32 - cidr.prefix_len())) - i64::from(RESERVED_AT_START) - 1;
    usable - i64::try_from(taken_addresses(estate, subnet).len()).unwrap_or(usable)
}

fn usable_addresses(cidr: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(cidr.network()) + RESERVED_AT_START;
    (first..u32::from(cidr.broadcast())).map(Ipv4Addr::from)
}

fn is_usable(cidr: Ipv4Net, address: Ipv4Addr) -> bool {
    let at = u32::from(address);
    at >= u32::from(cidr.network()) + RESERVED_AT_START && at < u32::from(cidr.broadcast())
}

/// The first and the last address of an IPv6 block that AWS does not keep.
fn usable_ipv6(block: Ipv6Net) -> (u128, u128) {
    (block.network().to_bits() + u128::from(RESERVED_AT_START), block.broadcast().to_bits() - 1)
}

fn is_usable_ipv6(block: Ipv6Net, address: Ipv6Addr) -> bool {
    let (first, last) = usable_ipv6(block);
    (first..=last).contains(&address.to_bits())
}

/// The default group of a VPC.
pub(crate) fn default_group(estate: &RealmEstate, vpc: VpcId) -> Option<SecurityGroupId> {
    estate.security_groups.values().find(|group| group.vpc == vpc && group.is_default()).map(|group| group.id)
}
