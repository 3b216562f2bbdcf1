//! What the gateway asks before it carries: rate limits and CORS.

use std::time::Duration;

use topology::reason::Reason;
use topology::resource::http_api::{Authorization, Cors, RouteSettings};
use topology::trace::HopKind;

use crate::estate::{Chain, api};
use crate::scene::{Backend, OK, Scene, let_pass};

fn limit(rate: f64, burst: i64) -> RouteSettings {
    RouteSettings { detailed_metrics: false, throttling_burst_limit: burst, throttling_rate_limit: rate }
}

fn settings(chain: &mut Chain, edit: impl FnOnce(&mut topology::resource::http_api::Stage)) {
    edit(chain.estate.stages.edit(&(api(), "$default".parse().unwrap())).unwrap());
}

async fn statuses(scene: &Scene, path: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(scene.get(path).await.status);
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn a_burst_passes_and_the_rest_is_told_to_wait() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        settings(chain, |stage| stage.default_route_settings = Some(limit(2.0, 3)));
    })
    .await;
    assert_eq!(statuses(&scene, "/a", 4).await, [200, 200, 200, 429]);
    let refused = scene.get("/a").await;
    assert_eq!((refused.status, refused.body.as_str()), (429, r#"{"message":"Too Many Requests"}"#));
    assert_eq!(refused.outcome(), "THROTTLED");
    let trace = scene.trace(&refused);
    let last = trace.hops.last().unwrap();
    assert_eq!((last.kind, last.reason), (HopKind::Throttle, Some(Reason::Throttled)));
    let detail: Vec<_> = trace.details_of(trace.hops.len() - 1).collect();
    assert_eq!(detail, ["2 requests a second, 3 at once, by the default route settings of stage $default"]);
    let_pass(Duration::from_secs(1)).await;
    assert_eq!(statuses(&scene, "/a", 3).await, [200, 200, 429]);
    assert!(backend.heads().len() == 5, "a refused request reaches no target");
}

#[tokio::test(start_paused = true)]
async fn routes_have_buckets_of_their_own_that_survive_a_write() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::with(&backend, |chain| {
        chain.route("GET /narrow");
        settings(chain, |stage| {
            stage.default_route_settings = Some(limit(1.0, 2));
            stage.route_settings.insert("GET /narrow".into(), limit(1.0, 1));
        });
    })
    .await;
    assert_eq!(statuses(&scene, "/narrow", 2).await, [200, 429]);
    assert_eq!(statuses(&scene, "/wide", 3).await, [200, 200, 429], "one route's crowd is not another's");
    scene.change(|chain| chain.route("GET /other"));
    assert_eq!(statuses(&scene, "/narrow", 1).await, [429], "what was used stays used");
    assert_eq!(statuses(&scene, "/other", 1).await, [200]);
}

#[tokio::test]
async fn settings_without_numbers_let_nothing_pass_and_say_so() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        settings(chain, |stage| stage.default_route_settings = Some(limit(0.0, 0)));
    })
    .await;
    let refused = scene.get("/").await;
    assert_eq!(refused.status, 429);
    assert_eq!(scene.trace(&refused).hints, [Reason::ThrottleZero]);
}

fn cors(chain: &mut Chain, origins: &[&str]) {
    let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    let cors = Cors {
        allow_credentials: Some(true),
        allow_headers: list(&["authorization", "x-a"]),
        allow_methods: list(&["GET", "POST"]),
        allow_origins: list(origins),
        expose_headers: list(&["x-b"]),
        max_age_s: Some(600),
    };
    chain.edit_deployment(|frozen| frozen.cors = Some(cors));
}

const PREFLIGHT: &str = "origin: https://a.example\r\naccess-control-request-method: POST\r\n";

#[tokio::test]
async fn a_preflight_is_answered_without_asking_anybody() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| cors(chain, &["https://a.example"])).await;
    let answer = scene.send("OPTIONS /pets", PREFLIGHT).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (204, "passed"));
    let rows = [
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-allow-methods", "GET,POST"),
        ("access-control-allow-headers", "authorization,x-a"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ];
    for (name, value) in rows {
        assert_eq!(answer.header(name).as_deref(), Some(value), "{name}");
    }
    let other = scene.send("OPTIONS /pets", &PREFLIGHT.replace("a.example", "b.example")).await;
    assert_eq!(other.status, 204);
    assert!(!other.head.contains("access-control"), "{}", other.head);
    assert!(backend.heads().is_empty());
}

#[tokio::test]
async fn an_options_route_and_a_guarded_route_win_over_the_preflight() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        cors(chain, &["*"]);
        chain.route("OPTIONS /own");
        chain.route("ANY /guarded");
        chain.edit_route(|route| route.authorization = Authorization::AwsIam);
    })
    .await;
    assert_eq!(scene.send("OPTIONS /own", PREFLIGHT).await.status, 200);
    assert_eq!(scene.send("OPTIONS /guarded", PREFLIGHT).await.status, 403);
    assert_eq!(scene.send("OPTIONS /other", PREFLIGHT).await.status, 204);
    assert_eq!(scene.send("OPTIONS /other", "origin: https://a.example\r\n").await.status, 200, "no preflight");
}

#[tokio::test]
async fn answers_carry_the_apis_cors_headers_and_never_the_backends() {
    const THEIRS: &str =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\naccess-control-allow-origin: https://evil.example\r\n\r\nok";
    let backend = Backend::answering(THEIRS).await;
    let scene = Scene::with(&backend, |chain| cors(chain, &["https://a.example"])).await;
    let answer = scene.send("GET /", "origin: https://a.example\r\n").await;
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://a.example"));
    assert_eq!(answer.header("access-control-expose-headers").as_deref(), Some("x-b"));
    for lines in ["", "origin: https://evil.example\r\n"] {
        let answer = scene.send("GET /", lines).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.head.contains("access-control"), "{}", answer.head);
    }
}

#[tokio::test]
async fn the_gateways_own_refusals_carry_cors_headers_too() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        cors(chain, &["https://*"]);
        settings(chain, |stage| stage.default_route_settings = Some(limit(0.0, 0)));
    })
    .await;
    let refused = scene.send("GET /", "origin: https://a.example\r\n").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("access-control-allow-origin").as_deref(), Some("https://a.example"));
}
