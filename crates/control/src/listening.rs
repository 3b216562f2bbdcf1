//! Sockets of listeners: addresses of the host where clients enter a listener. Our own, beside AWS's
//! operations; used by `tidegate attach --listen` and `detach --listen`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use topology::arn::{ElbArn, ElbResource};
use topology::estate::RealmEstate;
use topology::id::{ListenerId, NetworkInterfaceId, Realm, SecurityGroupId, SubnetId, VpcId};
use topology::resource::listener::Listener;
use topology::resource::listener_socket::ListenerSocket;
use topology::resource::load_balancer::{LoadBalancer, Scheme};

use crate::attach::{self, AttachError};
use crate::mint::Mint;

/// A wish for a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenRequest {
    /// The listener's ARN.
    pub listener: String,
    /// Where on the host.
    pub host: SocketAddr,
    /// Groups of the interface from which its clients come; the VPC's default group when empty.
    pub groups: Vec<SecurityGroupId>,
}

/// A socket that was opened or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// The listener's ARN.
    pub listener: String,
    /// What it speaks: `HTTP` or `HTTPS`.
    pub protocol: &'static str,
    /// The interface from which its clients come.
    pub interface: NetworkInterfaceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its address, which the listener sees as its client's.
    pub private_ip: Ipv4Addr,
    /// Where on the host.
    pub host: SocketAddr,
    /// Where it was before, if it moved.
    pub replaced: Option<SocketAddr>,
}

/// Opens a socket, in a draft.
pub(crate) fn listen(
    estate: &mut RealmEstate,
    mint: &mut Mint,
    realm: &Realm,
    wish: &ListenRequest,
) -> Result<Listening, AttachError> {
    let (listener, balancer) = find(estate, realm, &wish.listener)?;
    if balancer.scheme == Scheme::Internal && !wish.host.ip().is_loopback() {
        return Err(AttachError::BeyondLoopback(wish.host));
    }
    let id = listener.id;
    if estate.listener_sockets.values().any(|other| other.listener != id && other.host == wish.host) {
        return Err(AttachError::SocketTaken(wish.host));
    }
    let subnet = balancer.zones.first().map(|zone| zone.subnet);
    let subnet = subnet.ok_or_else(|| AttachError::UnknownListener(wish.listener.clone()))?;
    let before = remove(estate, id).map(|before| before.host).filter(|before| *before != wish.host);
    let interface = attach::create(estate, mint, (subnet, None), &wish.groups)?;
    let socket = ListenerSocket { listener: id, host: wish.host, interface };
    let listening = describe(estate, &socket, (&wish.listener, &listener)).ok_or(AttachError::NotListening)?;
    estate.listener_sockets.insert(id, socket);
    Ok(Listening { replaced: before, ..listening })
}

/// Closes a socket, in a draft.
pub(crate) fn unlisten(estate: &mut RealmEstate, realm: &Realm, arn: &str) -> Result<Listening, AttachError> {
    let (listener, _) = find(estate, realm, arn)?;
    let socket = estate.listener_sockets.get(&listener.id).cloned().ok_or(AttachError::NotListening)?;
    let listening = describe(estate, &socket, (arn, &listener)).ok_or(AttachError::NotListening)?;
    remove(estate, listener.id);
    Ok(listening)
}

/// Removes the socket of a listener with its interface, if it has one.
pub(crate) fn remove(estate: &mut RealmEstate, listener: ListenerId) -> Option<Arc<ListenerSocket>> {
    let socket = estate.listener_sockets.get(&listener).cloned()?;
    estate.listener_sockets.remove(&listener);
    estate.network_interfaces.remove(&socket.interface);
    Some(socket)
}

fn find(estate: &RealmEstate, realm: &Realm, arn: &str) -> Result<(Arc<Listener>, Arc<LoadBalancer>), AttachError> {
    let named = arn.parse::<ElbArn>().ok().filter(|arn| arn.realm == *realm);
    let found = named.and_then(|arn| match arn.resource {
        ElbResource::Listener(_, id) => estate.listeners.get(&id).cloned(),
        _ => None,
    });
    let found = found.and_then(|listener| {
        let balancer = estate.load_balancers.get(&listener.load_balancer).cloned()?;
        Some((listener, balancer))
    });
    found.ok_or_else(|| AttachError::UnknownListener(arn.to_owned()))
}

fn describe(estate: &RealmEstate, socket: &ListenerSocket, (arn, listener): (&str, &Listener)) -> Option<Listening> {
    let interface = estate.network_interfaces.get(&socket.interface)?;
    Some(Listening {
        listener: arn.to_owned(),
        protocol: listener.protocol().as_str(),
        interface: interface.id,
        vpc: interface.vpc,
        subnet: interface.subnet,
        private_ip: interface.private_ip,
        host: socket.host,
        replaced: None,
    })
}
