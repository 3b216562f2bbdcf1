//! The only place that opens a socket to a private address. It asks `topology::way` and hands out a [`Permit`], without
//! which neither a connection can be opened nor a kept one be used again.
//!
//! A denial is silence, never a refusal: who dials waits as long as AWS waits.

use std::io;
use std::net::{IpAddr, SocketAddrV4};
use std::sync::Arc;

use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use topology::id::NetworkInterfaceId;
use topology::net::Family;
use topology::reason::Reason;
use topology::resource::attachment::ServedAt;
use topology::snapshot::fabric::{Fabric, InterfaceIndex};
use topology::trace::Leg;
use topology::verdict::{End, Flow};
use topology::way::{self, Open, Way};
pub(crate) use topology::way::{Denial, Destination};

use super::engine::Engine;
use super::flow::{Ends, FlowBook, Watched};
use super::outside::Stream;
use super::outside::trust::TlsFault;
use super::secured::{self, Verified};
use crate::limits::TARGET_CONNECT_TIMEOUT;

/// Leave to open one connection, or to use a kept one between the same ends. Only [`ask`] makes one.
#[derive(Debug)]
pub(crate) struct Permit {
    leave: Leave,
    /// The sender.
    from: NetworkInterfaceId,
    way: Way,
    speech: Speech,
    led: Option<Box<Led>>,
    flow: Option<Arc<Ends>>,
    /// Who opens a connection that leads to a program in the private network.
    engine: Engine,
}

/// The private networks of a realm, and who notes what passes there, if anybody does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Net<'n> {
    /// The networks.
    pub(crate) fabric: &'n Fabric,
    /// Who notes for flow logs.
    pub(crate) flows: Option<&'n Arc<FlowBook>>,
    /// Who carries connections between programs in private networks; unset, nobody is asked to.
    pub(crate) engine: Option<&'n Engine>,
}

impl Net<'_> {
    /// The same for who comes to this interface through the kernel, which tells of that by itself.
    pub(crate) fn through_the_kernel(self, to: NetworkInterfaceId) -> Self {
        let is_told = || self.engine.is_some_and(|engine| engine.tells_of(to));
        Self { flows: self.flows.filter(|_| !is_told()), ..self }
    }
}

/// To ask without being noted.
impl<'n> From<&'n Fabric> for Net<'n> {
    fn from(fabric: &'n Fabric) -> Self {
        Self { fabric, flows: None, engine: None }
    }
}

/// Leave to enter a node of a load balancer, which a connection of its own is not opened for: the client has one to this process, or is
/// part of it. Only [`enter`] and a [`Permit`] make one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leave(Leg);

impl Leave {
    /// The ends and the rule that allowed.
    pub(crate) const fn leg(self) -> Leg {
        self.0
    }
}

/// What sets a connection apart that a network load balancer led to its target.
#[derive(Debug, Default)]
pub(crate) struct Led {
    /// How it came to the node that sends it on.
    pub(crate) passage: Passage,
    /// The address that the target sees in place of the node's.
    pub(crate) seen_as: Option<IpAddr>,
    /// What it begins with, in the clear: a header of the PROXY protocol.
    pub(crate) preface: Vec<u8>,
    /// Whether the client itself speaks TLS with the target, and how far it believes it.
    pub(crate) tls: Option<Verified>,
}

/// How a connection comes to a node of a network load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Passage {
    /// The interface that the client is.
    pub(crate) client: Option<NetworkInterfaceId>,
    /// Or the address that it comes from, where groups judge that.
    pub(crate) address: Option<IpAddr>,
    /// The node's interface.
    pub(crate) node: Option<NetworkInterfaceId>,
    /// Which of the node's addresses it comes to.
    pub(crate) family: Family,
    /// The port of the listener.
    pub(crate) port: u16,
}

impl Passage {
    /// Who the client is; `None` where nobody judges it, or its interface is gone.
    pub(crate) fn end(self, fabric: &Fabric) -> Option<End> {
        match (self.client, self.address) {
            (Some(client), _) => fabric.interface_by_id(client).map(End::Interface),
            (None, address) => address.map(End::Address),
        }
    }

