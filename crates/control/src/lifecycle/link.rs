//! How a VPC link gets its interfaces, when it is made and when traffic wakes it.

use topology::estate::RealmEstate;
use topology::id::{NetworkInterfaceId, SecurityGroupId, SubnetId, VpcLinkId};
use topology::resource::Tags;
use topology::resource::network_interface::InterfaceOwner;
use topology::resource::vpc_link::{VpcLink, VpcLinkState};
use topology::time::Moment;

use crate::interface::{self, InterfaceError, NewInterface, WantedIpv6};
use crate::mint::Mint;

/// How long AWS takes to provision a link, and to take it down.
pub(crate) const PROVISIONING_S: i64 = 90;

/// Gives a link its interfaces and makes it PENDING, or FAILED when it cannot have them.
pub(crate) fn provision(estate: &mut RealmEstate, mint: &mut Mint, id: VpcLinkId, ready: Moment) {
    let Some(link) = estate.vpc_links.get(&id).cloned() else { return };
    let groups = match link.groups.as_slice() {
        [] => interface::default_group(estate, link.vpc).into_iter().collect(),
        given => given.to_vec(),
    };
    let made = make_interfaces(estate, mint, (&link, &groups));
    if let Some(link) = estate.vpc_links.edit(&id) {
        (link.interfaces, link.state) = match made {
            Ok(made) => (made, VpcLinkState::Pending(ready)),
            Err(why) => (Vec::new(), VpcLinkState::Failed(why)),
        };
    }
}

/// An interface in each subnet, or none and the reason.
fn make_interfaces(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    of: (&VpcLink, &[SecurityGroupId]),
) -> Result<Vec<NetworkInterfaceId>, String> {
    let (link, groups) = of;
    // Nothing keeps the groups and subnets of an INACTIVE link from being deleted.
    if let Some(gone) = groups.iter().find(|group| !estate.security_groups.contains(group)) {
        return Err(format!("The security group {gone} does not exist"));
    }
    let mut made = Vec::new();
    for subnet in &link.subnets {
        let wanted = NewInterface {
            subnet: *subnet,
            address: None,
            ipv6: WantedIpv6::None,
            description: format!("API Gateway VPC link {}", link.id),
            groups: groups.to_vec(),
            owner: InterfaceOwner::VpcLink(link.id),
            tags: Tags::new(),
        };
        match interface::create(estate, mint, wanted) {
            Ok(interface) => made.push(interface),
            Err(error) => {
                for interface in made {
                    estate.network_interfaces.remove(&interface);
                }
                return Err(failure(*subnet, &error));
            }
        }
    }
    Ok(made)
}

fn failure(subnet: SubnetId, error: &InterfaceError) -> String {
    match error {
        InterfaceError::NoSubnet => format!("The subnet {subnet} does not exist"),
        InterfaceError::SubnetFull
        | InterfaceError::AddressInUse
        | InterfaceError::AddressOutside
        | InterfaceError::NoIpv6 => {
            format!("The subnet {subnet} has no free addresses for a network interface")
        }
    }
}
