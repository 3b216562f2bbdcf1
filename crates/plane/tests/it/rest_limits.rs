//! Validation, API keys, quotas and rate limits of REST APIs.

use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use plane::{PlaneConfig, UsageKeeper};
use tokio::io::AsyncWriteExt as _;
use topology::id::{ApiKeyId, ModelId, RequestValidatorId, UsagePlanId};
use topology::observed::Fact;
use topology::resource::rest_api::{Model, RequestValidator};
use topology::resource::usage_plan::{
    ApiKey, PlanStage, PlanThrottle, Quota, QuotaPeriod, Usage, UsagePlan, UsagePlanKey,
};
use topology::time::Moment;

use crate::estate::Chain;
use crate::rest_api::{Rest, api, configured, get, map, post, scene, send};
use crate::scene::{Answer, Backend, OK, Scene, header, let_pass, read_answer};

fn validated(rest: &mut Rest) {
    let id = RequestValidatorId::from_bits(1);
    let validator = RequestValidator { id, api: api(), name: "all".into(), body: true, parameters: true };
    rest.frozen.validators = vec![validator.into()];
    let model = |name: &str, schema: &str| {
        let (id, content_type) = (ModelId::from_bits(1), "application/json".to_owned());
        let (name, schema) = (name.to_owned(), schema.to_owned());
        Arc::new(Model { id, api: api(), name, description: None, content_type, schema })
    };
    rest.frozen.models = vec![
        model("Pet", r#"{"type":"object","required":["name"],"properties":{"age":{"type":"integer"}}}"#),
        model("Pets", r#"{"type":"array","items":{"$ref":"https://apigateway.amazonaws.com/restapis/x/models/Pet"}}"#),
    ];
    rest.method("POST /pets/{id}", |method| {
        method.request_validator = Some(id);
        method.request_models = map(&[("application/json", "Pet"), ("application/vnd.pets", "Pets")]);
        method.request_parameters = [
            ("method.request.header.X-Need", true),
            ("method.request.querystring.qs1", true),
            ("method.request.querystring.qs2", false),
            ("method.request.path.id", true),
        ]
        .map(|(key, required)| (key.to_owned(), required))
        .into();
    });
}

#[tokio::test]
async fn a_compressed_body_is_judged_and_passed_on_as_what_it_stands_for() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        validated(rest);
        let custom = rest.custom("http://backend.internal/");
        rest.method("POST /custom", |method| method.integration = Some(custom));
        rest.method("POST /streamed", |_| {});
    })
    .await;
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let (fits, fits_not) = (gzip(r#"{"name":"a"}"#), gzip(r#"{"age":"a"}"#));
    type Row<'a> = (&'a str, &'a str, &'a [u8], u16, &'a str);
    let rows: [Row<'_>; 9] = [
        ("/prod/pets/1?qs1=1", "gzip", &fits, 200, "passed"),
        ("/prod/pets/1?qs1=1", "GZIP", &fits_not, 400, "VALIDATION_FAILED"),
        ("/prod/pets/1?qs1=1", "gzip", br#"{"name":"a"}"#, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("/prod/pets/1?qs1=1", "br", &fits, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("/prod/pets/1?qs1=1", "identity", br#"{"name":"a"}"#, 200, "passed"),
        ("/prod/custom", "gzip", &fits, 200, "passed"),
        ("/prod/streamed", "gzip", &fits, 200, "passed"),
        ("/prod/streamed", "br", &fits, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("/prod/streamed", "gzip", b"", 200, "passed"),
    ];
    for (path, coding, body, status, outcome) in rows {
        let lines = format!("x-need: 1\r\ncontent-encoding: {coding}\r\n");
        let answer = post(&scene, path, &lines, body).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (status, outcome), "{path} {coding} {}", answer.body);
        if status == 200 {
            let head = backend.heads().pop().unwrap();
            let length = if body.is_empty() { "0" } else { "12" };
            assert_eq!(header(&head, "content-length").as_deref(), Some(length), "{path}");
            assert_eq!(header(&head, "content-encoding"), None, "{path}");
        }
    }
}

#[tokio::test]
async fn packed_bodies_do_not_wait_for_each_other() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let custom = rest.custom("http://backend.internal/");
        rest.method("POST /custom", |method| method.integration = Some(custom));
    })
    .await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"{}").unwrap();
    let packed = encoder.finish().unwrap();
    let (last, first) = packed.split_last().unwrap();
    let head = format!(
        "POST /prod/custom HTTP/1.1\r\nhost: {}.execute-api.us-east-1.amazonaws.com\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        api(),
        packed.len()
    );
    // More than the largest bodies that may be in memory at once, which each of them may become.
    let mut streams = Vec::new();
    for _ in 0..70 {
        let mut stream = scene.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(first).await.unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        stream.write_all(&[*last]).await.unwrap();
    }
    for stream in streams {
        let answer = tokio::time::timeout(Duration::from_secs(20), read_answer(stream)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn two_content_types_lead_around_no_model() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, validated).await;
    for types in [["text/plain", "application/json"], ["application/json", "text/plain"]] {
        let lines = format!("x-need: 1\r\ncontent-type: {}\r\ncontent-type: {}\r\n", types[0], types[1]);
        let answer = post(&scene, "/prod/pets/1?qs1=1", &lines, "{}").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (400, "MALFORMED_REQUEST"), "{types:?}");
    }
    assert_eq!(backend.heads(), Vec::<String>::new(), "nothing was carried");
}

