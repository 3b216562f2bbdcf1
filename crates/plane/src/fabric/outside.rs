//! The one way to addresses outside the private networks: the issuers of tokens, and integrations with public endpoints. A
//! name is resolved once, every address is judged, and the connection goes to the very address that was judged, so that a name
//! which changes its mind between the two reaches nothing.
//!
//! No private network is reached from here: that is [`super::dial`]'s, for a permit. No redirect is followed here either: who
//! follows one asks again, and is judged again.

pub(crate) mod address;
pub(crate) mod trust;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use topology::net::{IpNet, Ipv4Net};
use topology::snapshot::rest::ClientIdentity;

use self::address::Class;
use self::trust::{ExtraRoot, TlsFault};
use super::flow::Watched;
use super::lanes::LaneStream;
use crate::clock;
use crate::limits::{
    DNS_FORWARDED_ADDRESSES_MAX, OUTSIDE_ADDRESSES_MAX, OUTSIDE_CONNECT_TIMEOUT, OUTSIDE_RESOLUTIONS_MAX,
};

/// The port of RFC 863, where a socket is connected to that sends nothing.
const DISCARD: u16 = 9;

/// What may be reached outside. The default reaches public addresses only, and believes the platform's roots only.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Blocks that may be reached although the public network does not own them (`egress.allow`).
    pub allow: Vec<IpNet>,
    /// Whether the issuers of tokens may be on this machine.
    pub local_issuers: LocalIssuers,
    /// Roots that are believed besides the platform's (`tls.extra_roots`).
    pub extra_roots: Vec<ExtraRoot>,
    /// Whether private networks of the kernel have ways out, where routes lead to gateways (`egress.nat`).
    pub has_ways_out: bool,
}

/// Whether the issuers of tokens may be on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalIssuers {
    /// Not without `egress.allow`.
    #[default]
    Refused,
    /// On loopback: development mode.
    Allowed,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An integration with a public endpoint.
    Integration,
    /// Keys and discovery documents of a token's issuer.
    Issuer,
    /// What a program reaches by a way out of its private network.
    Exit,
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Whether TLS is spoken.
    pub(crate) scheme: Scheme,
    /// A name, or an address without brackets.
    pub(crate) host: String,
    /// The TCP port.
    pub(crate) port: u16,
    /// What the other end is shown if it asks for a certificate. A connection that showed one is not for who shows another, or none.
    pub(crate) identity: Option<Identity>,
}

/// A client certificate, to be shown. Two are the same if their certificates are.
#[derive(Debug, Clone)]
pub(crate) struct Identity(pub(crate) Arc<ClientIdentity>);

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.0.certificate == other.0.certificate
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.certificate.hash(state);
    }
}

/// Whether TLS is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    /// `http`: in the clear.
    Http,
    /// `https`: TLS, with the certificate verified.
    Https,
}

impl Scheme {
    /// The port that a URL of this scheme means when it names none.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origin {
    /// Whether the host says of itself that it is this machine: loopback, or a name that can mean nothing else (RFC 6761).
    pub(crate) fn is_this_machine(&self) -> bool {
        let is_loopback = |address: IpAddr| address::class(address) == Some(Class::Loopback);
        is_local_name(&self.host) || self.host.parse().is_ok_and(is_loopback)
    }

    /// The origin of an absolute `http` or `https` URI; `None` for any other.
    pub(crate) fn of(uri: &http::Uri) -> Option<Self> {
        let scheme = match uri.scheme_str()? {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let host = uri.host()?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(Self {
            scheme,
            host: host.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(scheme.port()),
            identity: None,
        })
    }
}

/// A way to one origin: whoever takes it is judged when the connection is opened.
pub(crate) struct Way<'a> {
    outside: &'a Outside,
    origin: &'a Arc<Origin>,
    purpose: Purpose,
    limit: Duration,
}

impl Way<'_> {
    /// Where it leads.
    pub(super) const fn origin(&self) -> &Arc<Origin> {
        self.origin
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Stream, OutsideError> {
        self.outside.connect(self.origin, self.purpose, self.limit).await
    }
}

