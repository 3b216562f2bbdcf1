//! How the private side fails, and how each failure looks: silence for denials, the ALB's own pages, and the reasons.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::Instant;
use topology::observed::{Fact, Health};
use topology::reason::Reason;
use topology::resource::target_group::TargetZone;
use topology::trace::{HopKind, HopVerdict};

use crate::estate::{
    ALB_EGRESS, ALB_INGRESS, BALANCER, Chain, GROUP, LINK_EGRESS, TARGET_INGRESS, TARGET_INTERFACE, host, link,
};
use crate::scene::{Backend, OK, Scene, let_pass, read_answer};

fn without(rule: topology::id::SecurityGroupRuleId) -> impl FnOnce(&mut Chain) {
    move |chain| drop(chain.estate.security_group_rules.remove(&rule))
}

#[tokio::test(start_paused = true)]
async fn a_denial_between_link_and_alb_is_nine_seconds_of_silence_and_503() {
    for (rule, reason) in [(LINK_EGRESS, Reason::SgEgressDenied), (ALB_INGRESS, Reason::SgIngressDenied)] {
        let backend = Backend::answering(OK).await;
        let scene = Scene::with(&backend, without(rule)).await;
        let start = Instant::now();
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (503, reason.code()));
        assert_eq!(answer.body, r#"{"message":"Service Unavailable"}"#);
        assert_eq!(start.elapsed().as_secs(), 9);
        let trace = scene.trace(&answer);
        let last = trace.hops.last().unwrap();
        assert_eq!((last.kind, last.verdict), (HopKind::SecurityGroup, HopVerdict::Deny));
        assert_eq!(last.leg.unwrap().port, 80);
        assert_eq!(backend.heads(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_between_alb_and_target_is_ten_seconds_of_silence_and_a_504_page() {
    for (rule, reason) in [(ALB_EGRESS, Reason::SgEgressDenied), (TARGET_INGRESS, Reason::SgIngressDenied)] {
        let backend = Backend::answering(OK).await;
        let scene = Scene::with(&backend, without(rule)).await;
        let start = Instant::now();
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (504, reason.code()));
        assert_eq!(answer.body.len(), 132);
        assert_eq!(answer.header("server").unwrap(), "awselb/2.0");
        assert_eq!(start.elapsed().as_secs(), 10);
        assert_eq!(backend.connections(), 0, "not even a probe got through");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_integration_timeout_cuts_the_silence() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        without(TARGET_INGRESS)(chain);
        chain.edit_integration(|integration| integration.timeout_ms = 1000);
    })
    .await;
    let start = Instant::now();
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (503, "SG_INGRESS_DENIED"));
    assert_eq!(start.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_address_without_workload_is_silent_and_a_closed_port_of_an_attached_one_refuses() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    scene.change(|chain| {
        let old = chain.estate.attachments.remove(&(TARGET_INTERFACE, None)).unwrap();
        let mut other = (*old).clone();
        other.port = Some(9999);
        chain.estate.attachments.insert(other.key(), other);
    });
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (502, "TARGET_REFUSED"));
    scene.change(|chain| drop(chain.estate.attachments.remove(&(TARGET_INTERFACE, Some(9999)))));
    let start = Instant::now();
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (504, "NO_INTERFACE"));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_nothing_has_is_not_called_a_group_s_fault() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    // The load balancer's group lets out to the targets' group alone, which an address without an interface cannot carry.
    scene.change(|chain| {
        chain.estate.attachments.remove(&(TARGET_INTERFACE, None));
        chain.estate.network_interfaces.remove(&TARGET_INTERFACE);
    });
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (504, "NO_INTERFACE"));
}

#[tokio::test]
async fn a_target_that_refuses_is_502() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        chain.attach(free);
    })
    .await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (502, "TARGET_REFUSED"));
    assert_eq!(answer.body.len(), 122);
}

#[tokio::test]
async fn broken_answers_are_502() {
    let rows: [(&'static str, &str); 6] = [
        ("", "TARGET_CLOSED"),
        ("HTTP/1.1 200", "TARGET_CLOSED"),
        ("nonsense\r\n\r\n", "TARGET_MALFORMED_RESPONSE"),
        ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "TARGET_MALFORMED_RESPONSE"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "TARGET_MALFORMED_RESPONSE"),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "TARGET_MALFORMED_RESPONSE"),
    ];
    for (bytes, code) in rows {
        let backend = Backend::scripted(move |mut conn, _| async move {
            conn.head().await;
            conn.send(bytes).await;
        })
        .await;
        let scene = Scene::new(&backend).await;
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (502, code), "{bytes:?}");
    }
}

