//! The demo's private services: each answers every request with its own name and what it was asked.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

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

use crate::cli::DemoBackendArgs;
use crate::client::{Complaint, to_end};
use crate::exit::Exit;
use crate::output;

/// Starts a service on a free port of loopback; it ends with the process.
pub(super) async fn start(name: &str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, name.into()));
    Ok(address)
}

/// The hidden command: a service as a program of its own, where `tidegate run` says. It says so when it listens.
pub(crate) fn backend(args: &DemoBackendArgs) -> Exit {
    to_end(async {
        let place = SocketAddr::new(told::<IpAddr>("HOST")?, told("PORT")?);
        let failed = |error: std::io::Error| Complaint::System(format!("{place}: {error}"));
        let listener = TcpListener::bind(place).await.map_err(failed)?;
        output::line(&format!("{} listens at {place}", args.name));
        serve(listener, args.name.as_str().into()).await;
        Ok(Exit::Failed)
    })
}

/// What a variable says.
fn told<T: FromStr>(name: &str) -> Result<T, Complaint> {
    let wrong = || Complaint::Usage(format!("{name} does not say where to listen, as `tidegate run` makes it"));
    std::env::var(name).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

/// Answers until the listener fails.
async fn serve(listener: TcpListener, name: Arc<str>) {
    while let Ok((stream, _)) = listener.accept().await {
        let name = Arc::clone(&name);
        let service = service_fn(move |request| {
            let answer = answer(&name, &request);
            async move { Ok::<_, Infallible>(answer) }
        });
        // A client that breaks off is the client's business.
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await });
    }
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let seen = json!({ "service": name, "path": request.uri().path(), "host": host });
    let mut response = Response::new(Full::new(format!("{seen}\n").into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
