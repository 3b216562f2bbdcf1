//! What the gateway finds, what it sends on and what it refuses.

use topology::observed::Fact;
use topology::reason::Reason;
use topology::resource::http_api::Authorization;
use topology::resource::vpc_link::VpcLinkState;
use topology::time::Moment;
use topology::trace::HopKind;

use crate::estate::{api, host, link};
use crate::scene::{Backend, OK, Scene, header};

#[tokio::test]
async fn a_request_passes_the_whole_chain_and_the_trace_says_how() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let answer = scene.get("/pets?a=1&a=2").await;
    assert_eq!((answer.status, answer.body.as_str(), answer.outcome().as_str()), (200, "ok", "passed"));
    let trace = scene.trace(&answer);
    let kinds: Vec<_> = trace.hops.iter().map(|hop| hop.kind).collect();
    assert_eq!(
        kinds,
        [
            HopKind::Gateway,
            HopKind::Route,
            HopKind::Integration,
            HopKind::Link,
            HopKind::SecurityGroup,
            HopKind::Listener,
            HopKind::Rule,
            HopKind::TargetGroup,
            HopKind::SecurityGroup,
            HopKind::Target,
        ]
    );
    assert_eq!((trace.status, trace.reason, trace.revision, trace.api), (200, None, 1, Some(api())));
    assert!(
        trace.hops.iter().all(|hop| hop.kind != HopKind::SecurityGroup || hop.leg.unwrap().deciding_rule.is_some())
    );
}

#[tokio::test]
async fn the_backend_sees_the_headers_of_an_http_api_behind_an_alb() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let lines = "user-agent: t\r\nx-forwarded-for: 9.9.9.9\r\nx-forwarded-proto: http\r\nkeep-alive: 1\r\nte: trailers\r\nupgrade: websocket\r\n";
    scene.send("GET /pets?a=1&a=2", lines).await;
    let head = backend.heads().remove(0);
    assert!(head.starts_with("GET /pets?a=1&a=2 HTTP/1.1\r\n"), "{head}");
    let mut names: Vec<_> = head.lines().skip(1).filter_map(|line| line.split_once(':').map(|(n, _)| n)).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "content-length",
            "forwarded",
            "host",
            "user-agent",
            "via",
            "x-amzn-trace-id",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
        ]
    );
    let of = |name| header(&head, name).unwrap();
    assert_eq!(of("host"), host());
    assert_eq!(of("content-length"), "0");
    assert_eq!(of("forwarded"), format!("for=9.9.9.9;proto=http, for=127.0.0.1;host={};proto=https", host()));
    assert_eq!(of("via"), "HTTP/1.1 AmazonAPIGateway");
    assert!(["10.0.0.10", "10.0.1.10"].contains(&of("x-forwarded-for").as_str()), "{head}");
    assert_eq!((of("x-forwarded-port"), of("x-forwarded-proto")), ("80".into(), "http".into()));
    let trace = of("x-amzn-trace-id");
    assert!(trace.starts_with("Self=1-") && trace.contains(";Root=1-") && trace.len() == 81, "{trace}");
}

