//! `HTTP_PROXY` integrations through a link, as backends and clients see them, and how REST APIs refuse.

use topology::id::ApiMappingId;
use topology::net::{PortRange, Traffic};
use topology::reason::Reason;
use topology::resource::domain::ApiMapping;
use topology::resource::rest_api::{GatewayResponseType, RestConnection};
use topology::resource::vpc_link::{VpcLinkState, VpcLinkV1};

use crate::certificates::{Authority, When};
use crate::estate::{ALB_EGRESS, ALB_INGRESS, LINK_EGRESS, TARGET_INGRESS, link};
use crate::rest_api::{Rest, api, configured, get, host, map, post, scene, send};
use crate::scene::{Answer, Backend, OK, header};

/// The whole of what a client got, short of what differs from time to time.
fn refused(answer: &Answer) -> (u16, &str, Option<String>) {
    (answer.status, answer.body.as_str(), answer.header("x-amzn-errortype"))
}

fn through_proxy(rest: &mut Rest) {
    let mut integration = rest.proxy("http://backend.internal/stamp/{proxy}");
    integration.request_parameters = map(&[("integration.request.path.proxy", "method.request.path.proxy")]);
    rest.method("ANY /{proxy+}", |method| method.integration = Some(integration));
}

#[tokio::test]
async fn a_backend_sees_the_path_of_the_uri_and_the_headers_of_rest_apis() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, through_proxy).await;
    let lines = "user-agent: t\r\naccept: a/b\r\nvia: 1.1 me\r\nexpect: x\r\nx-forwarded-for: 9.9.9.9\r\n\
                 x-own: 1\r\nauthorization: Bearer t\r\n";
    let answer = send(&scene, "GET /prod/pets/a%20b?q=1&q=2", lines).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"), "{}", answer.head);
    let head = backend.heads().remove(0);
    assert!(head.starts_with("GET /stamp/pets/a%20b?q=1&q=2 HTTP/1.1\r\n"), "{head}");
    let of = |name| header(&head, name);
    assert_eq!(of("host").as_deref(), Some("backend.internal"));
    // The load balancer adds the link's interface.
    let chain = of("x-forwarded-for").unwrap();
    assert!(chain.starts_with("9.9.9.9, 127.0.0.1, 10.0."), "{chain}");
    assert_eq!(of("x-amzn-apigateway-api-id"), Some(api().to_string()));
    assert!(of("x-amzn-trace-id").unwrap().contains("Root=1-"));
    assert_eq!((of("user-agent").as_deref(), of("accept").as_deref()), (Some("t"), Some("a/b")));
    assert_eq!((of("x-own").as_deref(), of("authorization").as_deref()), (Some("1"), Some("Bearer t")));
    assert_eq!(of("content-type").as_deref(), Some("application/json"));
    for dropped in ["via", "expect", "forwarded", "content-length"] {
        assert_eq!(of(dropped), None, "{dropped}");
    }
}

#[tokio::test]
async fn a_value_in_the_query_of_a_uri_stays_one_value() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.proxy("http://backend.internal/x/{id}?a={id}&b={name}&z=1");
        let values = [
            ("integration.request.path.id", "method.request.path.id"),
            ("integration.request.path.name", "method.request.header.X-Name"),
        ];
        integration.request_parameters = map(&values);
        rest.method("GET /{id}", |method| method.integration = Some(integration));
    })
    .await;
    let answer = send(&scene, "GET /prod/1&admin=1;c=%2B%20+", "x-name: n&z=2#%41\r\n").await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    let head = backend.heads().remove(0);
    let line = "GET /x/1&admin=1;c=%2B%20+?a=1%26admin%3D1%3Bc%3D%2B%20%2B&b=n%26z%3D2%23%2541&z=1 HTTP/1.1\r\n";
    assert!(head.starts_with(line), "{head}");
}