    /// Whether it would still be let in.
    fn is_still_allowed(self, fabric: &Fabric) -> bool {
        let Some(node) = self.node.and_then(|node| fabric.interface_by_id(node)) else { return false };
        match self.end(fabric) {
            Some(end) => enter(fabric, end, (node, self.family), self.port).is_ok(),
            None => self.client.is_none(),
        }
    }
}

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Speech {
    /// Whether it is within TLS.
    pub(crate) is_secure: bool,
    /// Whether it is HTTP/2: chosen by ALPN within TLS, with prior knowledge in the clear.
    pub(crate) is_http2: bool,
}

/// Between whom a connection runs. Two interfaces never share one, even to the same place on the host. Only a [`Permit`] makes one:
/// a kept connection is known by it, and whoever lacks the permit cannot name it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolKey {
    from: NetworkInterfaceId,
    /// `None` outside every VPC.
    to: Option<NetworkInterfaceId>,
    address: IpAddr,
    port: u16,
    at: ServedAt,
    speech: Speech,
    led: Option<Box<LedKey>>,
}

/// What connections of a network load balancer are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LedKey {
    passage: Passage,
    seen_as: Option<IpAddr>,
    /// Whether it begins with a header, which tells of the client's address alone that `passage` has.
    is_prefaced: bool,
    /// Whether the client speaks TLS with the target, and the name that it verified.
    tls: Option<Option<Arc<str>>>,
}

/// Why a permitted connection did not come about.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    /// Nobody answers: wait, then give up.
    #[error("nothing answers there")]
    Silent(Reason),
    /// The other end refused.
    #[error("the connection was refused")]
    Refused,
    /// It took too long.
    #[error("the connection took too long")]
    Timeout,
    /// No TLS came about.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// TLS came about with somebody who is not believed.
    #[error(transparent)]
    Untrusted(TlsFault),
    /// Another error of the network.
    #[error(transparent)]
    Io(io::Error),
}

impl Permit {
    /// The same, for a connection over which this is spoken.
    #[must_use]
    pub(crate) fn speaking(self, speech: Speech) -> Self {
        Self { speech, ..self }
    }

    /// The same, for a connection that a network load balancer leads.
    #[must_use]
    pub(crate) fn led(self, led: Led) -> Self {
        Self { led: Some(Box::new(led)), ..self }
    }

    /// The same, for a client who itself speaks TLS with the target, past the load balancer that leads.
    #[must_use]
    pub(crate) fn within_tls(mut self, tls: Verified) -> Self {
        self.led.get_or_insert_default().tls = Some(tls);
        self
    }

    /// The ends and the rule that allowed.
    pub(crate) const fn leg(&self) -> Leg {
        self.leave.leg()
    }

    /// The leave alone, where no connection is opened: the node is entered by that.
    pub(crate) fn leave(&self) -> &Leave {
        if let Some(flow) = &self.flow {
            flow.entered();
        }
        &self.leave
    }

    /// What is spoken over the connection.
    pub(crate) const fn speech(&self) -> Speech {
        self.speech
    }

    /// Where the address is served, if it is.
    pub(crate) const fn served_at(&self) -> Option<ServedAt> {
        match self.way {
            Way::Host(host) => Some(ServedAt::Host(host)),
            Way::Inside => Some(ServedAt::Inside),
            Way::Closed | Way::Silent(_) => None,
        }
    }

    /// Between whom connections may be shared; `None` where there is nothing to connect to.
    pub(super) fn pool_key(&self) -> Option<PoolKey> {
        let at = self.served_at()?;
        let (leg, from) = (self.leg(), self.from);
        let led = self.led.as_ref().map(|led| {
            let tls = led.tls.as_ref().map(|tls| tls.name().cloned());
            let (passage, seen_as, is_prefaced) = (led.passage, led.seen_as, !led.preface.is_empty());
            Box::new(LedKey { passage, seen_as, is_prefaced, tls })
        });
        Some(PoolKey { from, to: leg.to, address: leg.to_address, port: leg.port, at, speech: self.speech, led })
    }
}

