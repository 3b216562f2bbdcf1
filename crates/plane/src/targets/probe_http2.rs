//! Probes over HTTP/2: a GET, or a call of gRPC whose status is told in a header or behind the body (ALB user guide, "Health checks for
//! Application Load Balancer target groups", 2026-11; gRPC over HTTP/2, "Responses").

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use topology::observed::Unhealthy;
use topology::resource::target_group::HttpVersion;
use topology::snapshot::balancer::Question;

use super::health::host;
use crate::fabric::outside::Stream;
use crate::http::body::RequestBody;
use crate::limits::{PROBE_BODY_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX};
use crate::task::Tasks;

/// A message of no bytes, uncompressed.
const EMPTY_MESSAGE: &[u8] = &[0; 5];
/// What a call without a status ends with: `UNKNOWN`.
const UNKNOWN: u16 = 2;

/// Asks over a connection of its own, and gives the status that the matcher is held against; the caller's timeout ends it.
pub(super) async fn ask(
    stream: Stream,
    at: (IpAddr, u16),
    asks: &Question,
    version: HttpVersion,
) -> Result<u16, Unhealthy> {
    let failed = Unhealthy::FailedHealthChecks;
    let mut builder = http2::Builder::new(Tasks);
    builder.max_header_list_size(u32::try_from(RESPONSE_HEAD_BYTES_MAX).unwrap_or(u32::MAX));
    let shaken = builder.handshake::<_, RequestBody>(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|_| failed)?;
    let request = request(at, asks, version).ok_or(failed)?;
    let asking = async {
        let response = sender.send_request(request).await.map_err(|_| failed)?;
        let status = response.status().as_u16();
        match version {
            HttpVersion::Grpc if status == 200 => called(response.headers().clone(), response.into_body()).await,
            HttpVersion::Grpc => Err(Unhealthy::ResponseCodeMismatch(status)),
            HttpVersion::Http1 | HttpVersion::Http2 => Ok(status),
        }
    };
    tokio::pin!(asking, connection);
    tokio::select! {
        answered = &mut asking => answered,
        // The answer may be complete when the connection ends.
        _ = &mut connection => asking.await,
    }
}

/// The status of a call.
async fn called(headers: HeaderMap, mut body: Incoming) -> Result<u16, Unhealthy> {
    let mut status = headers.get("grpc-status").cloned();
    let mut left = PROBE_BODY_BYTES_MAX;
    while status.is_none() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|_| Unhealthy::FailedHealthChecks)?;
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        left = left.checked_sub(bytes).ok_or(Unhealthy::FailedHealthChecks)?;
        status = frame.trailers_ref().and_then(|trailers| trailers.get("grpc-status")).cloned();
    }
    let told = status.and_then(|status| status.to_str().ok()?.parse().ok());
    Ok(told.unwrap_or(UNKNOWN))
}

fn request((address, port): (IpAddr, u16), asks: &Question, version: HttpVersion) -> Option<Request<RequestBody>> {
    let mut request = Request::new(RequestBody::empty());
    let scheme = if asks.is_secure { "https" } else { "http" };
    let target = Uri::builder().scheme(scheme).authority(host(address, port)).path_and_query(&*asks.path);
    *request.uri_mut() = target.build().ok()?;
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static("ELB-HealthChecker/2.0"));
    if version == HttpVersion::Grpc {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        *request.method_mut() = Method::POST;
        return Some(request.map(|body| body.replaced(Bytes::from_static(EMPTY_MESSAGE))));
    }
    Some(request)
}