#[tokio::test]
async fn an_answer_with_too_large_a_head_is_502() {
    let backend = Backend::scripted(|mut conn, _| async move {
        conn.head().await;
        let long = "x".repeat(33 * 1024);
        conn.send(&format!("HTTP/1.1 200 OK\r\nx-a: {long}\r\ncontent-length: 0\r\n\r\n")).await;
    })
    .await;
    let scene = Scene::new(&backend).await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (502, "TARGET_MALFORMED_RESPONSE"));
}

/// One link interface and so one node: every request has the same ends.
fn one_way(chain: &mut Chain) {
    chain.estate.vpc_links.edit(&link()).unwrap().interfaces.truncate(1);
}

/// Serves probes, and `requests` others on each connection; then it closes on the next one without an answer.
async fn closing_after(requests: usize) -> Backend {
    Backend::scripted(move |mut conn, _| async move {
        let mut served = 0;
        while let Some(head) = conn.head().await {
            let probe = head.contains("ELB-HealthChecker");
            if !probe && served == requests {
                return;
            }
            served += usize::from(!probe);
            conn.send(OK).await;
        }
    })
    .await
}

#[tokio::test]
async fn the_idle_close_race_has_a_name_and_is_not_retried() {
    let backend = closing_after(1).await;
    let scene = Scene::with(&backend, one_way).await;
    assert_eq!(scene.get("/first").await.status, 200);
    let answer = scene.get("/second").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (502, "UPSTREAM_CLOSED_IDLE"));
    let seconds = backend.heads().iter().filter(|head| head.contains("/second")).count();
    assert_eq!(seconds, 1, "the target saw it once");
}

#[tokio::test]
async fn a_kept_connection_that_ends_within_an_answer_was_not_idle() {
    for begun in ["HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let backend = Backend::scripted(move |mut conn, _| async move {
            while let Some(head) = conn.head().await {
                if head.contains("/second") {
                    return conn.send(begun).await;
                }
                conn.send(OK).await;
            }
        })
        .await;
        let scene = Scene::with(&backend, one_way).await;
        assert_eq!(scene.get("/first").await.status, 200);
        let answer = scene.get("/second").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (502, "TARGET_CLOSED"), "{begun:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_while_idle_is_not_used_again() {
    let closed = Arc::new(Notify::new());
    let backend = {
        let closed = Arc::clone(&closed);
        Backend::scripted(move |mut conn, _| {
            let closed = Arc::clone(&closed);
            async move {
                conn.head().await;
                conn.send(OK).await;
                drop(conn);
                closed.notify_one();
            }
        })
        .await
    };
    let scene = Scene::with(&backend, one_way).await;
    scene.fact(|fact| matches!(fact, Fact::TargetHealth { health: Health::Healthy, .. })).await;
    closed.notified().await;
    for _ in 0..3 {
        assert_eq!(scene.get("/").await.outcome(), "passed");
        closed.notified().await;
        // Lets the plane's own task read the end of the connection.
        tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.unwrap_err();
    }
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, one_way).await;
    scene.fact(|fact| matches!(fact, Fact::TargetHealth { health: Health::Healthy, .. })).await;
    let before = backend.connections();
    for _ in 0..10 {
        assert_eq!(scene.get("/").await.status, 200);
    }
    assert_eq!(backend.connections() - before, 1);
    assert_eq!(scene.plane.idle_upstreams(), 1);
}

#[tokio::test(start_paused = true)]
async fn revoking_a_rule_closes_idle_connections_and_blocks_the_next_request() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    assert_eq!(scene.get("/").await.status, 200);
    assert_eq!(scene.plane.idle_upstreams(), 1);
    scene.change(without(TARGET_INGRESS));
    assert_eq!(scene.plane.idle_upstreams(), 0);
    assert_eq!(scene.get("/").await.outcome(), "SG_INGRESS_DENIED");
    assert_eq!(backend.heads().len(), 1);
}

