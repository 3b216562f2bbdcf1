//! Routes with authorizers: who is let in, what the others are told, and when an issuer is asked for its keys.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use plane::{BodyNeed, Egress, LocalIssuers, PlaneConfig, SignatureJudge, SignedRequest, Signer};
use serde_json::json;
use topology::id::AuthorizerId;
use topology::resource::http_api::{Authorization, Authorizer, AuthorizerKind};
use topology::trace::{HopId, HopKind};

use crate::estate::{Chain, api};
use crate::issuer::{Issuer, now, signed, with_signature};
use crate::scene::{Answer, Backend, OK, Scene, header};

fn authorizer_id() -> AuthorizerId {
    AuthorizerId::from_bits(1)
}

fn development() -> PlaneConfig {
    let egress = Egress { local_issuers: LocalIssuers::Allowed, ..Egress::default() };
    PlaneConfig { egress, ..PlaneConfig::default() }
}

/// Guards `GET /guarded`, and with a scope `GET /scoped`, by an authorizer of this issuer.
fn guard(chain: &mut Chain, issuer: &str, audience: &str) {
    let kind = AuthorizerKind::Jwt { issuer: Some(issuer.to_owned()), audience: vec![audience.to_owned()] };
    let authorizer = Authorizer {
        id: authorizer_id(),
        api: api(),
        name: "tokens".into(),
        identity_source: vec!["$request.header.Authorization".into()],
        kind,
    };
    chain.edit_deployment(|frozen| frozen.authorizers = vec![authorizer.into()]);
    for (key, scopes) in [("GET /guarded", vec![]), ("GET /scoped", vec!["admin".to_owned(), "write".to_owned()])] {
        chain.route(key);
        chain.edit_route(|route| route.authorization = Authorization::Jwt { authorizer: authorizer_id(), scopes });
    }
    chain.edit_integration(|integration| {
        let mapping = ("overwrite:header.x-sub".to_owned(), "$context.authorizer.claims.sub".to_owned());
        integration.request_parameters = [mapping].into();
    });
}

async fn scene(issuer: &Issuer) -> (Backend, Scene) {
    let backend = Backend::answering(OK).await;
    let scene = Scene::configured(development(), &backend, |chain| guard(chain, &issuer.url, "shop")).await;
    (backend, scene)
}

async fn ask(scene: &Scene, path: &str, token: &str) -> Answer {
    scene.send(&format!("GET {path}"), &format!("authorization: Bearer {token}\r\n")).await
}

/// What a token for the guarded route comes to.
async fn outcome(scene: &Scene, token: &str) -> String {
    ask(scene, "/guarded", token).await.outcome()
}

#[tokio::test]
async fn the_bearer_of_a_good_token_is_let_in_and_the_backend_learns_a_claim() {
    let issuer = Issuer::new().await;
    let (backend, scene) = scene(&issuer).await;
    for _ in 0..2 {
        let answer = ask(&scene, "/guarded", &issuer.token(json!({}))).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"), "{}", answer.head);
        let trace = scene.trace(&answer);
        let hop = trace.hops.iter().find(|hop| hop.kind == HopKind::Authorizer).unwrap();
        assert_eq!(hop.id, HopId::Authorizer(authorizer_id()));
    }
    assert_eq!(header(&backend.heads()[0], "x-sub").as_deref(), Some("ann"));
    assert_eq!(issuer.asked(), (1, 1));
}

