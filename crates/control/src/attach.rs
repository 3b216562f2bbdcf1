//! Attachments: which host address serves a private address. Our own, beside AWS's operations; used by `tidegate attach`,
//! `detach` and `run`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;
use topology::estate::RealmEstate;
use topology::id::{AgentId, InstanceId, NetworkInterfaceId, Realm, SecurityGroupId, SubnetId, VpcId};
use topology::resource::Tags;
use topology::resource::attachment::{Attachment, Served, ServedAt};
use topology::resource::network_interface::InterfaceOwner;
use wire::Fault;

use crate::interface::{self, InterfaceError, NewInterface, WantedIpv6};
use crate::mint::Mint;
use crate::realm;

/// Where an address is to be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachAt {
    /// The address, in whatever subnet holds it, the VPC when several do; or an instance's.
    Address(Served, Option<VpcId>),
    /// This subnet; an address of it, or a free one.
    Subnet(SubnetId, Option<Ipv4Addr>),
}

/// A wish to attach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachRequest {
    /// Where.
    pub place: AttachAt,
    /// The private port; `None` is every port.
    pub port: Option<u16>,
    /// Where it is served.
    pub host: ServedAt,
    /// Groups for an interface that has to be made, or that attaching made; the VPC's default group when empty.
    pub groups: Vec<SecurityGroupId>,
    /// Whether it ends with its client: not kept over a restart.
    pub lease: bool,
    /// The agent on whose machine it is served; `None` is the server's.
    pub agent: Option<AgentId>,
}

/// A wish to undo an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachRequest {
    /// The address, or the instance whose it is.
    pub address: Served,
    /// The port that was attached; `None` for the attachment of every port.
    pub port: Option<u16>,
    /// The VPC when several hold the address.
    pub vpc: Option<VpcId>,
    /// The agent whose attachments alone may be undone; `None` may undo any.
    pub agent: Option<AgentId>,
}

/// What was attached or detached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The interface.
    pub interface: NetworkInterfaceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its address.
    pub private_ip: Ipv4Addr,
    /// Its IPv6 address, if it has one.
    pub ipv6: Option<Ipv6Addr>,
    /// The port; `None` is every port.
    pub port: Option<u16>,
    /// Where it is served.
    pub host: ServedAt,
    /// Where it was served before, if this took the place of another.
    pub replaced: Option<ServedAt>,
}

/// Why an attachment cannot be made or undone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttachError {
    /// No subnet holds the address.
    #[error("no subnet holds {0}")]
    NoSubnet(IpAddr),
    /// There is no such instance.
    #[error("there is no instance {0}, or it has no address any more")]
    UnknownInstance(InstanceId),
    /// There is no such subnet.
    #[error("there is no subnet {0}")]
    UnknownSubnet(SubnetId),
    /// Several subnets hold the address.
    #[error("{address} lies in more than one VPC; name one of them with --vpc: {}", .candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// The address.
        address: IpAddr,
        /// The VPCs that hold it.
        candidates: Vec<VpcId>,
    },
    /// A group does not exist in that VPC.
    #[error("there is no security group {0} in that VPC")]
    UnknownGroup(SecurityGroupId),
    /// AWS keeps the address, or a service has it.
    #[error("{0} cannot be attached: it is reserved, or a service has it")]
    Unusable(IpAddr),
    /// The subnet has no free address.
    #[error("the subnet has no free address")]
    SubnetFull,
    /// There is nothing to detach.
    #[error("nothing is attached there")]
    NotAttached,
    /// Something is, by other ports.
    #[error("{address} is attached by {}; name one of these", ports_named(.ports))]
    OtherPorts {
        /// The address.
        address: IpAddr,
        /// Its ports that are attached; `None` stands for every port.
        ports: Vec<Option<u16>>,
    },
    /// No listener of an application load balancer has this ARN.
    #[error("there is no listener {0} in this account and region")]
    UnknownListener(String),
    /// Only this machine may enter an internal load balancer.
    #[error("{0} is no loopback address, and the listener's load balancer is internal: only this machine may enter it")]
    BeyondLoopback(SocketAddr),
    /// The listener has no socket.
    #[error("the listener has no socket")]
    NotListening,
    /// Another listener's socket is there.
    #[error("{0} is the socket of another listener")]
    SocketTaken(SocketAddr),
    /// The change could not be kept.
    #[error("the change could not be kept: {0}")]
    Store(String),
}

