//! The requests to an authority, each on a connection of its own, within bounds of time and bytes. What is said in them is
//! `instant-acme`'s; whom to believe is said by the configuration.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HOST, HeaderValue, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one request may take, from its name's resolution to the last byte of its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of an answer. Chains of certificates have a few thousand.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long an authority may ask to be left alone. Above: this.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The port that a URL with TLS need not name.
const HTTPS: u16 = 443;

/// Whom to believe as the authority.
pub(super) fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unusable = |why: String| format!("{}: {why}", path.display());
            let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
            for root in found {
                let root = root.map_err(|error| unusable(error.to_string()))?;
                roots.add(root).map_err(|error| unusable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unusable("holds no certificate".to_owned()));
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// A client for one order.
#[derive(Clone)]
pub(super) struct Http {
    tls: Arc<ClientConfig>,
    pause: Arc<Mutex<Option<Duration>>>,
}

impl Http {
    pub(super) fn new(tls: &Arc<ClientConfig>) -> Self {
        Self { tls: Arc::clone(tls), pause: Arc::default() }
    }

    /// How long the authority asked to be left alone, if its last refusal did.
    pub(super) fn pause(&self) -> Option<Duration> {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, status: StatusCode, headers: &HeaderMap) {
        let is_busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let pause = headers.get(RETRY_AFTER).filter(|_| is_busy).and_then(pause);
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn pause(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let pause = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).ok()?,
    };
    Some(pause.min(PAUSE_MAX))
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let place = request.uri().clone();
            let failed = |why: String| Error::Other(format!("{place}: {why}").into());
            match tokio::time::timeout(REQUEST_TIMEOUT, client.exchange(request)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(why)) => Err(failed(why)),
                Err(_elapsed) => Err(failed(format!("no answer within {REQUEST_TIMEOUT:?}"))),
            }
        })
    }
}

impl Http {
    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, String> {
        let (mut parts, body) = request.into_parts();
        let authority = parts.uri.authority().filter(|_| parts.uri.scheme_str() == Some("https"));
        let authority = authority.ok_or("is no URL with https")?.clone();
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::from(path);
        parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|error| error.to_string())?);
        let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(HTTPS))).await;
        let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(untrusted)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // It ends with the exchange, whose failure is seen below.
        let carrying = tokio::spawn(connection);
        let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await;
        let answer = answer.map_err(|error| error.to_string());
        let read = match answer {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                self.note(parts.status, &parts.headers);
                let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
                body.map(|body| (parts, body.to_bytes())).map_err(|error| error.to_string())
            }
            Err(why) => Err(why),
        };
        carrying.abort();
        read.map(|(parts, body)| BytesResponse { parts, body: Box::new(body) })
    }
}

fn untrusted(error: io::Error) -> String {
    format!("TLS: {error}; acme.ca_file names the roots of a private authority")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_an_authority_is_left_alone() {
        let rows = [
            ("120", Some(Duration::from_secs(120))),
            ("999999999", Some(PAUSE_MAX)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", None),
            ("soon", None),
            ("-1", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(pause(&HeaderValue::from_static(text)), wanted, "{text}");
        }
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
        let left = pause(&HeaderValue::try_from(later).unwrap()).unwrap();
        assert!((3500..=3600).contains(&left.as_secs()), "{left:?}");
    }
}
