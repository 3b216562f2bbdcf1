//! What a listener's rule asks before its action: tokens, of which keys, with which claims, and what a client is told of the others.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use plane::{Egress, LocalIssuers, PlaneConfig};
use serde_json::json;
use topology::id::ListenerRuleId;
use topology::reach::explain;
use topology::reason::Reason;
use topology::resource::action::{Action, FixedResponse, FixedResponseParts};
use topology::resource::gate::{AdditionalClaim, Check, ClaimFormat, Gate, JwtValidation, JwtValidationParts};
use topology::resource::listener::{ListenerRule, RuleCondition};
use topology::trace::{HopId, HopKind};

use crate::certificates::{Authority, When};
use crate::estate::{Chain, LISTENER, host};
use crate::issuer::{Issuer, now, public, signed};
use crate::scene::{Answer, Backend, OK, Scene, header, let_pass};

fn gate(issuer: &Issuer, claims: Vec<AdditionalClaim>) -> Gate {
    let jwks_endpoint = format!("{}/keys", issuer.url);
    let parts = JwtValidationParts { jwks_endpoint, issuer: issuer.url.clone(), claims };
    Gate::new(Check::Jwt(JwtValidation::new(parts).unwrap()), (1, 2)).unwrap()
}

/// A rule for the paths below this one, which asks for a token and then does what the default rule does, or answers.
fn rule(chain: &mut Chain, number: u64, (path, gate): (&str, Gate), action: Option<Action>) {
    let action = action.unwrap_or_else(|| chain.estate.listeners.get(&LISTENER).unwrap().default_action().clone());
    let rule = ListenerRule {
        id: ListenerRuleId::from_bits(100 + number),
        listener: LISTENER,
        priority: u32::try_from(number).unwrap(),
        conditions: vec![RuleCondition::PathPattern(vec![format!("{path}*")].into())],
        gate: Some(gate),
        action,
        order: None,
        transforms: Default::default(),
        tags: Default::default(),
    };
    chain.estate.listener_rules.insert(rule.id, rule);
}

fn claim(name: &str, format: ClaimFormat, values: &[&str]) -> AdditionalClaim {
    AdditionalClaim { name: name.into(), format, values: values.iter().map(|value| (*value).to_owned()).collect() }
}

/// The chain with a listener that speaks TLS, and rules of which `/guarded` forwards, `/claims` asks for more and `/fixed` answers.
async fn scene(issuer: &Issuer) -> (Backend, Scene) {
    let backend = Backend::answering(OK).await;
    let local = Arc::new(Authority::new("local"));
    let leaf = local.leaf(&["internal.example.com"], When::Now);
    let pem = local.pem.clone();
    let development = plane::Issuer::new(move || Ok(pem.clone()), |_: &[String]| Err("nothing is issued".to_owned()));
    let egress = Egress { local_issuers: LocalIssuers::Allowed, ..Egress::default() };
    let config = PlaneConfig { development: Some(development), egress, ..PlaneConfig::default() };
    let scene = Scene::configured(config, &backend, |chain| {
        chain.edit_integration(|integration| integration.tls_server_name = Some("internal.example.com".to_owned()));
        chain.listener_certificates([&leaf]);
        rule(chain, 1, ("/guarded", gate(issuer, Vec::new())), None);
        let claims = vec![
            claim("aud", ClaimFormat::SingleString, &["shop", "store"]),
            claim("scope", ClaimFormat::SpaceSeparated, &["read", "write"]),
            claim("groups", ClaimFormat::StringArray, &["ops", "dev"]),
        ];
        rule(chain, 2, ("/claims", gate(issuer, claims)), None);
        let fixed = FixedResponseParts { status: 200, content_type: None, body: Some("fixed".into()) };
        let fixed = Action::FixedResponse(FixedResponse::new(fixed).unwrap());
        rule(chain, 3, ("/fixed", gate(issuer, Vec::new())), Some(fixed));
    })
    .await;
    (backend, scene)
}

async fn ask(scene: &Scene, path: &str, token: &str) -> Answer {
    scene.send(&format!("GET {path}"), &format!("authorization: Bearer {token}\r\n")).await
}

/// Status, reason, and what the access log calls it.
fn told(scene: &Scene, answer: &Answer) -> (u16, String, String) {
    let trace = scene.trace(answer);
    let detail = trace.details.first().map(|(_, text)| text.clone()).unwrap_or_default();
    (answer.status, answer.outcome(), detail.split(':').next().unwrap_or_default().to_owned())
}

