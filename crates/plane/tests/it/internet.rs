//! Integrations with public endpoints. Every endpoint here is on loopback, which a test allows or leaves forbidden.

use plane::{Egress, PlaneConfig};
use topology::reason::Reason;
use topology::resource::http_api::IntegrationConnection;
use topology::trace::HopKind;

use crate::estate::{Chain, host};
use crate::scene::{Backend, OK, Scene, header};

fn allowing(block: &str) -> PlaneConfig {
    let egress = Egress { allow: vec![block.parse().unwrap()], ..Egress::default() };
    PlaneConfig { egress, ..PlaneConfig::default() }
}

fn to(chain: &mut Chain, uri: &str) {
    chain.edit_integration(|integration| {
        integration.connection = IntegrationConnection::Internet;
        uri.clone_into(&mut integration.uri);
    });
}

/// The path and query that the backend got for `asked`.
async fn sent(uri: &str, route: &str, asked: &str) -> String {
    let backend = Backend::answering(OK).await;
    let uri = uri.replace("HOST", &backend.address.to_string());
    let scene = Scene::configured(allowing("127.0.0.0/8"), &backend, |chain| {
        chain.route(route);
        to(chain, &uri);
    })
    .await;
    let answer = scene.get(asked).await;
    assert_eq!(answer.status, 200, "{uri} {asked}: {}", answer.head);
    let head = backend.heads().remove(0);
    head.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn urls_are_filled_in_by_route_and_stage() {
    let rows = [
        ("http://HOST/fixed", "GET /a", "/a?x=1", "/fixed?x=1"),
        ("http://HOST/fixed?k=v", "GET /a", "/a?x=1", "/fixed?k=v&x=1"),
        ("http://HOST/v1/{proxy}", "GET /a/{proxy+}", "/a/b/c%20d", "/v1/b/c%20d"),
        ("http://HOST/{id}/z", "GET /a/{id}", "/a/7", "/7/z"),
        ("http://HOST/${stageVariables.color}", "GET /a", "/a", "/blue"),
        ("http://HOST", "GET /a", "/a", "/"),
        ("http://HOST/base", "GET /a", "/store/checkout?x=1", "/base/store/checkout?x=1"),
        ("http://HOST/base/", "GET /a", "/store", "/base/store"),
    ];
    for (uri, route, asked, expected) in rows {
        assert_eq!(sent(uri, route, asked).await, expected, "{uri} {route} {asked}");
    }
}

#[tokio::test]
async fn the_endpoint_gets_its_own_host_and_connections_are_kept() {
    let backend = Backend::answering(OK).await;
    let uri = format!("http://{}/", backend.address);
    let scene = Scene::configured(allowing("127.0.0.0/8"), &backend, |chain| to(chain, &uri)).await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
    let trace = scene.trace(&answer);
    let kinds: Vec<_> = trace.hops.iter().map(|hop| hop.kind).collect();
    assert_eq!(kinds, [HopKind::Gateway, HopKind::Route, HopKind::Integration, HopKind::Endpoint]);
    scene.get("/").await;
    let head = &backend.heads()[0];
    assert_eq!(header(head, "host").unwrap(), backend.address.to_string());
    assert!(header(head, "forwarded").unwrap().contains(&format!("host={}", host())));
    assert_eq!(header(head, "via").as_deref(), Some("HTTP/1.1 AmazonAPIGateway"));
    // One for the target's probe, one that both requests used.
    assert!(backend.connections() <= 2, "{}", backend.connections());
}

#[tokio::test]
async fn what_is_not_public_is_refused_before_a_packet_leaves() {
    let backend = Backend::answering(OK).await;
    let port = backend.address.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://x.localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        let scene = Scene::with(&backend, |chain| to(chain, &url)).await;
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (503, "EGRESS_FORBIDDEN"), "{url}");
        let trace = scene.trace(&answer);
        let detail: String = trace.details_of(trace.hops.len() - 1).collect();
        assert!(detail.contains("leads to"), "{detail}");
    }
    assert!(backend.heads().is_empty());
}

#[tokio::test]
async fn a_path_variable_cannot_move_a_request_elsewhere() {
    let backend = Backend::answering(OK).await;
    let uri = format!("http://{}/{{id}}", backend.address);
    let scene = Scene::configured(allowing("127.0.0.0/8"), &backend, |chain| {
        chain.route("GET /a/{id}");
        to(chain, &uri);
    })
    .await;
    for asked in ["/a/@evil.example", "/a/%2f%2fevil.example", "/a/..%2f..", "/a/x%23y"] {
        let answer = scene.get(asked).await;
        assert_eq!(answer.status, 200, "{asked}");
    }
    let expected = ["/@evil.example", "/%2f%2fevil.example", "/..%2f..", "/x%23y"];
    let got: Vec<_> = backend.heads().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_part_of_the_path_in_a_query_stays_one_value() {
    let backend = Backend::answering(OK).await;
    let uri = format!("http://{}/x/{{id}}?a={{id}}", backend.address);
    let scene = Scene::configured(allowing("127.0.0.0/8"), &backend, |chain| {
        chain.route("GET /a/{id}");
        to(chain, &uri);
    })
    .await;
    assert_eq!(scene.get("/a/1&b=2%26+").await.status, 200);
    let head = backend.heads().remove(0);
    assert!(head.starts_with("GET /x/1&b=2%26+?a=1%26b%3D2%26%2B HTTP/1.1"), "{head}");
}

#[tokio::test]
async fn dot_segments_do_not_leave_the_path_of_the_url() {
    let backend = Backend::answering(OK).await;
    let uri = format!("http://{}/public/{{proxy}}", backend.address);
    let scene = Scene::configured(allowing("127.0.0.0/8"), &backend, |chain| {
        chain.route("GET /a/{proxy+}");
        to(chain, &uri);
    })
    .await;
    for (asked, status) in [("/a/b/../c", 200), ("/a/../../a/x", 400), ("/a/%2e%2e/admin", 400), ("/a/b/../../x", 400)]
    {
        assert_eq!(scene.get(asked).await.status, status, "{asked}");
    }
    assert!(backend.heads().iter().all(|head| head.starts_with("GET /public/b/../c ")), "{:?}", backend.heads());
}

#[tokio::test]
async fn failures_have_their_reasons() {
    let closed = {
        // A port that nobody listens on any more.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let garbage = Backend::scripted(|mut conn, _| async move {
        conn.head().await;
        conn.send("nonsense\r\n\r\n").await;
    })
    .await;
    let rows = [
        (format!("http://{closed}/"), Reason::TargetRefused),
        (format!("http://{}/", garbage.address), Reason::TargetMalformedResponse),
        (format!("https://{}/", garbage.address), Reason::TlsExpectedGotPlain),
    ];
    for (uri, reason) in rows {
        let scene = Scene::configured(allowing("127.0.0.0/8"), &garbage, |chain| to(chain, &uri)).await;
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (503, reason.code()), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_endpoint_is_given_up_after_the_integrations_timeout() {
    let backend = Backend::scripted(|mut conn, _| async move {
        conn.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let uri = format!("http://{}/", backend.address);
    let scene = Scene::configured(allowing("127.0.0.0/8"), &backend, |chain| {
        to(chain, &uri);
        chain.edit_integration(|integration| integration.timeout_ms = 50);
    })
    .await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (503, "INTEGRATION_TIMEOUT"));
}