#[tokio::test]
async fn paths_keep_the_stage_and_hosts_are_the_apis_own() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| chain.stage("prod")).await;
    let api = api();
    let local = format!("{api}.execute-api.us-east-1.localhost:4566");
    let rows = [
        (host(), "/prod/x?q=1".to_owned(), "/prod/x?q=1"),
        (host(), "/x".to_owned(), "/x"),
        (host(), "/prod".to_owned(), "/prod"),
        (local, "/x".to_owned(), "/x"),
        ("localhost:4566".to_owned(), format!("/_aws/execute-api/{api}/prod/x?q=1"), "/prod/x?q=1"),
        ("localhost:4566".to_owned(), format!("/_aws/execute-api/{api}/$default/x"), "/x"),
        ("localhost:4566".to_owned(), format!("/_aws/execute-api/{api}/x"), "/x"),
        ("localhost:4566".to_owned(), format!("/restapis/{api}/prod/_user_request_/x"), "/prod/x"),
    ];
    for (from, path, expected) in rows {
        let answer = scene.raw(&format!("GET {path} HTTP/1.1\r\nhost: {from}\r\nconnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{path}");
        let head = backend.heads().pop().unwrap();
        assert!(head.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{path}: {head}");
        assert_eq!(header(&head, "host").unwrap(), host(), "{path}");
    }
}

#[tokio::test]
async fn parameters_are_mapped() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.stage("prod");
        chain.route("GET /pets/{id}");
        chain.edit_integration(|integration| {
            let rows = [
                ("overwrite:path", "$request.path"),
                ("append:header.x-id", "${request.path.id}-${stageVariables.color}"),
                ("overwrite:header.x-ip", "$context.identity.sourceIp"),
                ("remove:header.x-secret", "''"),
                ("overwrite:querystring.api", "$context.apiId"),
                ("remove:querystring.drop", "''"),
                ("append:header.x-absent", "$request.header.nothing"),
            ];
            integration.request_parameters =
                rows.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        });
    })
    .await;
    let answer = scene.send("GET /prod/pets/7?drop=1&keep=2", "x-secret: s\r\nx-id: 1\r\n").await;
    let head = backend.heads().remove(0);
    assert!(head.starts_with(&format!("GET /pets/7?keep=2&api={} HTTP/1.1\r\n", api())), "{head}");
    assert_eq!(header(&head, "x-id").unwrap(), "1,7-blue");
    assert_eq!(header(&head, "x-ip").unwrap(), "127.0.0.1");
    assert_eq!((header(&head, "x-secret"), header(&head, "x-absent")), (None, None));
    assert_eq!(scene.trace(&answer).forwarded_path, "/pets/7");
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_closed_says_why() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.edit_deployment(|frozen| frozen.routes.clear());
        chain.route("GET /open");
        chain.route("GET /jwt");
        chain.edit_route(|route| route.authorization = Authorization::AwsIam);
        chain.route("GET /bare");
        chain.edit_route(|route| route.target = None);
        chain.route("GET /public/admin");
        chain.edit_route(|route| route.authorization = Authorization::AwsIam);
        chain.route("ANY /public/{proxy+}");
        chain.stage("empty");
        chain.estate.stages.edit(&(api(), "empty".parse().unwrap())).unwrap().deployment = None;
    })
    .await;
    let rows = [
        ("GET /open", 200, "passed"),
        ("POST /open", 404, "ROUTE_NOT_FOUND"),
        ("GET /nothing", 404, "ROUTE_NOT_FOUND"),
        ("GET /empty/open", 404, "STAGE_NOT_FOUND"),
        ("GET /jwt", 403, "AUTHORIZER_UNSUPPORTED"),
        ("GET /bare", 500, "NO_INTEGRATION"),
        ("GET /public/../jwt", 400, "MALFORMED_REQUEST"),
        ("GET /public/%2e%2e/open", 400, "MALFORMED_REQUEST"),
        ("GET /public/a/../b", 200, "passed"),
        ("GET /public//admin", 400, "MALFORMED_REQUEST"),
        ("GET /public///x/..//admin", 400, "MALFORMED_REQUEST"),
        ("GET /public/a//b//", 200, "passed"),
        ("GET //open", 404, "ROUTE_NOT_FOUND"),
        ("GET //empty/open", 400, "MALFORMED_REQUEST"),
        ("GET /public/../empty/open", 400, "MALFORMED_REQUEST"),
    ];
    for (line, status, code) in rows {
        let answer = scene.send(line, "").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (status, code), "{line}");
        assert_eq!(answer.header("apigw-requestid").unwrap().len(), 16, "{line}");
    }
    let stranger = scene.raw("GET / HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n").await;
    assert_eq!((stranger.status, stranger.body.as_str()), (404, r#"{"message":"Not Found"}"#));
    assert_eq!(stranger.outcome(), "API_NOT_FOUND");
}

#[tokio::test]
async fn no_spelling_of_path_or_method_leads_around_a_route() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.edit_deployment(|frozen| frozen.routes.clear());
        for path in ["/caf%C3%A9", "/users/@me", "/x:y", "/$ctl"] {
            chain.route(&format!("GET {path}"));
            chain.edit_route(|route| route.authorization = Authorization::AwsIam);
        }
        chain.route("ANY /{proxy+}");
        chain.route("$default");
    })
    .await;
    for path in crate::rest_guard::SPELLINGS {
        let answer = scene.get(path).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (403, "AUTHORIZER_UNSUPPORTED"), "{path}");
    }
    for line in ["get /users/@me", "Get /open", "pOST /open"] {
        assert_eq!(scene.send(line, "").await.outcome(), "ROUTE_NOT_FOUND", "{line}");
    }
    assert_eq!(backend.heads(), Vec::<String>::new(), "nothing was carried");
    assert_eq!(scene.send("PROPFIND /%7Ehome/%40", "").await.status, 200);
    assert!(backend.heads().remove(0).starts_with("PROPFIND /%7Ehome/%40 HTTP/1.1"), "as it was spelled");
}

