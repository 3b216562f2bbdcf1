//! Targets that are spoken to in HTTP/2, frame by frame (RFC 9113): what they say wrong has another reason than what they say no to.

use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use plane::{Binder, PlaneConfig};
use tokio::io::AsyncReadExt;
use topology::resource::target_group::{HttpVersion, Registered, TargetGroupKind};

use crate::certificates::{Authority, When};
use crate::estate::GROUP;
use crate::scene::{Backend, Scene, bind};
use crate::tls::shake;

const NAME: &str = "internal.example.com";
const HEADERS: u8 = 1;
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// A target that says this on the first stream once it has read a request.
async fn saying(frames: &'static [u8]) -> Backend {
    Backend::scripted(move |mut conn, _| async move {
        conn.send(SETTINGS).await;
        let mut preface = [0; 24];
        if conn.stream.read_exact(&mut preface).await.is_err() {
            return;
        }
        let mut head = [0; 9];
        while conn.stream.read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            conn.stream.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS {
                conn.send(frames).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_a_target_says_wrong_and_what_it_refuses_have_their_reasons() {
    // An indexed field of HPACK's static table is one byte: `:status: 200` is 0x88, `:method: GET` 0x82.
    let rows: [(&str, &[u8], u16, &str); 8] = [
        ("an answer", b"\0\0\x01\x01\x05\0\0\0\x01\x88", 200, "passed"),
        ("no status", b"\0\0\0\x01\x05\0\0\0\x01", 502, "TARGET_MALFORMED_RESPONSE"),
        ("an index of no table", b"\0\0\x01\x01\x05\0\0\0\x01\xfe", 502, "TARGET_MALFORMED_RESPONSE"),
        ("a body before its head", b"\0\0\x01\0\x01\0\0\0\x01a", 502, "TARGET_MALFORMED_RESPONSE"),
        ("a frame of another size", b"\0\0\x01\x06\0\0\0\0\0a", 502, "TARGET_MALFORMED_RESPONSE"),
        ("a promise", b"\0\0\x05\x05\x04\0\0\0\x01\0\0\0\x02\x82", 502, "TARGET_MALFORMED_RESPONSE"),
        ("a reset", b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02", 502, "TARGET_CLOSED"),
        ("a farewell", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x02", 502, "TARGET_CLOSED"),
    ];
    for (name, frames, status, reason) in rows {
        let backend = saying(frames).await;
        let servers = Authority::new("servers");
        let config = PlaneConfig { binder: Binder::new(bind), ..PlaneConfig::default() };
        let mut scene = Scene::configured(config, &backend, |chain| {
            chain.listener_certificates([&servers.leaf(&[NAME], When::Now)]);
            let probe = chain.estate.target_groups.get(&GROUP).unwrap().health_check().probe().clone();
            chain.group_of(TargetGroupKind::Http(Registered::Ip, HttpVersion::Http2), probe);
        })
        .await;
        let stream = shake(scene.listen(), &servers.client(&["h2"], None), NAME).await.unwrap();
        let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (mut client, connection) = made.unwrap();
        tokio::spawn(connection);
        let request = hyper::Request::get(format!("https://{NAME}/")).body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        let told = answer.headers().get("x-tidegate-trace").unwrap().to_str().unwrap();
        assert_eq!((answer.status().as_u16(), told), (status, reason), "{name}");
    }
}
