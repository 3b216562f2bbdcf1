//! Accepts connections of the API port, with TLS or without, and of the listeners of metrics and of what is sent on to TLS, and serves HTTP/1.1 and HTTP/2 with prior knowledge on them. The accept loop only
//! accepts; each connection is a task that ends with its current request once the server stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderValue, LOCATION};
use http::uri::Authority;
use http::{Method, Request, StatusCode, Uri};
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
use super::limits::{ACCEPT_PAUSE, HEAD_BYTES_MAX, HEAD_TIMEOUT, READ_IDLE_TIMEOUT, REDIRECT_TIMEOUT};
use super::patient::Patient;
use super::{State, aws, guard, own, told};

/// The port that a URL with TLS need not name.
const HTTPS: u16 = 443;

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
    /// The listener that sends requests on to TLS.
    Redirect,
}

impl Door {
    /// How long a client may take for a request's head.
    fn head_timeout(&self) -> Duration {
        match self {
            Self::Api | Self::Secured(_) | Self::Metrics => HEAD_TIMEOUT,
            Self::Redirect => REDIRECT_TIMEOUT,
        }
    }
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
        seen = tokio::time::timeout(door.head_timeout(), stream.peek(&mut first)) => matches!(seen, Ok(Ok(1))),
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
        Door::Api | Door::Metrics | Door::Redirect => converse(state, door, (stream, peer), stopping).await,
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
    builder.http1().timer(TokioTimer::new()).header_read_timeout(door.head_timeout()).max_buf_size(HEAD_BYTES_MAX);
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
                Door::Redirect => proven(&state, &request).unwrap_or_else(|| sent_on(&state, &request)),
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

/// What an authority asks for that a name is proven to by HTTP-01, for as long as it has reason to ask.
fn proven(state: &Arc<State>, request: &Request<Incoming>) -> Option<Answer> {
    let text = state.acme.as_ref()?.challenges.answer(request.uri().path())?;
    (request.method() == Method::GET).then(|| answer::text(StatusCode::OK, text))
}

/// One request without TLS: the same with TLS, by the same method (RFC 9110, section 15.4.9). Its name is the client's own word; whether it is
/// served is judged there.
fn sent_on(state: &Arc<State>, request: &Request<Incoming>) -> Answer {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    let host = request.uri().authority().cloned().or(host).filter(|host: &Authority| !host.as_str().contains('@'));
    let place = host.zip(state.ends.public_tls).map(|(host, end)| location(&host, end.port(), request.uri()));
    let place = place.and_then(|place| HeaderValue::try_from(place).ok());
    let mut answer = match place {
        None => {
            answer::refusal(StatusCode::BAD_REQUEST, "NO_HOST", "The request names no host that it could be sent on to")
        }
        Some(place) => {
            let mut answer = answer::text(StatusCode::PERMANENT_REDIRECT, String::new());
            answer.headers_mut().insert(LOCATION, place);
            answer
        }
    };
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// Where the same is with TLS, at this port.
fn location(host: &Authority, port: u16, asked: &Uri) -> String {
    let port = if port == HTTPS { String::new() } else { format!(":{port}") };
    let asked = asked.path_and_query().map_or("/", |asked| asked.as_str());
    format!("https://{}{port}{asked}", host.host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_on_by_its_name_and_path_to_the_port_with_tls() {
        let rows = [
            ("svc.example.com", 8443, "/a?b=c", "https://svc.example.com:8443/a?b=c"),
            ("svc.example.com:80", 443, "/", "https://svc.example.com/"),
            ("[::1]:8080", 443, "//evil.example/x", "https://[::1]//evil.example/x"),
            ("svc.example.com", 443, "http://other.example/x", "https://svc.example.com/x"),
        ];
        for (host, port, asked, wanted) in rows {
            assert_eq!(location(&host.parse().unwrap(), port, &asked.parse().unwrap()), wanted, "{host} {asked}");
        }
    }
}
