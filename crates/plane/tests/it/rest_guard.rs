//! Who is let in by REST APIs: resource policies, user pools, signatures; canaries; and what logs say of it.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use plane::report::outlet::{self, LogLine, Outflow};
use plane::{BodyNeed, Egress, LocalIssuers, PlaneConfig, SignatureJudge, SignedRequest, Signer};
use serde_json::{Value, json};
use topology::id::{AuthorizerId, DeploymentId};
use topology::resource::resource_policy::ResourcePolicy;
use topology::resource::rest_api::{MethodAuthorization, RestAuthorizer, RestAuthorizerKind};
use topology::resource::rest_stage::{Canary, LoggingLevel};

use crate::issuer::{Issuer, signed};
use crate::rest_api::{Rest, api, configured, get, map, post, scene, send};
use crate::scene::{Answer, Backend, OK, Scene, header};

fn policy(effect: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}},
            {{"Effect":"{effect}","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/*",
              "Condition":{{"{condition}":{{"aws:SourceIp":["127.0.0.0/8"]}}}}}}]}}"#
    )
}

#[tokio::test]
async fn a_resource_policy_denies_by_address_and_says_so_with_a_capital() {
    let backend = Backend::answering(OK).await;
    for (condition, status) in [("IpAddress", 403), ("NotIpAddress", 200)] {
        let scene = scene(&backend, |rest| {
            rest.method("ANY /pets", |_| {});
            rest.frozen.policy = Some(ResourcePolicy::new(policy("Deny", condition)));
        })
        .await;
        let answer = get(&scene, "/prod/pets").await;
        assert_eq!(answer.status, status, "{condition}");
        assert_eq!(send(&scene, "DELETE /prod/pets", "").await.status, 200);
        if status == 403 {
            let arn = format!("arn:aws:execute-api:us-east-1:********0000:{}/prod/GET/pets", api());
            let what = "User: anonymous is not authorized to perform: execute-api:Invoke on resource:";
            assert_eq!(answer.body, format!(r#"{{"Message":"{what} {arn} with an explicit deny"}}"#));
            assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("AccessDeniedException"));
            assert_eq!(answer.outcome(), "RESOURCE_POLICY_DENIED");
        }
    }
}

#[tokio::test]
async fn a_path_that_a_backend_may_read_as_a_guarded_one_is_refused() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        rest.method("ANY /{proxy+}", |_| {});
        rest.method("GET /admin", |method| method.authorization = MethodAuthorization::AwsIam);
        rest.method("GET /pets", |_| {});
    })
    .await;
    let rows = [
        ("/prod/admin", 500),
        ("/prod//admin", 400),
        ("/prod///admin/", 400),
        ("/prod/a/..//admin", 400),
        ("/prod/%61dmin", 500),
        ("/prod/x//y/", 200),
        ("/prod/pets/", 200),
        ("/prod/../prod/pets", 200),
        ("/prod/../pets", 400),
        ("//prod/pets", 403),
    ];
    for (path, status) in rows {
        assert_eq!(get(&scene, path).await.status, status, "{path}");
    }
}

/// Spellings of `/caf%C3%A9`, `/users/@me`, `/x:y` and `/$ctl` that servers take for the same (RFC 3986, section 6.2.2).
pub(crate) const SPELLINGS: [&str; 9] =
    ["/caf%C3%A9", "/caf%c3%a9", "/ca%66%c3%A9", "/users/@me", "/users/%40me", "/x:y", "/x%3ay", "/$ctl", "/%24ctl"];

#[tokio::test]
async fn no_spelling_of_path_or_method_leads_around_a_guard() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| {
        rest.method("ANY /{proxy+}", |_| {});
        for path in ["/caf%C3%A9", "/users/@me", "/x:y", "/$ctl"] {
            rest.method(&format!("GET {path}"), |method| method.authorization = MethodAuthorization::AwsIam);
        }
    })
    .await;
    for path in SPELLINGS {
        let answer = get(&scene, &format!("/prod{path}")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (500, "AUTHORIZER_UNSUPPORTED"), "{path}");
    }
    for line in ["get /prod/open", "Get /prod/caf%C3%A9", "PROPFIND /prod/open"] {
        assert_eq!(send(&scene, line, "").await.outcome(), "ROUTE_NOT_FOUND", "{line}");
    }
    assert_eq!(backend.heads(), Vec::<String>::new(), "nothing was carried");
    // What is open is sent on as it is spelled.
    assert_eq!(get(&scene, "/prod/caf%c3%a8/%40").await.status, 200);
}

