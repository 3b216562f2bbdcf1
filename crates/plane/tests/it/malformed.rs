//! Bytes that are no request, or hardly one: whatever comes, the next client is served.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::estate::host;
use crate::scene::{Backend, OK, Scene};

/// Sends bytes and the end of the stream, and reads whatever comes until the plane closes.
async fn throw(scene: &Scene, bytes: &[u8]) {
    let mut stream = scene.connect().await;
    // The plane may close before everything is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn past_crashes_are_answered_and_the_next_client_is_served() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/regressions/http");
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        throw(&scene, &std::fs::read(entry.path()).unwrap()).await;
        assert_eq!(scene.get("/").await.status, 200, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_target_that_is_none_is_refused_with_a_body_an_id_and_a_trace() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    for target in ["/?filter={\"a\":1}", "/a<b>", "/`a`"] {
        let asked = format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", host());
        let answer = scene.raw(&asked).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, r#"{"message":"Bad Request"}"#), "{target}");
        assert_eq!(answer.header("apigw-requestid").unwrap().len(), 16, "{target}");
        assert_eq!((scene.trace(&answer).status, answer.outcome().as_str()), (400, "MALFORMED_REQUEST"), "{target}");
    }
}

#[tokio::test]
async fn every_prefix_and_every_broken_byte_of_a_request_leaves_the_listener_serving() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let whole = format!(
        "POST /a?b=c HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n4;e=1\r\nabcd\r\n0\r\nx: 1\r\n\r\n",
        host()
    );
    for at in 0..whole.len() {
        throw(&scene, &whole.as_bytes()[..at]).await;
        let mut broken = whole.clone().into_bytes();
        broken[at] ^= 0x80;
        throw(&scene, &broken).await;
    }
    assert_eq!(scene.get("/").await.status, 200);
}
