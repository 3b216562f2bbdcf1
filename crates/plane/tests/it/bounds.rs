//! What clients and targets may take of the plane: memory and connections while they owe bytes or are owed some, and no longer than
//! the bounds say.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::estate::host;
use crate::rest_api::{self, post, scene};
use crate::scene::{Backend, OK, Scene, read_answer};

/// A client that announces a body of 10 MiB, and sends this much of it.
async fn announcing(scene: &Scene, (path, host): (&str, &str), sent: &str) -> TcpStream {
    let mut stream = scene.connect().await;
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 10485760\r\n\r\n{sent}");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The body of a request over HTTP/2.
enum Sent {
    /// There is none.
    Nothing,
    /// It never comes.
    Never,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.is_end_stream() { 0 } else { 1000 })
    }
}

#[tokio::test]
async fn bodies_that_are_announced_and_do_not_come_stop_no_other_body() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let custom = rest.custom("http://backend.internal/");
        rest.method("POST /custom", |method| method.integration = Some(custom));
    })
    .await;
    let mut idle = Vec::new();
    for sent in ["", "x"] {
        for _ in 0..70 {
            idle.push(announcing(&scene, ("/prod/custom", &rest_api::host()), sent).await);
        }
    }
    let answer = tokio::time::timeout(Duration::from_secs(5), post(&scene, "/prod/custom", "", "{}")).await.unwrap();
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
}

#[tokio::test]
async fn bodies_that_a_mapping_waits_for_stop_no_other_body() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.edit_integration(|integration| {
            integration.request_parameters = [("append:header.x-a".into(), "$request.body.a".into())].into();
        });
    })
    .await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..9 {
        let stream = TokioIo::new(scene.connect().await);
        let (mut client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..120 {
            let (mut client, url) = (client.clone(), format!("http://{}/", host()));
            let request = hyper::Request::post(url).body(Sent::Never).unwrap();
            waiting.spawn(async move { client.send_request(request).await });
        }
        // Streams are taken in order: with the answer to this one all before it are under way.
        let last = hyper::Request::get("http://nowhere.example/").body(Sent::Nothing).unwrap();
        assert_eq!(client.send_request(last).await.unwrap().status(), 404);
    }
    let sending = scene.send("POST /", "content-length: 7\r\n\r\n{\"a\":1}");
    let answer = tokio::time::timeout(Duration::from_secs(5), sending).await.unwrap();
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_gives_its_place_up() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let custom = rest.custom("http://backend.internal/");
        rest.method("POST /custom", |method| method.integration = Some(custom));
    })
    .await;
    let start = Instant::now();
    let silent = announcing(&scene, ("/prod/custom", &rest_api::host()), "x").await;
    let answer = read_answer(silent).await;
    assert_eq!((answer.outcome().as_str(), start.elapsed().as_secs()), ("CLIENT_CLOSED", 10), "{answer:?}");
}
