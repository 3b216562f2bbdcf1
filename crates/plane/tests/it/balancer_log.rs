//! What a load balancer keeps of requests and probes: lines of its logs, and counts by CloudWatch's names.

use plane::limits::{CAPACITY_WINDOW, IDLE_SWEEP_INTERVAL};
use plane::report::outlet::{self, BalancerLine, Outflow};
use plane::{Issuer, PlaneConfig};
use tokio::io::AsyncWriteExt;
use topology::id::ListenerRuleId;
use topology::resource::action::{Action, FixedResponse, FixedResponseParts, Redirect, RedirectParts, RedirectStatus};
use topology::resource::gate::{Check, Gate, JwtValidation, JwtValidationParts};
use topology::resource::listener::{ListenerRule, RuleCondition};
use topology::resource::oidc::{ClientSecret, ExtraParams, Oidc, OidcParts, Session};
use topology::resource::pattern::{Rewrite, Transforms};
use topology::snapshot::logs::LogKind;

use crate::certificates::{Authority, When};
use crate::estate::{ALB_INGRESS, BALANCER, Chain, GROUP, LISTENER, TARGET_INGRESS, certificate_arn, host};
use crate::scene::{Backend, OK, Scene, header, let_pass};

pub(crate) const BALANCER_NAME: &str = "app/internal/0000000000000001";
const GROUP_ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/targets/0000000000000001";
const FIELDS: usize = 33;

fn set(chain: &mut Chain, pairs: &[(&str, &str)]) {
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    chain.estate.load_balancers.edit(&BALANCER).unwrap().attributes.set_all(&pairs).unwrap();
}

pub(crate) fn log(chain: &mut Chain, kind: &str) {
    set(chain, &[(&format!("{kind}_logs.s3.enabled"), "true"), (&format!("{kind}_logs.s3.bucket"), "my-logs")]);
}

async fn logged(kind: &str, backend: &Backend, edit: impl FnOnce(&mut Chain)) -> (Scene, Outflow<BalancerLine>) {
    let (lines, outflow) = outlet::balancer_lines();
    let config = PlaneConfig { balancer_lines: Some(lines), ..PlaneConfig::default() };
    let scene = Scene::configured(config, backend, |chain| {
        log(chain, kind);
        edit(chain);
    });
    (scene.await, outflow)
}

pub(crate) async fn line(lines: &mut Outflow<BalancerLine>) -> BalancerLine {
    let mut taken = Vec::new();
    assert_eq!(lines.take(&mut taken, 1).await, 1);
    taken.remove(0)
}

/// Fields of a line: separated by one blank, some in quotes.
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        fields.push(field.to_owned());
        match after.strip_prefix(' ') {
            Some(next) => rest = next,
            None => break assert_eq!(after, "", "{line}"),
        }
    }
    fields
}

/// Those of an access log.
fn fields(line: &str) -> Vec<String> {
    let fields = split(line);
    assert_eq!(fields.len(), FIELDS, "{line}");
    fields
}

pub(crate) async fn entry(lines: &mut Outflow<BalancerLine>) -> Vec<String> {
    fields(&line(lines).await.text)
}

/// Fields by the number that AWS's page gives them.
pub(crate) fn has(entry: &[String], expected: &[(usize, &str)]) {
    for (number, value) in expected {
        assert_eq!(entry[number - 1], *value, "field {number} of {entry:?}");
    }
}

/// `2018-07-02T22:23:00.186641Z`
pub(crate) fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000Z"
}

pub(crate) fn is_seconds(text: &str) -> bool {
    text.split_once('.').is_some_and(|(whole, part)| whole.parse::<u32>().is_ok() && part.len() == 3)
}

const NOT_SENT_ON: [(usize, &str); 4] = [(6, "-1"), (7, "-1"), (8, "-1"), (10, "-")];

