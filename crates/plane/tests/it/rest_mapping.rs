//! `HTTP` and `MOCK` integrations: what backends and clients get of each other, binary payloads and compression.

use topology::resource::rest_api::{
    ContentHandling, IntegrationResponse, MethodResponse, PassthroughBehavior, RestConnection,
};
use topology::template::Written;

use crate::rest_api::{get, map, post, scene, send};
use crate::scene::{Backend, OK, header};

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 24\r\ncontent-type: application/json\r\nx-a: 1\r\nserver: s\r\n\r\n{\"id\":7,\"name\":\"b\\\"c\"}  ";

fn response(pattern: &str, parameters: &[(&str, &str)], templates: &[(&str, &str)]) -> IntegrationResponse {
    IntegrationResponse {
        selection_pattern: Some(pattern.to_owned()),
        parameters: map(parameters),
        templates: map::<Written>(templates).into_iter().map(|(kind, template)| (kind, Some(template))).collect(),
        content_handling: None,
    }
}

#[tokio::test]
async fn a_mapped_request_has_only_what_was_mapped() {
    let backend = Backend::answering(JSON).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.custom("http://backend.internal/v1/{id}?own=1");
        integration.http_method = Some("PUT".into());
        integration.request_parameters = map(&[
            ("integration.request.path.id", "method.request.path.id"),
            ("integration.request.querystring.to", "method.request.querystring.from"),
            ("integration.request.querystring.all", "method.request.multivaluequerystring.many"),
            ("integration.request.header.X-Static", "'text'"),
            ("integration.request.header.X-Agent", "method.request.header.User-Agent"),
            ("integration.request.header.X-Stage", "context.stage"),
            ("integration.request.header.X-Path", "context.resourcePath"),
            ("integration.request.header.X-Color", "stageVariables.color"),
            ("integration.request.header.X-Name", "method.request.body.user.name"),
            ("integration.request.header.X-None", "method.request.header.Nothing"),
        ]);
        integration.request_templates = map(&[(
            "application/json",
            r#"#set($context.requestOverride.header.X-Over = "o")
{"u":$input.json('$.user'),"id":"$input.params('id')","stage":"$context.stage","color":"$stageVariables.color"}"#,
        )]);
        rest.method("POST /pets/{id}", |method| method.integration = Some(integration));
    })
    .await;
    let lines = "user-agent: t\r\nx-secret: s\r\ncontent-type: application/json; charset=utf-8\r\n";
    let answer =
        post(&scene, "/prod/pets/a%20b?from=1&many=2&many=3&other=4", lines, r#"{"user":{"name":"ann"}}"#).await;
    assert_eq!(answer.status, 200, "{} {}", answer.outcome(), answer.body);
    let head = backend.heads().remove(0);
    assert!(head.starts_with("PUT /v1/a%20b?own=1&all=2&all=3&to=1 HTTP/1.1\r\n"), "{head}");
    let of = |name| header(&head, name);
    assert_eq!((of("x-static").as_deref(), of("x-agent").as_deref()), (Some("text"), Some("t")));
    assert_eq!((of("x-stage").as_deref(), of("x-path").as_deref()), (Some("prod"), Some("/pets/{id}")));
    assert_eq!((of("x-color").as_deref(), of("x-name").as_deref()), (Some("blue"), Some("ann")));
    assert_eq!(of("x-over").as_deref(), Some("o"));
    assert_eq!((of("x-none"), of("x-secret")), (None, None));
    assert_eq!(of("accept").as_deref(), Some("application/json"));
    assert!(of("user-agent").unwrap().starts_with("AmazonAPIGateway_"));
    let expected = r#"{"u":{"name":"ann"},"id":"a b","stage":"prod","color":"blue"}"#;
    assert_eq!(of("content-length").unwrap().parse::<usize>().unwrap(), expected.len());
}

