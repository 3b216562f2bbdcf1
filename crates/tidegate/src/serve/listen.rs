//! Accepts connections of the API port, with TLS or without, and of the listener of metrics, and serves HTTP/1.1 and HTTP/2 with prior knowledge on them. The accept loop only
//! accepts; each connection is a task that ends with its current request once the server stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use plane::limits::{CLIENT_STREAM_WINDOW_BYTES, CLIENT_WINDOW_BYTES};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::answer::{self, Answer};
use super::api_tls::ApiTls;
use super::limits::{ACCEPT_PAUSE, HEAD_BYTES_MAX, HEAD_TIMEOUT, READ_IDLE_TIMEOUT};
use super::patient::Patient;
use super::{State, aws, guard, own, told};

/// The places of the API port's connections.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

impl Places {
    /// So many, all free.
    pub(crate) fn new(connections_max: usize) -> Self {
        // Their number is far below u32's end.
        let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(connections_max)), all }
    }

    /// Waits until every connection has ended.
    pub(crate) async fn all_free(&self) {
        let _ = self.free.acquire_many(self.all).await;
    }
}

/// By which listener a client comes.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// The API port.
    Api,
    /// The API port with TLS.
    Secured(Arc<ApiTls>),
    /// The listener of metrics.
    Metrics,
}

/// Accepts until the server stops.
pub(crate) async fn accept(state: Arc<State>, (listener, door): (TcpListener, Door), places: Places) {
    let mut stopping = state.stopping.subscribe();
    loop {
        let next = async {
            let place = Arc::clone(&places.free).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = told(&mut stopping) => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (state, door, stopping) = (Arc::clone(&state), door.clone(), stopping.clone());
                tokio::spawn(async move {
                    connection(state, door, (stream, peer), stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    state: Arc<State>,
    door: Door,
    (stream, peer): (TcpStream, SocketAddr),
    mut stopping: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    // The engine's bound on a head begins with its first byte; until then a silent client would hold its place for ever.
    let mut first = [0; 1];
    let spoke = tokio::select! {
        seen = tokio::time::timeout(HEAD_TIMEOUT, stream.peek(&mut first)) => matches!(seen, Ok(Ok(1))),
        () = told(&mut stopping) => false,
    };
    if !spoke {
        return;
    }
    match &door {
        Door::Secured(tls) => {
            let Some(stream) = tls.accept(stream).await else { return };
            converse(state, door, (stream, peer), stopping).await;
        }
        Door::Api | Door::Metrics => converse(state, door, (stream, peer), stopping).await,
    }
}

/// Serves requests until the client or the server ends it.
async fn converse(
    state: Arc<State>,
    door: Door,
    (stream, peer): (impl AsyncRead + AsyncWrite + Unpin + Send + 'static, SocketAddr),
    mut stopping: watch::Receiver<bool>,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    // Far below u32's end.
    let head_bytes_max = u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(head_bytes_max)
        .keep_alive_interval(HEAD_TIMEOUT)
        // Each byte may come in a frame of its own.
        .initial_stream_window_size(CLIENT_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CLIENT_WINDOW_BYTES);
    let service = service_fn(move |request| {
        let (state, door) = (Arc::clone(&state), door.clone());
        async move {
            Ok::<_, Infallible>(match door {
                Door::Metrics => watched(&state, &request),
                Door::Api | Door::Secured(_) => serve(&state, request, peer).await,
            })
        }
    });
    let connection = builder.serve_connection(TokioIo::new(Patient::new(stream, READ_IDLE_TIMEOUT)), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "a connection of the API port ended");
    }
}

/// One request, by whom it is for: the data plane, Tidegate itself, or AWS's APIs.
async fn serve(state: &Arc<State>, request: Request<Incoming>, peer: SocketAddr) -> Answer {
    let path = request.uri().path();
    if plane::is_invocation(&request) || path.starts_with("/_aws/execute-api/") {
        return answer::carried(state.plane.handle(request, peer).await);
    }
    let request_id = state.request_id();
    if let Err(foreign) = guard::browser(request.headers()) {
        return answer::named(answer::foreign(foreign), &request_id);
    }
    // These paths judge their callers themselves; whatever else comes is an AWS call, by whichever path.
    match path {
        "/_tidegate/health" => answer::named(own::health(state), &request_id),
        "/_localstack/health" => answer::named(own::localstack_health(state), &request_id),
        "/metrics" => answer::named(own::metrics(state, &request, peer), &request_id),
        path if path.starts_with(own::SIGNING_KEYS) => answer::named(own::signing_key(state, path), &request_id),
        path if path.starts_with(control::presigned::PREFIX) => {
            answer::named(own::presigned(state, request.uri()).await, &request_id)
        }
        path if path.starts_with(own::PREFIX) => answer::named(own::serve(state, request, peer).await, &request_id),
        _ => match if state.config.is_development() { guard::rebound(&request) } else { Ok(()) } {
            Ok(()) => aws::serve(state, request, (request_id, peer)).await,
            Err(foreign) => answer::named(answer::foreign(foreign), &request_id),
        },
    }
}

/// One request to the listener of metrics: whoever may connect to it may read them, and nothing else is there.
fn watched(state: &Arc<State>, request: &Request<Incoming>) -> Answer {
    let answer = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => own::exposition(state),
        (&Method::GET, "/healthz") => own::health(state),
        _ => answer::refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "Here are GET /metrics and GET /healthz"),
    };
    answer::named(answer, &state.request_id())
}
