//! What the load balancer's listener and rules do.

use topology::id::ListenerRuleId;
use topology::reach::explain;
use topology::reason::Reason;
use topology::resource::action::{Action, FixedResponse, FixedResponseParts, Redirect, RedirectParts, RedirectStatus};
use topology::resource::listener::{ListenerProtocol, ListenerRule, RuleCondition};
use topology::resource::pattern::{Patterns, Rewrite, Transforms};
use topology::resource::trust_store::MutualAuthentication;
use topology::trace::HopId;

use crate::estate::{BALANCER, Chain, LISTENER, certificate_arn, host};
use crate::scene::{Answer, Backend, OK, Scene, header};

fn rule(chain: &mut Chain, number: u64, conditions: Vec<RuleCondition>, action: Action) {
    let id = ListenerRuleId::from_bits(100 + number);
    let priority = u32::try_from(number).unwrap();
    let (gate, transforms, tags) = Default::default();
    let rule =
        ListenerRule { id, listener: LISTENER, priority, conditions, gate, action, order: None, transforms, tags };
    chain.estate.listener_rules.insert(id, rule);
}

#[tokio::test]
async fn rules_answer_redirect_and_forward_in_order() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        let path = |text: &str| vec![RuleCondition::PathPattern(vec![text.to_owned()].into())];
        let fixed =
            FixedResponseParts { status: 403, content_type: Some("application/json".into()), body: Some("{}".into()) };
        rule(chain, 2, path("/fixed*"), Action::FixedResponse(FixedResponse::new(fixed).unwrap()));
        let redirect = RedirectParts {
            status: RedirectStatus::MovedPermanently,
            protocol: "HTTPS".into(),
            host: "#{host}".into(),
            port: "443".into(),
            path: "/new/#{path}".into(),
            query: "#{query}".into(),
        };
        rule(chain, 1, path("/fixed/old"), Action::Redirect(Redirect::new(redirect).unwrap()));
    })
    .await;
    let fixed = scene.get("/fixed").await;
    assert_eq!((fixed.status, fixed.body.as_str(), fixed.outcome().as_str()), (403, "{}", "passed"));
    assert_eq!(fixed.header("content-type").unwrap(), "application/json; charset=utf-8");
    assert_eq!(fixed.header("server").unwrap(), "awselb/2.0");
    assert_eq!(scene.trace(&fixed).hints, [Reason::AnsweredByRule]);
    let moved = scene.get("/fixed/old?q=1").await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.header("location").unwrap(), format!("https://{}:443/new/fixed/old?q=1", host()));
    assert_eq!(moved.body.len(), 134);
    assert_eq!(scene.get("/else").await.body, "ok");
    assert_eq!(backend.heads().len(), 1);
}

/// A rule that forwards paths that fit, rewritten.
fn rewriting(chain: &mut Chain, number: u64, path: &str, transforms: Transforms) {
    let regex = vec![path.parse().unwrap()];
    let forward = chain.estate.listeners.get(&LISTENER).unwrap().default_action().clone();
    rule(chain, number, vec![RuleCondition::PathPattern(Patterns::Expressions { regex })], forward);
    chain.estate.listener_rules.edit(&ListenerRuleId::from_bits(100 + number)).unwrap().transforms = transforms;
}

fn rewrite(regex: &str, replace: &str) -> Option<Rewrite> {
    Some(Rewrite { regex: regex.parse().unwrap(), replace: replace.to_owned() })
}

#[tokio::test]
async fn a_rule_rewrites_what_its_target_gets() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        let url = rewrite("^/v([0-9]+)/(.*)$", "/api/$2&version=$1");
        rewriting(chain, 1, "^/v[0-9]+/", Transforms { host: rewrite("^[^.]+", "inner"), url });
        rewriting(chain, 2, "^/nowhere", Transforms { host: None, url: rewrite("^/nowhere", "nowhere") });
        rewriting(chain, 3, "^/host", Transforms { host: rewrite(".*", "two words"), url: None });
        rewriting(chain, 4, "^/same", Transforms { host: rewrite("^x", "y"), url: rewrite("^/x", "/y") });
        rewriting(chain, 5, "^/long", Transforms { host: None, url: rewrite("^(/.*)$", &"$1".repeat(512)) });
    })
    .await;
    let answer = scene.get("/v12/orders?a=1").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
    let head = backend.heads().pop().unwrap();
    assert!(head.starts_with("GET /api/orders?a=1&version=12 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host").unwrap(), format!("inner.{}", host().split_once('.').unwrap().1));
    let rule_of = |answer: &Answer| {
        scene.trace(answer).hops.iter().any(|hop| hop.id == HopId::Rule(LISTENER, Some(ListenerRuleId::from_bits(101))))
    };
    assert!(rule_of(&answer), "the rule was chosen by what was sent");
    for (path, words) in [
        ("/nowhere", "makes no path"),
        ("/host", "makes no host"),
        ("/long/of/twenty/and/some/more/characters", "too long"),
    ] {
        let answer = scene.get(path).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (500, "MAPPING_FAILED"), "{path}");
        let told = explain(&scene.plane.snapshot(), &scene.trace(&answer)).hops.pop().unwrap().detail;
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(scene.get("/same?q").await.status, 200);
    assert!(backend.heads().pop().unwrap().starts_with("GET /same?q HTTP/1.1\r\n"), "what does not match stays");
    assert_eq!(backend.heads().len(), 2);
}