// sees: Application load balancers: access_logs.s3.enabled, access_logs.s3.bucket
#[tokio::test]
async fn a_request_that_passes_leaves_a_line_with_every_field() {
    let backend = Backend::answering(OK).await;
    let (scene, mut lines) = logged("access", &backend, |_| {}).await;
    assert_eq!(scene.send("GET /pets?q=%20x", "user-agent: me/1.0\r\n").await.status, 200);
    let line = line(&mut lines).await;
    assert_eq!((line.place.kind, line.place.bucket.as_str()), (LogKind::Access, "my-logs"));
    let from = [10, 0, line.node.octets()[2], 10].map(|part| part.to_string()).join(".");
    assert_eq!(line.node.octets()[3], 20, "the node in the zone of the link's interface");
    let got = fields(&line.text);
    let root = header(&backend.heads()[0], "x-amzn-trace-id").unwrap();
    let request = format!("GET http://{}:80/pets?q=%20x HTTP/1.1", host());
    let whole = "10.0.0.50:8080";
    has(&got, &[(1, "http"), (3, BALANCER_NAME), (5, whole), (9, "200"), (10, "200"), (13, &request)]);
    has(&got, &[(14, "me/1.0"), (15, "-"), (16, "-"), (17, GROUP_ARN), (18, &root), (19, "-"), (20, "-"), (21, "0")]);
    has(&got, &[(23, "forward"), (24, "-"), (25, "-"), (26, whole), (27, "200"), (30, "-")]);
    // HTTP APIs say of every request how long its body is.
    has(&got, &[(28, "Acceptable"), (29, "GetHeadZeroContentLength")]);
    has(&got, &[(31, "-"), (32, "-"), (33, "-"), (8, "0.000")]);
    assert!(is_time(&got[1]) && is_time(&got[21]) && got[1] >= got[21], "{got:?}");
    assert!(is_seconds(&got[5]) && is_seconds(&got[6]), "{got:?}");
    let (client, port) = got[3].split_once(':').unwrap();
    assert!(client == from && port.parse::<u16>().unwrap() > 0, "{got:?}");
}

