//! The demo's private services: each answers every request with its own name and what it was asked.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

/// Starts a service on a free port of loopback; it ends with the process.
pub(crate) async fn start(name: &'static str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(name, &request)) });
            // A client that breaks off is the client's business.
            tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await });
        }
    });
    Ok(address)
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let seen =
        json!({ "service": name, "method": request.method().as_str(), "path": request.uri().path(), "host": host });
    let mut response = Response::new(Full::new(format!("{seen}\n").into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