/// A wait on the way to an established connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The name.
    Resolve,
    /// TCP.
    Connect,
    /// TLS.
    Handshake,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the name",
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
        })
    }
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum OutsideError {
    /// No name can look like that.
    #[error("{0:?} is no host name")]
    BadHost(String),
    /// The name leads nowhere.
    #[error("{host} does not resolve: {source}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// The name leads to addresses that may not be reached.
    #[error("{host} leads to {address}, which is {class}")]
    Forbidden {
        /// The name.
        host: String,
        /// The first of them.
        address: IpAddr,
        /// Its class.
        class: Class,
    },
    /// The other end refused.
    #[error("{0} refused the connection")]
    Refused(SocketAddr),
    /// A wait ran out.
    #[error("{0} took too long")]
    Timeout(Step),
    /// Another error of the network.
    #[error("{address}: {source}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// TLS failed.
    #[error(transparent)]
    Tls(TlsFault),
}

/// Resolves a name. It may block.
type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// Makes connections to the outside. One for each plane.
pub(crate) struct Outside {
    egress: Egress,
    lookup: Lookup,
    /// Names under resolution: a resolver that hangs must not take every thread.
    resolutions: Arc<Semaphore>,
    /// Made at the first use of TLS, since the platform's roots are read from files.
    tls: OnceCell<Arc<ClientConfig>>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("egress", &self.egress).finish_non_exhaustive()
    }
}

impl Outside {
    /// With the system's resolver.
    pub(crate) fn new(egress: Egress) -> Self {
        Self::with_lookup(egress, Arc::new(system_lookup))
    }

    fn with_lookup(egress: Egress, lookup: Lookup) -> Self {
        let resolutions = Arc::new(Semaphore::new(OUTSIDE_RESOLUTIONS_MAX));
        Self { egress, lookup, resolutions, tls: OnceCell::new() }
    }

    /// The way to an origin, for who may use a kept connection.
    pub(crate) const fn way<'a>(&'a self, origin: &'a Arc<Origin>, purpose: Purpose, limit: Duration) -> Way<'a> {
        Way { outside: self, origin, purpose, limit }
    }

    /// Connects, within [`OUTSIDE_CONNECT_TIMEOUT`] and within `limit`, whichever is shorter.
    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        purpose: Purpose,
        limit: Duration,
    ) -> Result<Stream, OutsideError> {
        let until = clock::now() + limit.min(OUTSIDE_CONNECT_TIMEOUT);
        let addresses = self.permitted(&origin.host, purpose, until).await?;
        let stream = dial(&addresses, origin.port, until).await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        match origin.scheme {
            Scheme::Http => Ok(Stream::Plain(stream)),
            Scheme::Https => self.handshake(origin, stream, until).await,
        }
    }

    /// The addresses of a host that may be reached, at least one.
    async fn permitted(&self, host: &str, purpose: Purpose, until: Instant) -> Result<Vec<IpAddr>, OutsideError> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.resolve(host, until).await?,
        };
        let mut forbidden = None;
        let mut permitted = Vec::new();
        for address in found {
            match self.judge(address, purpose) {
                Ok(()) => permitted.push(address),
                Err(class) => forbidden = forbidden.or(Some((address, class))),
            }
        }
        permitted.truncate(OUTSIDE_ADDRESSES_MAX);
        match (permitted.is_empty(), forbidden) {
            (false, _) => Ok(permitted),
            (true, Some((address, class))) => Err(OutsideError::Forbidden { host: host.to_owned(), address, class }),
            (true, None) => Err(unresolved(host, io::Error::new(io::ErrorKind::NotFound, "the name has no address"))),
        }
    }

    fn judge(&self, address: IpAddr, purpose: Purpose) -> Result<(), Class> {
        // Whoever is in a private network reaches nothing of this machine, not even past what guards it on its side to the internet.
        let own = || (purpose == Purpose::Exit && is_own(address)).then_some(Class::Own);
        let Some(class) = address::class(address).or_else(own) else { return Ok(()) };
        let is_local_issuer = class == Class::Loopback
            && purpose == Purpose::Issuer
            && self.egress.local_issuers == LocalIssuers::Allowed;
        if is_local_issuer || address::is_listed(&self.egress.allow, address) { Ok(()) } else { Err(class) }
    }

    /// The addresses of IPv4 that a name leads to and that may be reached.
    pub(crate) async fn addresses(&self, name: &str, until: Instant) -> Result<Vec<IpAddr>, OutsideError> {
        let found = self.resolve(name, until).await?;
        let reachable = found.into_iter().filter(|address| self.judge(*address, Purpose::Exit).is_ok());
        Ok(reachable.filter(IpAddr::is_ipv4).take(DNS_FORWARDED_ADDRESSES_MAX).collect())
    }

    /// The blocks of IPv4 that may not be reached, but for what lies in those that may be all the same.
    pub(crate) fn blocks(&self) -> (Vec<Ipv4Net>, Vec<Ipv4Net>) {
        let of_four = |net: &IpNet| match net {
            IpNet::V4(net) => Some(net.trunc()),
            IpNet::V6(_) => None,
        };
        let open: Vec<Ipv4Net> = self.egress.allow.iter().filter_map(of_four).collect();
        let shut = address::blocks().filter(|block| !open.iter().any(|open| open.contains(block)));
        (shut.collect(), open)
    }

    async fn resolve(&self, host: &str, until: Instant) -> Result<Vec<IpAddr>, OutsideError> {
        if !is_host_name(host) {
            return Err(OutsideError::BadHost(host.to_owned()));
        }
        if is_local_name(host) {
            // RFC 6761, section 6.3: such names mean this machine and are no business of a resolver's.
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let (lookup, name, turns) = (Arc::clone(&self.lookup), host.to_owned(), Arc::clone(&self.resolutions));
        let resolving = async move {
            // The semaphore is never closed.
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            let blocking = tokio::task::spawn_blocking(move || {
                // Held to the resolver's own end, which may come after we gave up.
                let _turn = turn;
                lookup(&name)
            });
            blocking.await.map_err(io::Error::other)?
        };
        let resolved = timeout_at(until, resolving).await.map_err(|_| OutsideError::Timeout(Step::Resolve))?;
        resolved.map_err(|source| unresolved(host, source))
    }

    async fn handshake(&self, origin: &Origin, stream: TcpStream, until: Instant) -> Result<Stream, OutsideError> {
        let host = origin.host.as_str();
        let name = ServerName::try_from(host.to_owned()).map_err(|_| OutsideError::BadHost(host.to_owned()))?;
        let config = self.tls().await.map_err(OutsideError::Tls)?;
        let config = match &origin.identity {
            None => config,
            Some(Identity(identity)) => trust::showing(&config, identity).map_err(OutsideError::Tls)?,
        };
        let shaking = TlsConnector::from(config).connect(name, stream);
        match timeout_at(until, shaking).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(OutsideError::Tls(TlsFault::of(&error, host))),
            Err(_) => Err(OutsideError::Timeout(Step::Handshake)),
        }
    }

    /// How TLS is spoken to the outside, by whoever shakes hands elsewhere and believes the same roots.
    pub(crate) async fn tls(&self) -> Result<Arc<ClientConfig>, TlsFault> {
        let made = self.tls.get_or_try_init(|| async {
            let extra = self.egress.extra_roots.clone();
            let making = tokio::task::spawn_blocking(move || trust::client_config(trust::roots(&extra)));
            let made = making.await.map_err(|error| TlsFault::Handshake(error.to_string()))?;
            made.map_err(|error| TlsFault::Handshake(error.to_string()))
        });
        made.await.map(Arc::clone)
    }
}

