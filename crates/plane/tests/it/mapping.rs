//! Parameter mappings as backends and clients see them.

use std::collections::BTreeMap;

use topology::resource::http_api::Integration;

use crate::scene::{Backend, OK, Scene, header};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn scene(backend: &Backend, edit: impl FnOnce(&mut Integration)) -> Scene {
    Scene::with(backend, |chain| {
        chain.route("ANY /items/{id}");
        chain.edit_integration(edit);
    })
    .await
}

#[tokio::test]
async fn a_request_is_mapped_from_every_source() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |integration| {
        integration.request_parameters = map(&[
            ("append:header.x-agent", "$request.header.user-agent"),
            ("overwrite:header.x-all", "${request.path.id}/${stageVariables.color}/${context.httpMethod}"),
            ("overwrite:header.x-name", "$request.body.user.name"),
            ("append:header.x-first", "$request.body.list[0]"),
            ("append:header.x-absent", "$request.body.nothing"),
            ("remove:header.x-secret", "''"),
            ("overwrite:querystring.q", "$request.querystring.a"),
            ("overwrite:path", "/new$request.path"),
        ]);
    })
    .await;
    let body = r#"{"user":{"name":"ann"},"list":[7]}"#;
    let lines = format!("user-agent: t\r\nx-secret: s\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // The blank line that `send` adds comes after the body and belongs to nothing.
    let answer = scene.send("POST /items/5?a=1&a=2&q=old", &lines).await;
    assert_eq!(answer.status, 200);
    let head = backend.heads().remove(0);
    assert!(head.starts_with("POST /new/items/5?a=1&a=2&q=1,2 HTTP/1.1\r\n"), "{head}");
    let of = |name| header(&head, name);
    assert_eq!(of("x-agent").as_deref(), Some("t"));
    assert_eq!(of("x-all").as_deref(), Some("5/blue/POST"));
    assert_eq!(of("x-name").as_deref(), Some("ann"));
    assert_eq!(of("x-first").as_deref(), Some("7"));
    assert_eq!((of("x-absent"), of("x-secret")), (None, None));
    assert_eq!(of("content-length").unwrap(), body.len().to_string(), "the body goes on whole");
}

#[tokio::test]
async fn mappings_see_the_lines_that_frame_a_message_and_do_not_write_them() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |integration| {
        integration.request_parameters = map(&[
            ("append:header.x-length", "$request.header.Content-Length"),
            ("append:header.x-coding", "$request.header.transfer-encoding"),
        ]);
        let answers = map(&[("append:header.x-length", "$response.header.content-length")]);
        integration.response_parameters = [("200".to_owned(), answers)].into();
    })
    .await;
    let answer = scene.send("POST /items/5", "content-length: 05\r\n\r\nhello").await;
    assert_eq!((answer.status, answer.header("x-length").as_deref()), (200, Some("2")));
    let head = backend.heads().remove(0);
    let of = |name| header(&head, name);
    assert_eq!((of("x-length").as_deref(), of("x-coding")), (Some("05"), None));
    assert_eq!(of("content-length").as_deref(), Some("5"), "it is written as everybody spells it");
}

#[tokio::test]
async fn a_path_parameter_needs_no_braces_behind_fixed_text() {
    let backend = Backend::answering(OK).await;
    for (path, expected) in
        [("/$request.path.id", "/a%20b"), ("/v1/$request.path.id", "/v1/a%20b"), ("/${request.path.id}/x", "/a%20b/x")]
    {
        let scene =
            scene(&backend, |integration| integration.request_parameters = map(&[("overwrite:path", path)])).await;
        assert_eq!(scene.get("/items/a%20b").await.status, 200, "{path}");
        let head = backend.heads().pop().unwrap();
        assert!(head.starts_with(&format!("GET {expected} HTTP/1.1\r\n")), "{path}: {head}");
    }
}

#[tokio::test]
async fn a_long_body_is_looked_into_and_goes_on_whole() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |integration| {
        integration.request_parameters = map(&[("append:header.x-name", "$request.body.name")]);
    })
    .await;
    // Cut at 100 KB it is no JSON, so the header is not set; the backend reads the whole length all the same.
    let body = format!(r#"{{"name":"ann","pad":"{}"}}"#, "x".repeat(300_000));
    let answer = scene.send("POST /items/5", &format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(answer.status, 200);
    assert_eq!(header(&backend.heads()[0], "x-name"), None);
}

#[tokio::test]
async fn an_answer_is_mapped_by_its_status() {
    const THEIRS: &str =
        "HTTP/1.1 404 Not Found\r\ncontent-length: 27\r\nx-a: 1\r\nserver: s\r\n\r\n{\"why\":\"gone\",\"code\":410  }";
    let backend = Backend::answering(THEIRS).await;
    let scene = scene(&backend, |integration| {
        integration.response_parameters = [
            (
                "404".to_owned(),
                map(&[
                    ("overwrite:statuscode", "$response.body.code"),
                    ("append:header.x-a", "2"),
                    ("append:header.x-why", "${response.body.why}-${context.routeKey}"),
                    ("remove:header.server", ""),
                ]),
            ),
            ("200".to_owned(), map(&[("append:header.x-a", "never")])),
        ]
        .into();
    })
    .await;
    let answer = scene.get("/items/5").await;
    assert_eq!((answer.status, answer.body.len()), (410, 27));
    assert_eq!(answer.header("x-a").as_deref(), Some("1,2"));
    assert_eq!(answer.header("x-why").as_deref(), Some("gone-ANY /items/{id}"));
    assert_eq!(answer.header("server"), None);
}

#[tokio::test]
async fn a_value_that_is_no_header_or_status_is_500() {
    const THEIRS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"a\":\"x\\ny\",\"b\":1}";
    let backend = Backend::answering(THEIRS).await;
    for (key, value) in [("append:header.x-a", "$response.body.a"), ("overwrite:statuscode", "$response.body.b")] {
        let scene = scene(&backend, |integration| {
            integration.response_parameters = [("200".to_owned(), map(&[(key, value)]))].into();
        })
        .await;
        let answer = scene.get("/items/5").await;
        assert_eq!((answer.status, answer.outcome().as_str()), (500, "MAPPING_FAILED"), "{key}");
        assert_eq!(answer.body, r#"{"message":"Internal Server Error"}"#);
    }
}

#[tokio::test]
async fn a_status_without_body_has_none() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |integration| {
        integration.response_parameters = [("200".to_owned(), map(&[("overwrite:statuscode", "204")]))].into();
    })
    .await;
    let answer = scene.get("/items/5").await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("content-length")), (204, "", None));
}