#[tokio::test]
async fn what_goes_with_the_connection_is_gone_before_anything_is_judged() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, validated).await;
    let rows = [
        ("content-type: text/plain\r\nx-need: 1\r\n", 200, "passed"),
        // Without its type the body is JSON for the backend, and so it is for the model.
        ("connection: content-type\r\ncontent-type: text/plain\r\nx-need: 1\r\n", 400, "VALIDATION_FAILED"),
        ("connection: X-Need, close\r\nx-need: 1\r\n", 400, "VALIDATION_FAILED"),
    ];
    for (lines, status, outcome) in rows {
        let answer = post(&scene, "/prod/pets/1?qs1=1", lines, "{}").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (status, outcome), "{lines}");
    }
    assert_eq!(backend.heads().len(), 1, "nothing else was carried");
}

#[tokio::test]
async fn parameters_are_validated_before_bodies() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, validated).await;
    let all = "x-need: 1\r\ncontent-type: application/json\r\n";
    let rows = [
        ("/prod/pets/1", "", "{}", 400, r#"{"message": "Missing required request parameters: [X-Need, qs1]"}"#),
        (
            "/prod/pets/1?qs1=1",
            "x-need:  \r\n",
            "{}",
            400,
            r#"{"message": "Missing required request parameters: [X-Need]"}"#,
        ),
        ("/prod/pets/1?qs1=1", all, "", 400, r#"{"message": "Invalid request body"}"#),
        ("/prod/pets/1?qs1=1", all, "{", 400, r#"{"message": "Invalid request body"}"#),
        ("/prod/pets/1?qs1=1", all, r#"{"name":"a","age":"x"}"#, 400, r#"{"message": "Invalid request body"}"#),
        ("/prod/pets/1?qs1=1", all, r#"{"name":"a","age":1}"#, 200, "ok"),
        (
            "/prod/pets/1?qs1=1",
            "x-need: 1\r\ncontent-type: application/vnd.pets\r\n",
            "[{}]",
            400,
            r#"{"message": "Invalid request body"}"#,
        ),
        ("/prod/pets/1?qs1=1", "x-need: 1\r\ncontent-type: text/plain\r\n", "anything", 200, "ok"),
    ];
    for (path, lines, body, status, expected) in rows {
        let answer = post(&scene, path, lines, body).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, expected), "{path} {lines} {body}");
        if status == 400 {
            assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("BadRequestException"));
            assert_eq!(answer.outcome(), "VALIDATION_FAILED");
        }
    }
    assert_eq!(backend.heads().len(), 2);
}

const KEY: &str = "0123456789abcdefghij";

/// A key in a plan for the stage, with what `edit` makes of the plan.
fn plan(chain: &mut Chain, edit: impl FnOnce(&mut UsagePlan)) {
    let (plan, key) = (UsagePlanId::from_bits(1), ApiKeyId::from_bits(1));
    let mut resource = UsagePlan {
        id: plan,
        name: "basic".into(),
        description: None,
        stages: vec![((api(), "prod".parse().unwrap()), PlanStage::default())],
        throttle: None,
        quota: None,
        product_code: None,
        tags: Default::default(),
    };
    edit(&mut resource);
    chain.estate.usage_plans.insert(plan, resource);
    chain.estate.usage_plan_keys.insert((plan, key), UsagePlanKey { plan, key, added: Moment(0) });
    for (at, value, enabled) in
        [(1, KEY, true), (2, "a-key-in-no-plan-at-all", true), (3, "a-key-that-is-disabled", false)]
    {
        let id = ApiKeyId::from_bits(at);
        let key = ApiKey {
            id,
            value: value.into(),
            name: None,
            description: None,
            enabled,
            customer_id: None,
            stage_keys: Vec::new(),
            created: Moment(0),
            updated: Moment(0),
            tags: Default::default(),
        };
        chain.estate.api_keys.insert(id, key);
    }
}

fn keyed(rest: &mut Rest) {
    rest.method("GET /keyed", |method| method.api_key_required = true);
    rest.method("GET /other", |method| method.api_key_required = true);
    rest.method("GET /open", |_| {});
}

async fn planned(config: PlaneConfig, backend: &Backend, edit: impl FnOnce(&mut UsagePlan)) -> Scene {
    configured(config, backend, |rest, chain| {
        keyed(rest);
        plan(chain, edit);
    })
    .await
}

async fn with_key(scene: &Scene, path: &str) -> Answer {
    send(scene, &format!("GET {path}"), &format!("x-api-key: {KEY}\r\n")).await
}

#[tokio::test]
async fn keys_open_the_stages_of_their_plans_and_nothing_else() {
    let backend = Backend::answering(OK).await;
    let scene = planned(PlaneConfig::default(), &backend, |_| {}).await;
    assert_eq!(get(&scene, "/prod/open").await.status, 200);
    assert_eq!(with_key(&scene, "/prod/keyed").await.status, 200);
    let rows = [
        ("", "API_KEY_MISSING"),
        ("x-api-key: \r\n", "API_KEY_MISSING"),
        ("x-api-key: nobodys-key-of-them-all\r\n", "API_KEY_INVALID"),
        ("x-api-key: a-key-in-no-plan-at-all\r\n", "API_KEY_INVALID"),
        ("x-api-key: a-key-that-is-disabled\r\n", "API_KEY_INVALID"),
    ];
    for (lines, outcome) in rows {
        let answer = send(&scene, "GET /prod/keyed", lines).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, r#"{"message":"Forbidden"}"#), "{lines}");
        assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("ForbiddenException"));
        assert_eq!(answer.outcome(), outcome, "{lines}");
    }
    let trace = format!("{:?}", scene.plane.traces().newest(9));
    assert!(!trace.contains("nobodys-key") && !trace.contains(KEY), "no trace holds a key's value");
}