/// Tries the addresses in turn.
async fn dial(addresses: &[IpAddr], port: u16, until: Instant) -> Result<TcpStream, OutsideError> {
    let mut last = OutsideError::Timeout(Step::Connect);
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        last = match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => OutsideError::Refused(address),
            Ok(Err(source)) => OutsideError::Io { address, source },
            Err(_) => return Err(OutsideError::Timeout(Step::Connect)),
        };
    }
    Err(last)
}

/// Whether this machine has an address itself: what it sends there it sends from there, or from its loopback. Nothing is sent to find out.
fn is_own(address: IpAddr) -> bool {
    let any =
        SocketAddr::new(if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }, 0);
    let led = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(SocketAddr::new(address, DISCARD))?;
        socket.local_addr()
    });
    led.is_ok_and(|from| from.ip() == address || from.ip().is_loopback())
}

fn unresolved(host: &str, source: io::Error) -> OutsideError {
    OutsideError::Unresolved { host: host.to_owned(), source }
}

/// Whether a resolver may be asked: letters, digits, hyphens, underscores and dots, 253 at most (RFC 1035, section 2.3.4).
fn is_host_name(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&host.len()) && host.bytes().all(plain)
}

fn is_local_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

fn system_lookup(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// A connection that was opened, to the outside or, in the clear, within a private network.
#[derive(Debug)]
pub(crate) enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// Within TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// Either, with its bytes counted for a flow log.
    Watched(Box<Watched<Stream>>),
    /// One that an agent of a private network dialled to this gateway.
    Lane(Box<LaneStream>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
            Self::Watched(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
            Self::Lane(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
            Self::Watched(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
            Self::Lane(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
            Self::Watched(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
            Self::Lane(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Watched(stream) => stream.is_write_vectored(),
            Self::Lane(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Watched(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Lane(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Watched(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Lane(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