#[tokio::test]
async fn bytes_are_those_of_heads_and_bodies() {
    let backend = Backend::scripted(|mut conn, number| async move {
        while conn.head().await.is_some() {
            let body = "x".repeat(1 + number % 2);
            conn.send(&format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
                .await;
        }
    })
    .await;
    let (scene, mut lines) = logged("access", &backend, |_| {}).await;
    let mut sizes = Vec::new();
    for body in ["", "12345", "123456789"] {
        let lines_of_body = format!("content-length: {}\r\n\r\n{body}", body.len());
        scene.send("POST /", &lines_of_body).await;
        let got = entry(&mut lines).await;
        sizes.push((got[10].parse::<usize>().unwrap(), got[11].parse::<usize>().unwrap()));
    }
    assert_eq!((sizes[1].0 - sizes[0].0, sizes[2].0 - sizes[1].0), (5, 4));
    assert!(sizes[0].0 > "POST / HTTP/1.1\r\nhost: \r\ncontent-length: 0\r\n\r\n".len() + host().len());
    let smallest = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n".len() + 1;
    let sent: Vec<_> = sizes.iter().map(|(_, sent)| *sent).collect();
    assert!(sent.iter().all(|sent| [smallest, smallest + 1].contains(sent)), "{sent:?} beside {smallest}");
}

fn rule(chain: &mut Chain, priority: u32, path: &str, action: Action) -> ListenerRuleId {
    let id = ListenerRuleId::from_bits(100 + u64::from(priority));
    let conditions = vec![RuleCondition::PathPattern(vec![path.to_owned()].into())];
    let (transforms, tags) = Default::default();
    chain.estate.listener_rules.insert(
        id,
        ListenerRule {
            id,
            listener: LISTENER,
            priority,
            conditions,
            gate: None,
            action,
            order: None,
            transforms,
            tags,
        },
    );
    id
}

#[tokio::test]
async fn what_a_rule_asks_in_vain_is_named() {
    let backend = Backend::answering(OK).await;
    let (scene, mut lines) = logged("access", &backend, |chain| {
        let token = JwtValidationParts {
            jwks_endpoint: "https://issuer.example/keys".into(),
            issuer: "https://issuer.example".into(),
            claims: Vec::new(),
        };
        let user = OidcParts {
            issuer: "https://idp.example".into(),
            authorization_endpoint: "https://idp.example/authorize".into(),
            token_endpoint: "https://idp.example/token".into(),
            user_info_endpoint: "https://idp.example/me".into(),
            client_id: "shop".into(),
            client_secret: ClientSecret::new("hush".into()),
            extra_params: ExtraParams::new(),
            session: Session::default(),
        };
        let checks = [
            ("/token*", Check::Jwt(JwtValidation::new(token).unwrap())),
            ("/user*", Check::Oidc(Box::new(Oidc::new(user).unwrap()))),
        ];
        for (priority, (path, check)) in (1..).zip(checks) {
            let forward = chain.estate.listeners.get(&LISTENER).unwrap().default_action().clone();
            let id = rule(chain, priority, path, forward);
            chain.estate.listener_rules.edit(&id).unwrap().gate = Some(Gate::new(check, (1, 2)).unwrap());
        }
    })
    .await;
    let rows = [
        ("/token", [(9, "401"), (21, "1"), (23, "-"), (25, "JWTHeaderNotPresent")]),
        ("/user", [(9, "302"), (21, "2"), (23, "authenticate"), (25, "-")]),
        ("/oauth2/idpresponse", [(9, "401"), (21, "0"), (23, "authenticate"), (25, "AuthMissingStateParam")]),
    ];
    for (path, expected) in rows {
        scene.get(path).await;
        let got = entry(&mut lines).await;
        has(&got, &expected);
        has(&got, &NOT_SENT_ON);
    }
}

/// Rules that answer, redirect, rewrite and cannot rewrite, in this order.
fn ruled(chain: &mut Chain) {
    let fixed = FixedResponseParts { status: 404, content_type: None, body: Some("no".into()) };
    rule(chain, 10, "/fixed", Action::FixedResponse(FixedResponse::new(fixed).unwrap()));
    let redirect = RedirectParts {
        status: RedirectStatus::Found,
        protocol: "HTTPS".into(),
        host: "example.com".into(),
        port: "443".into(),
        path: "/#{path}".into(),
        query: "#{query}".into(),
    };
    rule(chain, 20, "/old", Action::Redirect(Redirect::new(redirect).unwrap()));
    let rewrite =
        |regex: &str, replace: &str| Some(Rewrite { regex: regex.parse().unwrap(), replace: replace.to_owned() });
    let forward = || Action::to(GROUP);
    let id = rule(chain, 30, "/v1/*", forward());
    let transforms = Transforms { host: rewrite("^[^.]+", "inner"), url: rewrite("^/v1/", "/v2/") };
    chain.estate.listener_rules.edit(&id).unwrap().transforms = transforms;
    let id = rule(chain, 40, "/nowhere", forward());
    let transforms = Transforms { host: None, url: rewrite("^/nowhere", "nowhere") };
    chain.estate.listener_rules.edit(&id).unwrap().transforms = transforms;
}

#[tokio::test]
async fn lines_say_what_rules_did() {
    let backend = Backend::answering(OK).await;
    let (scene, mut lines) = logged("access", &backend, ruled).await;
    scene.get("/fixed").await;
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(5, "-"), (9, "404"), (17, "-"), (21, "10"), (23, "fixed-response"), (24, "-"), (26, "-"), (27, "-")]);
    scene.get("/old?a=1").await;
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(9, "302"), (21, "20"), (23, "redirect"), (24, "https://example.com:443/old?a=1"), (12, "241")]);
    scene.get("/v1/pets?a").await;
    let got = entry(&mut lines).await;
    let inner = format!("inner.{}", host().split_once('.').unwrap().1);
    let asked = format!("GET http://{}:80/v1/pets?a HTTP/1.1", host());
    has(&got, &[(9, "200"), (13, &asked), (21, "30"), (23, "rewrite,forward")]);
    has(&got, &[(31, &inner), (32, "/v2/pets?a"), (33, "TransformSuccess")]);
    scene.get("/nowhere").await;
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(9, "500"), (21, "40"), (23, "-"), (31, "-"), (32, "-"), (33, "TransformInvalidPath")]);
}