#[tokio::test]
async fn mappings_see_what_the_gateway_says_of_the_client() {
    let backend = Backend::answering(JSON).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.custom("http://backend.internal/");
        let forwarded = [
            ("integration.request.header.X-For", "method.request.header.X-Forwarded-For"),
            ("integration.request.header.X-Trace", "method.request.header.X-Amzn-Trace-Id"),
        ];
        integration.request_parameters = map(&forwarded);
        let template = "#set($h = $input.params().header)\
            #set($context.requestOverride.header.X-Seen = \"$h.get('X-Forwarded-For')|$h.get('x-forwarded-proto')|\
            $input.params('X-Forwarded-Port')|$input.params('Host')\")";
        integration.request_templates = map(&[("application/json", template)]);
        rest.method("POST /", |method| method.integration = Some(integration));
    })
    .await;
    let forged = "x-forwarded-for: 9.9.9.9\r\nx-forwarded-proto: http\r\nx-forwarded-port: 1\r\n";
    assert_eq!(post(&scene, "/prod", forged, "{}").await.status, 200);
    let head = backend.heads().remove(0);
    let host = crate::rest_api::host();
    assert_eq!(header(&head, "x-seen"), Some(format!("9.9.9.9, 127.0.0.1|https|443|{host}")));
    assert_eq!(header(&head, "x-for").as_deref(), Some("9.9.9.9, 127.0.0.1"));
    let trace = header(&head, "x-trace").unwrap();
    assert!(trace.starts_with("Root=1-") && header(&head, "x-amzn-trace-id").unwrap().contains(&trace), "{head}");
}

#[tokio::test]
async fn a_template_puts_another_path_in_the_place_of_the_uris() {
    let backend = Backend::answering(JSON).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.custom("http://backend.internal/test/path?own=1");
        let template = "#set($context.requestOverride.path = \"/other path/$input.params('id')\"){}";
        integration.request_templates = map(&[("application/json", template)]);
        rest.method("POST /{id}", |method| method.integration = Some(integration));
    })
    .await;
    assert_eq!(post(&scene, "/prod/7", "", "{}").await.status, 200);
    let head = backend.heads().remove(0);
    assert!(head.starts_with("POST /other%20path/7?own=1 HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn an_answer_is_chosen_by_its_status_and_mapped() {
    const THEIRS: &str =
        "HTTP/1.1 404 Not Found\r\ncontent-length: 14\r\nx-a: 1\r\nserver: s\r\n\r\n{\"why\":\"gone\"}";
    let backend = Backend::answering(THEIRS).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.custom("http://backend.internal/");
        let parameters = [
            ("method.response.header.X-A", "integration.response.header.x-a"),
            ("method.response.header.X-Why", "integration.response.body.why"),
            ("method.response.header.Server", "'mine'"),
            ("method.response.header.X-Static", "'s'"),
            ("method.response.header.Transfer-Encoding", "'chunked'"),
        ];
        let template = r#"{"error":$input.json('$.why')}#set($context.responseOverride.header.X-Over = "1")#set($context.responseOverride.header.transfer-encoding = "gzip")"#;
        integration.responses.insert(410, response("4\\d{2}", &parameters, &[("application/json", template)]));
        rest.method("GET /", |method| {
            method.responses.insert(410, MethodResponse::default());
            method.integration = Some(integration);
        });
    })
    .await;
    let answer = get(&scene, "/prod").await;
    assert_eq!((answer.status, answer.body.as_str()), (410, r#"{"error":"gone"}"#));
    assert_eq!(answer.header("x-a").as_deref(), Some("1"));
    assert_eq!((answer.header("content-length").as_deref(), answer.header("transfer-encoding")), (Some("16"), None));
    assert_eq!(answer.header("x-why").as_deref(), Some("gone"));
    assert_eq!(answer.header("x-amzn-remapped-server").as_deref(), Some("mine"));
    assert_eq!((answer.header("x-static").as_deref(), answer.header("x-over").as_deref()), (Some("s"), Some("1")));
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    assert!(answer.header("x-amzn-trace-id").unwrap().starts_with("Root="));
}

#[tokio::test]
async fn an_answer_whose_template_is_none_passes_as_it_is() {
    let backend = Backend::answering(JSON).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.custom("http://backend.internal/");
        let mut answer = response("", &[], &[("text/plain", "never")]);
        answer.templates.insert("application/json".into(), None);
        integration.responses = [(200, answer)].into();
        rest.method("GET /", |method| {
            method.responses = [(200, MethodResponse::default())].into();
            method.integration = Some(integration);
        });
    })
    .await;
    assert_eq!(get(&scene, "/prod").await.body, "{\"id\":7,\"name\":\"b\\\"c\"}  ");
}