#[tokio::test]
async fn rules_see_how_a_body_is_framed() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        for (number, name, value) in [(1, "Content-Length", "5"), (2, "transfer-encoding", "chunked")] {
            let condition = RuleCondition::HttpHeader { name: name.into(), values: vec![value.into()].into() };
            let status = 400 + u16::try_from(number).unwrap();
            let fixed = FixedResponse::new(FixedResponseParts { status, content_type: None, body: None }).unwrap();
            rule(chain, number, vec![condition], Action::FixedResponse(fixed));
        }
    })
    .await;
    let rows =
        [("content-length: 5\r\n\r\nhello", 401), ("transfer-encoding: chunked\r\n\r\n0\r\n", 402), ("x: y\r\n", 200)];
    for (lines, status) in rows {
        assert_eq!(scene.send("POST /", lines).await.status, status, "{lines:?}");
    }
}

// sees: HTTP listeners: routing.http.response.server.enabled, routing.http.response.*.header_value
// sees: HTTPS listeners: routing.http.response.server.enabled, routing.http.response.*.header_value
#[tokio::test]
async fn listener_attributes_shape_every_answer() {
    let backend = Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nserver: mine\r\n\r\n").await;
    let scene = Scene::with(&backend, |chain| {
        let listener = chain.estate.listeners.edit(&LISTENER).unwrap();
        listener.set_attribute("routing.http.response.server.enabled", "false").unwrap();
        for name in ANSWER_HEADERS {
            let key = format!("routing.http.response.{}.header_value", name.replace('-', "_"));
            listener.set_attribute(&key, &format!("of {name}")).unwrap();
        }
    })
    .await;
    let answer = scene.get("/").await;
    assert_eq!(answer.header("server"), None);
    for name in ANSWER_HEADERS {
        assert_eq!(answer.header(name), Some(format!("of {name}")));
    }
}

/// Headers of answers that a listener has attributes for.
const ANSWER_HEADERS: [&str; 10] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

// sees: Application load balancers: routing.http.preserve_host_header.enabled
#[tokio::test]
async fn the_listeners_port_joins_the_host_unless_it_is_preserved() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::with(&backend, |chain| {
        chain.estate.listeners.edit(&LISTENER).unwrap().port = 8081;
        for rule in [crate::estate::LINK_EGRESS, crate::estate::ALB_INGRESS] {
            chain.estate.security_group_rules.edit(&rule).unwrap().traffic = topology::net::Traffic::All;
        }
    })
    .await;
    scene.get("/").await;
    assert_eq!(header(&backend.heads()[0], "host").unwrap(), format!("{}:8081", host()));
    assert_eq!(header(&backend.heads()[0], "x-forwarded-port").unwrap(), "8081");
    scene.change(|chain| {
        let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
        balancer.attributes.set("routing.http.preserve_host_header.enabled", "true").unwrap();
    });
    scene.get("/").await;
    assert_eq!(header(&backend.heads()[1], "host").unwrap(), host());
}

// sees: Application load balancers: routing.http.drop_invalid_header_fields.enabled
#[tokio::test]
async fn invalid_header_names_are_dropped_when_asked() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    scene.send("GET /", "x_a: 1\r\n").await;
    assert!(backend.heads()[0].contains("x_a"));
    scene.change(|chain| {
        let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
        balancer.attributes.set("routing.http.drop_invalid_header_fields.enabled", "true").unwrap();
    });
    scene.send("GET /", "x_a: 1\r\n").await;
    assert!(!backend.heads()[1].contains("x_a"));
}

#[tokio::test]
async fn plain_http_to_a_tls_listener_is_400_and_trace_is_405() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    assert_eq!(scene.send("TRACE /", "").await.status, 405);
    scene.change(|chain| {
        let protocol = ListenerProtocol::Https {
            certificate: certificate_arn("gone"),
            ssl_policy: String::new(),
            extra_certificates: Vec::new(),
            mutual: MutualAuthentication::Off,
        };
        chain.estate.listeners.edit(&LISTENER).unwrap().set_protocol(protocol).unwrap();
    });
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str(), answer.body.len()), (400, "TLS_PLAIN_TO_TLS_PORT", 122));
}

// sees: Application load balancers: routing.http.desync_mitigation_mode
#[tokio::test]
async fn the_strictest_desync_mode_blocks_what_is_merely_unusual() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        let balancer = chain.estate.load_balancers.edit(&BALANCER).unwrap();
        balancer.attributes.set("routing.http.desync_mitigation_mode", "strictest").unwrap();
    })
    .await;
    let answer = scene.send("POST /", "content-length: 0\r\n").await;
    assert_eq!(answer.status, 200);
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (400, "DESYNC_BLOCKED"));
}