#[tokio::test]
async fn refusals_say_to_the_client_what_aws_says_and_to_the_operator_what_was_asked() {
    let issuer = Issuer::new().await;
    let (backend, scene) = scene(&issuer).await;
    let missing = scene.get("/guarded").await;
    assert_eq!((missing.status, missing.body.as_str()), (401, r#"{"message":"Unauthorized"}"#));
    assert_eq!(missing.header("www-authenticate").as_deref(), Some("Bearer"));
    assert_eq!(missing.outcome(), "TOKEN_MISSING");

    let token = issuer.token(json!({ "aud": ["other"] }));
    let audience = ask(&scene, "/guarded", &token).await;
    assert_eq!(
        audience.header("www-authenticate").as_deref(),
        Some(
            "Bearer scope=\"\" error=\"invalid_token\" error_description=\"the token does not have a valid audience\""
        )
    );
    let trace = scene.trace(&audience);
    let details: Vec<_> = trace.details.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(details, ["asked for one of the audiences shop; the token's aud is other"]);
    let signature = token.rsplit('.').next().unwrap();
    assert!(!format!("{trace:?}").contains(signature));

    let scope = ask(&scene, "/scoped", &issuer.token(json!({}))).await;
    assert_eq!((scope.status, scope.body.as_str()), (403, r#"{"message":"Forbidden"}"#));
    assert_eq!(scope.outcome(), "SCOPE_MISSING");
    assert!(
        scope
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer scope=\"admin write\" error=\"insufficient_scope\"")
    );
    assert_eq!(ask(&scene, "/scoped", &issuer.token(json!({ "scp": ["write"] }))).await.status, 200);
    assert_eq!(backend.heads().len(), 1, "only the good one came through");
}

#[tokio::test]
async fn forged_tokens_are_refused_by_what_is_wrong_with_them() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let (header, payload) = (json!({ "alg": "RS256", "kid": "first" }), issuer.payload(json!({})));
    let good = issuer.token(json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other = signed(1, Algorithm::RS256, &header, &payload);
    let embedded = json!({ "alg": "RS256", "kid": "first", "jwk": crate::issuer::public(1, "first") });
    let pointed = json!({ "alg": "RS256", "kid": "evil", "jku": format!("{}/evil", issuer.url) });
    let tampered = with_signature(&header, &issuer.payload(json!({ "sub": "root" })), signature);
    let rows = [
        (other, "JWT_BAD_SIGNATURE"),
        (tampered, "JWT_BAD_SIGNATURE"),
        (signed(1, Algorithm::RS256, &embedded, &payload), "JWT_BAD_SIGNATURE"),
        (signed(1, Algorithm::RS256, &pointed, &payload), "JWT_KEY_UNKNOWN"),
        (with_signature(&header, &payload, "AAAA"), "JWT_BAD_SIGNATURE"),
        (format!("{message}.{}", &signature[..signature.len() - 5]), "JWT_BAD_SIGNATURE"),
        // The right key under the name of another algorithm of its family.
        (signed(0, Algorithm::RS256, &json!({ "alg": "RS512", "kid": "first" }), &payload), "JWT_BAD_SIGNATURE"),
        (signed(0, Algorithm::PS256, &header, &payload), "JWT_BAD_SIGNATURE"),
        (with_signature(&json!({ "alg": "none", "kid": "first" }), &payload, ""), "JWT_ALGORITHM"),
        (signed(0, Algorithm::RS256, &json!({ "alg": "HS256", "kid": "first" }), &payload), "JWT_ALGORITHM"),
        (format!("{message}."), "JWT_BAD_SIGNATURE"),
        (format!("{message}.{signature}AAAA"), "JWT_BAD_SIGNATURE"),
        (message.to_owned(), "TOKEN_MALFORMED"),
        (signed(0, Algorithm::RS256, &json!({ "alg": "RS256" }), &payload), "JWT_KEY_UNKNOWN"),
        (signed(0, Algorithm::RS256, &json!({ "alg": "RS256", "kid": "First" }), &payload), "JWT_KEY_UNKNOWN"),
        (issuer.token(json!({ "exp": now() - 1 })), "JWT_EXPIRED"),
        (issuer.token(json!({ "nbf": now() + 60 })), "JWT_NOT_YET_VALID"),
        (issuer.token(json!({ "iat": now() + 60 })), "JWT_NOT_YET_VALID"),
        (issuer.token(json!({ "iss": "https://other.example" })), "JWT_ISSUER"),
    ];
    assert_eq!(outcome(&scene, &good).await, "passed");
    for (token, expected) in rows {
        let answer = ask(&scene, "/guarded", &token).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (401, expected), "{token}");
    }
    let later = signed(0, Algorithm::RS512, &json!({ "alg": "RS512", "kid": "first" }), &payload);
    assert_eq!(outcome(&scene, &later).await, "passed", "every RSA algorithm is taken");
}

#[tokio::test]
async fn many_requests_at_once_ask_an_issuer_once() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let tokens: Vec<_> = (0..20).map(|number| issuer.token(json!({ "jti": number }))).collect();
    let asked = tokens.iter().map(|token| outcome(&scene, token));
    let outcomes = futures_join(asked).await;
    assert!(outcomes.iter().all(|outcome| outcome == "passed"), "{outcomes:?}");
    assert_eq!(issuer.asked(), (1, 1));
}

/// Polls all of them together.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut running {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        let done = running.iter().all(|(_, output)| output.is_some());
        if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn a_new_key_is_fetched_at_once_and_unknown_ones_are_asked_for_once_in_ten_seconds() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    assert_eq!(outcome(&scene, &issuer.token(json!({}))).await, "passed");
    issuer.publish(&[(0, "first"), (1, "second")]);
    let second = |kid: &str| {
        signed(1, Algorithm::RS256, &json!({ "alg": "RS256", "kid": kid }), &issuer.payload(json!({ "jti": kid })))
    };
    assert_eq!(outcome(&scene, &second("second")).await, "passed");
    assert_eq!(issuer.asked().1, 2);
    for number in 0..5 {
        assert_eq!(outcome(&scene, &second(&format!("made-up-{number}"))).await, "JWT_KEY_UNKNOWN");
    }
    assert_eq!(issuer.asked().1, 2, "within ten seconds nothing is asked");
    scene.plane.move_clock(Duration::from_secs(10));
    for number in 5..10 {
        assert_eq!(outcome(&scene, &second(&format!("made-up-{number}"))).await, "JWT_KEY_UNKNOWN");
    }
    assert_eq!(issuer.asked().1, 3);
    // What is out of place anyway is no reason to ask.
    scene.plane.move_clock(Duration::from_secs(10));
    let foreign = issuer.payload(json!({ "iss": "https://other.example" }));
    let foreign = signed(1, Algorithm::RS256, &json!({ "alg": "RS256", "kid": "made-up" }), &foreign);
    assert_eq!(outcome(&scene, &foreign).await, "JWT_ISSUER");
    assert_eq!(issuer.asked().1, 3);
}

