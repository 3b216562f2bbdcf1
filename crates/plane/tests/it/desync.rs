//! What a load balancer's desync mitigation mode makes of requests that two readers could understand differently, on sockets.

use std::net::SocketAddr;

use plane::{Binder, PlaneConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::estate::BALANCER;
use crate::scene::{Backend, Scene, bind, header, parse, read_answer};

/// What became of a request: its status, and which connections served another one.
type Became = (u16, bool, bool);

const KEPT: Became = (200, true, true);
const PARTED: Became = (200, false, false);
const BLOCKED: Became = (400, false, true);

/// Answers with the number of its connection.
async fn numbering() -> Backend {
    Backend::scripted(|mut conn, number| async move {
        while let Some(head) = conn.head().await {
            if let Some(length) = header(&head, "content-length") {
                let mut body = vec![0; length.parse().unwrap()];
                conn.stream.read_exact(&mut body).await.unwrap();
            } else if header(&head, "transfer-encoding").is_some() {
                while conn.line().await != "0\r\n" {}
                conn.line().await;
            }
            let body = number.to_string();
            conn.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
        }
    })
    .await
}

/// Reads one answer; its body is empty where the connection ended before one.
async fn read_one(stream: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && header(head, "content-length").is_some_and(|length| body.len() >= length.parse().unwrap())
        {
            let answer = parse(&text);
            return (answer.status, answer.body);
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return (0, String::new());
        }
    }
}

async fn asked(socket: SocketAddr) -> String {
    let mut stream = TcpStream::connect(socket).await.unwrap();
    stream.write_all(b"GET /other HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    read_answer(stream).await.body
}

async fn what_becomes(socket: SocketAddr, request: &str) -> Became {
    let before = asked(socket).await;
    let mut stream = TcpStream::connect(socket).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let (status, _) = read_one(&mut stream).await;
    // The connection may be over.
    let _ = stream.write_all(b"GET /next HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let (next, _) = read_one(&mut stream).await;
    (status, next == 200, asked(socket).await == before)
}

#[tokio::test]
async fn modes_keep_part_and_block() {
    let disguised = "POST / HTTP/1.1\r\nhost: h\r\ntransfer_encoding: chunked\r\n\r\n";
    let both = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let twice = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi";
    let rows = [
        ("nothing odd", "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi", [KEPT, KEPT, KEPT]),
        ("no length", "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n", [KEPT, KEPT, BLOCKED]),
        ("a body of GET", "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi", [KEPT, PARTED, BLOCKED]),
        ("a disguise", disguised, [KEPT, PARTED, BLOCKED]),
        ("a length twice", twice, [KEPT, PARTED, BLOCKED]),
        // Behind both nobody reads on, whatever the mode (RFC 9112, section 6.1).
        ("both", both, [(200, false, true), PARTED, BLOCKED]),
        ("a bad disguise", "POST / HTTP/1.1\r\nhost: h\r\ncontent_length: x\r\n\r\n", [KEPT, BLOCKED, BLOCKED]),
    ];
    for (at, mode) in ["monitor", "defensive", "strictest"].into_iter().enumerate() {
        let backend = numbering().await;
        let config = PlaneConfig { binder: Binder::new(bind), ..PlaneConfig::default() };
        let mut scene = Scene::configured(config, &backend, |chain| {
            let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
            balancer.attributes.set("routing.http.desync_mitigation_mode", mode).unwrap();
        })
        .await;
        let socket = scene.listen();
        for (name, request, expected) in rows {
            assert_eq!(what_becomes(socket, request).await, expected[at], "{mode}: {name}");
        }
    }
}
