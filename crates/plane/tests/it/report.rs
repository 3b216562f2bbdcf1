//! What requests leave behind: lines of access logs, counts, spans; at the end of each answer, however it ends.

use plane::PlaneConfig;
use plane::report::outlet::{self, LogLine, Outflow};
use plane::report::span::RequestSpan;
use tokio::io::AsyncWriteExt;
use topology::reason::Reason;
use topology::resource::http_api::{AccessLogSettings, RouteSettings, Stage};
use topology::trace::HopKind;

use crate::estate::{self, Chain, api, host};
use crate::scene::{Backend, OK, Scene, header};

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/shop";

/// Every variable that means something here, by the key that it gets in [`json_format`].
const VARIABLES: [&str; 24] = [
    "requestId",
    "extendedRequestId",
    "accountId",
    "apiId",
    "stage",
    "routeKey",
    "httpMethod",
    "path",
    "protocol",
    "status",
    "responseLength",
    "dataProcessed",
    "domainName",
    "domainPrefix",
    "identity.sourceIp",
    "identity.userAgent",
    "identity.caller",
    "error.message",
    "error.messageString",
    "error.responseType",
    "integration.status",
    "integration.error",
    "authorizer.error",
    "authorizer.claims.sub",
];

fn json_format() -> String {
    let members: Vec<_> = VARIABLES.iter().map(|name| format!("\"{name}\":\"$context.{name}\"")).collect();
    format!("{{{}}}", members.join(","))
}

fn edit_stage(chain: &mut Chain, edit: impl Fn(&mut Stage)) {
    let keys: Vec<_> = chain.estate.stages.iter().map(|(key, _)| key.clone()).collect();
    keys.iter().for_each(|key| edit(chain.estate.stages.edit(key).unwrap()));
}

fn log(chain: &mut Chain, format: &str) {
    let settings = AccessLogSettings { destination: GROUP.parse().unwrap(), format: format.parse().unwrap() };
    edit_stage(chain, |stage| stage.access_log = Some(settings.clone()));
}

async fn logged(backend: &Backend, edit: impl FnOnce(&mut Chain)) -> (Scene, Outflow<LogLine>) {
    let (lines, outflow) = outlet::lines();
    let config = PlaneConfig { lines: Some(lines), ..PlaneConfig::default() };
    (Scene::configured(config, backend, edit).await, outflow)
}

async fn line(lines: &mut Outflow<LogLine>) -> LogLine {
    let mut taken = Vec::new();
    assert_eq!(lines.take(&mut taken, 1).await, 1);
    taken.remove(0)
}

async fn fields(lines: &mut Outflow<LogLine>) -> serde_json::Value {
    let line = line(lines).await;
    serde_json::from_str(&line.text).unwrap_or_else(|error| panic!("{error}: {}", line.text))
}

#[tokio::test]
async fn a_request_that_passes_leaves_a_line_with_every_variable() {
    let backend = Backend::answering(OK).await;
    let (scene, mut lines) = logged(&backend, |chain| {
        chain.route("POST /pets/{id}");
        chain.stage("prod");
        log(chain, &json_format());
    })
    .await;
    let request = "user-agent: me/1.0\r\ncontent-length: 5\r\n\r\nhello";
    let head = format!("POST /prod/pets/7?q=1 HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{request}", host());
    let answer = scene.raw(&head).await;
    assert_eq!(answer.status, 200);
    let id = answer.header("apigw-requestid").unwrap();
    let (api, host) = (api().to_string(), host());
    let expected = [
        ("requestId", id.as_str()),
        ("extendedRequestId", &id),
        ("accountId", "000000000000"),
        ("apiId", &api),
        ("stage", "prod"),
        ("routeKey", "POST /pets/{id}"),
        ("httpMethod", "POST"),
        ("path", "/prod/pets/7"),
        ("protocol", "HTTP/1.1"),
        ("status", "200"),
        ("responseLength", "2"),
        ("dataProcessed", "7"),
        ("domainName", &host),
        ("domainPrefix", &api),
        ("identity.sourceIp", "127.0.0.1"),
        ("identity.userAgent", "me/1.0"),
        ("integration.status", "200"),
    ];
    let got = fields(&mut lines).await;
    for name in VARIABLES {
        let wanted = expected.iter().find(|(key, _)| *key == name).map_or("-", |(_, value)| value);
        assert_eq!(got[name], wanted, "{name}");
    }
}

