//! Bodies: they stream with back-pressure, keep their trailers, and stop at their limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use topology::resource::health_check::{HealthCheck, Pace};

use crate::estate::host;
use crate::scene::{Backend, OK, Scene, parse, read_answer};

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = stream.read_u8().await.expect("the answer goes on");
        text.push(char::from(byte));
    }
    text
}

#[tokio::test]
async fn an_answer_streams_before_it_is_complete() {
    let go = Arc::new(Notify::new());
    let backend = {
        let go = Arc::clone(&go);
        Backend::scripted(move |mut conn, _| {
            let go = Arc::clone(&go);
            async move {
                conn.head().await;
                conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
                go.notified().await;
                conn.send("3\r\ntwo\r\n0\r\n\r\n").await;
            }
        })
        .await
    };
    let scene = Scene::with(&backend, |chain| {
        let group = chain.estate.target_groups.edit(&crate::estate::GROUP).unwrap();
        let check = group.health_check();
        let pace = Pace { interval_s: 300, ..check.pace() };
        let check = HealthCheck::new(check.port(), check.probe().clone(), pace).unwrap();
        group.set_health_check(check).unwrap();
    })
    .await;
    // The first connection of this backend may be the probe, whose answer nobody reads to its end.
    let mut stream = scene.connect().await;
    let host = host();
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let begin = read_until(&mut stream, "3\r\none\r\n").await;
    assert_eq!(parse(&begin).status, 200);
    go.notify_waiters();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "3\r\ntwo\r\n0\r\n\r\n");
}

/// A target that answers before it has read, and says of each piece of the request that it came.
async fn an_early_answer_and_a_slow_upload() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if !head.starts_with("POST") {
                conn.send(OK).await;
                continue;
            }
            conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            for _ in 0..5 {
                conn.stream.read_exact(&mut [0; 10]).await.unwrap();
                conn.send("3\r\nack\r\n").await;
            }
            conn.send("0\r\n\r\n").await;
        }
    })
    .await;
    let scene = Scene::new(&backend).await;
    let mut stream = scene.connect().await;
    let host = host();
    let head = format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 50\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(parse(&read_until(&mut stream, "\r\n\r\n").await).status, 200);
    for _ in 0..5 {
        stream.write_all(b"0123456789").await.unwrap();
        assert_eq!(read_until(&mut stream, "\r\nack\r\n").await, "3\r\nack\r\n");
    }
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "0\r\n\r\n");
}

#[tokio::test]
async fn an_upload_goes_on_while_its_answer_is_read() {
    an_early_answer_and_a_slow_upload().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_while_another_thread_reads_its_answer() {
    an_early_answer_and_a_slow_upload().await;
}

#[tokio::test]
async fn an_answer_before_its_requests_end_says_that_the_connection_ends() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let mut stream = scene.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: nowhere.example\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(stream).await;
    assert_eq!((answer.status, answer.header("connection").as_deref()), (404, Some("close")));
}

#[tokio::test]
async fn trailers_travel_both_ways() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if !head.contains("chunked") {
                conn.send(OK).await;
                continue;
            }
            let mut body = String::new();
            loop {
                let line = conn.line().await;
                if line == "\r\n" || line.is_empty() {
                    break;
                }
                body.push_str(&line);
            }
            assert_eq!(body, "2\r\nhi\r\n0\r\nx-sum: 7\r\n");
            conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n2\r\nyo\r\n0\r\nx-end: 9\r\n\r\n")
                .await;
        }
    })
    .await;
    let scene = Scene::new(&backend).await;
    let host = host();
    let answer = scene
        .raw(&format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"
        ))
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "2\r\nyo\r\n0\r\nx-end: 9\r\n\r\n"), "{answer:?}");
}

#[tokio::test]
async fn a_client_that_expects_100_gets_it_and_the_backend_never_hears_of_it() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let mut stream = scene.connect().await;
    let host = host();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").await.unwrap();
    assert_eq!(read_answer(stream).await.status, 200);
    assert!(!backend.heads()[0].contains("expect"));
}

#[tokio::test]
async fn bodies_above_ten_mebibytes_are_refused_whatever_their_framing() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while conn.head().await.is_some() {
            let mut sink = vec![0; 64 * 1024];
            while conn.stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
        }
    })
    .await;
    let scene = Scene::new(&backend).await;
    let answer = scene.send("POST /", "content-length: 10485761\r\n").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (413, "BODY_TOO_LARGE"));
    assert_eq!(backend.heads(), [""; 0]);
    let (mut read, mut write) = scene.connect().await.into_split();
    let writing = tokio::spawn(async move {
        let host = host();
        let head =
            format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        write.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
        for _ in 0..11 {
            if write.write_all(chunk.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let mut bytes = vec![0; 4096];
    let count = read.read(&mut bytes).await.unwrap();
    let answer = parse(&String::from_utf8_lossy(&bytes[..count]));
    assert_eq!((answer.status, answer.outcome().as_str()), (413, "BODY_TOO_LARGE"));
    writing.abort();
}

#[tokio::test]
async fn a_body_of_exactly_ten_mebibytes_passes() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let host = host();
    let head = format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 10485760\r\n\r\n");
    let answer = scene.raw(&(head + &"x".repeat(10_485_760))).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
}

#[tokio::test]
async fn heads_above_10240_bytes_are_refused() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let answer = scene.send("GET /", &format!("x-a: {}\r\n", "x".repeat(10_240))).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (431, "HEADERS_TOO_LARGE"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_the_target_back() {
    let stuck = Arc::new(Notify::new());
    let backend = {
        let stuck = Arc::clone(&stuck);
        Backend::scripted(move |mut conn, _| {
            let stuck = Arc::clone(&stuck);
            async move {
                let Some(head) = conn.head().await else { return };
                if head.contains("ELB-HealthChecker") {
                    return conn.send(OK).await;
                }
                conn.send("HTTP/1.1 200 OK\r\ncontent-length: 268435456\r\n\r\n").await;
                let writing = async {
                    let piece = vec![b'x'; 1024 * 1024];
                    for _ in 0..256 {
                        conn.stream.get_mut().write_all(&piece).await.unwrap();
                    }
                };
                // Time only passes when nobody can go on: sockets hold far less than 256 MiB.
                assert!(tokio::time::timeout(Duration::from_secs(5), writing).await.is_err());
                stuck.notify_one();
            }
        })
        .await
    };
    let scene = Scene::new(&backend).await;
    let mut stream = scene.connect().await;
    let host = host();
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    stuck.notified().await;
}