impl PoolKey {
    /// A number by which the keys of a busy plane differ.
    pub(super) fn spread(&self) -> usize {
        let last = match self.address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => address.octets()[15],
        };
        usize::from(self.port) ^ self.at.host().map_or(0, |host| usize::from(host.port())) ^ usize::from(last)
    }

    /// Whether a connection between these ends would still be opened, and to the same place.
    pub(crate) fn is_still_allowed(&self, fabric: &Fabric) -> bool {
        let Some(from) = fabric.interface_by_id(self.from) else { return false };
        let to = match self.to {
            Some(to) => fabric.interface_by_id(to).map(|to| Destination::Interface(to, Family::of(self.address))),
            None => fabric.interface(from).map(|interface| Destination::Address(interface.vpc, self.address)),
        };
        let seen_as = self.led.as_ref().and_then(|led| led.seen_as);
        let permit = to.map(|to| ask_as(fabric, (from, seen_as), to, self.port));
        let permit = permit.and_then(Result::ok).map(|permit| permit.speaking(self.speech));
        let now = permit.and_then(|permit| permit.pool_key()).map(|key| Self { led: self.led.clone(), ..key });
        now.as_ref() == Some(self) && self.led.as_ref().is_none_or(|led| led.passage.is_still_allowed(fabric))
    }
}

/// Asks leave to connect from an interface.
pub(crate) fn ask<'n>(
    net: impl Into<Net<'n>>,
    from: InterfaceIndex,
    to: Destination,
    port: u16,
) -> Result<Permit, Box<Denial>> {
    ask_as(net, (from, None), to, port)
}

/// The same from an interface whom the receiver sees as another address, if as one.
pub(crate) fn ask_as<'n>(
    net: impl Into<Net<'n>>,
    sender: (InterfaceIndex, Option<IpAddr>),
    to: Destination,
    port: u16,
) -> Result<Permit, Box<Denial>> {
    let Net { fabric, flows, engine } = net.into();
    match way::ask_as(fabric, sender, to, port) {
        Ok(Open { leg, from, way }) => {
            let flow = flows.and_then(|book| Ends::of(book, fabric, &leg, sender.1)).map(Arc::new);
            let engine = engine.filter(|_| way == Way::Inside).cloned().unwrap_or_default();
            Ok(Permit { leave: Leave(leg), from, way, speech: Speech::default(), led: None, flow, engine })
        }
        Err(denial) => {
            if let Some(book) = flows {
                let from = End::Interface(sender.0);
                let (to, family, seen_as) = (to.end(fabric, from), to.family(), sender.1);
                let flow = Flow { from, to, family, port, seen_as };
                book.refused(fabric, &denial, (flow, sender.1));
            }
            Err(Box::new(denial))
        }
    }
}

/// Leave to enter a node of a load balancer that lets a link of version 1 in past every group (`way::enter` judges where it does not).
pub(crate) fn enter_unjudged(fabric: &Fabric, from: IpAddr, node: InterfaceIndex, port: u16) -> Leave {
    Leave(way::leg(fabric, way::entering(from, node, port)))
}

/// Asks leave to enter a node: for an interface both sides are asked, for one who comes from outside the node's alone.
pub(crate) fn enter<'n>(
    net: impl Into<Net<'n>>,
    from: End,
    (node, family): (InterfaceIndex, Family),
    port: u16,
) -> Result<Leave, Box<Denial>> {
    let net = net.into();
    let Net { fabric, flows, .. } = net;
    match from {
        End::Interface(from) => {
            ask(net, from, Destination::Interface(node, family), port).map(|permit| *permit.leave())
        }
        End::Address(address) => {
            let entered = way::enter(fabric, address, node, port);
            match (&entered, flows) {
                (_, None) => {}
                (Ok(leg), Some(book)) => {
                    if let Some(ends) = Ends::of(book, fabric, leg, None) {
                        ends.entered();
                    }
                }
                (Err(denial), Some(book)) => {
                    book.refused(fabric, denial, (way::entering(address, node, port), None));
                }
            }
            entered.map(Leave).map_err(Box::new)
        }
    }
}

