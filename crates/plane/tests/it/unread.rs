//! What a listener's socket gets that is no request: an answer, a line of the log and a count all the same.

use std::time::Duration;

use plane::report::outlet;
use plane::{Binder, PlaneConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::balancer_log::{BALANCER_NAME, entry, has, log};
use crate::scene::{Backend, OK, Scene, bind, read_answer};

#[tokio::test]
async fn what_is_no_request_leaves_a_line_all_the_same() {
    let backend = Backend::answering(OK).await;
    let (out, mut lines) = outlet::balancer_lines();
    let config = PlaneConfig { balancer_lines: Some(out), binder: Binder::new(bind), ..PlaneConfig::default() };
    let mut scene = Scene::configured(config, &backend, |chain| log(chain, "access")).await;
    let socket = scene.listen();
    let endless = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    for (sent, status) in [
        ("\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost : a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n", "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        (&endless, "400"),
        (&many, "400"),
    ] {
        let mut stream = TcpStream::connect(socket).await.unwrap();
        // The plane may answer and close before everything is written.
        let _ = stream.write_all(sent.as_bytes()).await;
        let answer = read_answer(stream).await;
        assert_eq!(answer.status.to_string(), status, "{sent:.40}");
        assert!(answer.body.contains(&format!("<title>{status} ")), "{}", answer.body);
        let told = ["connection", "server"].map(|name| answer.header(name).unwrap_or_default());
        assert_eq!(told, ["close", "awselb/2.0"]);
        let got = entry(&mut lines).await;
        has(
            &got,
            &[(1, "http"), (3, BALANCER_NAME), (5, "-"), (6, "-1"), (7, "-1"), (8, "-1"), (9, status), (10, "-")],
        );
        has(&got, &[(11, "0"), (14, "-"), (15, "-"), (17, "-"), (18, "-"), (19, "-"), (21, "-"), (23, "-"), (25, "-")]);
        assert!(got[12].starts_with("- http://internal-") && got[12].ends_with(":80- -"), "{got:?}");
        assert!(got[29].starts_with("TID_"), "{got:?}");
    }
    let page = scene.plane.metrics();
    for (class, count) in [("4xx", 5), ("5xx", 1)] {
        let series = format!("httpcode_elb_{class}_count_total{{load_balancer=\"{BALANCER_NAME}\"}} {count}\n");
        assert!(page.contains(&series), "{page}");
    }
    assert_eq!(backend.heads().len(), 0, "nothing reached it");
}

#[tokio::test(start_paused = true)]
async fn a_head_whose_end_does_not_come_is_given_up_on() {
    let backend = Backend::answering(OK).await;
    let (out, mut lines) = outlet::balancer_lines();
    let config = PlaneConfig { balancer_lines: Some(out), binder: Binder::new(bind), ..PlaneConfig::default() };
    let mut scene = Scene::configured(config, &backend, |chain| log(chain, "access")).await;
    let socket = scene.listen();
    let start = Instant::now();
    let mut stream = TcpStream::connect(socket).await.unwrap();
    // One that says nothing at all is asked for nothing.
    let mut silent = TcpStream::connect(socket).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let answer = read_answer(stream).await;
    let waited = start.elapsed();
    assert!((Duration::from_secs(60)..Duration::from_secs(71)).contains(&waited), "{waited:?}");
    assert_eq!(answer.status, 408);
    has(&entry(&mut lines).await, &[(3, BALANCER_NAME), (5, "-"), (9, "408"), (11, "0"), (14, "-")]);
    let mut said = Vec::new();
    silent.read_to_end(&mut said).await.unwrap();
    assert_eq!((said.len(), lines.take_waiting(&mut Vec::new(), 1)), (0, 0), "no answer, and no line");
}
