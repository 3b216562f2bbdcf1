//! How a gateway is dialled: by its name, within a deadline, through the proxy that the environment names, with what finds a dead peer. An agent
//! dials nothing else from here.

use std::env;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::enrolment::GATEWAY_NAME;
use rustix::net::sockopt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use topology::net::IpNet;

use crate::client::http::local_address;

/// How long a connection may take to be made, with the proxy's answer.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a handshake may take. Above: the gateway is not reached.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may leave sent bytes, or a question whether it is there, without an answer. Above: the connection is broken.
const PEER_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a silent peer is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// How many such questions stay unanswered in [`PEER_TIMEOUT`].
const KEEPALIVE_COUNT: u32 = 2;
/// Bytes of a proxy's answer. Above: it is none.
const PROXY_ANSWER_BYTES_MAX: usize = 8 * 1024;
/// The port of a proxy that names none.
const PROXY_PORT: u16 = 8080;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proxy {
    host: String,
    port: u16,
    /// For `Proxy-Authorization`.
    credentials: Option<String>,
}

/// Connects to a gateway, `HOST:PORT`.
///
/// # Errors
/// What the system or the proxy says, in a sentence.
pub(crate) async fn dial(gateway: &str) -> io::Result<TcpStream> {
    let (place, proxy) = way(gateway)?;
    let dialling = async {
        let stream = match &proxy {
            None => TcpStream::connect(place).await?,
            Some(proxy) => {
                let mut stream = TcpStream::connect((proxy.host.as_str(), proxy.port)).await?;
                tunnel(&mut stream, gateway, proxy).await?;
                stream
            }
        };
        watched(&stream)?;
        Ok(stream)
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {DIAL_TIMEOUT:?}"));
    let dialled = tokio::time::timeout(DIAL_TIMEOUT, dialling).await.unwrap_or_else(|_| Err(late()));
    dialled.map_err(|error| match &proxy {
        None => error,
        Some(proxy) => io::Error::new(error.kind(), format!("by the proxy {}:{}: {error}", proxy.host, proxy.port)),
    })
}

/// Shakes hands with whoever was dialled, who must be a gateway.
///
/// # Errors
/// What the handshake comes to; `TimedOut` where it comes to nothing.
pub(crate) async fn shake(config: Arc<ClientConfig>, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(GATEWAY_NAME).map_err(io::Error::other)?;
    let shaking = TlsConnector::from(config).connect(name, stream);
    tokio::time::timeout(HANDSHAKE_TIMEOUT, shaking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether a gateway is dialled through a proxy.
///
/// # Errors
/// As [`dial`], where the name of the gateway or of a proxy is none.
pub(crate) fn is_by_proxy(gateway: &str) -> io::Result<bool> {
    way(gateway).map(|(_, proxy)| proxy.is_some())
}

/// Where a gateway is, and the proxy on the way to it, if the environment names one.
fn way(gateway: &str) -> io::Result<((&str, u16), Option<Proxy>)> {
    let place = split(gateway).ok_or_else(|| invalid(format!("{gateway:?} is no HOST:PORT")))?;
    Ok((place, proxy_for(place, |name| env::var(name).ok())?))
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.into())
}

/// A name or an address, an IPv6 one in brackets, and a port.
fn split(gateway: &str) -> Option<(&str, u16)> {
    let (host, port) = gateway.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_plain = |host: &str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    let host = match bare {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
        None if is_plain(host) => host,
        _ => return None,
    };
    Some((host, port.parse().ok().filter(|port| *port > 0)?))
}

/// Finds a dead peer within [`PEER_TIMEOUT`], whether bytes are on their way or none.
fn watched(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_COUNT)?;
    let timeout_ms = u32::try_from(PEER_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(stream, timeout_ms)?)
}

/// The proxy for a gateway, by the variables that other programs read too: `HTTPS_PROXY` or `https_proxy`, but for what `NO_PROXY` or
/// `no_proxy` lists, and for this machine itself.
fn proxy_for((host, port): (&str, u16), variable: impl Fn(&str) -> Option<String>) -> io::Result<Option<Proxy>> {
    if local_address(host).is_some_and(|address| address.is_loopback()) {
        // Seen from a proxy it would be another machine.
        return Ok(None);
    }
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| variable(name).filter(|text| !text.is_empty()));
    let Some(url) = first(["HTTPS_PROXY", "https_proxy"]) else { return Ok(None) };
    let excepted = first(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    if excepted.split(',').any(|exception| is_excepted(exception.trim(), (host, port))) {
        return Ok(None);
    }
    // The text may hold a password, so it is not repeated.
    let unfit = || invalid("HTTPS_PROXY must be http://[USER:PASSWORD@]HOST[:PORT]");
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(unfit());
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    let with_port = if split(place).is_some() { place.to_owned() } else { format!("{place}:{PROXY_PORT}") };
    let (host, port) = split(&with_port).ok_or_else(unfit)?;
    let credentials =
        user.map(|user| unescaped(user).map(|user| STANDARD.encode(user)).ok_or_else(unfit)).transpose()?;
    Ok(Some(Proxy { host: host.to_owned(), port, credentials }))
}

/// The bytes that a part of a URL stands for (RFC 3986, 2.1).
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            bytes.push(digit(rest.next()?)? << 4 | digit(rest.next()?)?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

/// Whether an entry of `NO_PROXY` is about this host: `*`, a name with all below it, an address, a block; each with a port, if it is about
/// that alone.
fn is_excepted(exception: &str, (host, port): (&str, u16)) -> bool {
    let (exception, of_port) = match exception.rsplit_once(':') {
        Some((name, of_port)) if !name.contains(':') || name.ends_with(']') => (name, of_port.parse::<u16>().ok()),
        _ => (exception, None),
    };
    if of_port.is_some_and(|of_port| of_port != port) || exception.is_empty() {
        return false;
    }
    let exception = exception.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>() {
        let is_within = exception.parse::<IpNet>().is_ok_and(|block| block.contains(&address));
        return exception == "*" || is_within || exception.parse() == Ok(address);
    }
    let (name, host) = (exception.trim_start_matches('.').to_ascii_lowercase(), host.to_ascii_lowercase());
    exception == "*" || host.strip_suffix(&name).is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// Has a proxy connect us to a gateway (RFC 9110, 9.3.6). Nothing is read beyond its answer: what follows is the gateway's.
async fn tunnel(stream: &mut TcpStream, gateway: &str, proxy: &Proxy) -> io::Result<()> {
    let credentials = proxy.credentials.as_ref();
    let credentials = credentials.map(|text| format!("Proxy-Authorization: Basic {text}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {gateway} HTTP/1.1\r\nHost: {gateway}\r\n{credentials}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= PROXY_ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("its answer has more than {PROXY_ANSWER_BYTES_MAX} bytes")));
        }
        answer.push(stream.read_u8().await?);
    }
    let line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["HTTP/1.1" | "HTTP/1.0", status, ..] if status.len() == 3 && status.starts_with('2') => Ok(()),
        _ => Err(io::Error::other(format!("it answered {line:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use topology::id::AuthorityPin;

    use super::*;
    use crate::link::enrolment_config;

    #[test]
    fn gateways_are_a_host_and_a_port() {
        for (text, wanted) in [
            ("gateway.example.com:7443", Some(("gateway.example.com", 7443))),
            ("192.0.2.1:1", Some(("192.0.2.1", 1))),
            ("[2001:db8::1]:443", Some(("2001:db8::1", 443))),
            ("2001:db8::1:443", None),
            ("[gateway]:443", None),
            ("gateway", None),
            ("gateway:", None),
            ("gateway:0", None),
            ("gateway:70000", None),
            (":443", None),
            ("a b:443", None),
            ("a\r\nHost: b:443", None),
            ("https://gateway:443", None),
        ] {
            assert_eq!(split(text), wanted, "{text}");
        }
    }

    fn proxy(url: &str, excepted: &str, gateway: &str) -> io::Result<Option<Proxy>> {
        proxy_for(split(gateway).unwrap(), |name| match name {
            "https_proxy" => Some(url.to_owned()),
            "NO_PROXY" => Some(excepted.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_environment_names_a_proxy() {
        let of = |host: &str, port, credentials: Option<&str>| {
            Some(Proxy { host: host.to_owned(), port, credentials: credentials.map(str::to_owned) })
        };
        for (url, wanted) in [
            ("http://proxy:3128", of("proxy", 3128, None)),
            ("proxy:3128", of("proxy", 3128, None)),
            ("HTTP://proxy/", of("proxy", 8080, None)),
            ("http://[2001:db8::1]:3128", of("2001:db8::1", 3128, None)),
            ("http://me:a%40b%3a@proxy:3128", of("proxy", 3128, Some("bWU6YUBiOg=="))),
            ("", None),
        ] {
            assert_eq!(proxy(url, "", "gateway:443").unwrap(), wanted, "{url}");
        }
        for url in ["https://proxy:3128", "socks5://proxy", "http://", "http://a b", "http://me:%4@proxy"] {
            let refused = proxy(url, "", "gateway:443").unwrap_err().to_string();
            assert!(!refused.contains("%4"), "{refused}");
        }
    }

    #[test]
    fn some_hosts_need_no_proxy() {
        for (excepted, gateway, is_direct) in [
            ("*", "gateway.example.com:443", true),
            ("example.com", "gateway.example.com:443", true),
            (".example.com", "Gateway.Example.com:443", true),
            ("a, example.com ", "example.com:443", true),
            ("ample.com", "example.com:443", false),
            ("example.com.", "example.com:443", false),
            ("example.com:443", "example.com:443", true),
            ("example.com:80", "example.com:443", false),
            ("192.0.2.0/24", "192.0.2.7:443", true),
            ("192.0.2.7", "192.0.2.7:443", true),
            ("192.0.2.7", "192.0.2.70:443", false),
            ("2001:db8::/32", "[2001:db8::1]:443", true),
            ("[2001:db8::1]:443", "[2001:db8::1]:443", true),
            ("[2001:db8::1]:80", "[2001:db8::1]:443", false),
            ("", "example.com:443", false),
            ("", "127.0.0.2:443", true),
            ("", "[::1]:443", true),
            ("", "localhost:443", true),
            (",", "example.com:443", false),
        ] {
            let found = proxy("http://proxy:1", excepted, gateway).unwrap();
            assert_eq!(found.is_none(), is_direct, "{excepted} {gateway}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_answers_and_shakes_no_hand_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let config = enrolment_config(AuthorityPin::from_bytes([0; 32])).unwrap();
        assert_eq!(shake(config, stream).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    /// What a proxy that answers so makes of it: the outcome, what it was asked, and what the client then reads.
    async fn through(answer: &'static [u8]) -> (Result<String, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            // Whoever is refused has gone away by then.
            let _ = stream.write_all(answer).await;
            String::from_utf8(asked).unwrap()
        });
        let proxy = Proxy { host: "proxy".to_owned(), port: 1, credentials: Some("bWU6".to_owned()) };
        let mut stream = TcpStream::connect(at).await.unwrap();
        let tunnelled = tunnel(&mut stream, "gateway:443", &proxy).await;
        let outcome = match tunnelled {
            Ok(()) => {
                let mut rest = String::new();
                stream.read_to_string(&mut rest).await.unwrap();
                Ok(rest)
            }
            Err(error) => Err(error.to_string()),
        };
        drop(stream);
        (outcome, serving.await.unwrap())
    }

    #[tokio::test]
    async fn a_proxy_is_asked_and_what_follows_its_answer_is_the_gateways() {
        let (read, asked) = through(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nhello").await;
        assert_eq!(read, Ok("hello".to_owned()));
        assert_eq!(
            asked,
            "CONNECT gateway:443 HTTP/1.1\r\nHost: gateway:443\r\nProxy-Authorization: Basic bWU6\r\n\r\n"
        );
        for answer in [
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            b"HTTP/1.1 302 Found\r\n\r\n",
            b"HTTP/2 200\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"",
        ] {
            assert!(through(answer).await.0.is_err(), "{}", String::from_utf8_lossy(answer));
        }
        const ENDLESS: &[u8] = &[b'x'; 64 * 1024];
        assert!(through(ENDLESS).await.0.unwrap_err().contains("more than 8192 bytes"));
    }
}