fn daily(limit: u64) -> impl FnOnce(&mut UsagePlan) {
    move |plan| plan.quota = Some(Quota { limit, offset: 0, period: QuotaPeriod::Day })
}

#[tokio::test]
async fn a_quota_is_used_up_by_its_key_and_comes_back_the_next_day() {
    let backend = Backend::answering(OK).await;
    let mut scene = planned(PlaneConfig::default(), &backend, daily(2)).await;
    for status in [200, 200, 429, 429] {
        assert_eq!(with_key(&scene, "/prod/keyed").await.status, status);
    }
    let answer = with_key(&scene, "/prod/other").await;
    assert_eq!((answer.status, answer.body.as_str()), (429, r#"{"message":"Limit Exceeded"}"#));
    assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("LimitExceededException"));
    assert_eq!(answer.outcome(), "QUOTA_EXCEEDED");
    assert_eq!(get(&scene, "/prod/open").await.status, 200);
    scene.plane.report_usage();
    let told = scene.facts().into_iter().filter_map(|fact| match fact {
        Fact::Usage { used, .. } => Some(used),
        _ => None,
    });
    assert_eq!(told.last(), Some(2));
    // More is granted in this period.
    scene.change(|chain| {
        let day = u32::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400).unwrap();
        let usage = Usage { granted: Some((day, 1)), ..Usage::default() };
        chain.estate.usage.insert((UsagePlanId::from_bits(1), ApiKeyId::from_bits(1)), usage);
    });
    for status in [200, 429] {
        assert_eq!(with_key(&scene, "/prod/keyed").await.status, status);
    }
    scene.plane.move_clock(Duration::from_secs(86_400));
    assert_eq!(with_key(&scene, "/prod/keyed").await.status, 200);
}