#[tokio::test]
async fn an_answer_keeps_its_status_and_body_and_renames_some_headers() {
    const THEIRS: &str = "HTTP/1.1 418 Teapot\r\ncontent-length: 2\r\nserver: s\r\ndate: d\r\nx-amzn-requestid: r\r\n\
                          www-authenticate: Basic\r\nx-a: 1\r\n\r\nno";
    let backend = Backend::answering(THEIRS).await;
    let scene = scene(&backend, through_proxy).await;
    let answer = get(&scene, "/prod/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (418, "no"));
    let of = |name| answer.header(name);
    assert_eq!(of("x-amzn-remapped-server").as_deref(), Some("s"));
    assert_eq!(of("x-amzn-remapped-date").as_deref(), Some("d"));
    assert_eq!(of("x-amzn-remapped-content-length").as_deref(), Some("2"));
    assert_eq!(of("x-amzn-remapped-www-authenticate").as_deref(), Some("Basic"));
    assert_eq!(of("x-amzn-remapped-x-amzn-requestid").as_deref(), Some("r"));
    assert_eq!((of("x-a").as_deref(), of("server"), of("content-length").as_deref()), (Some("1"), None, Some("2")));
    assert_eq!(of("apigw-requestid"), None);
    let (uuid, short) = (of("x-amzn-requestid").unwrap(), of("x-amz-apigw-id").unwrap());
    assert_eq!(uuid.parse::<topology::trace::RequestId>().unwrap().to_string(), short);
    assert!(scene.plane.traces().find(uuid.parse().unwrap()).is_some());
}

#[tokio::test]
async fn bodies_stream_and_those_of_unknown_length_are_bounded() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            if head.contains("ELB-HealthChecker") {
                conn.send(OK).await;
                continue;
            }
            let megabytes: usize = header(&head, "x-megabytes").unwrap().parse().unwrap();
            conn.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
            for _ in 0..megabytes {
                conn.send(&chunk).await;
            }
            conn.send("0\r\n\r\n").await;
        }
    })
    .await;
    let scene = scene(&backend, through_proxy).await;
    let answer = send(&scene, "GET /prod/x", "x-megabytes: 2\r\n").await;
    assert_eq!((answer.status, answer.body.len()), (200, 2 << 20));
    let answer = send(&scene, "GET /prod/x", "x-megabytes: 11\r\n").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (500, "BODY_TOO_LARGE"));
}