#[tokio::test]
async fn a_key_that_is_withdrawn_ends_with_the_cache_even_for_known_tokens() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let token = issuer.token(json!({ "exp": now() + 100_000 }));
    assert_eq!(outcome(&scene, &token).await, "passed");
    issuer.publish(&[(1, "first")]);
    assert_eq!(outcome(&scene, &token).await, "passed", "keys are kept for two hours");
    scene.plane.move_clock(Duration::from_secs(2 * 3600));
    becomes(&scene, &token, "JWT_BAD_SIGNATURE").await;
    issuer.publish(&[(1, "second")]);
    scene.plane.move_clock(Duration::from_secs(2 * 3600));
    becomes(&scene, &token, "JWT_KEY_UNKNOWN").await;
}

/// Asks until the keys that are fetched meanwhile say so.
async fn becomes(scene: &Scene, token: &str, expected: &str) {
    let asking = async { while outcome(scene, token).await != expected {} };
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect(expected);
}

#[tokio::test]
async fn a_known_key_is_believed_while_newer_ones_are_on_their_way() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let token = issuer.token(json!({ "exp": now() + 100_000 }));
    assert_eq!(outcome(&scene, &token).await, "passed");
    issuer.silent();
    scene.plane.move_clock(Duration::from_secs(2 * 3600));
    // The issuer is waited for at least 1.5 s where it is waited for.
    let asking = tokio::time::timeout(Duration::from_millis(1200), outcome(&scene, &token));
    assert_eq!(asking.await.as_deref(), Ok("passed"), "nobody waits");
    let unknown = with_signature(
        &json!({ "alg": "RS256", "kid": "new" }),
        &issuer.payload(json!({ "exp": now() + 100_000 })),
        "AAAA",
    );
    assert_eq!(outcome(&scene, &unknown).await, "ISSUER_UNREACHABLE", "who has no key waits for the same fetch");
    assert_eq!(issuer.asked(), (2, 1));
}