#[tokio::test]
async fn what_was_used_before_counts() {
    let backend = Backend::answering(OK).await;
    let scene = planned(PlaneConfig::default(), &backend, daily(3)).await;
    let day = u32::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400).unwrap();
    let key = (UsagePlanId::from_bits(1), ApiKeyId::from_bits(1));
    scene.plane.seed_usage(&scene.chain.realm, key, Usage { days: [(day, 2)].into(), granted: None });
    for status in [200, 429] {
        assert_eq!(with_key(&scene, "/prod/keyed").await.status, status);
    }
}

/// Keeps what it is told once it may.
#[derive(Debug, Default)]
struct Keeper {
    may: AtomicBool,
    asked: AtomicUsize,
    kept: Mutex<Vec<u64>>,
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Keeper>);

impl UsageKeeper for Shared {
    fn keep(&self, fact: Fact) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let keeper = Arc::clone(&self.0);
        Box::pin(async move {
            keeper.asked.fetch_add(1, Ordering::SeqCst);
            while !keeper.may.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            if let Fact::Usage { used, .. } = fact {
                keeper.kept.lock().unwrap().push(used);
            }
            true
        })
    }
}

#[tokio::test]
async fn a_request_waits_until_its_count_is_kept_and_one_save_serves_many() {
    let backend = Backend::answering(OK).await;
    let keeper = Shared::default();
    let config = PlaneConfig { usage: Some(Arc::new(keeper.clone())), ..PlaneConfig::default() };
    let scene = Arc::new(planned(config, &backend, daily(50)).await);
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { with_key(&scene, "/prod/keyed").await.status })
        })
        .collect();
    while keeper.0.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.heads().len(), 0, "nothing goes on before it is counted for good");
    keeper.0.may.store(true, Ordering::SeqCst);
    for request in requests {
        assert_eq!(request.await.unwrap(), 200);
    }
    let kept = keeper.0.kept.lock().unwrap().clone();
    assert_eq!(kept.last(), Some(&4), "{kept:?}");
    assert!(kept.len() <= 4);
}

#[tokio::test(start_paused = true)]
async fn limits_of_a_plan_are_per_key_and_a_methods_own_come_first() {
    let backend = Backend::answering(OK).await;
    let scene = planned(PlaneConfig::default(), &backend, |plan| {
        plan.throttle = Some(PlanThrottle { rate: 1.0, burst: 2 });
        plan.stages[0].1.throttle = [("/other/GET".to_owned(), PlanThrottle { rate: 1.0, burst: 1 })].into();
        plan.quota = Some(Quota { limit: 100, offset: 0, period: QuotaPeriod::Month });
    })
    .await;
    for (path, status) in
        [("/prod/keyed", 200), ("/prod/keyed", 200), ("/prod/keyed", 429), ("/prod/other", 200), ("/prod/other", 429)]
    {
        let answer = with_key(&scene, path).await;
        assert_eq!(answer.status, status, "{path}");
        if status == 429 {
            assert_eq!(answer.body, r#"{"message":"Too Many Requests"}"#);
            assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("TooManyRequestsException"));
            assert_eq!(answer.outcome(), "THROTTLED");
        }
    }
    let_pass(Duration::from_secs(2)).await;
    assert_eq!(with_key(&scene, "/prod/keyed").await.status, 200);
    scene.plane.report_usage();
    let used = scene.facts().into_iter().filter_map(|fact| match fact {
        Fact::Usage { used, .. } => Some(used),
        _ => None,
    });
    assert_eq!(used.last(), Some(4), "throttled requests are not counted");
}

#[tokio::test(start_paused = true)]
async fn method_settings_throttle_by_method_before_all_methods() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        rest.method("GET /a", |_| {});
        rest.method("GET /b", |_| {});
        rest.settings("*/*", |all| (all.throttling_rate_limit, all.throttling_burst_limit) = (1.0, 2));
        rest.settings("~1a/GET", |own| (own.throttling_rate_limit, own.throttling_burst_limit) = (1.0, 1));
    })
    .await;
    for (path, status) in [("/prod/a", 200), ("/prod/a", 429), ("/prod/b", 200), ("/prod/b", 200), ("/prod/b", 429)] {
        assert_eq!(get(&scene, path).await.status, status, "{path}");
    }
}
