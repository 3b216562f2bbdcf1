//! Custom domain names on the plain listener: which stage a path leads to, and what the backend sees.

use crate::certificates::{Authority, When};
use crate::estate::{self, Chain};
use crate::scene::{Answer, Backend, OK, Scene, header};
use topology::id::{ApiId, RoutingRuleId};
use topology::resource::domain::{RoutingCondition, RoutingMode, RoutingRule};

const NAME: &str = "api.example.com";

fn named(chain: &mut Chain) {
    let leaf = Authority::new("servers").leaf(&[NAME], When::Now);
    chain.domain(NAME, &leaf);
    chain.stage("prod");
    chain.mapping(NAME, "v1", "prod");
    chain.mapping(NAME, "v1/orders", "$default");
    chain.domain("*.wild.example.com", &leaf);
    chain.mapping("*.wild.example.com", "", "prod");
}

async fn ask(scene: &Scene, host: &str, path: &str) -> Answer {
    scene.raw(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn mappings_table() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, named).await;
    let rows = [
        (NAME, "/v1/a?b=c", "GET /prod/a?b=c ", NAME),
        (NAME, "/v1", "GET /prod ", NAME),
        (NAME, "/v1/orders/7", "GET /7 ", NAME),
        (NAME, "/v1/orders", "GET / ", NAME),
        ("API.example.com:8080", "/v1/x", "GET /prod/x ", NAME),
        ("A.wild.example.com", "/x", "GET /prod/x ", "a.wild.example.com"),
    ];
    for (host, path, line, seen_host) in rows {
        let answer = ask(&scene, host, path).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"), "{host}{path}");
        let head = backend.heads().pop().unwrap();
        assert!(head.starts_with(line), "{host}{path}: {head}");
        assert_eq!(header(&head, "host").as_deref(), Some(seen_host), "{host}{path}");
        assert!(header(&head, "forwarded").unwrap().contains(&format!("host={seen_host}")), "{head}");
    }
    for (host, path, status, body) in [
        (NAME, "/", 403, r#"{"message":"Forbidden"}"#),
        (NAME, "/v12/a", 403, r#"{"message":"Forbidden"}"#),
        (NAME, "/V1/a", 403, r#"{"message":"Forbidden"}"#),
        (NAME, "/v2/../v1/a", 403, r#"{"message":"Forbidden"}"#),
        (NAME, "/v1//orders/7", 400, r#"{"message":"Bad Request"}"#),
        ("a.wild.example.com", "/../x", 400, r#"{"message":"Bad Request"}"#),
        ("a.b.wild.example.com", "/x", 404, r#"{"message":"Not Found"}"#),
        ("wild.example.com", "/x", 404, r#"{"message":"Not Found"}"#),
        ("*.wild.example.com", "/x", 404, r#"{"message":"Not Found"}"#),
    ] {
        let answer = ask(&scene, host, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{host}{path}");
        assert!(scene.trace(&answer).reason.is_some(), "{host}{path}");
    }
}

#[tokio::test]
async fn a_host_below_a_wildcard_cannot_write_into_forwarded() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, named).await;
    for label in ["a,for=unknown;x=b", "a,b", "a;b", "a=b", "a\"b", "a b", ""] {
        let host = format!("{label}.wild.example.com");
        let answer = ask(&scene, &host, "/x").await;
        assert!([400, 404].contains(&answer.status), "{host}: {}", answer.status);
    }
    assert_eq!(backend.heads().len(), 0, "none of them reached the backend");
    assert_eq!(ask(&scene, "a_b-1.wild.example.com", "/x").await.status, 200);
}

#[tokio::test]
async fn a_disabled_default_endpoint_leaves_the_domain_name_open() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        named(chain);
        chain.edit_deployment(|frozen| frozen.disable_execute_api_endpoint = true);
    })
    .await;
    assert_eq!(ask(&scene, NAME, "/v1/x").await.status, 200);
    let answer = ask(&scene, &estate::host(), "/x").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (403, "EXECUTE_API_DISABLED"));
}

#[tokio::test]
async fn routing_rules_are_asked_before_mappings_and_say_what_is_missing() {
    let backend = Backend::answering(OK).await;
    let rule = |id: u64, priority, api| RoutingRule {
        id: RoutingRuleId::from_bits(id),
        domain_name: NAME.parse().unwrap(),
        priority,
        conditions: vec![RoutingCondition::Headers(vec![("X-Version".to_owned(), "beta*".to_owned())])],
        api,
        stage: "prod".parse().unwrap(),
        strip_base_path: false,
    };
    let mut scene = Scene::with(&backend, |chain| {
        named(chain);
        chain.edit_domain(NAME, |domain| domain.routing_mode = RoutingMode::RoutingRuleThenApiMapping);
        let missing = rule(1, 10, ApiId::from_bits(99));
        chain.estate.routing_rules.insert(missing.id, missing);
    })
    .await;
    let beta =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\nx-version: beta-2\r\nconnection: close\r\n\r\n");
    let answer = scene.raw(&beta("/v1/x")).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (404, "API_NOT_FOUND"));
    let details = scene.trace(&answer).details;
    assert!(details.iter().any(|(_, text)| text.contains(&ApiId::from_bits(99).to_string())), "{details:?}");
    assert_eq!(ask(&scene, NAME, "/v1/x").await.status, 200, "without the header a mapping decides");
    scene.change(|chain| {
        let lower = rule(2, 5, estate::api());
        chain.estate.routing_rules.insert(lower.id, lower);
    });
    assert_eq!(scene.raw(&beta("/v1/x")).await.status, 200);
    assert!(backend.heads().pop().unwrap().starts_with("GET /prod/v1/x "), "the base path stays");
}