fn ports_named(ports: &[Option<u16>]) -> String {
    let named = |port: &Option<u16>| port.map_or_else(|| "every port".to_owned(), |port| format!("port {port}"));
    ports.iter().map(named).collect::<Vec<_>>().join(" and ")
}

impl From<Fault> for AttachError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.detail.unwrap_or(fault.message))
    }
}

/// Attaches, in a draft.
pub(crate) fn attach(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    realm: &Realm,
    wish: &AttachRequest,
) -> Result<Attached, AttachError> {
    if !realm::is_furnished(estate) {
        realm::furnish(estate, mint, &realm.region);
    }
    let (subnet, address) = match wish.place {
        AttachAt::Subnet(subnet, address) if estate.subnets.contains(&subnet) => (subnet, address.map(IpAddr::from)),
        AttachAt::Subnet(subnet, _) => return Err(AttachError::UnknownSubnet(subnet)),
        AttachAt::Address(served, vpc) => {
            let (address, vpc) = address_of(estate, served, vpc)?;
            (subnet_of(estate, address, vpc)?, Some(address))
        }
    };
    let existing = address.and_then(|address| interface_at(estate, subnet, address));
    let id = match existing {
        Some(id) => reuse(estate, id, &wish.groups)?,
        None => create(estate, mint, (subnet, address), &wish.groups)?,
    };
    let attachment =
        Attachment { interface: id, port: wish.port, host: wish.host, lease: wish.lease, agent: wish.agent };
    let attached = describe(estate, &attachment).ok_or(AttachError::NotAttached)?;
    let before = estate.attachments.get(&attachment.key()).map(|before| before.host);
    let replaced = before.filter(|before| *before != attachment.host);
    estate.attachments.insert(attachment.key(), attachment);
    Ok(Attached { replaced, ..attached })
}

/// The address, and the VPC of the instance where one is named.
fn address_of(
    estate: &RealmEstate,
    served: Served,
    vpc: Option<VpcId>,
) -> Result<(IpAddr, Option<VpcId>), AttachError> {
    match served {
        Served::Address(address) => Ok((address, vpc)),
        Served::Instance(id) => {
            let instance = estate.instances.get(&id).filter(|instance| instance.interface.is_some());
            let instance = instance.filter(|instance| vpc.is_none_or(|vpc| vpc == instance.vpc));
            let found = instance.map(|instance| (instance.private_ip.into(), Some(instance.vpc)));
            found.ok_or(AttachError::UnknownInstance(id))
        }
    }
}

fn subnet_of(estate: &RealmEstate, address: IpAddr, vpc: Option<VpcId>) -> Result<SubnetId, AttachError> {
    let holds: Vec<_> = estate
        .subnets
        .values()
        .filter(|subnet| subnet.contains(address) && vpc.is_none_or(|vpc| vpc == subnet.vpc))
        .collect();
    match holds.as_slice() {
        [] => Err(AttachError::NoSubnet(address)),
        [one] => Ok(one.id),
        many => Err(AttachError::Ambiguous { address, candidates: many.iter().map(|subnet| subnet.vpc).collect() }),
    }
}

fn interface_at(estate: &RealmEstate, subnet: SubnetId, address: IpAddr) -> Option<NetworkInterfaceId> {
    estate.network_interfaces.values().find(|i| i.subnet == subnet && i.addresses().any(|a| a == address)).map(|i| i.id)
}

fn reuse(
    estate: &mut RealmEstate,
    id: NetworkInterfaceId,
    groups: &[SecurityGroupId],
) -> Result<NetworkInterfaceId, AttachError> {
    let interface = estate.network_interfaces.get(&id).cloned().ok_or(AttachError::NotAttached)?;
    if interface.owner.is_service() {
        return Err(AttachError::Unusable(interface.private_ip.into()));
    }
    if !groups.is_empty() {
        check_groups(estate, interface.vpc, groups)?;
        if let Some(interface) = estate.network_interfaces.edit(&id) {
            interface.groups = groups.to_vec();
        }
    }
    Ok(id)
}