#[tokio::test]
async fn a_known_token_ends_with_its_time_and_follows_its_authorizer() {
    let issuer = Issuer::new().await;
    let (_backend, mut scene) = scene(&issuer).await;
    let token = issuer.token(json!({}));
    assert_eq!(outcome(&scene, &token).await, "passed");
    scene.change(|chain| {
        let kind = AuthorizerKind::Jwt { issuer: Some(issuer.url.clone()), audience: vec!["other".into()] };
        chain.edit_deployment(|frozen| Arc::make_mut(&mut frozen.authorizers[0]).kind = kind);
    });
    assert_eq!(outcome(&scene, &token).await, "JWT_AUDIENCE");
    scene.change(|chain| {
        let kind = AuthorizerKind::Jwt { issuer: Some(issuer.url.clone()), audience: vec!["shop".into()] };
        chain.edit_deployment(|frozen| Arc::make_mut(&mut frozen.authorizers[0]).kind = kind);
    });
    assert_eq!(outcome(&scene, &token).await, "passed");
    scene.plane.move_clock(Duration::from_secs(601));
    assert_eq!(outcome(&scene, &token).await, "JWT_EXPIRED");
}

#[tokio::test]
async fn while_an_issuer_is_down_its_old_keys_are_believed_for_a_day() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let token = issuer.token(json!({ "exp": now() + 1_000_000 }));
    assert_eq!(outcome(&scene, &token).await, "passed");
    issuer.down(true);
    scene.plane.move_clock(Duration::from_secs(3600));
    assert_eq!(outcome(&scene, &token).await, "passed", "within the cache nothing is asked");
    assert_eq!(issuer.asked().0, 1);
    scene.plane.move_clock(Duration::from_secs(2 * 3600));
    assert_eq!(outcome(&scene, &token).await, "passed", "old keys are better than none");
    assert_eq!(outcome(&scene, &token).await, "passed");
    let unknown = signed(
        0,
        Algorithm::RS256,
        &json!({ "alg": "RS256", "kid": "new" }),
        &issuer.payload(json!({ "exp": now() + 1_000_000 })),
    );
    assert_eq!(outcome(&scene, &unknown).await, "ISSUER_UNREACHABLE");
    assert_eq!(issuer.asked().0, 2, "asked once, and again only after ten seconds");
    scene.plane.move_clock(Duration::from_secs(24 * 3600));
    let answer = ask(&scene, "/guarded", &token).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (401, "ISSUER_UNREACHABLE"));
    assert!(answer.header("www-authenticate").unwrap().contains("OIDC discovery endpoint communication error"));
    issuer.down(false);
    scene.plane.move_clock(Duration::from_secs(10));
    assert_eq!(outcome(&scene, &token).await, "passed");
}

#[tokio::test]
async fn documents_that_are_not_what_they_should_be_are_refused_and_asked_for_again_after_a_second() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let token = issuer.token(json!({}));
    let jwks = format!("{}/keys", issuer.url);
    let own = json!({ "jwks_uri": jwks }).to_string();
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {jwks}\r\ncontent-length: 0\r\n\r\n");
    let discoveries = [
        "nonsense".to_owned(),
        "{}".to_owned(),
        r#"{"jwks_uri":7}"#.to_owned(),
        r#"{"jwks_uri":"ftp://127.0.0.1/keys"}"#.to_owned(),
        // In the clear to another machine, and encrypted to a private one.
        r#"{"jwks_uri":"http://192.0.2.1/keys"}"#.to_owned(),
        r#"{"jwks_uri":"https://10.0.0.1/keys"}"#.to_owned(),
        r#"{"jwks_uri":"https://169.254.169.254/keys"}"#.to_owned(),
        redirect.clone(),
        "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned(),
        " ".repeat(150_001),
    ];
    for discovery in discoveries {
        issuer.discovery(&discovery);
        assert_eq!(outcome(&scene, &token).await, "ISSUER_UNREACHABLE", "{discovery:.80}");
        scene.plane.move_clock(Duration::from_secs(1));
    }
    issuer.discovery(&own);
    for keys in ["nonsense", "{}", r#"{"keys":7}"#, &redirect, &" ".repeat(150_001)] {
        issuer.jwks(keys);
        let answer = ask(&scene, "/guarded", &token).await;
        assert_eq!(answer.outcome(), "ISSUER_UNREACHABLE", "{keys:.80}");
        assert!(
            answer.header("www-authenticate").is_some_and(|text| text.contains("JWKS communication error")),
            "{keys:.80}"
        );
        scene.plane.move_clock(Duration::from_secs(1));
    }
    let asked = issuer.asked();
    issuer.publish(&[(0, "first")]);
    assert_eq!(outcome(&scene, &token).await, "passed");
    assert_eq!(issuer.asked(), (asked.0 + 1, asked.1 + 1));
}

