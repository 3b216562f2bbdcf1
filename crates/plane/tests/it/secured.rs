//! Targets that are spoken to within TLS.

use topology::observed::{Fact, Health, Unhealthy};
use topology::resource::health_check::Probe;
use topology::resource::target_group::{HttpVersion, Registered, TargetGroupKind};

use crate::certificates::{Authority, When};
use crate::estate::Chain;
use crate::scene::{Backend, OK, Scene, header};

/// Makes the group one of protocol HTTPS, probed so or in the clear.
fn secure(chain: &mut Chain, is_probed_so: bool) {
    let probe =
        Probe::Http { is_secure: is_probed_so, path: "/health".parse().unwrap(), matcher: "200".parse().unwrap() };
    chain.group_of(TargetGroupKind::Https(Registered::Ip, HttpVersion::Http1), probe);
}

fn is(health: Health) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::TargetHealth { health: now, .. } if *now == health)
}

#[tokio::test]
async fn requests_and_probes_go_within_tls_whatever_the_certificate_says() {
    let backend = Backend::answering(OK).await;
    let expired = Authority::new("nobody's").leaf(&["elsewhere.example"], When::Past);
    let address = backend.within_tls(expired.server()).await;
    let scene = Scene::with(&backend, |chain| {
        secure(chain, true);
        chain.attach(address);
    })
    .await;
    scene.fact(is(Health::Healthy)).await;
    for _ in 0..6 {
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    }
    assert_eq!(backend.heads().len(), 6);
    assert_eq!(header(&backend.heads()[0], "x-forwarded-proto").unwrap(), "http", "of the client's connection");
    assert_eq!(backend.connections() - backend.probes().len(), 2, "one connection is kept from each node");
}

#[tokio::test]
async fn a_target_that_speaks_no_tls_is_a_bad_gateway_and_says_so() {
    let backend = Backend::scripted(|mut conn, _| async move {
        // Reads what is no head of HTTP, and answers as such servers do.
        conn.line().await;
        conn.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    let scene = Scene::with(&backend, |chain| secure(chain, true)).await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (502, "TLS_HANDSHAKE_FAILED"));
    assert_eq!(answer.header("server").unwrap(), "awselb/2.0");
    scene.fact(is(Health::Initial)).await;
}

#[tokio::test(start_paused = true)]
async fn a_group_within_tls_is_probed_in_the_clear_unless_it_says_otherwise() {
    let backend = Backend::answering(OK).await;
    let leaf = Authority::new("nobody's").leaf(&["elsewhere.example"], When::Now);
    let address = backend.within_tls(leaf.server()).await;
    let scene = Scene::with(&backend, |chain| {
        secure(chain, false);
        chain.attach(address);
    })
    .await;
    scene.fact(is(Health::Unhealthy(Unhealthy::FailedHealthChecks))).await;
    assert_eq!(backend.probes().len(), 0);
}