#[tokio::test]
async fn a_client_cannot_forge_a_field_or_a_line() {
    let backend = Backend::answering(OK).await;
    let (scene, mut lines) = logged("access", &backend, |_| {}).await;
    let agent = "x\" - - \"arn\t\\\u{85}";
    scene.send("GET /a\"b", &format!("user-agent: {agent}\r\nx-amzn-trace-id: Root=1-\" \"x\r\n")).await;
    let text = line(&mut lines).await.text;
    assert!(text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()), "{text:?}");
    let got = fields(&text);
    has(&got, &[(14, r"x\x22 - - \x22arn\x09\x5C\xC2\x85"), (23, "forward")]);
    assert!(got[12].ends_with(r"/a\x22b HTTP/1.1"), "{got:?}");
    assert!(got[17].contains(r"\x22 \x22x"), "{got:?}");
    let longest = "y".repeat(9 * 1024);
    scene.send("GET /", &format!("user-agent: {longest}\r\n")).await;
    assert_eq!(entry(&mut lines).await[13].len(), 8 * 1024);
}

/// A backend that does this once a request came.
async fn backend_that(answer: &'static str) -> Backend {
    Backend::scripted(move |mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if head.contains("ELB-HealthChecker") {
                conn.send(OK).await;
            } else if answer.is_empty() {
                return;
            } else {
                conn.send(answer).await;
            }
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn failures_leave_lines_without_the_times_that_nobody_had() {
    let target = "10.0.0.50:8080";
    let (scene, mut lines) = logged("access", &backend_that("").await, |_| {}).await;
    scene.get("/").await;
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(5, target), (9, "502"), (23, "forward"), (26, target)]);
    let (mut scene, mut lines) = logged("access", &backend_that("nonsense\r\n\r\n").await, |_| {}).await;
    scene.get("/").await;
    let got = entry(&mut lines).await;
    has(&got, &[(5, target), (8, "-1"), (9, "502"), (10, "-")]);
    assert!(is_seconds(&got[5]) && is_seconds(&got[6]), "{got:?}");
    scene.change(|chain| drop(chain.estate.security_group_rules.remove(&TARGET_INGRESS)));
    scene.get("/").await;
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(5, target), (9, "504")]);
    scene.change(|chain| chain.estate.target_groups.edit(&GROUP).unwrap().set_targets(Vec::new()).unwrap());
    scene.get("/").await;
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(5, "-"), (9, "503"), (17, GROUP_ARN), (21, "0"), (23, "forward"), (26, "-")]);
    scene.change(|chain| drop(chain.estate.security_group_rules.remove(&ALB_INGRESS)));
    scene.get("/").await;
    let mut none = Vec::new();
    assert_eq!(lines.take_waiting(&mut none, 1), 0, "what never came to a listener leaves nothing: {none:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_target_is_504_to_the_log_and_460_where_the_gateway_gave_up_first() {
    let silent = || {
        Backend::scripted(|mut conn, _| async move {
            conn.head().await;
            std::future::pending::<()>().await;
        })
    };
    let backend = silent().await;
    let (mut scene, mut lines) =
        logged("access", &backend, |chain| set(chain, &[("idle_timeout.timeout_seconds", "5")])).await;
    assert_eq!(scene.get("/").await.status, 504);
    let got = entry(&mut lines).await;
    has(&got, &[(6, "0.000"), (7, "-1"), (8, "-1"), (9, "504"), (10, "-")]);
    scene.change(|chain| set(chain, &[("idle_timeout.timeout_seconds", "60")]));
    assert_eq!(scene.get("/").await.status, 503);
    let got = entry(&mut lines).await;
    has(&got, &[(5, "10.0.0.50:8080"), (6, "0.000"), (7, "-1"), (8, "-1"), (9, "460"), (10, "-"), (23, "forward")]);
}

#[tokio::test]
async fn a_client_that_goes_away_is_460() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            match head.contains("ELB-HealthChecker") {
                true => conn.send(OK).await,
                false => std::future::pending().await,
            }
        }
    })
    .await;
    let (scene, mut lines) = logged("access", &backend, |_| {}).await;
    let mut stream = scene.connect().await;
    stream.write_all(format!("GET /slow HTTP/1.1\r\nhost: {}\r\n\r\n", host()).as_bytes()).await.unwrap();
    while backend.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    let got = entry(&mut lines).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(9, "460"), (10, "-"), (12, "0"), (23, "forward")]);
    let page = scene.plane.metrics();
    let own = format!("httpcode_elb_4xx_count_total{{load_balancer=\"{BALANCER_NAME}\"}} 1");
    assert!(page.contains(&own), "{page}");
}

