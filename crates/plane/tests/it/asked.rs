//! Requests that are carried out for their explanation: the way, the status and the reason of every other request, without the
//! silence.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::time::Instant;
use topology::reason::Reason;
use topology::trace::Trace;

use crate::estate::{ALB_EGRESS, ALB_INGRESS, Chain, LINK_EGRESS, TARGET_INGRESS, TARGET_INTERFACE, host};
use crate::scene::{Backend, OK, Scene};

/// What became of a request, and how long it took to know.
async fn asked(scene: &Scene, request: Request<Bytes>) -> (Trace, Duration) {
    let start = Instant::now();
    let id = scene.plane.ask(request, None, "127.0.0.1:4".parse().unwrap()).await.unwrap();
    (scene.plane.traces().find(id).unwrap(), start.elapsed())
}

fn get(path: &str) -> Request<Bytes> {
    Request::get(path).header("host", host()).body(Bytes::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_certain_verdict_is_told_before_the_silence_with_the_status_that_waiting_ends_in() {
    type Row = (&'static str, Reason, fn(&mut Chain));
    let rows: [Row; 6] = [
        ("link, egress", Reason::SgEgressDenied, |chain| drop(chain.estate.security_group_rules.remove(&LINK_EGRESS))),
        ("alb, ingress", Reason::SgIngressDenied, |chain| drop(chain.estate.security_group_rules.remove(&ALB_INGRESS))),
        ("alb, egress", Reason::SgEgressDenied, |chain| drop(chain.estate.security_group_rules.remove(&ALB_EGRESS))),
        ("target, ingress", Reason::SgIngressDenied, |chain| {
            drop(chain.estate.security_group_rules.remove(&TARGET_INGRESS));
        }),
        ("target, ingress, hasty", Reason::SgIngressDenied, |chain| {
            chain.estate.security_group_rules.remove(&TARGET_INGRESS);
            chain.edit_integration(|integration| integration.timeout_ms = 1000);
        }),
        ("nothing attached", Reason::NoInterface, |chain| {
            drop(chain.estate.attachments.remove(&(TARGET_INTERFACE, None)))
        }),
    ];
    for (name, reason, edit) in rows {
        let backend = Backend::answering(OK).await;
        let scene = Scene::with(&backend, edit).await;
        let (trace, took) = asked(&scene, get("/")).await;
        assert_eq!(trace.reason, Some(reason), "{name}");
        assert_eq!(took, Duration::ZERO, "{name}");
        let start = Instant::now();
        let answer = scene.get("/").await;
        assert!(start.elapsed() >= Duration::from_secs(1), "{name}: clients wait as they do on AWS");
        assert_eq!((trace.status, reason.code()), (answer.status, answer.outcome().as_str()), "{name}");
        let steps = |trace: &Trace| trace.hops.iter().map(|hop| (hop.kind, hop.verdict)).collect::<Vec<_>>();
        assert_eq!(steps(&trace), steps(&scene.trace(&answer)), "{name}");
    }
}

#[tokio::test]
async fn a_request_that_passes_reaches_the_target_whole() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    // What is said of the framing is not so; the target gets the length of the body that there is.
    let request = Request::post("/orders?n=1").header("host", host()).header("transfer-encoding", "chunked");
    let request = request.header("content-length", "99").header("x-mine", "yes");
    let (trace, _) = asked(&scene, request.body(Bytes::from_static(b"hello")).unwrap()).await;
    assert_eq!((trace.status, trace.reason, trace.method.as_str()), (200, None, "POST"));
    let heads = backend.heads();
    assert!(heads[0].starts_with("POST /orders?n=1 HTTP/1.1\r\n"), "{heads:?}");
    for line in ["content-length: 5\r\n", "x-mine: yes\r\n"] {
        assert!(heads[0].to_ascii_lowercase().contains(line), "{line} in {heads:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_served_is_told_and_nothing_is_sent_there() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let elsewhere = Request::get("/").header("host", backend.address.to_string()).body(Bytes::new()).unwrap();
    let (trace, _) = asked(&scene, elsewhere).await;
    assert_eq!((trace.status, trace.reason), (404, Some(Reason::ApiNotFound)));
    assert_eq!(trace.details, [(0, format!("the host was {:?}", backend.address.to_string()))]);
    assert_eq!(backend.heads(), [""; 0]);
    let (trace, _) = asked(&scene, Request::get("/").body(Bytes::new()).unwrap()).await;
    assert_eq!((trace.status, trace.reason), (400, Some(Reason::MalformedRequest)));
}