#[tokio::test]
async fn a_lone_default_response_makes_200_of_everything_and_none_makes_500() {
    let backend = Backend::answering("HTTP/1.1 400 Bad\r\ncontent-length: 3\r\n\r\nbad").await;
    let scene = scene(&backend, |rest| {
        let default = rest.custom("http://backend.internal/");
        let mut none = default.clone();
        none.responses = [(200, response("2..", &[], &[]))].into();
        rest.method("GET /default", |method| method.integration = Some(default.clone()));
        rest.method("GET /none", |method| method.integration = Some(none));
        rest.method("GET /undeclared", |method| {
            method.responses.clear();
            method.integration = Some(default);
        });
    })
    .await;
    let answer = get(&scene, "/prod/default").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "bad"));
    for path in ["/prod/none", "/prod/undeclared"] {
        let answer = get(&scene, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (500, r#"{"message": "Internal server error"}"#), "{path}");
        assert_eq!(answer.outcome(), "MAPPING_FAILED");
    }
}

#[tokio::test]
async fn passthrough_table() {
    use PassthroughBehavior::{Never, WhenNoMatch, WhenNoTemplates};
    let templates = [("application/json", "{}")];
    type Row<'a> = (PassthroughBehavior, &'a [(&'a str, &'a str)], &'a str, u16);
    let rows: [Row<'_>; 7] = [
        (WhenNoMatch, &[], "text/plain", 200),
        (WhenNoTemplates, &[], "text/plain", 200),
        (Never, &[], "text/plain", 415),
        (WhenNoMatch, &templates, "text/plain", 200),
        (WhenNoTemplates, &templates, "text/plain", 415),
        (Never, &templates, "text/plain", 415),
        (Never, &templates, "application/json", 200),
    ];
    let backend = Backend::answering(OK).await;
    for (behavior, templates, kind, status) in rows {
        let scene = scene(&backend, |rest| {
            let mut integration = rest.custom("http://backend.internal/");
            integration.passthrough_behavior = behavior;
            integration.request_templates = map(templates);
            rest.method("POST /", |method| method.integration = Some(integration));
        })
        .await;
        let answer = post(&scene, "/prod", &format!("content-type: {kind}\r\n"), "x").await;
        assert_eq!(answer.status, status, "{behavior:?} {templates:?} {kind}");
        if status == 415 {
            assert_eq!(answer.body, r#"{"message": "Unsupported Media Type"}"#);
            assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("BadRequestException"));
            assert_eq!(answer.outcome(), "UNSUPPORTED_MEDIA_TYPE");
        }
    }
}

#[tokio::test]
async fn a_mock_answers_by_its_templates() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let mut mock = rest.mock();
        let cors = [
            ("method.response.header.Access-Control-Allow-Origin", "'*'"),
            ("method.response.header.Access-Control-Allow-Methods", "'GET,OPTIONS'"),
        ];
        mock.responses =
            [(200, IntegrationResponse { parameters: map(&cors), ..IntegrationResponse::default() })].into();
        rest.method("OPTIONS /pets", |method| method.integration = Some(mock.clone()));
        mock.request_templates = map(&[(
            "application/json",
            r#"#if($input.params('fail') == "yes"){"statusCode": 500}#else{"statusCode": 200}#end"#,
        )]);
        mock.responses = [
            (200, response("", &[], &[("application/json", r#"{"id":"$input.params('id')"}"#)])),
            (502, response("5\\d{2}", &[], &[("application/json", r#"{"failed":true}"#)])),
        ]
        .into();
        rest.method("GET /pets/{id}", |method| {
            method.responses.insert(502, MethodResponse::default());
            method.integration = Some(mock.clone());
        });
        mock.request_templates = map(&[("application/json", "no status")]);
        rest.method("GET /broken", |method| method.integration = Some(mock.clone()));
        mock.request_templates = map(&[("application/json", "#if(")]);
        rest.method("GET /unparsed", |method| method.integration = Some(mock));
    })
    .await;
    let answer = send(&scene, "OPTIONS /prod/pets", "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin").as_deref()), (200, Some("*")));
    assert_eq!(answer.header("access-control-allow-methods").as_deref(), Some("GET,OPTIONS"));
    let answer = get(&scene, "/prod/pets/7").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"id":"7"}"#));
    let answer = get(&scene, "/prod/pets/7?fail=yes").await;
    assert_eq!((answer.status, answer.body.as_str()), (502, r#"{"failed":true}"#));
    for path in ["/prod/broken", "/prod/unparsed"] {
        let answer = get(&scene, path).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (500, "MAPPING_FAILED"), "{path}");
    }
    assert_eq!(backend.heads().len(), 0, "nothing is sent anywhere");
}

#[tokio::test]
async fn headers_that_no_mapping_may_set_are_500() {
    let backend = Backend::answering(OK).await;
    for (name, status) in [("Content-Length", 500), ("X-Amzn-Trace-Id", 500), ("Host", 200), ("Via", 200)] {
        let scene = scene(&backend, |rest| {
            let mut integration = rest.proxy("http://backend.internal/");
            integration.request_parameters = map(&[(&format!("integration.request.header.{name}"), "'a.example'")]);
            rest.method("GET /", |method| method.integration = Some(integration));
        })
        .await;
        assert_eq!(get(&scene, "/prod").await.status, status, "{name}");
    }
    let head = &backend.heads()[0];
    assert_eq!((header(head, "host").as_deref(), header(head, "via")), (Some("a.example"), None));
}

#[tokio::test]
async fn binary_types_and_content_handling_convert_payloads() {
    // 3 bytes that are base64 of two others.
    let backend =
        Backend::answering("HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: image/png\r\n\r\naGk=").await;
    let rows = [
        (&[][..], None, "image/png", "aGk="),
        (&["image/png"][..], None, "image/png", "aGk="),
        (&["image/png"][..], None, "text/plain", "YUdrPQ=="),
        (&["image/png"][..], Some(ContentHandling::ConvertToText), "image/png", "YUdrPQ=="),
        (&[][..], Some(ContentHandling::ConvertToBinary), "text/plain", "hi"),
    ];
    for (types, handling, accept, expected) in rows {
        let scene = scene(&backend, |rest| {
            let mut integration = rest.custom("http://backend.internal/");
            integration.responses.get_mut(&200).unwrap().content_handling = handling;
            rest.frozen.binary_media_types = types.iter().map(|kind| (*kind).to_owned()).collect();
            rest.method("GET /", |method| method.integration = Some(integration));
        })
        .await;
        let answer = send(&scene, "GET /prod", &format!("accept: {accept}\r\n")).await;
        assert_eq!(answer.body, expected, "{types:?} {handling:?} {accept}");
    }
}

#[tokio::test]
async fn answers_are_compressed_from_the_apis_size_on() {
    const LONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n0000000000000000000000000000000000000000";
    let backend = Backend::answering(LONG).await;
    for (from, accept, coding) in [
        (Some(10), "gzip", Some("gzip")),
        (Some(10), "deflate", Some("deflate")),
        (Some(10), "br", None),
        (Some(41), "gzip", None),
        (None, "gzip", None),
    ] {
        let scene = scene(&backend, |rest| {
            rest.frozen.minimum_compression_size = from;
            rest.method("GET /", |_| {});
        })
        .await;
        let answer = send(&scene, "GET /prod", &format!("accept-encoding: {accept}\r\n")).await;
        assert_eq!(answer.header("content-encoding").as_deref(), coding, "{from:?} {accept}");
        if coding.is_none() {
            assert_eq!(answer.body.len(), 40);
        }
    }
}

#[tokio::test]
async fn an_internet_integration_never_reaches_private_addresses() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let mut integration = rest.proxy(&format!("http://{}/", backend.address));
        integration.connection = RestConnection::Internet;
        rest.method("GET /", |method| method.integration = Some(integration));
    })
    .await;
    let answer = get(&scene, "/prod").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (500, "EGRESS_FORBIDDEN"));
    assert_eq!(answer.body, r#"{"message": "Internal server error"}"#);
}

/// Names come in the spelling that the client used, as templates of AWS's console print them; they are found in any.
#[tokio::test]
async fn templates_see_headers_as_the_client_spelled_them() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        let mut mock = rest.mock();
        let template = "#set($h = $input.params().header)#foreach($k in $h.keySet())$k=$h.get($k);#end\
                        $input.params('x-token')|$input.params('X-ONE')|$h.x-ONE|$h.get('gone')|";
        mock.responses = [(200, response("", &[], &[("application/json", template)]))].into();
        rest.method("GET /", |method| method.integration = Some(mock));
    })
    .await;
    let lines = "X-ToKen: a\r\nx-one: 1\r\nX-One: 2\r\nGone: 3\r\nConnection: gone\r\n";
    let answer = send(&scene, "GET /prod", lines).await;
    assert!(answer.body.contains("X-ToKen=a;") && answer.body.contains("X-One=2;"), "{}", answer.body);
    assert!(!answer.body.contains("x-one="), "{}", answer.body);
    assert!(answer.body.ends_with("a|2|2||"), "{}", answer.body);
    assert!(!answer.body.to_lowercase().contains("gone="), "{}", answer.body);
}