#[tokio::test]
async fn an_issuer_on_this_machine_is_for_development_mode_only() {
    let issuer = Issuer::new().await;
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| guard(chain, &issuer.url, "shop")).await;
    let answer = ask(&scene, "/guarded", &issuer.token(json!({}))).await;
    assert_eq!(answer.outcome(), "ISSUER_UNREACHABLE");
    let details = scene.trace(&answer).details;
    assert!(details[0].1.contains("127.0.0.1, which is loopback"), "{details:?}");
    assert_eq!(issuer.asked(), (0, 0));
}

/// A judge that lets in whoever signs `fits`, knows nobody who signs otherwise but `nearly` by the head, and keeps the bodies
/// that it was shown.
#[derive(Debug)]
struct Judge {
    need: BodyNeed,
    bodies: Mutex<Vec<String>>,
}

impl SignatureJudge for Judge {
    fn judge_head(&self, request: &SignedRequest<'_>) -> Result<BodyNeed, String> {
        match request.headers.get("authorization") {
            Some(value) if value == "fits" || value == "nearly" => Ok(self.need),
            _ => Err("the head does not fit".into()),
        }
    }

    fn judge(&self, request: &SignedRequest<'_>) -> Result<Signer, String> {
        self.bodies.lock().unwrap().push(String::from_utf8_lossy(request.body).into_owned());
        match request.headers.get("authorization") {
            Some(value) if value == "fits" => Ok(Signer {
                account: request.realm.account.to_string(),
                access_key_id: "AKID".into(),
                arn: "arn:aws:iam::000000000000:root".into(),
            }),
            _ => Err("the signature does not fit".into()),
        }
    }
}

async fn signed_scene(need: BodyNeed) -> (Arc<Judge>, Backend, Scene) {
    let judge = Arc::new(Judge { need, bodies: Mutex::default() });
    let config = PlaneConfig { signatures: Some(Arc::clone(&judge) as _), ..PlaneConfig::default() };
    let backend = Backend::answering(OK).await;
    let scene = Scene::configured(config, &backend, |chain| {
        chain.route("ANY /signed");
        chain.edit_route(|route| route.authorization = Authorization::AwsIam);
        chain.edit_integration(|integration| {
            let mappings =
                [("x-key", "identity.caller"), ("x-arn", "identity.userArn"), ("x-account", "identity.accountId")];
            let mapping = |(name, of): &(&str, &str)| (format!("overwrite:header.{name}"), format!("$context.{of}"));
            integration.request_parameters = mappings.iter().map(mapping).collect();
        });
    })
    .await;
    (judge, backend, scene)
}

