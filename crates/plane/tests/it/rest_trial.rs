//! Trials of methods: what they go through, what they pass by, and what they leave.

use std::sync::Arc;

use plane::PlaneConfig;
use plane::report::outlet;
use topology::compile::compile;
use topology::id::DeploymentId;
use topology::resource::rest_api::{MethodAuthorization, ResponseTransferMode};
use topology::resource::rest_stage::RestDeployment;
use topology::snapshot::gateway::{RouteRef, Stage};
use topology::snapshot::rest::MethodRef;
use topology::time::Moment;
use topology::trace::Outcome;
use topology::trial::{self, STAGE, Trial, TrialCaller, Tried};

use crate::rest_api::{Rest, api, configured, get, scene};
use crate::scene::{Backend, Scene, header};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-own: yes\r\n\r\nok";

/// Tries a method of `rest` as it is now.
async fn tried(scene: &Scene, rest: &Rest, key: &str, edit: impl FnOnce(&mut Trial)) -> Tried {
    let mut estate = scene.chain.estate.clone();
    let id = DeploymentId::from_bits(99);
    let frozen = rest.frozen.clone();
    estate
        .rest_deployments
        .insert(id, RestDeployment { id, api: api(), created: Moment(0), description: None, frozen });
    let mut stage = Rest::new(&scene.chain).stage;
    (stage.name, stage.deployment) = (trial::stage(), id);
    estate.rest_stages = Default::default();
    estate.rest_stages.insert((api(), trial::stage()), stage);
    let realm = compile(&scene.chain.realm, &estate);
    let stage: &Stage = &realm.gateway.apis.iter().find(|found| found.id == api()).unwrap().stages[0];
    let routes = &stage.deployed.as_ref().unwrap().routes;
    let method = routes.iter().find(|route| route.key.to_string() == key).map(|route| route.id);
    let Some(RouteRef::Method(method)) = method else { panic!("no method {key}") };
    let (verb, path) = key.split_once(' ').unwrap();
    let mut trial = Trial {
        api: api(),
        method: MethodRef { ..method },
        verb: verb.into(),
        target: path.into(),
        headers: Vec::new(),
        body: Vec::new(),
        caller: TrialCaller { account: "123456789012".into(), id: "me".into(), arn: "arn:me".into() },
        realm: Arc::new(realm),
    };
    edit(&mut trial);
    scene.plane.try_method(trial, "127.0.0.1:1".parse().unwrap()).await
}

/// A served API and what is tried of it.
async fn pair(backend: &Backend, edit: impl Fn(&mut Rest)) -> (Scene, Rest) {
    let scene = scene(backend, &edit).await;
    let mut rest = Rest::new(&scene.chain);
    edit(&mut rest);
    (scene, rest)
}

fn text(tried: &Tried) -> Vec<&str> {
    tried.lines.iter().map(|line| line.text.as_str()).collect()
}

#[tokio::test]
async fn a_trial_goes_through_the_whole_chain() {
    let backend = Backend::answering(OK).await;
    let (scene, rest) = pair(&backend, |rest| rest.method("POST /pets/{id}", |_| {})).await;
    let tried = tried(&scene, &rest, "POST /pets/{id}", |trial| {
        trial.target = "/pets/7?a=1".into();
        trial.headers = vec![("X-Mine".into(), "1".into())];
        trial.body = b"hello".to_vec();
    })
    .await;
    assert_eq!((tried.status, tried.body.as_slice()), (200, b"ok".as_slice()), "{tried:#?}");
    assert!(tried.headers.contains(&("x-own".into(), "yes".into())));
    let head = backend.heads().remove(0);
    assert!(head.starts_with("POST /?a=1 HTTP/1.1"), "{head}");
    assert_eq!(header(&head, "content-length").as_deref(), Some("5"));
    assert_eq!(header(&head, "user-agent").unwrap(), format!("AmazonAPIGateway_{}", api()));
    assert!(!header(&head, "x-forwarded-for").unwrap_or_default().contains("127.0.0.1"), "no client is named: {head}");
    let expected = [
        "HTTP Method: POST, Resource Path: /pets/{id}",
        "Method request path: {id=7}",
        "Method request query string: {a=1}",
        "Method request headers: {X-Mine=1}",
        "Method request body before transformations: hello",
        "Endpoint request URI: http://backend.internal/?a=1",
        "Endpoint request body after transformations: hello",
        "Sending request to http://backend.internal/?a=1",
        "Endpoint response body before transformations: ok",
        "Method response body after transformations: ok",
        "Successfully completed execution",
        "Method completed with status: 200",
    ];
    let lines = text(&tried);
    let places: Vec<_> = expected.iter().map(|wanted| lines.iter().position(|line| line == wanted)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {lines:#?}");
    let trace = scene.plane.traces().find(tried.request_id).unwrap();
    assert_eq!((trace.outcome(), trace.stage.as_str()), (Outcome::Passed, STAGE));
}

#[tokio::test]
async fn nothing_that_guards_a_stage_guards_a_trial() {
    let backend = Backend::answering(OK).await;
    let (scene, rest) = pair(&backend, |rest| {
        rest.frozen.disable_execute_api_endpoint = true;
        rest.frozen.policy = Some(r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}]}"#.into());
        rest.method("GET /shut", |method| {
            (method.authorization, method.api_key_required) = (MethodAuthorization::AwsIam, true);
        });
        rest.settings("*/*", |all| (all.throttling_rate_limit, all.throttling_burst_limit) = (0.0, 0));
    })
    .await;
    assert_eq!(get(&scene, "/prod/shut").await.status, 403);
    let tried = tried(&scene, &rest, "GET /shut", |_| {}).await;
    assert_eq!((tried.status, tried.body.as_slice()), (200, b"ok".as_slice()), "{tried:#?}");
}

