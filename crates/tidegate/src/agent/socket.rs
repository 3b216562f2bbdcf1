//! The agent's own socket, for programs of its machine: what the server's own paths are there, as far as an agent has them. `attach` and
//! `detach` cross the link and are done by the gateway; the socket's mode says who may ask.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use plane::link::carrier::agent::Call;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::{Semaphore, oneshot};

use super::Calls;
use super::carried::Carried;
use super::desk::GatewayDesk;
use super::identity::Said;
use crate::serve::answer::{self, Answer};
use crate::serve::limits::OWN_BODY_BYTES_MAX;
use crate::serve::own::PREFIX;

/// Connections at a time. Ours. Above: the next ones wait.
const CONNECTIONS_MAX: usize = 32;
/// How long a head may take to come. Ours. Above: closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call may take: as long as the commands wait. Above: 504.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// For its owner alone.
const MODE: u32 = 0o600;

/// What programs are told.
pub(super) struct Told {
    pub(super) said: Said,
    pub(super) carried: Arc<Carried>,
    pub(super) desks: Vec<Arc<GatewayDesk>>,
}

/// Opens the socket. The agent has the lock on its directory, so that one that is there is nobody's.
pub(super) fn open(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(socket)
}

/// Answers until it is aborted.
pub(super) async fn serve(socket: UnixListener, told: Arc<Told>, calls: Calls) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of the agent's socket");
                tokio::time::sleep(crate::serve::limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (told, calls) = (Arc::clone(&told), calls.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (told, calls) = (Arc::clone(&told), calls.clone());
                async move { Ok::<_, Infallible>(answer(&told, &calls, request).await) }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection of the agent's socket ended");
            }
            drop(place);
        });
    }
}

async fn answer(told: &Told, calls: &Calls, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&parts.method, path) {
        (&Method::GET, "health") => answer::json(StatusCode::OK, &status(told)),
        // What the agent has attached, in the form in which a server tells it.
        (&Method::GET, "status") => call(calls, "attachments".to_owned(), String::new()).await,
        (&Method::POST, "attach" | "detach") => {
            let body = match answer::read(body, OWN_BODY_BYTES_MAX).await {
                Ok(body) => String::from_utf8_lossy(&body).into_owned(),
                Err(unread) => return answer::refusal(unread.status(), "BODY", unread.sentence()),
            };
            call(calls, path.to_owned(), body).await
        }
        _ => answer::refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "An agent has no such path"),
    }
}

/// Has the gateway carry out a call.
async fn call(calls: &Calls, path: String, body: String) -> Answer {
    let (answer, answered) = oneshot::channel();
    if calls.try_send(Call { path, body, answer }).is_err() {
        return answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "Too many calls wait for the gateway");
    }
    match tokio::time::timeout(CALL_TIMEOUT, answered).await {
        Ok(Ok((status, body))) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            let body: Value = serde_json::from_str(&body).unwrap_or_default();
            answer::json(status, &body)
        }
        Ok(Err(_)) => answer::refusal(StatusCode::BAD_GATEWAY, "NO_GATEWAY", "The link ended before the answer came"),
        Err(_) => answer::refusal(StatusCode::GATEWAY_TIMEOUT, "NO_GATEWAY", "The gateway does not answer"),
    }
}

fn status(told: &Told) -> Value {
    let gateways: Vec<Value> = told
        .desks
        .iter()
        .map(|desk| json!({ "gateway": desk.gateway, "connected": *desk.connected.borrow() }))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "agent": told.said.agent,
        "vpc": told.said.vpc,
        "gateways": gateways,
        "revision": *told.carried.revision().borrow(),
    })
}