// sees: Application load balancers: idle_timeout.timeout_seconds
#[tokio::test(start_paused = true)]
async fn a_silent_target_is_503_by_the_integration_or_504_by_the_alb() {
    let silent = || {
        Backend::scripted(|mut conn, _| async move {
            conn.head().await;
            std::future::pending::<()>().await;
        })
    };
    let backend = silent().await;
    let scene = Scene::new(&backend).await;
    let start = Instant::now();
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (503, "INTEGRATION_TIMEOUT"));
    assert_eq!(start.elapsed().as_secs(), 30);
    let backend = silent().await;
    let scene = Scene::with(&backend, |chain| {
        let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
        balancer.attributes.set("idle_timeout.timeout_seconds", "5").unwrap();
    })
    .await;
    let start = Instant::now();
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (504, "TARGET_TIMEOUT"));
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_slow_upload_is_not_the_targets_fault() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let mut stream = scene.connect().await;
    let host = host();
    let head = format!("POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 4\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for byte in [b"a", b"b", b"c", b"d"] {
        let_pass(Duration::from_secs(20)).await;
        stream.write_all(byte).await.unwrap();
    }
    let answer = read_answer(stream).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_falls_silent_is_cut_and_the_trace_says_so() {
    let backend = Backend::scripted(|mut conn, _| async move {
        conn.head().await;
        conn.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        std::future::pending::<()>().await;
    })
    .await;
    let scene = Scene::new(&backend).await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "half"));
    assert_eq!(scene.trace(&answer).reason, Some(Reason::IntegrationTimeout));
    assert_eq!(scene.plane.idle_upstreams(), 0);
}

#[tokio::test]
async fn groups_without_targets_are_503_pages() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::with(&backend, |chain| {
        let group = chain.estate.target_groups.edit(&GROUP).unwrap();
        let mut targets = group.targets().to_vec();
        targets[0].zone = TargetZone::In("us-east-1c".parse().unwrap());
        group.set_targets(targets).unwrap();
    })
    .await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str(), answer.body.len()), (503, "TARGET_AZ_NOT_ENABLED", 162));
    scene.change(|chain| chain.estate.target_groups.edit(&GROUP).unwrap().set_targets(Vec::new()).unwrap());
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str(), answer.body.len()), (503, "NO_TARGETS", 162));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_a_trace() {
    let backend = Backend::scripted(|mut conn, _| async move {
        conn.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let scene = Scene::new(&backend).await;
    let mut stream = scene.connect().await;
    let host = host();
    stream.write_all(format!("GET /gone HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    while backend.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let trace = loop {
        if let Some(trace) = scene.plane.traces().newest(1).pop() {
            break trace;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((trace.reason, trace.path.as_str()), (Some(Reason::ClientClosed), "/gone"));
}

#[tokio::test]
async fn draining_lets_requests_finish_and_accepts_no_more() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if head.contains("/slow") {
                tokio::task::yield_now().await;
            }
            conn.send(OK).await;
        }
    })
    .await;
    let scene = Scene::new(&backend).await;
    // An idle connection does not hold the drain up.
    let _idle = scene.connect().await;
    assert_eq!(scene.get("/slow").await.status, 200);
    let drained = scene.plane.drain(Duration::from_secs(5)).await;
    assert_eq!(drained.cut, 0);
    assert!(tokio::net::TcpStream::connect(scene.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_finishes_its_head_is_cut_and_a_busy_one_is_not() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            let probe = head.contains("ELB-HealthChecker");
            if !probe {
                let_pass(Duration::from_secs(25)).await;
            }
            conn.send(OK).await;
        }
    })
    .await;
    let scene = Scene::new(&backend).await;
    let start = Instant::now();
    let slow = async {
        let mut stream = scene.connect().await;
        let mut end = [0];
        stream.write_all(b"GET / HTTP/1.1\r\nhos").await.unwrap();
        assert_eq!(stream.read(&mut end).await.unwrap_or(0), 0);
        start.elapsed().as_secs()
    };
    let busy = async {
        let mut stream = scene.connect().await;
        let host = host();
        for _ in 0..4 {
            stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\nok") {
                answer.push(stream.read_u8().await.unwrap());
            }
        }
        start.elapsed().as_secs()
    };
    let (cut, served) = tokio::join!(slow, busy);
    assert!((60..=70).contains(&cut), "{cut}");
    assert_eq!(served, 100);
}
