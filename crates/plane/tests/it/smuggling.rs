//! Requests that two readers could understand differently. Each is refused, or reaches the backend in one plain form.

use crate::estate::host;
use crate::scene::{Backend, OK, Scene};

#[tokio::test]
async fn ambiguous_requests_are_refused_and_reach_nobody() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let host = host();
    let rows = [
        ("no host", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", format!("GET / HTTP/1.1\r\nhost: {host}\r\nhost: {host}\r\n\r\n")),
        ("absolute form", format!("GET http://{host}/ HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("asterisk form", format!("OPTIONS * HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("authority form", format!("CONNECT {host}:80 HTTP/1.1\r\nhost: {host}\r\n\r\n")),
        ("identity", format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: identity\r\n\r\n")),
        ("xchunked", format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n")),
        (
            "gzip, chunked",
            format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "chunked twice",
            format!(
                "POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "differing lengths",
            format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        ),
        (
            "differing lengths beside chunks",
            format!(
                "POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\ncontent-length: 0\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("a list of lengths", format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4, 4\r\n\r\nabcd")),
        ("a signed length", format!("POST / HTTP/1.1\r\nhost: {host}\r\ncontent-length: +4\r\n\r\nabcd")),
        ("a blank before the colon", format!("GET / HTTP/1.1\r\nhost : {host}\r\n\r\n")),
        ("a folded header", format!("GET / HTTP/1.1\r\nhost: {host}\r\nx-a: 1\r\n 2\r\n\r\n")),
        ("NUL in a value", format!("GET / HTTP/1.1\r\nhost: {host}\r\nx-a: \0\r\n\r\n")),
        ("bare CR in a value", format!("GET / HTTP/1.1\r\nhost: {host}\r\nx-a: a\rb\r\n\r\n")),
        (
            "chunked in HTTP/1.0",
            format!("POST / HTTP/1.0\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
    ];
    for (name, bytes) in rows {
        let answer = scene.raw(&bytes).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        assert_eq!(backend.heads(), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_length_beside_chunked_never_reaches_the_backend() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if head.contains("chunked") {
                while conn.line().await != "0\r\n" {}
                conn.line().await;
            }
            conn.send(OK).await;
        }
    })
    .await;
    let scene = Scene::new(&backend).await;
    let lines = "content-length: 4\r\ntransfer-encoding: chunked\r\n";
    let host = host();
    let body = "1\r\na\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = scene.raw(&format!("POST / HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n{body}")).await;
    assert_eq!(answer.status, 200);
    let heads = backend.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(!heads[0].contains("content-length"), "{heads:?}");
}

#[tokio::test]
async fn a_broken_chunk_is_the_clients_fault() {
    for chunk in [
        "0\r\n\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "zz\r\n",
    ] {
        let backend = Backend::scripted(|mut conn, _| async move {
            while conn.head().await.is_some() {
                while !conn.line().await.is_empty() {}
            }
        })
        .await;
        let scene = Scene::new(&backend).await;
        let host = host();
        let answer =
            scene.raw(&format!("POST / HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (400, "MALFORMED_REQUEST"), "{chunk:?}");
    }
}

#[tokio::test]
async fn headers_that_connection_nominates_do_not_travel() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let host = host();
    let bytes =
        format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close, x-secret\r\nx-secret: 1\r\nx-open: 1\r\n\r\n");
    assert_eq!(scene.raw(&bytes).await.status, 200);
    let head = backend.heads().remove(0);
    assert!(head.contains("x-open") && !head.contains("x-secret"), "{head}");
}

#[tokio::test]
async fn ambiguous_requests_over_http2_are_refused_and_reach_nobody() {
    use http_body_util::Full;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let rows: [(&str, &str, &[&str], u16); 7] = [
        ("one length", "/", &["5"], 200),
        ("a length with a zero in front", "/", &["05"], 200),
        ("the same length twice", "/", &["5", "5"], 400),
        ("a length in two spellings", "/", &["5", "05"], 400),
        ("an empty length", "/", &[""], 400),
        ("two lengths", "/", &["5", "6"], 400),
        ("a path without a slash", "?x=1", &["5"], 400),
    ];
    for (name, target, lengths, expected) in rows {
        let stream = TokioIo::new(scene.connect().await);
        let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (mut client, connection) = made.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::post(format!("http://{}{target}", host()));
        for length in lengths {
            request = request.header("content-length", *length);
        }
        let answer = client.send_request(request.body(Full::new(bytes::Bytes::from_static(b"hello"))).unwrap()).await;
        // The engine may refuse it by itself, and resets the stream then.
        let status = answer.map_or(400, |answer| answer.status().as_u16());
        assert_eq!(status, expected, "{name}");
    }
    let heads = backend.heads();
    assert_eq!(heads.len(), 2);
    for head in heads {
        assert_eq!(crate::scene::header(&head, "content-length").as_deref(), Some("5"), "{head}");
    }
}