/// Makes an interface of our own, with the VPC's default group where none is named.
pub(crate) fn create(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    at: (SubnetId, Option<IpAddr>),
    groups: &[SecurityGroupId],
) -> Result<NetworkInterfaceId, AttachError> {
    let (subnet, address) = at;
    let vpc = estate.subnets.get(&subnet).ok_or(AttachError::UnknownSubnet(subnet))?.vpc;
    check_groups(estate, vpc, groups)?;
    let groups = match groups {
        [] => interface::default_group(estate, vpc).into_iter().collect(),
        given => given.to_vec(),
    };
    let wanted = NewInterface {
        subnet,
        address: match address {
            Some(IpAddr::V4(address)) => Some(address),
            Some(IpAddr::V6(_)) | None => None,
        },
        ipv6: match address {
            Some(IpAddr::V6(address)) => WantedIpv6::These(vec![address], 0),
            Some(IpAddr::V4(_)) | None => WantedIpv6::AsTheSubnet,
        },
        description: "attached by Tidegate".to_owned(),
        groups,
        owner: InterfaceOwner::Attachment,
        tags: Tags::new(),
    };
    interface::create(estate, mint, wanted).map_err(|error| match (error, address) {
        (InterfaceError::NoSubnet, _) => AttachError::UnknownSubnet(subnet),
        (InterfaceError::AddressInUse | InterfaceError::AddressOutside, Some(address)) => {
            AttachError::Unusable(address)
        }
        (
            InterfaceError::SubnetFull
            | InterfaceError::AddressInUse
            | InterfaceError::AddressOutside
            | InterfaceError::NoIpv6,
            _,
        ) => AttachError::SubnetFull,
    })
}

fn check_groups(estate: &RealmEstate, vpc: VpcId, groups: &[SecurityGroupId]) -> Result<(), AttachError> {
    let known = |id: &&SecurityGroupId| estate.security_groups.get(id).is_some_and(|group| group.vpc == vpc);
    match groups.iter().find(|id| !known(id)) {
        Some(unknown) => Err(AttachError::UnknownGroup(*unknown)),
        None => Ok(()),
    }
}

/// Detaches, in a draft.
pub(crate) fn detach(estate: &mut RealmEstate, wish: &DetachRequest) -> Result<Attached, AttachError> {
    let (address, vpc) = address_of(estate, wish.address, wish.vpc)?;
    let at = |attachment: &Attachment| {
        let is_whose = wish.agent.is_none() || attachment.agent == wish.agent;
        is_whose
            && estate.network_interfaces.get(&attachment.interface).is_some_and(|interface| {
                interface.addresses().any(|ip| ip == address) && vpc.is_none_or(|vpc| vpc == interface.vpc)
            })
    };
    let there: Vec<Attachment> = estate.attachments.values().filter(|a| at(a)).map(|a| Attachment::clone(a)).collect();
    let mut found: Vec<&Attachment> = there.iter().filter(|a| a.port == wish.port).collect();
    if found.is_empty() && wish.port.is_none() && there.len() == 1 {
        // Of an address without a port, the only port is meant.
        found = there.iter().collect();
    }
    let attachment = match found.as_slice() {
        [] if there.is_empty() => return Err(AttachError::NotAttached),
        [] => {
            let ports = there.iter().map(|attachment| attachment.port).collect();
            return Err(AttachError::OtherPorts { address, ports });
        }
        [one] => (*one).clone(),
        many => {
            let candidates = many.iter().filter_map(|a| describe(estate, a)).map(|attached| attached.vpc).collect();
            return Err(AttachError::Ambiguous { address, candidates });
        }
    };
    let attached = describe(estate, &attachment).ok_or(AttachError::NotAttached)?;
    remove(estate, &attachment);
    Ok(attached)
}

/// Removes an attachment and, with the last one, an interface that attaching made.
fn remove(estate: &mut RealmEstate, attachment: &Attachment) {
    estate.attachments.remove(&attachment.key());
    let id = attachment.interface;
    let last = estate.attachments.values().all(|other| other.interface != id);
    let ours = estate.network_interfaces.get(&id).is_some_and(|i| i.owner == InterfaceOwner::Attachment);
    if last && ours {
        estate.network_interfaces.remove(&id);
    }
}

fn describe(estate: &RealmEstate, attachment: &Attachment) -> Option<Attached> {
    let interface = estate.network_interfaces.get(&attachment.interface)?;
    Some(Attached {
        interface: interface.id,
        vpc: interface.vpc,
        subnet: interface.subnet,
        private_ip: interface.private_ip,
        ipv6: interface.ipv6_addresses.first().copied(),
        port: attachment.port,
        host: attachment.host,
        replaced: None,
    })
}

/// Forgets every lease: its client did not survive the restart.
pub(crate) fn drop_leases(draft: &mut Arc<RealmEstate>) {
    let leases: Vec<Attachment> =
        draft.attachments.values().filter(|a| a.lease).map(|a| Attachment::clone(a)).collect();
    for lease in leases {
        remove(Arc::make_mut(draft), &lease);
    }
}