#[tokio::test]
async fn unusual_requests_are_classified() {
    let backend = Backend::answering(OK).await;
    let (scene, mut lines) = logged("access", &backend, |_| {}).await;
    for (lines_sent, status, class, why) in [
        ("content-length: 0\r\n", "200", "Acceptable", "GetHeadZeroContentLength"),
        ("content-length: 2\r\n\r\nhi", "200", "Ambiguous", "UndefinedContentLengthSemantics"),
        ("transfer-encoding: chunked\r\n\r\n0\r\n", "200", "Ambiguous", "UndefinedTransferEncodingSemantics"),
    ] {
        scene.send("GET /", lines_sent).await;
        has(&entry(&mut lines).await, &[(9, status), (28, class), (29, why)]);
    }
    let page = scene.plane.metrics();
    let name = "desync_mitigation_mode_non_compliant_request_count_total";
    assert!(page.contains(&format!("{name}{{load_balancer=\"{BALANCER_NAME}\"}} 3")), "{page}");
    scene.send("POST /", "content-length: 2\r\n\r\nhi").await;
    has(&entry(&mut lines).await, &[(9, "200"), (28, "-"), (29, "-")]);
}

#[tokio::test]
async fn a_listener_with_tls_names_its_certificate() {
    let backend = Backend::answering(OK).await;
    let authority = Authority::new("local");
    let pem = authority.pem.clone();
    let issuer = Issuer::new(move || Ok(pem.clone()), |_: &[String]| Err("nothing is issued".to_owned()));
    let (lines, mut outflow) = outlet::balancer_lines();
    let config = PlaneConfig { development: Some(issuer), balancer_lines: Some(lines), ..PlaneConfig::default() };
    let mut scene = Scene::configured(config, &backend, |chain| {
        log(chain, "access");
        let leaf = |name| authority.leaf(&[name], When::Now);
        chain.listener_certificates([&leaf("other.example.com"), &leaf("internal.example.com")]);
    })
    .await;
    assert_eq!(scene.get("/plain").await.status, 400);
    let got = entry(&mut outflow).await;
    has(&got, &NOT_SENT_ON);
    has(&got, &[(1, "https"), (9, "400"), (19, "-"), (20, "-"), (21, "-"), (23, "-")]);
    scene.change(|chain| {
        chain.edit_integration(|integration| integration.tls_server_name = Some("internal.example.com".to_owned()));
    });
    assert_eq!(scene.get("/").await.status, 200);
    let got = entry(&mut outflow).await;
    let arn = certificate_arn("listener-1").to_string();
    has(&got, &[(1, "https"), (15, "-"), (16, "-"), (19, "internal.example.com"), (20, &arn)]);
    assert!(got[12].starts_with("GET https://"), "{got:?}");
}

#[tokio::test]
async fn without_a_log_nothing_is_written() {
    let backend = Backend::answering(OK).await;
    let (mut scene, mut lines) = logged("access", &backend, |_| {}).await;
    scene.change(|chain| set(chain, &[("access_logs.s3.enabled", "false")]));
    scene.get("/").await;
    scene.change(|chain| log(chain, "access"));
    scene.get("/second").await;
    assert!(entry(&mut lines).await[12].contains("/second"));
}

#[tokio::test(start_paused = true)]
async fn each_probe_leaves_a_line() {
    let backend = Backend::answering(OK).await;
    let (mut scene, mut lines) = logged("health_check", &backend, |_| {}).await;
    let first = line(&mut lines).await;
    assert_eq!(first.place.kind, LogKind::HealthChecks);
    assert_eq!(first.node.to_string(), "10.0.0.20", "the node in the target's zone");
    let parts: Vec<_> = first.text.split(' ').collect();
    assert!(parts.len() == 8 && is_time(parts[1]) && parts[2].len() == "0.000000000".len(), "{first:?}");
    assert_eq!((parts[0], &parts[3..]), ("http", &["10.0.0.50:8080", "targets", "PASS", "200", "-"][..]));
    scene.change(|chain| drop(chain.estate.security_group_rules.remove(&TARGET_INGRESS)));
    scene.get("/").await;
    let second = line(&mut lines).await.text;
    assert!(second.ends_with(" 10.0.0.50:8080 targets FAIL - TimedOut"), "{second}");
}