fn expect(scene: &Scene, answer: &Answer, (status, reason, error): (u16, &str, &str)) {
    assert_eq!(told(scene, answer), (status, reason.to_owned(), error.to_owned()), "{}", answer.head);
}

#[tokio::test]
async fn a_rule_lets_in_who_has_a_token_and_the_target_gets_it() {
    let issuer = Issuer::new().await;
    let (backend, scene) = scene(&issuer).await;
    let token = issuer.token(json!({}));
    for _ in 0..2 {
        let answer = ask(&scene, "/guarded", &token).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"), "{}", answer.head);
        let hops = scene.trace(&answer).hops;
        let at = hops.iter().position(|hop| hop.kind == HopKind::Authorizer).unwrap();
        assert_eq!(hops[at].id, HopId::Rule(LISTENER, Some(ListenerRuleId::from_bits(101))));
        assert_eq!((hops[at - 1].kind, hops[at + 1].kind), (HopKind::Listener, HopKind::Rule));
    }
    assert_eq!(header(&backend.heads()[0], "authorization").unwrap(), format!("Bearer {token}"));
    assert_eq!(ask(&scene, "/fixed", &token).await.body, "fixed");
    assert_eq!(scene.get("/open").await.status, 200, "other rules ask for nothing");
    assert_eq!(issuer.asked(), (0, 1), "the rule names the keys themselves");
    let refused = scene.get("/fixed").await;
    assert_eq!((refused.status, refused.header("server").as_deref()), (401, Some("awselb/2.0")));
    assert!(refused.body.contains("<h1>401 Authorization Required</h1>"), "{}", refused.body);
    assert_eq!(backend.heads().len(), 3);
}

#[tokio::test]
async fn the_default_rule_asks_as_others_do() {
    let issuer = Issuer::new().await;
    let (_backend, mut scene) = scene(&issuer).await;
    let listener = gate(&issuer, Vec::new());
    scene.change(|chain| chain.estate.listeners.edit(&LISTENER).unwrap().set_default_gate(Some(listener)).unwrap());
    expect(&scene, &scene.get("/open").await, (401, "TOKEN_MISSING", "JWTHeaderNotPresent"));
    assert_eq!(ask(&scene, "/open", &issuer.token(json!({}))).await.status, 200);
}

#[tokio::test]
async fn refused_tokens_have_the_reasons_of_the_access_log() {
    let issuer = Issuer::new().await;
    let (backend, scene) = scene(&issuer).await;
    expect(&scene, &scene.get("/guarded").await, (401, "TOKEN_MISSING", "JWTHeaderNotPresent"));
    for lines in ["authorization: Basic eA==\r\n", "authorization: x.y.z\r\n", "authorization: Bearer\r\n"] {
        let answer = scene.send("GET /guarded", lines).await;
        expect(&scene, &answer, (401, "TOKEN_MALFORMED", "JWTRequestFormatInvalid"));
    }
    let (header, payload) = (json!({ "alg": "RS256", "kid": "first" }), issuer.payload(json!({})));
    let (other, rs512) = (json!({ "alg": "RS256", "kid": "third" }), json!({ "alg": "RS512", "kid": "first" }));
    let rows = [
        (issuer.token(json!({ "exp": null })), "TOKEN_MALFORMED", "JWTClaimNotPresent"),
        (issuer.token(json!({ "exp": "soon" })), "TOKEN_MALFORMED", "JWTClaimFormatInvalid"),
        (issuer.token(json!({ "exp": now() - 1 })), "JWT_EXPIRED", "JWTClaimValueInvalid"),
        (issuer.token(json!({ "nbf": now() + 60 })), "JWT_NOT_YET_VALID", "JWTClaimValueInvalid"),
        (issuer.token(json!({ "iat": now() + 60 })), "JWT_NOT_YET_VALID", "JWTClaimValueInvalid"),
        (issuer.token(json!({ "iss": null })), "JWT_ISSUER", "JWTClaimNotPresent"),
        (issuer.token(json!({ "iss": "https://other.example" })), "JWT_ISSUER", "JWTClaimValueInvalid"),
        (signed(1, Algorithm::RS256, &header, &payload), "JWT_BAD_SIGNATURE", "JWTSignatureValidationError"),
        (signed(0, Algorithm::RS256, &other, &payload), "JWT_KEY_UNKNOWN", "JWTSignatureValidationError"),
        (signed(0, Algorithm::RS512, &rs512, &payload), "JWT_ALGORITHM", "JWTSignatureValidationError"),
    ];
    // First without keys, then with keys that are known.
    for turn in 0..2 {
        for (token, reason, error) in &rows {
            let answer = ask(&scene, "/guarded", token).await;
            assert!(!format!("{:?}", scene.trace(&answer)).contains(token.rsplit('.').next().unwrap()));
            expect(&scene, &answer, (401, reason, error));
        }
        assert_eq!(ask(&scene, "/guarded", &issuer.token(json!({}))).await.status, 200, "{turn}");
    }
    assert_eq!(backend.heads().len(), 2);
}