#[tokio::test]
async fn a_trial_is_counted_on_no_stage() {
    let backend = Backend::answering(OK).await;
    let (lines, mut out) = outlet::lines();
    let config = PlaneConfig { lines: Some(lines), ..PlaneConfig::default() };
    let edit = |rest: &mut Rest| {
        rest.method("GET /pets", |_| {});
        // A stage may have the name of the trial's.
        rest.stage.name = trial::stage();
        rest.log("arn:aws:logs:us-east-1:000000000000:log-group:/shop", "$context.requestId $context.status");
        rest.settings("*/*", |all| all.metrics = true);
    };
    let scene = configured(config, &backend, |rest, _| edit(rest)).await;
    get(&scene, &format!("/{STAGE}/pets")).await;
    let mut rest = Rest::new(&scene.chain);
    edit(&mut rest);
    for _ in 0..3 {
        assert_eq!(tried(&scene, &rest, "GET /pets", |_| {}).await.status, 200);
    }
    let row = format!("tidegate_apigateway_count_total{{api_id=\"{}\",stage=\"{STAGE}\"}} 1", api());
    let page = scene.plane.metrics();
    assert!(page.lines().any(|line| line == row), "{row} is not in\n{page}");
    get(&scene, &format!("/{STAGE}/none")).await;
    let mut taken = Vec::new();
    while taken.len() < 2 {
        assert!(out.take(&mut taken, 2).await > 0);
    }
    let statuses: Vec<_> = taken.iter().map(|line| line.text.split(' ').next_back().unwrap()).collect();
    assert_eq!(statuses, ["200", "403"], "the client's requests, and nothing between them");
}

#[tokio::test]
async fn what_a_trial_sees_of_itself() {
    let backend = Backend::answering(OK).await;
    let names =
        ["stage", "path", "resourcePath", "identity.sourceIp", "identity.apiKey", "identity.accountId", "domainName"];
    let template: Vec<_> = names.iter().map(|name| format!("$context.{name}")).collect();
    let template = format!("{} [$context.deploymentId] $stageVariables.color $input.params('id')", template.join(" "));
    let (scene, rest) = pair(&backend, |rest| {
        let mut mock = rest.mock();
        let templates = [("application/json".to_owned(), Some(template.as_str().into()))].into();
        mock.responses.values_mut().for_each(|response| response.templates.clone_from(&templates));
        rest.method("GET /pets/{id}", |method| method.integration = Some(mock.clone()));
    })
    .await;
    let tried = tried(&scene, &rest, "GET /pets/{id}", |trial| trial.target = "/pets/7".into()).await;
    let expected = "test-invoke-stage /pets/{id} /pets/{id} test-invoke-source-ip test-invoke-api-key 123456789012 \
                    testPrefix.testDomainName [] blue 7";
    assert_eq!(String::from_utf8_lossy(&tried.body), expected);
    let lines = text(&tried);
    assert!(lines.contains(&format!("Method response body after transformations: {expected}").as_str()), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.starts_with("Endpoint")), "a mock has no endpoint: {lines:#?}");
}

#[tokio::test]
async fn a_path_that_was_not_said_gives_its_variables_no_value() {
    let backend = Backend::answering(OK).await;
    let (scene, rest) = pair(&backend, |rest| rest.method("GET /pets/{id}", |_| {})).await;
    let tried = tried(&scene, &rest, "GET /pets/{id}", |_| {}).await;
    assert!(text(&tried).contains(&"Method request path: {}"), "{tried:#?}");
}

#[tokio::test]
async fn an_answer_that_streams_or_is_too_large_is_told_whole_or_refused() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            let large = head.starts_with("GET /large");
            let length = if large { 11 * 1024 * 1024 } else { 5 };
            conn.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")).await;
            conn.send(if large { "" } else { "whole" }).await;
        }
    })
    .await;
    let (scene, rest) = pair(&backend, |rest| {
        for path in ["/small", "/large"] {
            let mut integration = rest.proxy(&format!("http://backend.internal{path}"));
            integration.response_transfer_mode = ResponseTransferMode::Stream;
            rest.method(&format!("GET {path}"), |method| method.integration = Some(integration.clone()));
        }
    })
    .await;
    let small = tried(&scene, &rest, "GET /small", |_| {}).await;
    assert_eq!((small.status, small.body.as_slice()), (200, b"whole".as_slice()));
    let large = tried(&scene, &rest, "GET /large", |_| {}).await;
    assert_eq!((large.status, large.body.as_slice()), (500, br#"{"message": "Internal server error"}"#.as_slice()));
}

#[tokio::test]
async fn a_head_that_is_none_is_refused() {
    let backend = Backend::answering(OK).await;
    let (scene, rest) = pair(&backend, |rest| rest.method("GET /", |_| {})).await;
    let broken: [fn(&mut Trial); 4] = [
        |trial| trial.target = "nowhere".into(),
        |trial| trial.headers = vec![("no name".into(), String::new())],
        |trial| trial.headers = vec![("x".into(), "a\nb".into())],
        |trial| trial.verb = "G T".into(),
    ];
    for edit in broken {
        assert_eq!(tried(&scene, &rest, "GET /", edit).await.status, 400);
    }
    let large = tried(&scene, &rest, "GET /", |trial| trial.headers = vec![("x".into(), "a".repeat(10_240))]).await;
    assert_eq!(large.status, 431);
    assert_eq!(backend.heads(), Vec::<String>::new());
}