#[tokio::test]
async fn a_signed_body_is_judged_whole_and_reaches_the_backend_whole() {
    let (judge, backend, scene) = signed_scene(BodyNeed::Whole).await;
    let body = "x".repeat(100_000);
    let lines = format!("authorization: fits\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let host = crate::estate::host();
    let request = format!("POST /signed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}");
    let answer = scene.raw(&request).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"), "{}", answer.head);
    assert_eq!(judge.bodies.lock().unwrap().as_slice(), [body]);
    let head = backend.heads().remove(0);
    assert_eq!(header(&head, "content-length").as_deref(), Some("100000"));
    assert_eq!(header(&head, "x-key").as_deref(), Some("AKID"));
    assert_eq!(header(&head, "x-arn").as_deref(), Some("arn:aws:iam::000000000000:root"));
    assert_eq!(header(&head, "x-account").as_deref(), Some("000000000000"));
    // A chunked one goes on with a length or chunked, but whole.
    let chunked = format!(
        "POST /signed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: nearly\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
    let refused = scene.raw(&chunked).await;
    assert_eq!((refused.status, refused.body.as_str()), (403, r#"{"message":"Forbidden"}"#));
    assert_eq!(refused.outcome(), "SIGV4_INVALID");
    assert_eq!(judge.bodies.lock().unwrap()[1], "abc");
    assert_eq!(backend.heads().len(), 1);
    let trace = scene.trace(&refused);
    assert_eq!(trace.details[0].1, "the signature does not fit");
}

#[tokio::test]
async fn a_signature_must_stand_once_and_go_with_the_request() {
    let (_judge, backend, scene) = signed_scene(BodyNeed::Head).await;
    for lines in [
        "authorization: fits\r\nauthorization: fits\r\n",
        "authorization: fits\r\nauthorization: Bearer x\r\n",
        "authorization: fits\r\nconnection: authorization\r\n",
    ] {
        let answer = scene.send("GET /signed", lines).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (403, "SIGV4_INVALID"), "{lines}");
    }
    assert_eq!(backend.heads(), Vec::<String>::new(), "nothing was carried");
    assert_eq!(scene.send("GET /signed", "authorization: fits\r\n").await.status, 200);
}

#[tokio::test]
async fn a_signed_body_that_breaks_off_or_is_too_large_reaches_nobody() {
    let (judge, backend, scene) = signed_scene(BodyNeed::Whole).await;
    let host = crate::estate::host();
    let head = format!("POST /signed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: fits\r\n");
    let broken = scene.raw(&format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n")).await;
    assert_eq!((broken.status, broken.outcome().as_str()), (400, "MALFORMED_REQUEST"));
    let large = scene.raw(&format!("{head}content-length: 10485761\r\n\r\n")).await;
    assert_eq!((large.status, large.outcome().as_str()), (413, "BODY_TOO_LARGE"));
    assert_eq!((judge.bodies.lock().unwrap().len(), backend.heads().len()), (0, 0));
}

#[tokio::test]
async fn a_body_of_nobody_known_is_not_waited_for() {
    let (judge, backend, scene) = signed_scene(BodyNeed::Whole).await;
    let host = crate::estate::host();
    for signed in ["", "authorization: other\r\n"] {
        let head = format!("POST /signed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{signed}");
        let refused = scene.raw(&format!("{head}content-length: 3\r\n\r\n")).await;
        assert_eq!((refused.status, refused.outcome().as_str()), (403, "SIGV4_INVALID"));
        assert_eq!(scene.trace(&refused).details[0].1, "the head does not fit");
    }
    assert_eq!((judge.bodies.lock().unwrap().len(), backend.heads().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_silent_within_a_signed_body_gives_up_its_place() {
    let (_judge, _backend, scene) = signed_scene(BodyNeed::Whole).await;
    let host = crate::estate::host();
    let head = format!("POST /signed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: fits\r\n");
    let begun = tokio::time::Instant::now();
    let silent = scene.raw(&format!("{head}content-length: 3\r\n\r\na")).await;
    assert_eq!((silent.status, silent.outcome().as_str()), (408, "CLIENT_CLOSED"));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_judge_of_heads_does_not_hold_up_the_body() {
    let (judge, backend, scene) = signed_scene(BodyNeed::Head).await;
    let host = crate::estate::host();
    let head = format!("POST /signed HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: fits\r\n");
    let answer = scene.raw(&format!("{head}content-length: 3\r\n\r\nabc")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(judge.bodies.lock().unwrap().as_slice(), [""]);
    assert_eq!(backend.heads().len(), 1);
}

#[tokio::test]
async fn without_a_judge_signed_routes_let_nobody_in() {
    let backend = Backend::answering(OK).await;
    let scene = Scene::with(&backend, |chain| {
        chain.route("GET /signed");
        chain.edit_route(|route| route.authorization = Authorization::AwsIam);
    })
    .await;
    let answer = scene.send("GET /signed", "authorization: fits\r\n").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (403, "AUTHORIZER_UNSUPPORTED"));
    assert_eq!(backend.heads().len(), 0);
}