#[tokio::test]
async fn further_claims_are_asked_for_in_three_formats() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let good = json!({ "aud": "store", "scope": "write other read", "groups": ["x", "dev"] });
    let rows = [
        (json!({}), 200, ""),
        (json!({ "aud": "other" }), 401, "JWTClaimValueInvalid"),
        (json!({ "aud": ["shop"] }), 401, "JWTClaimFormatInvalid"),
        (json!({ "scope": "read" }), 401, "JWTClaimValueInvalid"),
        (json!({ "scope": ["read", "write"] }), 401, "JWTClaimFormatInvalid"),
        (json!({ "groups": "dev" }), 401, "JWTClaimFormatInvalid"),
        (json!({ "groups": ["x"] }), 401, "JWTClaimValueInvalid"),
        (json!({ "groups": null }), 401, "JWTClaimNotPresent"),
    ];
    for (changes, status, error) in rows {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let answer = ask(&scene, "/claims", &issuer.token(claims)).await;
        let reason = if status == 200 { "passed" } else { "JWT_CLAIM" };
        expect(&scene, &answer, (status, reason, error));
    }
    let answer = ask(&scene, "/claims", &issuer.token(json!({}))).await;
    let hops = explain(&scene.plane.snapshot(), &scene.trace(&answer)).hops;
    let hop = hops.iter().find(|hop| hop.reason == Some(Reason::JwtClaim)).unwrap();
    assert!(hop.detail.contains("asked for read, write in the claim scope; the token says read"), "{}", hop.detail);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_500_and_keys_that_are_none_562() {
    let issuer = Issuer::new().await;
    let (_backend, scene) = scene(&issuer).await;
    let token = issuer.token(json!({}));
    let eleven = json!({ "keys": (0..11).map(|at| public(0, &at.to_string())).collect::<Vec<_>>() }).to_string();
    let long = format!("{{\"keys\":[],\"padding\":\"{}\"}}", "x".repeat(150_000));
    let rows = [
        (eleven.as_str(), 500, "JWKSResponseSizeExceeded"),
        (&long, 500, "JWKSResponseSizeExceeded"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 562, "JWKSRequestFailed"),
        ("no keys", 562, "JWKSResponseInvalid"),
        ("{\"keys\":[]}", 562, "JWKSResponseInvalid"),
        ("HTTP/1.1 2", 500, "JWKSRequestTimeout"),
    ];
    for (keys, status, error) in rows {
        issuer.jwks(keys);
        expect(&scene, &ask(&scene, "/guarded", &token).await, (status, "ISSUER_UNREACHABLE", error));
        scene.plane.move_clock(Duration::from_secs(1));
    }
    issuer.publish(&[(0, "first")]);
    assert_eq!(ask(&scene, "/guarded", &token).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn keys_are_waited_for_five_seconds_and_no_longer_than_the_caller_waits() {
    let issuer = Issuer::new().await;
    let (_backend, mut scene) = scene(&issuer).await;
    let token = issuer.token(json!({}));
    issuer.silent();
    let begun = tokio::time::Instant::now();
    let answer = ask(&scene, "/guarded", &token).await;
    expect(&scene, &answer, (500, "ISSUER_UNREACHABLE", "JWKSRequestTimeout"));
    assert_eq!(begun.elapsed().as_secs(), 5);
    scene.change(|chain| chain.edit_integration(|integration| integration.timeout_ms = 1000));
    scene.plane.move_clock(Duration::from_secs(1));
    let answer = ask(&scene, "/guarded", &token).await;
    assert_eq!((answer.status, answer.outcome().as_str()), (503, "INTEGRATION_TIMEOUT"), "{}", host());
    let_pass(Duration::from_secs(5)).await;
}
