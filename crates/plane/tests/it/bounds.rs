//! What clients and targets may take of the plane: memory and connections while they owe bytes or are owed some, and no longer than
//! the bounds say.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo};
use plane::{Binder, PlaneConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::estate::{BALANCER, host};
use crate::rest_api::{self, post, scene};
use crate::scene::{Backend, OK, Scene, bind, let_pass, parse, read_answer};

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

#[tokio::test(start_paused = true)]
async fn a_client_may_be_silent_within_a_body_for_a_minute_however_often_somebody_looks() {
    let backend = Backend::scripted(|mut conn, _| async move { while conn.head().await.is_some() {} }).await;
    let scene = Scene::new(&backend).await;
    let start = Instant::now();
    let answer = read_answer(announcing(&scene, ("/", &host()), "abc").await).await;
    assert_eq!((answer.outcome().as_str(), start.elapsed().as_secs()), ("CLIENT_CLOSED", 60), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listeners_client_may_be_silent_for_as_long_as_the_load_balancer_bears_it() {
    let backend = Backend::scripted(|mut conn, _| async move { while conn.head().await.is_some() {} }).await;
    for idle_s in [5, 120] {
        let config = PlaneConfig { binder: Binder::new(bind), ..PlaneConfig::default() };
        let mut scene = Scene::configured(config, &backend, |chain| {
            let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
            balancer.attributes.set("idle_timeout.timeout_seconds", &idle_s.to_string()).unwrap();
        })
        .await;
        let socket = scene.listen();
        let start = Instant::now();
        let mut stream = TcpStream::connect(socket).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nabc").await.unwrap();
        let_pass(Duration::from_secs(3)).await;
        stream.write_all(b"def").await.unwrap();
        let answer = read_answer(stream).await;
        assert_eq!((answer.status, start.elapsed().as_secs()), (408, 3 + idle_s), "{answer:?}");
    }
}

/// A body whose pieces come when they are given.
struct Given(tokio::sync::mpsc::Receiver<bytes::Bytes>);

impl hyper::body::Body for Given {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(hyper::body::Frame::data(piece))))
    }
}

/// A client that is reset while it sends may never look at the answer (RFC 9113, section 8.1).
#[tokio::test(start_paused = true)]
async fn over_http2_a_body_may_come_behind_its_answer_for_a_while() {
    let scene = Scene::new(&Backend::answering(OK).await).await;
    let stream = TokioIo::new(scene.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let (give, given) = tokio::sync::mpsc::channel(1);
    let request = hyper::Request::post("http://nowhere.example/").body(Given(given)).unwrap();
    assert_eq!(client.send_request(request).await.unwrap().status(), 404);
    for _ in 0..4 {
        let_pass(Duration::from_secs(1)).await;
        assert!(!give.is_closed(), "the client may send");
        give.send(bytes::Bytes::from(vec![b'x'; 100_000])).await.unwrap();
    }
    let_pass(Duration::from_secs(2)).await;
    assert!(give.is_closed(), "not without end");
}

/// A target whose answer has no end. It says when its client no longer takes it.
async fn endless(cut: tokio::sync::mpsc::UnboundedSender<Instant>) -> Backend {
    Backend::scripted(move |mut conn, _| {
        let cut = cut.clone();
        async move {
            let Some(head) = conn.head().await else { return };
            if head.contains("ELB-HealthChecker") {
                return conn.send(OK).await;
            }
            conn.send("HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n").await;
            let piece = vec![b'x'; 256 * 1024];
            while conn.stream.get_mut().write_all(&piece).await.is_ok() {}
            let _ = cut.send(Instant::now());
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_holds_no_target_for_long() {
    let (cut, mut was_cut) = tokio::sync::mpsc::unbounded_channel();
    let scene = Scene::new(&endless(cut).await).await;
    let start = Instant::now();
    let mut stream = scene.connect().await;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", host()).as_bytes()).await.unwrap();
    let after = was_cut.recv().await.unwrap() - start;
    assert!((60..=75).contains(&after.as_secs()), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_opens_no_window_holds_no_target_for_long_and_its_connection_stays() {
    let (cut, mut was_cut) = tokio::sync::mpsc::unbounded_channel();
    let scene = Scene::new(&endless(cut).await).await;
    let start = Instant::now();
    let stream = TokioIo::new(scene.connect().await);
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (mut client, connection) = builder.handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let get = |url: String| hyper::Request::get(url).body(Sent::Nothing).unwrap();
    let held = client.send_request(get(format!("http://{}/", host()))).await.unwrap();
    assert_eq!(held.status(), 200);
    // The connection is in use all the time.
    let asking = async {
        loop {
            let_pass(Duration::from_secs(10)).await;
            let other = client.send_request(get("http://nowhere.example/".to_owned())).await.unwrap();
            assert_eq!(other.status(), 404);
        }
    };
    let after = tokio::select! {
        cut = was_cut.recv() => cut.unwrap() - start,
        () = asking => Duration::ZERO,
    };
    assert!((60..=75).contains(&after.as_secs()), "{after:?}");
    assert_eq!(client.send_request(get("http://nowhere.example/".to_owned())).await.unwrap().status(), 404);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_ends_with_its_time() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let (read, mut write) = announcing(&scene, ("/", &host()), "").await.into_split();
    let start = Instant::now();
    let dripping = async {
        while write.write_all(b"x").await.is_ok() {
            let_pass(Duration::from_secs(5)).await;
        }
    };
    let answering = async {
        let mut head = [0; 4096];
        let count = {
            let mut read = read;
            tokio::io::AsyncReadExt::read(&mut read, &mut head).await.unwrap()
        };
        parse(&String::from_utf8_lossy(&head[..count]))
    };
    let answer = tokio::select! {
        answer = answering => answer,
        () = dripping => panic!("the client was cut without an answer"),
    };
    assert_eq!((answer.status, answer.outcome().as_str()), (408, "CLIENT_CLOSED"));
    assert_eq!(start.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_reads_are_their_peers_share_until_they_are_cut() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if !head.starts_with("GET /large ") {
                conn.send(OK).await;
                continue;
            }
            conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na00000\r\n").await;
            let _ = conn.stream.get_mut().write_all(&vec![b'x'; 0xa0_0000]).await;
            conn.send("\r\n0\r\n\r\n").await;
        }
    })
    .await;
    let scene = scene(&backend, |rest| rest.method("GET /large", |_| {})).await;
    let head = format!("GET /prod/large HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", rest_api::host());
    let ask = async |from: [u8; 4]| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(scene.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut begin = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut begin).await.unwrap();
        (String::from_utf8_lossy(&begin[9..]).into_owned(), stream)
    };
    let (mut unread, start) = (Vec::new(), Instant::now());
    for _ in 0..16 {
        let (status, stream) = ask([127, 0, 0, 2]).await;
        assert_eq!(status, "200");
        unread.push(stream);
    }
    // One more goes on without a place, and then the peer has to wait; others do not.
    assert_eq!(ask([127, 0, 0, 2]).await.0, "200");
    assert_eq!(ask([127, 0, 0, 3]).await.0, "200");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    let_pass(Duration::from_secs(75)).await;
    assert_eq!(ask([127, 0, 0, 2]).await.0, "200");
}