#[tokio::test]
async fn a_policy_judges_spellings_alike() {
    let backend = Backend::answering(OK).await;
    let all = r#"{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}"#;
    let named = r#"["execute-api:/prod/GET/caf%c3%a9","execute-api:/*/GET/users/%40m?","execute-api:/prod/GET/x:*","execute-api:/prod/*/$ctl"]"#;
    let denied = all.replace("Allow", "Deny").replace(r#""execute-api:/*""#, named);
    let allowed = all.replace(r#""execute-api:/*""#, named);
    for (statements, status, other) in [(format!("{all},{denied}"), 403, 200), (allowed, 200, 403)] {
        let scene = scene(&backend, |rest| {
            rest.method("ANY /{proxy+}", |_| {});
            rest.frozen.policy = Some(ResourcePolicy::new(format!(r#"{{"Statement":[{statements}]}}"#)));
        })
        .await;
        for path in SPELLINGS {
            assert_eq!(get(&scene, &format!("/prod{path}")).await.status, status, "{statements} {path}");
        }
        assert_eq!(get(&scene, "/prod/caf%C3%A8").await.status, other);
    }
}

#[tokio::test]
async fn a_policy_judges_every_reading_of_a_path() {
    let backend = Backend::answering(OK).await;
    let all = r#"{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"}"#;
    let guarded = all.replace("Allow", "Deny").replace("api:/*", "api:/*/GET/admin*");
    let open = all.replace("api:/*", "api:/prod/GET/a/*");
    for (statements, rows) in [
        (
            format!("{all},{guarded}"),
            [("/admin", 403), ("//admin/x", 403), ("/a/%2e%2e/admin", 403), ("/a//admin", 200)],
        ),
        (open, [("/a/x", 200), ("/a/../x", 403), ("//a/x", 403), ("/a//x", 200)]),
    ] {
        let scene = scene(&backend, |rest| {
            rest.method("ANY /{proxy+}", |_| {});
            rest.frozen.policy = Some(ResourcePolicy::new(format!(r#"{{"Statement":[{statements}]}}"#)));
        })
        .await;
        for (path, status) in rows {
            assert_eq!(get(&scene, &format!("/prod{path}")).await.status, status, "{statements} {path}");
        }
    }
}

const POOL: &str = "us-east-1_shop";

fn pools(rest: &mut Rest) {
    let authorizer = RestAuthorizer {
        id: AuthorizerId::from_bits(1),
        api: api(),
        name: "pool".into(),
        identity_source: "method.request.header.Authorization".into(),
        identity_validation: Some("shop.*".into()),
        result_ttl_s: 300,
        kind: RestAuthorizerKind::CognitoUserPools {
            provider_arns: vec![format!("arn:aws:cognito-idp:us-east-1:000000000000:userpool/{POOL}")],
        },
    };
    rest.frozen.authorizers = vec![authorizer.into()];
    let mut integration = rest.proxy("http://backend.internal/");
    integration.request_parameters = map(&[("integration.request.header.X-Sub", "context.authorizer.claims.sub")]);
    for (key, scopes) in [("GET /id", vec![]), ("GET /scoped", vec!["shop/write".to_owned()])] {
        let authorization = MethodAuthorization::CognitoUserPools { authorizer: AuthorizerId::from_bits(1), scopes };
        rest.method(key, |method| {
            method.authorization = authorization;
            method.integration = Some(integration.clone());
        });
    }
    rest.method("GET /lambda", |method| {
        method.authorization = MethodAuthorization::Custom { authorizer: AuthorizerId::from_bits(9) };
    });
    rest.method("GET /iam", |method| method.authorization = MethodAuthorization::AwsIam);
}

async fn pooled(issuer: &Issuer, backend: &Backend) -> Scene {
    let egress = Egress { local_issuers: LocalIssuers::Allowed, ..Egress::default() };
    let config = PlaneConfig { egress, cognito_endpoint: Some(format!("{}/", issuer.url)), ..PlaneConfig::default() };
    configured(config, backend, |rest, _| pools(rest)).await
}

fn token(issuer: &Issuer, changes: Value) -> String {
    let mut payload = issuer.payload(changes);
    if payload["iss"] == json!(issuer.url) {
        payload["iss"] = json!(format!("{}/{POOL}", issuer.url));
    }
    signed(0, Algorithm::RS256, &json!({ "alg": "RS256", "kid": "first" }), &payload)
}

async fn ask(scene: &Scene, path: &str, token: &str) -> Answer {
    send(scene, &format!("GET {path}"), &format!("authorization: {token}\r\n")).await
}

#[tokio::test]
async fn user_pools_let_in_by_id_token_or_by_the_scopes_of_an_access_token() {
    let (issuer, backend) = (Issuer::new().await, Backend::answering(OK).await);
    let scene = pooled(&issuer, &backend).await;
    let rows = [
        ("/prod/id", json!({ "token_use": "id" }), "passed"),
        ("/prod/id", json!({ "token_use": "access" }), "TOKEN_MALFORMED"),
        ("/prod/id", json!({ "token_use": "id", "exp": 1 }), "JWT_EXPIRED"),
        ("/prod/id", json!({ "token_use": "id", "iss": "https://other.example" }), "JWT_ISSUER"),
        ("/prod/id", json!({ "token_use": "id", "aud": "else" }), "JWT_AUDIENCE"),
        ("/prod/scoped", json!({ "token_use": "access", "scope": "shop/read shop/write" }), "passed"),
        ("/prod/scoped", json!({ "token_use": "access", "scope": "shop/read" }), "SCOPE_MISSING"),
        ("/prod/scoped", json!({ "token_use": "id" }), "TOKEN_MALFORMED"),
    ];
    for (path, changes, outcome) in rows {
        let answer = ask(&scene, path, &token(&issuer, changes.clone())).await;
        assert_eq!(answer.outcome(), outcome, "{path} {changes}");
        if outcome == "passed" {
            assert_eq!(header(&backend.heads().pop().unwrap(), "x-sub").as_deref(), Some("ann"));
        } else {
            assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"message":"Unauthorized"}"#));
            assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("UnauthorizedException"));
        }
    }
    let answer = get(&scene, "/prod/id").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (401, "TOKEN_MISSING"));
    assert_eq!(issuer.asked(), (1, 1), "the pool's keys are fetched once");
}

#[tokio::test]
async fn a_token_under_a_header_of_its_own_name_is_hidden_in_logs() {
    let (issuer, backend) = (Issuer::new().await, Backend::answering(OK).await);
    let (lines, mut out) = outlet::lines();
    let egress = Egress { local_issuers: LocalIssuers::Allowed, ..Egress::default() };
    let cognito_endpoint = Some(format!("{}/", issuer.url));
    let config = PlaneConfig { egress, cognito_endpoint, lines: Some(lines), ..PlaneConfig::default() };
    let scene = configured(config, &backend, |rest, _| {
        pools(rest);
        Arc::make_mut(&mut rest.frozen.authorizers[0]).identity_source = "method.request.header.X-Token".into();
        rest.settings("*/*", |all| (all.logging_level, all.data_trace) = (Some(LoggingLevel::Info), true));
    })
    .await;
    let token = token(&issuer, json!({ "token_use": "id" }));
    let answer = send(&scene, "GET /prod/id", &format!("x-token: Bearer {token}\r\nx-copy: {token}\r\n")).await;
    assert_eq!(answer.outcome(), "passed");
    let lines = taken(&mut out, 17).await;
    let (start, end) = (&token[..20], &token[token.len() - 6..]);
    assert!(!lines.iter().any(|line| line.text.contains(start)), "{lines:#?}");
    assert!(lines.iter().any(|line| line.text.contains("x-token=*")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.text.contains(&format!("*{end}"))), "{lines:#?}");
    assert!(lines[16].text.ends_with("Method completed with status: 200"), "{lines:#?}");
}

#[tokio::test]
async fn what_is_not_signed_lacks_a_token_and_lambda_authorizers_fail_closed() {
    let (issuer, backend) = (Issuer::new().await, Backend::answering(OK).await);
    let scene = pooled(&issuer, &backend).await;
    let answer = get(&scene, "/prod/lambda").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, r#"{"message":null}"#));
    assert_eq!(answer.outcome(), "AUTHORIZER_UNSUPPORTED");
    // No judge is wired in, so that nobody is let in.
    assert_eq!(get(&scene, "/prod/iam").await.outcome(), "AUTHORIZER_UNSUPPORTED");
    assert_eq!(backend.heads().len(), 0);
}

/// Believes who says that it fits.
#[derive(Debug)]
struct Judge;

impl SignatureJudge for Judge {
    fn judge_head(&self, _request: &SignedRequest<'_>) -> Result<BodyNeed, String> {
        Ok(BodyNeed::Whole)
    }

    fn judge(&self, request: &SignedRequest<'_>) -> Result<Signer, String> {
        let fits = request.headers.get("authorization").is_some_and(|value| value == "AWS4-HMAC-SHA256 fits");
        let signer = || Signer {
            account: request.realm.account.to_string(),
            access_key_id: String::from_utf8_lossy(request.body).into_owned(),
            arn: "arn:aws:iam::000000000000:root".into(),
        };
        fits.then(signer).ok_or_else(|| "it does not fit".to_owned())
    }
}

#[tokio::test]
async fn signatures_are_judged_with_their_body_and_never_passed_on() {
    let backend = Backend::answering(OK).await;
    let config = PlaneConfig { signatures: Some(Arc::new(Judge)), ..PlaneConfig::default() };
    let scene = configured(config, &backend, |rest, _| {
        let mut integration = rest.proxy("http://backend.internal/");
        integration.request_parameters = map(&[("integration.request.header.X-Caller", "context.identity.caller")]);
        rest.method("POST /iam", |method| {
            method.authorization = MethodAuthorization::AwsIam;
            method.integration = Some(integration);
        });
    })
    .await;
    let lines = "authorization: AWS4-HMAC-SHA256 fits\r\nx-amz-date: 20261122T100000Z\r\nx-amz-security-token: t\r\n\
                 x-amz-meta: 1\r\n";
    let query = "a=1&X-Amz-Signature=s&x-amz-%43redential=c&X-Amz-Meta=2";
    let answer = post(&scene, &format!("/prod/iam?{query}"), lines, "body").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let head = backend.heads().remove(0);
    assert!(head.starts_with("POST /?a=1&X-Amz-Meta=2 HTTP/1.1"), "{head}");
    let of = |name| header(&head, name);
    assert_eq!((of("x-amz-date"), of("x-amz-security-token"), of("x-amz-meta").as_deref()), (None, None, Some("1")));
    assert_eq!((header(&head, "x-caller").as_deref(), header(&head, "authorization")), (Some("body"), None));
    let answer = post(&scene, "/prod/iam", "authorization: AWS4-HMAC-SHA256 other\r\n", "body").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (403, "SIGV4_INVALID"));
    assert_eq!(answer.header("x-amzn-errortype").as_deref(), Some("InvalidSignatureException"));
    let answer = post(&scene, "/prod/iam", "", "body").await;
    assert_eq!((answer.status, answer.body.as_str()), (403, r#"{"message":"Missing Authentication Token"}"#));
}

#[tokio::test]
async fn a_method_can_be_overridden() {
    let backend = Backend::answering(OK).await;
    let scene = scene(&backend, |rest| rest.method("DELETE /", |_| {})).await;
    let answer = post(&scene, "/prod", "x-http-method-override: DELETE\r\n", "").await;
    assert_eq!(answer.status, 200);
    assert!(backend.heads()[0].starts_with("DELETE / "), "{:?}", backend.heads());
}

#[tokio::test]
async fn a_canary_serves_its_part_with_its_own_variables() {
    let backend = Backend::answering(OK).await;
    for (percent, color) in [(100.0, "green"), (0.0, "blue")] {
        let scene = configured(PlaneConfig::default(), &backend, |rest, chain| {
            let first = rest.proxy("http://backend.internal/first/${stageVariables.color}");
            let second = rest.proxy("http://backend.internal/second/${stageVariables.color}");
            let mut canary = rest.clone();
            canary.method("GET /", |method| method.integration = Some(second));
            canary.deploy(chain, DeploymentId::from_bits(82));
            rest.method("GET /", |method| method.integration = Some(first));
            rest.stage.canary = Some(Canary {
                percent,
                deployment: DeploymentId::from_bits(82),
                variable_overrides: map(&[("color", "green")]),
                use_stage_cache: false,
            });
        })
        .await;
        for _ in 0..3 {
            assert_eq!(get(&scene, "/prod").await.status, 200);
        }
        let place = if color == "green" { "second" } else { "first" };
        let head = backend.heads().pop().unwrap();
        assert!(head.starts_with(&format!("GET /{place}/{color} ")), "{head}");
    }
}

#[tokio::test]
async fn requests_of_a_canary_stand_in_its_log_group_too() {
    let backend = Backend::answering(OK).await;
    for (percent, groups) in [(100.0, &["", "/Canary"][..]), (0.0, &[""])] {
        let (lines, mut out) = outlet::lines();
        let config = PlaneConfig { lines: Some(lines), ..PlaneConfig::default() };
        let scene = configured(config, &backend, |rest, chain| {
            rest.method("GET /", |_| {});
            rest.settings("*/*", |all| all.logging_level = Some(LoggingLevel::Info));
            rest.deploy(chain, DeploymentId::from_bits(82));
            rest.stage.canary = Some(Canary {
                percent,
                deployment: DeploymentId::from_bits(82),
                variable_overrides: map(&[]),
                use_stage_cache: false,
            });
        })
        .await;
        assert_eq!(get(&scene, "/prod").await.status, 200);
        let each = 9;
        let lines = taken(&mut out, groups.len() * each).await;
        for (lines, group) in lines.chunks(each).zip(groups) {
            let name = format!("API-Gateway-Execution-Logs_{}/prod{group}", api());
            assert!(lines.iter().all(|line| line.log.group.name.as_str() == name), "{name}: {lines:#?}");
            assert!(lines[each - 1].text.ends_with("Method completed with status: 200"), "{lines:#?}");
        }
    }
}

async fn taken(lines: &mut Outflow<LogLine>, count: usize) -> Vec<LogLine> {
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(lines.take(&mut taken, count).await > 0);
    }
    taken
}

#[tokio::test]
async fn access_logs_have_the_variables_of_rest_apis() {
    let backend = Backend::answering(OK).await;
    let (lines, mut out) = outlet::lines();
    let config = PlaneConfig { lines: Some(lines), ..PlaneConfig::default() };
    let names = [
        "requestId",
        "extendedRequestId",
        "resourceId",
        "resourcePath",
        "httpMethod",
        "path",
        "stage",
        "status",
        "deploymentId",
        "requestTimeEpoch",
        "error.message",
        "error.responseType",
        "integration.status",
        "routeKey",
    ];
    let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":\"$context.{name}\"")).collect();
    let format = format!("{{{}}}", members.join(","));
    let scene = configured(config, &backend, |rest, _| {
        rest.method("GET /pets/{id}", |_| {});
        rest.log("arn:aws:logs:us-east-1:000000000000:log-group:/shop", &format);
        rest.settings("*/*", |all| all.metrics = true);
    })
    .await;
    let answer = get(&scene, "/prod/pets/7").await;
    let line: Value = serde_json::from_str(&taken(&mut out, 1).await[0].text).unwrap();
    assert_eq!(line["requestId"], json!(answer.header("x-amzn-requestid").unwrap()));
    assert_eq!(line["extendedRequestId"], json!(answer.header("x-amz-apigw-id").unwrap()));
    assert_eq!((&line["resourcePath"], &line["path"]), (&json!("/pets/{id}"), &json!("/prod/pets/7")));
    assert_eq!((&line["status"], &line["integration.status"]), (&json!("200"), &json!("200")));
    assert_eq!(line["requestTimeEpoch"].as_str().unwrap().len(), 13, "milliseconds");
    assert_eq!((&line["error.message"], &line["routeKey"]), (&json!("-"), &json!("-")));
    get(&scene, "/prod/none").await;
    let line: Value = serde_json::from_str(&taken(&mut out, 1).await[0].text).unwrap();
    assert_eq!(line["error.message"], json!("Missing Authentication Token"));
    assert_eq!(line["error.responseType"], json!("MISSING_AUTHENTICATION_TOKEN"));
    let page = scene.plane.metrics();
    let place = format!("api_id=\"{}\",stage=\"prod\"", api());
    for row in [
        format!("tidegate_apigateway_count_total{{{place}}} 2"),
        format!("tidegate_apigateway_4xx_total{{{place}}} 1"),
        format!("tidegate_apigateway_route_count_total{{{place},route=\"GET /pets/{{id}}\"}} 1"),
    ] {
        assert!(page.lines().any(|line| line == row), "{row} is not in\n{page}");
    }
}

#[tokio::test]
async fn execution_logs_tell_the_steps_and_hide_secrets() {
    let backend = Backend::answering(OK).await;
    let (lines, mut out) = outlet::lines();
    let config = PlaneConfig { lines: Some(lines), ..PlaneConfig::default() };
    let scene = configured(config, &backend, |rest, _| {
        let mut custom = rest.custom("http://backend.internal/");
        let key = "method.request.header.x-api-key";
        let places = [("integration.request.header.X-Copy", key), ("integration.request.querystring.key", key)];
        custom.request_parameters = map(&places);
        rest.method("POST /pets", |method| method.integration = Some(custom));
        rest.method("GET /quiet", |_| {});
        rest.settings("~1pets/POST", |own| (own.logging_level, own.data_trace) = (Some(LoggingLevel::Info), true));
        rest.settings("~1quiet/GET", |own| own.logging_level = Some(LoggingLevel::Error));
    })
    .await;
    get(&scene, "/prod/quiet").await;
    let secrets = "authorization: secret-token\r\nx-api-key: 0123456789 of our key\r\n";
    let answer = post(&scene, "/prod/pets?q=1", secrets, r#"{"a":1}"#).await;
    assert_eq!(header(&backend.heads().pop().unwrap(), "x-copy").as_deref(), Some("0123456789 of our key"));
    let id = answer.header("x-amzn-requestid").unwrap();
    let lines = taken(&mut out, 20).await;
    let group = format!("API-Gateway-Execution-Logs_{}/prod", api());
    assert!(
        lines.iter().all(|line| line.log.group.name.as_str() == group && line.text.starts_with(&format!("({id}) ")))
    );
    let text: Vec<_> = lines.iter().map(|line| &line.text[id.len() + 3..]).collect();
    assert!(text[0].starts_with("Verifying Usage Plan for request"), "{text:#?}");
    for expected in [
        "HTTP Method: POST, Resource Path: /pets",
        "Method request query string: {q=1}",
        r#"Method request body before transformations: {"a":1}"#,
        "Endpoint request URI: http://backend.internal/?key=*********************%20key",
        "Sending request to http://backend.internal/?key=*********************%20key",
        "Endpoint response body before transformations: ok",
        "Successfully completed execution",
        "Method completed with status: 200",
    ] {
        assert!(text.contains(&expected), "{expected} is not in {text:#?}");
    }
    let shows = |part: &str| text.iter().filter(|line| line.contains(part)).count();
    assert_eq!(
        (shows("secret-token"), shows("0123456789"), shows("x-copy=***************ur key")),
        (0, 0, 1),
        "{text:#?}"
    );
}