/// Opens the connection that was permitted.
pub(crate) async fn connect(permit: &Permit) -> Result<Stream, DialError> {
    // What goes through the kernel the kernel tells of.
    let is_told = || {
        let mut ends = permit.leg().to.into_iter().chain([permit.from]);
        permit.way == Way::Inside && ends.any(|end| permit.engine.tells_of(end))
    };
    let flow = permit.flow.as_ref().filter(|_| !is_told());
    let stream = match (reach(permit).await, flow) {
        (Ok(stream), Some(flow)) => return Box::pin(watched(permit, flow, stream)).await,
        (Err(error), Some(flow)) => {
            flow.attempted(!matches!(error, DialError::Silent(_)));
            return Err(error);
        }
        (reached, None) => reached?,
    };
    begin(permit, stream).await
}

/// Begins a connection that a flow log tells of.
async fn watched(permit: &Permit, flow: &Arc<Ends>, stream: TcpStream) -> Result<Stream, DialError> {
    let opened = flow.opened(stream.local_addr().ok().map(|own| own.port()));
    let stream = begin(permit, stream).await?;
    Ok(match opened {
        Some(opened) => Stream::Watched(Box::new(Watched::new(stream, opened))),
        None => stream,
    })
}

async fn begin(permit: &Permit, stream: TcpStream) -> Result<Stream, DialError> {
    if let Some(led) = &permit.led {
        return Box::pin(lead(led, permit, stream)).await;
    }
    match permit.speech.is_secure {
        false => Ok(Stream::Plain(stream)),
        true => secured::handshake(permit.leg().to_address, stream, permit.speech.is_http2).await,
    }
}

/// Begins a connection that a network load balancer leads: the header first, then TLS, the load balancer's or the client's.
async fn lead(led: &Led, permit: &Permit, mut stream: TcpStream) -> Result<Stream, DialError> {
    if !led.preface.is_empty() {
        let writing = tokio::time::timeout(TARGET_CONNECT_TIMEOUT, stream.write_all(&led.preface)).await;
        writing.map_err(|_elapsed| DialError::Timeout)?.map_err(DialError::Io)?;
    }
    match &led.tls {
        Some(verified) => secured::verified(verified, stream).await,
        None if permit.speech.is_secure => secured::handshake(permit.leg().to_address, stream, false).await,
        None => Ok(Stream::Plain(stream)),
    }
}

async fn reach(permit: &Permit) -> Result<TcpStream, DialError> {
    let connecting = async {
        Ok(match permit.way {
            Way::Host(host) => TcpStream::connect(host).await,
            Way::Inside => Box::pin(inside(permit)).await.ok_or(DialError::Silent(Reason::NoInterface))?,
            Way::Closed => return Err(DialError::Refused),
            Way::Silent(reason) => return Err(DialError::Silent(reason)),
        })
    };
    let connected = tokio::time::timeout(TARGET_CONNECT_TIMEOUT, connecting).await;
    let stream = match connected.unwrap_or_else(|elapsed| Ok(Err(elapsed.into())))? {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(DialError::Refused),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(DialError::Timeout),
        Err(error) => return Err(DialError::Io(error)),
    };
    // A failure costs latency, not correctness.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    Ok(stream)
}

/// Connects in the private network itself; `None` where there is none that could.
async fn inside(permit: &Permit) -> Option<io::Result<TcpStream>> {
    let leg = permit.leg();
    match &permit.engine {
        Engine::Proxy => None,
        #[cfg(target_os = "linux")]
        Engine::Kernel(engine) => match leg.to_address {
            IpAddr::V4(address) => Some(engine.connect(permit.from, SocketAddrV4::new(address, leg.port)).await),
            // Private networks of the kernel have IPv4 alone.
            IpAddr::V6(_) => None,
        },
    }
}