#[tokio::test]
async fn what_is_not_there_is_a_missing_authentication_token() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        rest.method("GET /pets/{id}", |_| {});
        rest.method("ANY /pets/{id}/toys", |_| {});
    })
    .await;
    let missing =
        || (403, r#"{"message":"Missing Authentication Token"}"#, Some("MissingAuthenticationTokenException".into()));
    for line in ["GET /prod", "GET /prod/pets", "POST /prod/pets/1", "HEAD /prod/pets/1", "GET /prod/pets/1/2/3"] {
        let answer = send(&scene, line, "").await;
        if line.starts_with("HEAD") {
            assert_eq!(answer.status, 403);
        } else {
            assert_eq!(refused(&answer), missing(), "{line}");
        }
        assert_eq!(answer.outcome(), "ROUTE_NOT_FOUND");
    }
    for path in ["/prod/pets/1", "/prod/pets/1/", "/prod/pets/1/toys"] {
        assert_eq!(get(&scene, path).await.status, 200, "{path}");
    }
    let answer = get(&scene, "/dev/pets/1").await;
    assert_eq!(refused(&answer), (403, r#"{"message":"Forbidden"}"#, Some("ForbiddenException".into())));
    assert_eq!(answer.outcome(), "STAGE_NOT_FOUND");
    assert!(answer.header("x-amzn-requestid").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_denies_is_500_at_the_gateway_and_504_behind_the_load_balancer() {
    let rows = [
        (LINK_EGRESS, 500, "SG_EGRESS_DENIED"),
        (ALB_INGRESS, 500, "SG_INGRESS_DENIED"),
        (ALB_EGRESS, 504, "SG_EGRESS_DENIED"),
        (TARGET_INGRESS, 504, "SG_INGRESS_DENIED"),
    ];
    for (rule, status, outcome) in rows {
        let backend = Backend::answering(OK).await;
        let scene = configured(Default::default(), &backend, |rest, chain| {
            through_proxy(rest);
            chain.estate.security_group_rules.edit(&rule).unwrap().traffic =
                Traffic::Tcp(PortRange::new(1, 1).unwrap());
        })
        .await;
        let answer = get(&scene, "/prod/x").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (status, outcome));
        if status == 500 {
            let expected =
                (500, r#"{"message": "Internal server error"}"#, Some("InternalServerErrorException".into()));
            assert_eq!(refused(&answer), expected);
        } else {
            assert!(answer.body.contains("504 Gateway Time-out"), "the load balancer's own page: {}", answer.body);
        }
        assert_eq!(backend.heads().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_backend_is_504_after_the_timeout() {
    let backend = Backend::scripted(|mut conn, _| async move {
        while conn.head().await.is_some_and(|head| head.contains("ELB-HealthChecker")) {
            conn.send(OK).await;
        }
        std::future::pending::<()>().await;
    })
    .await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.proxy("http://backend.internal/");
        integration.timeout_ms = 2_000;
        rest.method("GET /", |method| method.integration = Some(integration));
    })
    .await;
    let answer = get(&scene, "/prod").await;
    let expected = (504, r#"{"message": "Endpoint request timed out"}"#, Some("InternalServerErrorException".into()));
    assert_eq!(refused(&answer), expected);
    assert_eq!(answer.outcome(), "INTEGRATION_TIMEOUT");
}

#[tokio::test]
async fn links_and_listeners_that_do_not_fit_are_500_with_their_reasons() {
    let backend = Backend::answering(OK).await;
    type Edit = fn(&mut String, &mut Option<String>, &mut String);
    let rows: [(&str, Edit, &str); 8] = [
        ("", |_, _, _| {}, "passed"),
        ("no listener on the port", |_, _, uri| *uri = "http://backend.internal:81/".into(), "LISTENER_NOT_FOUND"),
        ("https means 443", |_, _, uri| *uri = "https://backend.internal/".into(), "LISTENER_NOT_FOUND"),
        ("TLS to a plain one", |_, _, uri| *uri = "https://backend.internal:80/".into(), "TLS_EXPECTED_GOT_PLAIN"),
        ("no such link", |id, _, _| *id = "zzzzzz".into(), "LINK_NOT_FOUND"),
        ("a V1 link with a target", |id, _, _| *id = "v1link".into(), "LINK_VERSION_MISMATCH"),
        ("a V1 link to nothing", |id, target, _| (*id, *target) = ("v1link".into(), None), "LINK_FAILED"),
        ("a V2 link without a target", |_, target, _| *target = None, "LINK_VERSION_MISMATCH"),
    ];
    for (name, edit, outcome) in rows {
        let scene = configured(Default::default(), &backend, |rest, chain| {
            let first = VpcLinkV1 {
                id: "v1link".parse().unwrap(),
                name: "first".into(),
                description: None,
                target_arn: "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/0000000000000001"
                    .parse()
                    .unwrap(),
                state: VpcLinkState::Available,
                tags: Default::default(),
            };
            chain.estate.vpc_links_v1.insert(first.id, first);
            let mut integration = rest.proxy("http://backend.internal/");
            if let RestConnection::VpcLink { id, target } = &mut integration.connection {
                edit(id, target, &mut integration.uri);
            }
            rest.method("GET /", |method| method.integration = Some(integration));
        })
        .await;
        let answer = get(&scene, "/prod/").await;
        assert_eq!(answer.outcome(), outcome, "{name}");
        assert_eq!(answer.status, if outcome == "passed" { 200 } else { 500 }, "{name}");
    }
}

#[tokio::test]
async fn stage_variables_choose_link_and_listener() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let mut integration =
            rest.proxy("http://${stageVariables.host}:${stageVariables.port}/${stageVariables.color}");
        if let RestConnection::VpcLink { id, .. } = &mut integration.connection {
            *id = "${stageVariables.link}".into();
        }
        rest.method("GET /", |method| method.integration = Some(integration));
        rest.stage.variables.extend(map(&[("host", "a.example"), ("port", "80"), ("link", &link().to_string())]));
    })
    .await;
    assert_eq!(get(&scene, "/prod").await.status, 200);
    assert!(
        backend.heads()[0].starts_with("GET /blue HTTP/1.1\r\nhost: a.example")
            || backend.heads()[0].contains("a.example")
    );
}

#[tokio::test]
async fn gateway_responses_are_the_apis_own() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        rest.method("GET /pets/{id}", |_| {});
        rest.gateway_response(
            GatewayResponseType::MissingAuthenticationToken,
            Some(404),
            &[
                ("gatewayresponse.header.Access-Control-Allow-Origin", "'*'"),
                ("gatewayresponse.header.X-Stage", "context.stage"),
                ("gatewayresponse.header.X-Color", "stageVariables.color"),
                ("gatewayresponse.header.X-Agent", "method.request.header.User-Agent"),
                ("gatewayresponse.header.X-None", "method.request.header.Nothing"),
            ],
            &[("application/json", r#"{"why":$context.error.messageString,"type":"$context.error.responseType","q":"$method.request.querystring.q","cost":"$5"}"#)],
        );
        rest.gateway_response(GatewayResponseType::Default5xx, Some(503), &[("gatewayresponse.header.X-A", "'b'")], &[]);
        let broken = rest.proxy("http://backend.internal:81/");
        rest.method("GET /broken", |method| method.integration = Some(broken));
    })
    .await;
    let answer = send(&scene, "GET /prod/none?q=1", "user-agent: t\r\n").await;
    assert_eq!(answer.status, 404);
    let body = r#"{"why":"Missing Authentication Token","type":"MISSING_AUTHENTICATION_TOKEN","q":"1","cost":"$5"}"#;
    assert_eq!(answer.body, body);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(answer.header("x-stage").as_deref(), Some("prod"));
    assert_eq!((answer.header("x-color").as_deref(), answer.header("x-agent").as_deref()), (Some("blue"), Some("t")));
    assert_eq!(answer.header("x-none"), None);
    assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("MissingAuthenticationTokenException"));
    let answer = get(&scene, "/prod/broken").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"message": "Internal server error"}"#));
    assert_eq!(answer.header("x-a").as_deref(), Some("b"));
}