#[tokio::test]
async fn metrics_have_cloudwatchs_names() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::with(&backend, |chain| {
        ruled(chain);
        set(chain, &[("routing.http.drop_invalid_header_fields.enabled", "true")]);
        let sticky = [("stickiness.enabled".to_owned(), "true".to_owned())];
        chain.estate.target_groups.edit(&GROUP).unwrap().set_attributes(&sticky).unwrap();
    })
    .await;
    for path in ["/fixed", "/old", "/nowhere", "/else"] {
        scene.send(&format!("GET {path}"), "x_y: 1\r\n").await;
    }
    let balancer = format!("load_balancer=\"{BALANCER_NAME}\"");
    let group = format!("{balancer},target_group=\"targetgroup/targets/0000000000000001\"");
    let of_balancer = |name: &str, count: u32| format!("tidegate_applicationelb_{name}_total{{{balancer}}} {count}");
    let of_group = |name: &str, count: u32| format!("tidegate_applicationelb_{name}{{{group}}} {count}");
    let rows = [
        of_balancer("httpcode_elb_3xx_count", 1),
        of_balancer("httpcode_elb_4xx_count", 1),
        of_balancer("httpcode_elb_5xx_count", 1),
        of_balancer("httpcode_elb_500_count", 1),
        of_balancer("httpcode_elb_503_count", 0),
        of_balancer("http_fixed_response_count", 1),
        of_balancer("http_redirect_count", 1),
        of_balancer("dropped_invalid_header_request_count", 4),
        of_balancer("rule_evaluations", 1 + 2 + 4 + 4),
        of_group("httpcode_target_2xx_count_total", 1),
        of_group("httpcode_target_5xx_count_total", 0),
        of_group("target_response_time_seconds_count", 1),
        of_group("non_sticky_request_count_total", 1),
        of_group("anomalous_host_count", 0),
        format!("tidegate_applicationelb_request_count_total{{{group},target=\"10.0.0.50:8080\"}} 1"),
    ];
    let page = scene.plane.metrics();
    for row in &rows {
        assert!(page.lines().any(|line| line == row), "{row} is not in\n{page}");
    }
    let bytes = |page: &str| {
        let row = page.lines().find(|line| line.contains("processed_bytes_total{load")).unwrap().to_owned();
        row.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let before = bytes(&page);
    scene.send("POST /", "content-length: 5\r\n\r\nhello").await;
    let once = bytes(&scene.plane.metrics()) - before;
    scene.send("POST /", "content-length: 9\r\n\r\nhellohell").await;
    assert_eq!(bytes(&scene.plane.metrics()) - before - once, once + 4);
    scene.change(|chain| chain.estate.target_groups.edit(&GROUP).unwrap().set_targets(Vec::new()).unwrap());
    scene.get("/else").await;
    let page = scene.plane.metrics();
    assert!(page.contains(&of_balancer("httpcode_elb_503_count", 1)), "it counts on: {page}");
    scene.change(|chain| chain.estate = Default::default());
    assert!(!scene.plane.metrics().contains("load_balancer="));
}

/// The value of a gauge of the chain's load balancer.
fn units(scene: &Scene) -> f64 {
    let page = scene.plane.metrics();
    let series = format!("tidegate_applicationelb_consumed_lcus{{load_balancer=\"{BALANCER_NAME}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{page}")).parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn capacity_units_are_those_of_the_last_whole_minute() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    assert!(units(&scene).abs() < 1e-12, "no minute is over");
    let body = "x".repeat(100_000);
    // Its last line ends like the others.
    let wanted = format!("content-length: {}\r\n\r\n{body}", body.len() + 2);
    for _ in 0..10 {
        assert_eq!(scene.send("POST /", &wanted).await.status, 200);
    }
    let_pass(CAPACITY_WINDOW + IDLE_SWEEP_INTERVAL).await;
    // A megabyte and a little in a minute, or in one and a sweep.
    let used = units(&scene);
    assert!((0.055..0.063).contains(&used), "{used}");
    let_pass(CAPACITY_WINDOW + IDLE_SWEEP_INTERVAL).await;
    assert!(units(&scene).abs() < 1e-12, "{}", units(&scene));
}
