//! Where the server is: its listeners, and the URLs that lead to them.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::StartError;

/// Where the server is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// AWS's APIs.
    pub(crate) api: SocketAddr,
    /// AWS's APIs with TLS, where that is served.
    pub(crate) api_tls: Option<SocketAddr>,
    /// Metrics and health alone, where they are.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where requests are sent on to the listener with TLS, if anywhere.
    pub(crate) redirect: Option<SocketAddr>,
    /// Invoke URLs without TLS, where they are served.
    pub(crate) public: Option<SocketAddr>,
    /// Invoke URLs and custom domain names with TLS, where that is served.
    pub(crate) public_tls: Option<SocketAddr>,
    /// Where agents connect, if anywhere.
    pub(crate) link: Option<SocketAddr>,
}

impl Ends {
    /// The API's URL.
    pub(crate) fn api_url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The API's URL with TLS.
    pub(crate) fn api_tls_url(&self) -> Option<String> {
        self.api_tls.map(|address| format!("https://{address}"))
    }

    /// The URL of the listener of metrics.
    pub(crate) fn metrics_url(&self) -> Option<String> {
        self.metrics.map(|address| format!("http://{address}"))
    }

    /// The URL of the listener that sends on.
    pub(crate) fn redirect_url(&self) -> Option<String> {
        self.redirect.map(|address| format!("http://{address}"))
    }

    /// The public listener's URL.
    pub(crate) fn public_url(&self) -> Option<String> {
        self.public.map(|address| format!("http://{address}"))
    }

    /// The URL of the public listener with TLS.
    pub(crate) fn public_tls_url(&self) -> Option<String> {
        self.public_tls.map(|address| format!("https://{address}"))
    }
}

/// Listens there.
///
/// # Errors
/// [`StartError::Listen`], with the setting.
pub(super) async fn listener(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    bind(address).map_err(|source| StartError::Listen { key, address, source })
}

/// One that may be left out.
pub(super) async fn optional(
    key: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<TcpListener>, StartError> {
    match address {
        Some(address) => listener(key, address).await.map(Some),
        None => Ok(None),
    }
}

/// Connections have the listener's buffers. A bounded one is seen to move while a slow client reads: one that the system lets grow to
/// megabytes takes nothing for minutes, and then much.
pub(super) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    listening(address, Some(plane::limits::CLIENT_SEND_BUFFER_BYTES))
}

/// Listens for agents, which may be far: what is under way on one connection is as much as its path holds, so the system sizes the buffers.
///
/// # Errors
/// [`StartError::Listen`].
pub(super) fn far(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let listener = listening(address, None);
    listener.map(Some).map_err(|source| StartError::Listen { key: "listen.link", address, source })
}

/// A listener whose connections have this send buffer, in bytes, or one that the system sizes.
fn listening(address: SocketAddr, send_buffer: Option<u32>) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    if let Some(bytes) = send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(plane::limits::LISTEN_BACKLOG)
}

/// The address that port 0 became.
pub(super) fn local(listener: &TcpListener, configured: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(configured)
}

/// The same of one that may be left out.
pub(super) fn bound(listener: Option<&TcpListener>) -> Option<SocketAddr> {
    listener.and_then(|listener| listener.local_addr().ok())
}