#[tokio::test]
async fn a_disabled_endpoint_is_forbidden() {
    let backend = Backend::answering(OK).await;
    let disable = |frozen: &mut topology::resource::http_api::Frozen| frozen.disable_execute_api_endpoint = true;
    let scene = Scene::with(&backend, |chain| chain.edit_deployment(disable)).await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (403, "EXECUTE_API_DISABLED"));
}

#[tokio::test]
async fn links_that_carry_nothing_say_why() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    let rows = [
        (VpcLinkState::Pending(Moment(1)), "LINK_PENDING"),
        (VpcLinkState::Failed("no".into()), "LINK_FAILED"),
        (VpcLinkState::Inactive, "LINK_INACTIVE"),
        (VpcLinkState::Deleting(Moment(1)), "LINK_NOT_FOUND"),
    ];
    for (state, code) in rows {
        scene.change(|chain| chain.estate.vpc_links.edit(&link()).unwrap().state = state);
        let answer = scene.get("/").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (503, code));
        assert_eq!(answer.body, r#"{"message":"Service Unavailable"}"#);
    }
    scene.change(|chain| drop(chain.estate.vpc_links.remove(&link())));
    assert_eq!(scene.get("/").await.outcome(), "LINK_NOT_FOUND");
}

#[tokio::test]
async fn a_links_use_is_reported_once_in_a_while() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    for _ in 0..3 {
        scene.get("/").await;
    }
    let used = scene.facts().iter().filter(|fact| matches!(fact, Fact::LinkUsed { .. })).count();
    assert_eq!(used, 1);
}

#[tokio::test]
async fn a_request_wakes_an_inactive_link_even_just_after_its_last_use() {
    let backend = Backend::answering(OK).await;
    let mut scene = Scene::new(&backend).await;
    scene.get("/").await;
    scene.change(|chain| chain.estate.vpc_links.edit(&link()).unwrap().state = VpcLinkState::Inactive);
    assert_eq!(scene.get("/").await.outcome(), "LINK_INACTIVE");
    let used = scene.facts().iter().filter(|fact| matches!(fact, Fact::LinkUsed { .. })).count();
    assert_eq!(used, 2);
}

#[tokio::test]
async fn integrations_of_other_kinds_are_refused() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.edit_integration(|integration| {
            integration.uri = "arn:aws:servicediscovery:us-east-1:000000000000:service/srv-a".into();
        });
    })
    .await;
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (500, "INTEGRATION_UNSUPPORTED"));
    assert_eq!(answer.body, r#"{"message":"Internal Server Error"}"#);
}