#[tokio::test]
async fn a_body_above_ten_mebibytes_is_a_plain_413() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, through_proxy).await;
    let lines = "content-length: 10485761\r\n";
    let answer = send(&scene, "POST /prod/x", lines).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "HTTP content length exceeded 10485760 bytes."));
    assert_eq!(answer.header("content-type").as_deref(), Some("text; charset=utf-8"));
    assert_eq!(answer.header("x-amzn-requestid"), None);
    assert_eq!(post(&scene, "/prod/x", "", "small").await.status, 200);
}

#[tokio::test]
async fn every_form_of_an_invoke_url_leads_to_the_stage() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, through_proxy).await;
    for path in [format!("/_aws/execute-api/{}/prod/a", api()), format!("/restapis/{}/prod/_user_request_/a", api())] {
        let answer = scene.raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(backend.heads().pop().unwrap().starts_with("GET /stamp/a "));
    }
    assert!(host().contains("execute-api"));
    let trace = scene.plane.traces().newest(1).remove(0);
    assert_eq!((trace.reason, trace.stage.as_str()), (None::<Reason>, "prod"));
}

#[tokio::test]
async fn base_paths_of_a_domain_name_lead_to_the_stage() {
    const NAME: &str = "api.example.com";
    let backend = Backend::answering(OK).await;
    let scene = configured(Default::default(), &backend, |rest, chain| {
        through_proxy(rest);
        chain.domain(NAME, &Authority::new("servers").leaf(&[NAME], When::Now));
        let id = ApiMappingId::from_bits(1);
        let (domain_name, stage, key) = (NAME.parse().unwrap(), "prod".parse().unwrap(), "v1".to_owned());
        chain.estate.api_mappings.insert(id, ApiMapping { id, domain_name, api: api(), stage, key });
    })
    .await;
    for (path, status) in [("/v1/pets/1", 200), ("/v1", 403), ("/v2/pets", 403)] {
        let answer = scene.raw(&format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{path}");
        if path == "/v1" {
            assert_eq!(answer.body, r#"{"message":"Missing Authentication Token"}"#);
        }
    }
    assert!(backend.heads()[0].starts_with("GET /stamp/pets/1 "), "neither base path nor stage is added");
}