#[tokio::test]
async fn refusals_leave_a_line_with_their_words() {
    let backend = Backend::answering(OK).await;
    let (mut scene, mut lines) = logged(&backend, |chain| {
        chain.edit_deployment(|frozen| frozen.routes.clear());
        chain.route("GET /pets");
        log(chain, &json_format());
    })
    .await;
    scene.get("/nothing").await;
    let got = fields(&mut lines).await;
    assert_eq!((&got["status"], &got["routeKey"]), (&"404".into(), &"-".into()));
    assert_eq!(
        (&got["error.message"], &got["error.responseType"]),
        (&"Not Found".into(), &"RESOURCE_NOT_FOUND".into())
    );
    assert_eq!(got["error.messageString"], "\"Not Found\"");
    assert_eq!((&got["responseLength"], &got["integration.status"]), (&"23".into(), &"-".into()));
    scene.change(|chain| chain.estate.vpc_links.edit(&estate::link()).unwrap().state = failed());
    scene.get("/pets").await;
    let got = fields(&mut lines).await;
    assert_eq!((&got["status"], &got["routeKey"]), (&"503".into(), &"GET /pets".into()));
    assert_eq!(got["integration.error"], "The VPC link carries no traffic: LINK_FAILED");
}

fn failed() -> topology::resource::vpc_link::VpcLinkState {
    topology::resource::vpc_link::VpcLinkState::Failed("ours".to_owned())
}

#[tokio::test]
async fn a_client_cannot_forge_a_line_or_a_member() {
    let backend = Backend::answering(OK).await;
    let formats = [
        (r#"{"id":"$context.requestId","agent":"$context.identity.userAgent","path":"$context.path"}"#, true),
        (r#"{"id":"$context.requestId","agent":$context.identity.userAgent,"path":$context.path}"#, true),
        (r#"$context.requestId "$context.identity.userAgent" $context.path"#, false),
        (r#"<r id="$context.requestId" agent="$context.identity.userAgent" path="$context.path"/>"#, false),
    ];
    for (format, is_json) in formats {
        let (scene, mut lines) = logged(&backend, |chain| log(chain, format)).await;
        let agent = "x\",\"id\":\"forged\"}\t{\u{85}\u{2028}<r a='&'>\\";
        scene.send("GET /a%0d%0ab\"c", &format!("user-agent: {agent}\r\n")).await;
        let text = line(&mut lines).await.text;
        assert!(!text.chars().any(char::is_control), "{text:?}");
        if is_json {
            let got: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(got["agent"], agent);
            assert_eq!(got["path"], "/a%0d%0ab\"c");
            assert_ne!(got["id"], "forged");
        } else {
            assert_eq!(
                text.matches('<').count(),
                usize::from(format.starts_with('<')) + usize::from(!format.starts_with('<'))
            );
        }
    }
}

#[tokio::test]
async fn a_line_is_written_when_the_body_is_over_and_counts_what_went_out() {
    let backend = Backend::scripted(|mut conn, _| async move {
        if conn.head().await.is_some() {
            conn.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly part").await;
        }
    })
    .await;
    let format = "$context.requestId $context.status $context.responseLength";
    let (scene, mut lines) = logged(&backend, |chain| log(chain, format)).await;
    let answer = scene.get("/").await;
    let line = line(&mut lines).await;
    assert_eq!(line.text, format!("{} 200 9", answer.header("apigw-requestid").unwrap()));
    assert_eq!((line.log.group.to_string().as_str(), line.log.stream.len()), (GROUP, 32));
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_line() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if head.contains("ELB-HealthChecker") {
                conn.send(OK).await;
            } else {
                // Never answers.
                std::future::pending::<()>().await;
            }
        }
    })
    .await;
    let (scene, mut lines) =
        logged(&backend, |chain| log(chain, "$context.requestId $context.routeKey $context.status")).await;
    let mut stream = scene.connect().await;
    stream.write_all(format!("GET /slow HTTP/1.1\r\nhost: {}\r\n\r\n", host()).as_bytes()).await.unwrap();
    while backend.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let text = line(&mut lines).await.text;
    assert!(text.ends_with(" $default -"), "{text}");
    assert!(
        scene.plane.metrics().contains(&format!("apigateway_count_total{{api_id=\"{}\",stage=\"$default\"}} 1", api()))
    );
}

#[tokio::test]
async fn metrics_count_what_was_sent_and_end_with_their_things() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::with(&backend, |chain| {
        chain.edit_deployment(|frozen| frozen.routes.clear());
        chain.route("GET /pets");
        let settings =
            RouteSettings { detailed_metrics: true, throttling_burst_limit: 100, throttling_rate_limit: 100.0 };
        edit_stage(chain, |stage| stage.default_route_settings = Some(settings.clone()));
    })
    .await;
    for path in ["/pets", "/pets", "/nothing"] {
        scene.get(path).await;
    }
    let place = format!("api_id=\"{}\",stage=\"$default\"", api());
    let rows = [
        format!("tidegate_apigateway_count_total{{{place}}} 3"),
        format!("tidegate_apigateway_4xx_total{{{place}}} 1"),
        format!("tidegate_apigateway_5xx_total{{{place}}} 0"),
        format!("tidegate_apigateway_data_processed_bytes_total{{{place}}} 27"),
        format!("tidegate_apigateway_latency_milliseconds_count{{{place}}} 3"),
        format!("tidegate_apigateway_integration_latency_milliseconds_count{{{place}}} 2"),
        format!("tidegate_apigateway_route_count_total{{{place},route=\"GET /pets\"}} 2"),
        "tidegate_applicationelb_request_count_total{load_balancer=\"app/".to_owned(),
        "tidegate_snapshot_revision 1".to_owned(),
        "tidegate_traces_total 3".to_owned(),
    ];
    let page = scene.plane.metrics();
    for row in rows {
        assert!(page.lines().any(|line| line.starts_with(&row)), "{row} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"));
    scene.change(|chain| edit_stage(chain, |stage| stage.default_route_settings = None));
    assert!(scene.plane.metrics().contains(&format!("tidegate_apigateway_count_total{{{place}}} 3")), "it counts on");
    assert!(!scene.plane.metrics().contains("route=\"GET /pets\""));
    scene.change(|chain| chain.estate = Default::default());
    assert!(!scene.plane.metrics().contains("api_id="));
}