#[tokio::test]
async fn a_404_of_a_path_with_the_stage_in_front_gets_a_hint() {
    let backend = Backend::answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
    let scene = Scene::with(&backend, |chain| chain.stage("prod")).await;
    let staged = scene.get("/prod/x").await;
    assert_eq!((staged.status, staged.outcome().as_str()), (404, "passed"));
    assert_eq!(scene.trace(&staged).hints, [Reason::StagePrefixForwarded]);
    let plain = scene.get("/x").await;
    assert_eq!(scene.trace(&plain).hints, []);
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_served_and_the_backend_gets_http1() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let backend = Backend::answering(OK).await;
    let scene = Scene::new(&backend).await;
    let stream = TokioIo::new(scene.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..2 {
        let request =
            hyper::Request::get(format!("http://{}/pets", host())).body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (hyper::Version::HTTP_2, 200));
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
    let head = backend.heads().remove(0);
    assert!(head.starts_with("GET /pets HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some(host()));
}

/// Kind and flags of each frame of an HTTP/2 connection up to an acknowledged PING, settings left out.
async fn frames(stream: &mut tokio::net::TcpStream) -> Vec<(u8, u8)> {
    use tokio::io::AsyncReadExt as _;
    const SETTINGS: u8 = 4;
    const PONG: (u8, u8) = (6, 1);
    let mut found = Vec::new();
    while found.last() != Some(&PONG) {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] != SETTINGS {
            found.push((head[3], head[4]));
        }
    }
    found
}

#[tokio::test]
async fn an_answer_that_comes_before_the_end_of_its_request_over_http2_is_followed_by_no_reset() {
    use tokio::io::AsyncWriteExt as _;
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
    let scene = Scene::new(&Backend::answering(OK).await).await;
    let mut stream = scene.connect().await;
    // `:method: POST`, `:scheme: http`, `:path: /` and `:authority`, without the end of the stream.
    let block = b"\x83\x86\x84\x01\x0fnowhere.example";
    let head = [&[0, 0, u8::try_from(block.len()).unwrap(), 1, 4, 0, 0, 0, 1], &block[..]].concat();
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..], &head].concat()).await.unwrap();
    let mut seen = Vec::new();
    // The answer is whole with its last frame's flag.
    while !seen.iter().any(|(kind, flags)| *kind == 0 && flags & 1 == 1) {
        stream.write_all(PING).await.unwrap();
        seen.extend(frames(&mut stream).await);
    }
    stream.write_all(&[b"\0\0\x01\0\x01\0\0\0\x01x", PING].concat()).await.unwrap();
    seen.extend(frames(&mut stream).await);
    let kinds: Vec<_> = seen.iter().map(|(kind, _)| *kind).collect();
    assert!(!kinds.contains(&3) && !kinds.contains(&7), "neither a reset nor a farewell: {seen:?}");
}

#[tokio::test]
async fn who_asks_with_head_and_who_does_not_are_both_told_the_truth() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let backend = Backend::scripted(|mut conn, _| async move {
        while let Some(head) = conn.head().await {
            let body = if head.starts_with("HEAD ") { "" } else { "ok" };
            conn.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{body}")).await;
        }
    })
    .await;
    for (integration, client, length, body) in
        [("HEAD", "GET", "0", ""), ("GET", "HEAD", "2", ""), ("HEAD", "HEAD", "2", ""), ("GET", "GET", "2", "ok")]
    {
        let scene = Scene::with(&backend, |chain| {
            chain.edit_integration(|edited| edited.method = integration.into());
        })
        .await;
        let answer = scene.send(&format!("{client} /"), "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{client} as {integration}");
        assert_eq!(answer.header("content-length").as_deref(), Some(length), "{client} as {integration}");
        let stream = TokioIo::new(scene.connect().await);
        let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (mut sender, connection) = made.unwrap();
        tokio::spawn(connection);
        let request = hyper::Request::builder().method(client).uri(format!("http://{}/", host()));
        let answer = sender.send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(answer.headers()["content-length"], length, "{client} as {integration} over HTTP/2");
        assert_eq!(
            answer.into_body().collect().await.unwrap().to_bytes(),
            body,
            "{client} as {integration} over HTTP/2"
        );
    }
}
