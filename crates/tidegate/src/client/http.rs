//! A small HTTP/1.1 client for the commands: one request, one connection, plain HTTP to a name that is resolved here.
//! `*.localhost` is loopback whatever the system's resolver thinks. No pool and no redirects; traffic is the plane's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::loopback::is_localhost;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: longer than any timeout of the chain.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// Bytes of an answer that a command holds.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a unix socket's name begins with where a URL is wanted, as a person writes it.
const UNIX: &str = "unix:";
/// The same as a scheme: the path is the authority, in hexadecimal.
const UNIX_SCHEME: &str = "unix";
/// What the host of a unix socket is called.
const UNIX_HOST: &str = "localhost";
/// The port of plain HTTP.
pub(crate) const HTTP_PORT: u16 = 80;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// The URL is none that can be called.
    #[error("{0} is no URL of the form http://HOST[:PORT]/...")]
    Url(String),
    /// Nobody is there.
    #[error(
        "cannot reach {authority}: {source}; is the server up (`tidegate up --detach`), and does --api or TIDEGATE_API name it?"
    )]
    Connect {
        /// Whom.
        authority: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There was no whole answer.
    #[error("no answer from {authority}: {text}")]
    Answer {
        /// From whom.
        authority: String,
        /// What went wrong.
        text: String,
    },
}

/// What is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The method.
    pub(crate) method: Method,
    /// The whole URL.
    pub(crate) url: Uri,
    /// Headers; `Host` is added from the URL if there is none.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Reads a URL that can be called, or `unix:` and the path of a socket.
pub(crate) fn url(text: &str) -> Result<Uri, ClientError> {
    let socket = text.strip_prefix(UNIX).filter(|path| !path.is_empty() && !path.starts_with("//"));
    let parsed: Option<Uri> = match socket {
        Some(path) => {
            let path: String = path.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("{UNIX_SCHEME}://{path}/").parse().ok()
        }
        None => text.parse().ok(),
    };
    let is_callable = |url: &Uri| matches!(url.scheme_str(), Some("http" | UNIX_SCHEME)) && url.authority().is_some();
    parsed.filter(is_callable).ok_or_else(|| ClientError::Url(text.to_owned()))
}

/// The path of the unix socket that a URL names, if it names one.
fn socket_of(url: &Uri) -> Option<PathBuf> {
    let hex = url.host().filter(|_| url.scheme_str() == Some(UNIX_SCHEME))?.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let path = hex.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(call: Call) -> Result<Answer, ClientError> {
    let authority = authority(&call.url);
    let failed = |text: String| ClientError::Answer { authority: authority.clone(), text };
    let whole = async {
        let (parts, body) = open(call).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| failed(error.to_string()))?;
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    };
    let late = |_| failed(format!("nothing within {ANSWER_TIMEOUT:?}"));
    tokio::time::timeout(ANSWER_TIMEOUT, whole).await.map_err(late)?
}

/// Sends a request and hands out the answer while its body still comes. Dropping it closes the connection.
pub(crate) async fn open(call: Call) -> Result<Response<Incoming>, ClientError> {
    let authority = authority(&call.url);
    let failed = |error: hyper::Error| ClientError::Answer { authority: authority.clone(), text: error.to_string() };
    let unreached = |source| ClientError::Connect { authority: authority.clone(), source };
    let sent = match socket_of(&call.url) {
        Some(path) => exchange(UnixStream::connect(path).await.map_err(unreached)?, request(call, UNIX_HOST)).await,
        None => exchange(connect(&call.url).await.map_err(unreached)?, request(call, &authority)).await,
    };
    sent.map_err(failed)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // The sender sees the same failure and reports it.
        let _ = connection.await;
    });
    sender.send_request(request).await
}

fn request(call: Call, authority: &str) -> Request<Full<Bytes>> {
    let Call { method, url, mut headers, body } = call;
    if !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(authority)
    {
        headers.insert(HOST, host);
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target(&url);
    *request.headers_mut() = headers;
    request
}

/// What the request line names.
pub(super) fn target(url: &Uri) -> Uri {
    url.path_and_query().and_then(|target| target.as_str().parse().ok()).unwrap_or_default()
}

/// Whom the URL names: host and port.
pub(super) fn authority(url: &Uri) -> String {
    if let Some(path) = socket_of(url) {
        return path.display().to_string();
    }
    url.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default()
}

async fn connect(url: &Uri) -> std::io::Result<TcpStream> {
    let (host, port) = (url.host().unwrap_or_default(), url.port_u16().unwrap_or(HTTP_PORT));
    let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection in time");
    let connecting = async {
        let stream = match local_address(host) {
            Some(address) => TcpStream::connect(SocketAddr::new(address, port)).await?,
            None => TcpStream::connect((host, port)).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(late)?
}

/// The address of a host that needs no resolver.
pub(crate) fn local_address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if is_localhost(bare) { Some(Ipv4Addr::LOCALHOST.into()) } else { bare.parse().ok() }
}