async fn traced(backend: &Backend) -> (Scene, Outflow<RequestSpan>) {
    let (spans, outflow) = outlet::spans();
    let config = PlaneConfig { spans: Some(spans), ..PlaneConfig::default() };
    (Scene::configured(config, backend, |_| {}).await, outflow)
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test]
async fn a_request_joins_the_trace_of_its_sender_and_passes_it_on() {
    let backend = Backend::answering(OK).await;
    let (scene, mut spans) = traced(&backend).await;
    scene.send("GET /a", &format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-00\r\n")).await;
    scene.send("GET /b", &format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n")).await;
    let mut taken = Vec::new();
    spans.take(&mut taken, 1).await;
    let span = taken.remove(0);
    assert_eq!(span.trace.path, "/b", "what is not sampled is not exported");
    assert_eq!(
        (format!("{:032x}", span.context.trace_id), span.context.parent_id),
        (TRACE.to_owned(), Some(0x00f0_67aa_0ba9_02b7))
    );
    let heads = backend.heads();
    let passed_on = |head: &str| header(head, "traceparent").unwrap();
    assert_eq!(passed_on(&heads[1]), format!("00-{TRACE}-{:016x}-01", span.context.span_id));
    assert!(passed_on(&heads[0]).ends_with("-00") && passed_on(&heads[0]).contains(TRACE));
    assert_eq!((span.route.as_deref(), span.trace.status), (Some("$default"), 200));
    assert!(span.trace.hops.iter().any(|hop| hop.kind == HopKind::Target));
    assert!(span.ended_unix_micros >= span.trace.started_unix_micros);
}

#[tokio::test]
async fn refusals_are_exported_and_without_an_exporter_the_header_is_left_alone() {
    let backend = Backend::answering(OK).await;
    let (scene, mut spans) = traced(&backend).await;
    scene
        .raw("GET / HTTP/1.1\r\nhost: zzzzzzzzzz.execute-api.us-east-1.amazonaws.com\r\nconnection: close\r\n\r\n")
        .await;
    let mut taken = Vec::new();
    spans.take(&mut taken, 1).await;
    assert_eq!((taken[0].trace.status, taken[0].trace.reason), (404, Some(Reason::ApiNotFound)));
    let plain = Scene::new(&backend).await;
    let theirs = format!("00-{TRACE}-00f067aa0ba902b7-01");
    plain.send("GET /", &format!("traceparent: {theirs}\r\n")).await;
    assert_eq!(header(&backend.heads().pop().unwrap(), "traceparent"), Some(theirs));
}

#[tokio::test]
async fn lines_that_nobody_takes_are_dropped_and_counted_and_traffic_goes_on() {
    let backend = Backend::answering(OK).await;
    let (scene, lines) = logged(&backend, |chain| log(chain, "$context.requestId")).await;
    drop(lines);
    assert_eq!(scene.get("/").await.status, 200);
    let page = scene.plane.metrics();
    assert!(page.contains("tidegate_access_log_lines_dropped_total{cause=\"queue_full\"} 1"), "{page}");
}
