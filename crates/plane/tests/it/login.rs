//! Users whom a listener's rule authenticates by a provider: the way there and back, what targets and clients are told, and who is not let in.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use plane::{Egress, LocalIssuers, PlaneConfig};
use serde_json::{Value, json};
use topology::resource::gate::{Check, Gate};
use topology::resource::oidc::{
    ClientSecret, Cognito, CognitoParts, ExtraParams, Oidc, OidcParts, Session, Unauthenticated,
};

use crate::certificates::{Authority, When};
use crate::estate::{Chain, LISTENER, host};
use crate::provider::Provider;
use crate::scene::{Answer, Backend, OK, Scene, header};

fn gate(provider: &Provider, session: Session) -> Gate {
    let parts = OidcParts {
        issuer: provider.url.clone(),
        authorization_endpoint: format!("{}/authorize?tenant=1", provider.url),
        token_endpoint: format!("{}/token", provider.url),
        user_info_endpoint: format!("{}/me", provider.url),
        client_id: "shop".to_owned(),
        client_secret: ClientSecret::new("hush&hush".to_owned()),
        extra_params: ExtraParams::new(),
        session,
    };
    Gate::new(Check::Oidc(Box::new(Oidc::new(parts).unwrap())), (1, 2)).unwrap()
}

fn asks(chain: &mut Chain, provider: &Provider, session: Session) {
    guard(chain, gate(provider, session));
}

fn guard(chain: &mut Chain, gate: Gate) {
    chain.estate.listeners.edit(&LISTENER).unwrap().set_default_gate(Some(gate)).unwrap();
}

/// A chain whose listener speaks TLS and asks for users.
async fn scene(provider: &Provider, session: Session) -> (Backend, Scene) {
    guarded(provider, gate(provider, session)).await
}

/// The same with this gate; user pools are served by the provider.
async fn guarded(provider: &Provider, gate: Gate) -> (Backend, Scene) {
    let backend = Backend::answering(OK).await;
    let local = Arc::new(Authority::new("local"));
    let leaf = local.leaf(&["internal.example.com"], When::Now);
    let pem = local.pem.clone();
    let development = plane::Issuer::new(move || Ok(pem.clone()), |_: &[String]| Err("nothing is issued".to_owned()));
    let egress = Egress { local_issuers: LocalIssuers::Allowed, ..Egress::default() };
    let cognito_endpoint = Some(format!("{}/", provider.url));
    let config = PlaneConfig { development: Some(development), egress, cognito_endpoint, ..PlaneConfig::default() };
    let scene = Scene::configured(config, &backend, |chain| {
        chain.edit_integration(|integration| integration.tls_server_name = Some("internal.example.com".to_owned()));
        chain.listener_certificates([&leaf]);
        guard(chain, gate);
    })
    .await;
    (backend, scene)
}

/// What a client keeps.
#[derive(Clone, Default)]
struct Browser(Vec<(String, String)>);

impl Browser {
    async fn get(&mut self, scene: &Scene, path: &str) -> Answer {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = if pairs.is_empty() { String::new() } else { format!("cookie: {}\r\n", pairs.join("; ")) };
        let answer = scene.send(&format!("GET {path}"), &line).await;
        for line in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            assert!(line.contains("; Secure; HttpOnly"), "{line}");
            assert!(line.len() <= 4096, "{}", line.len());
            self.0.retain(|(known, _)| known != name);
            if !line.contains("1970") {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// Asks for a path and is sent to the provider; the path with which the provider would send it back.
    async fn begin(&mut self, scene: &Scene, path: &str) -> String {
        let sent = self.get(scene, path).await;
        assert_eq!((sent.status, sent.outcome().as_str()), (302, "passed"), "{}", sent.head);
        let location = sent.header("location").unwrap();
        let state = location.split("state=").nth(1).unwrap();
        format!("/oauth2/idpresponse?code=code-1&state={state}")
    }

    async fn log_in(&mut self, scene: &Scene, path: &str) -> Answer {
        let back = self.begin(scene, path).await;
        self.get(scene, &back).await
    }
}

/// Status and what the access log calls it.
fn told(scene: &Scene, answer: &Answer) -> (u16, String) {
    let trace = scene.trace(answer);
    let detail = trace.details.first().map(|(_, text)| text.clone()).unwrap_or_default();
    (answer.status, detail.split(':').next().unwrap_or_default().to_owned())
}

fn payload(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_logs_in_and_the_target_learns_who_it_is() {
    let provider = Provider::new().await;
    let (backend, scene) = scene(&provider, Session::default()).await;
    let mut browser = Browser::default();
    let sent = browser.clone().get(&scene, "/orders?a=1&b").await;
    let location = sent.header("location").unwrap();
    let redirect = format!("https%3A%2F%2F{}%2Foauth2%2Fidpresponse", host());
    let start = format!(
        "{}/authorize?tenant=1&client_id=shop&redirect_uri={redirect}&response_type=code&scope=openid&state=",
        provider.url
    );
    assert!(location.starts_with(&start), "{location}");
    let back = browser.log_in(&scene, "/orders?a=1&b").await;
    assert_eq!(
        (back.status, back.header("location").unwrap()),
        (302, format!("https://{}/orders?a=1&b", host())),
        "{}",
        back.head
    );
    assert_eq!(backend.heads().len(), 0, "nothing came through so far");
    let [token, me] = provider.asked().try_into().unwrap();
    assert!(
        token.starts_with("POST /token ")
            && token.ends_with(&format!("grant_type=authorization_code&code=code-1&redirect_uri={redirect}")),
        "{token}"
    );
    assert_eq!(header(&token, "authorization").unwrap(), format!("Basic {}", STANDARD.encode("shop:hush%26hush")));
    assert_eq!(header(&me, "authorization").unwrap(), "Bearer access-1");

    assert_eq!(browser.get(&scene, "/orders").await.status, 200);
    let head = backend.heads().pop().unwrap();
    assert_eq!(header(&head, "x-amzn-oidc-identity").unwrap(), "ann");
    assert_eq!(header(&head, "x-amzn-oidc-accesstoken").unwrap(), "access-1");
    let told = header(&head, "x-amzn-oidc-data").unwrap();
    assert_eq!(payload(&told, 1), json!({ "sub": "ann", "email": "ann@example.com" }));
    let about = payload(&told, 0);
    assert_eq!(
        (&about["alg"], &about["iss"], &about["client"]),
        (&json!("ES256"), &json!(provider.url), &json!("shop"))
    );
    assert!(about["signer"].as_str().unwrap().contains(":loadbalancer/app/"), "{about}");
    let pem = scene.plane.signing_key(about["kid"].as_str().unwrap()).unwrap();
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let (signed, signature) = told.rsplit_once('.').unwrap();
    // The point stands at the end of a P-256 key.
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &der[der.len() - 65..]);
    key.verify(signed.as_bytes(), &URL_SAFE.decode(signature).unwrap()).unwrap();
    assert_eq!(scene.plane.signing_key("other"), None);
    assert_eq!(provider.asked().len(), 2, "a session is not asked about");
}

#[tokio::test]
async fn a_user_of_a_pool_logs_in_without_a_secret_of_the_load_balancers() {
    let provider = Provider::new().await;
    let parts = CognitoParts {
        pool_arn: "arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_abc".to_owned(),
        client_id: "shop".to_owned(),
        domain: "shop".to_owned(),
        extra_params: [("prompt", "login"), ("a b", "ü&")].map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        session: Session::default(),
    };
    let check = Check::Cognito(Box::new(Cognito::new(parts).unwrap()));
    let (backend, scene) = guarded(&provider, Gate::new(check, (1, 2)).unwrap()).await;
    let mut browser = Browser::default();
    let refused = browser.log_in(&scene, "/").await;
    assert_eq!(told(&scene, &refused), (401, "AuthInvalidIdToken".to_owned()), "the issuer is the pool");
    let issuer = format!("{}/eu-west-1_abc", provider.url);
    provider.tokens(json!({ "id_token": provider.id_token(&json!({ "iss": issuer })), "refresh_token": "refresh-1" }));
    let sent = browser.clone().get(&scene, "/").await.header("location").unwrap();
    assert!(sent.starts_with(&format!("{}/oauth2/authorize?client_id=shop&", provider.url)), "{sent}");
    assert!(sent.contains("&scope=openid&a%20b=%C3%BC%26&prompt=login&state="), "{sent}");
    assert_eq!(browser.log_in(&scene, "/").await.status, 302);
    let asked = provider.asked();
    let [token, me] = &asked[asked.len() - 2..] else { unreachable!() };
    assert!(token.starts_with("POST /oauth2/token ") && token.ends_with("&client_id=shop"), "{token}");
    assert_eq!(header(token, "authorization"), None);
    assert!(me.starts_with("GET /oauth2/userInfo "), "{me}");
    assert_eq!(browser.get(&scene, "/").await.status, 200);
    let told = header(&backend.heads().pop().unwrap(), "x-amzn-oidc-data").unwrap();
    assert_eq!(payload(&told, 0)["iss"], json!(issuer));
    scene.plane.move_clock(Duration::from_secs(60));
    assert_eq!(browser.get(&scene, "/").await.status, 200);
    let renewed = provider.asked();
    assert!(renewed[renewed.len() - 2].ends_with("refresh_token=refresh-1&client_id=shop"), "{renewed:?}");
}

#[tokio::test]
async fn what_a_client_says_of_itself_never_reaches_the_target() {
    let provider = Provider::new().await;
    let session = Session { unauthenticated: Unauthenticated::Allow, ..Session::default() };
    let (backend, scene) = scene(&provider, session).await;
    let lines = "x-amzn-oidc-identity: root\r\nx-amzn-oidc-data: a.b.c\r\nx-amzn-oidc-accesstoken: t\r\n";
    let forged = "cookie: AWSELBAuthSessionCookie-0=AAAA\r\n";
    for more in ["", forged] {
        let answer = scene.send("GET /", &format!("{lines}{more}")).await;
        assert_eq!((answer.status, answer.outcome().as_str()), (200, "passed"));
        assert!(!backend.heads().pop().unwrap().contains("x-amzn-oidc"), "{more}");
    }
}

#[tokio::test]
async fn a_rule_may_deny_who_is_nobody_and_sends_back_whose_session_ended() {
    let provider = Provider::new().await;
    let session = Session { unauthenticated: Unauthenticated::Deny, timeout_s: 100, ..Session::default() };
    let (backend, mut scene) = scene(&provider, session.clone()).await;
    let mut browser = Browser::default();
    let denied = browser.get(&scene, "/").await;
    assert_eq!((denied.status, denied.outcome().as_str(), denied.header("set-cookie")), (401, "TOKEN_MISSING", None));
    scene.change(|chain| {
        asks(chain, &provider, Session { unauthenticated: Unauthenticated::Authenticate, ..session.clone() })
    });
    browser.log_in(&scene, "/").await;
    scene.change(|chain| asks(chain, &provider, session));
    assert_eq!(browser.get(&scene, "/").await.status, 200);
    scene.plane.move_clock(Duration::from_secs(99));
    assert_eq!(
        browser.get(&scene, "/").await.status,
        200,
        "without a refresh token the access token's end ends nothing"
    );
    scene.plane.move_clock(Duration::from_secs(1));
    assert_eq!(browser.get(&scene, "/").await.status, 302);
    assert_eq!(backend.heads().len(), 2);
}

#[tokio::test]
async fn a_way_back_that_is_not_the_clients_own_logs_nobody_in() {
    let provider = Provider::new().await;
    let (_backend, scene) = scene(&provider, Session::default()).await;
    let mut browser = Browser::default();
    let back = browser.begin(&scene, "/").await;
    let mut another = Browser::default();
    another.begin(&scene, "/").await;
    let expect =
        |answer: Answer, wanted: (u16, &str)| assert_eq!(told(&scene, &answer), (wanted.0, wanted.1.to_owned()));
    expect(Browser::default().get(&scene, &back).await, (401, "AuthMissingAWSALBAuthNonce"));
    expect(another.get(&scene, &back).await, (401, "AuthInvalidAWSALBAuthNonce"));
    expect(browser.get(&scene, "/oauth2/idpresponse?code=a").await, (401, "AuthMissingStateParam"));
    expect(browser.get(&scene, "/oauth2/idpresponse?code=a&state=AAAA").await, (401, "AuthInvalidStateParam"));
    expect(browser.get(&scene, &back.replace("code=code-1", "x=y")).await, (401, "AuthMissingCodeParam"));
    expect(
        browser.get(&scene, &back.replace("code=code-1", "error=access_denied")).await,
        (561, "AuthMissingCodeParam"),
    );
    assert_eq!(provider.asked().len(), 0);
    scene.plane.move_clock(Duration::from_secs(15 * 60));
    expect(browser.get(&scene, &back).await, (401, "AuthInvalidStateParam"));
}

#[tokio::test]
async fn of_two_logins_at_once_the_later_one_counts() {
    let provider = Provider::new().await;
    let (_backend, scene) = scene(&provider, Session::default()).await;
    let mut browser = Browser::default();
    let first = browser.begin(&scene, "/first").await;
    let second = browser.begin(&scene, "/second").await;
    let answer = browser.get(&scene, &first).await;
    assert_eq!(told(&scene, &answer), (401, "AuthInvalidAWSALBAuthNonce".to_owned()));
    assert_eq!(provider.asked().len(), 0, "the code of the first is not spent");
    assert_eq!(browser.get(&scene, &second).await.status, 302);
    assert_eq!(browser.get(&scene, "/first").await.status, 200);
}

#[tokio::test]
async fn a_provider_that_does_not_vouch_lets_nobody_in() {
    let provider = Provider::new().await;
    let (backend, scene) = scene(&provider, Session::default()).await;
    let id = |changes: Value| json!({ "id_token": provider.id_token(&changes) });
    let rows: [(&dyn Fn(), u16, &str); 14] = [
        (
            &|| provider.for_tokens("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
            561,
            "AuthTokenEpRequestFailed",
        ),
        (&|| provider.for_tokens("[]"), 561, "AuthInvalidTokenResponse"),
        (&|| provider.for_tokens("HTTP/1.1 2"), 500, "AuthTokenEpRequestTimeout"),
        (&|| provider.tokens(json!({ "access_token": null })), 561, "AuthInvalidTokenResponse"),
        (&|| provider.tokens(json!({ "id_token": null })), 401, "AuthInvalidIdToken"),
        (&|| provider.tokens(id(json!({ "iss": "https://other.example" }))), 401, "AuthInvalidIdToken"),
        (&|| provider.tokens(id(json!({ "aud": ["other"] }))), 401, "AuthInvalidIdToken"),
        (&|| provider.tokens(id(json!({ "exp": 1 }))), 401, "AuthInvalidIdToken"),
        (&|| provider.tokens(id(json!({ "sub": "bob" }))), 561, "AuthInvalidUserinfoResponse"),
        // What no header can tell its target makes no session whose requests would all fail.
        (&|| provider.tokens(json!({ "access_token": "a\r\nb: c" })), 561, "AuthInvalidTokenResponse"),
        (
            &|| {
                provider.tokens(id(json!({ "sub": "a\r\nb: c" })));
                provider.claims(json!({ "sub": "a\r\nb: c" }));
            },
            561,
            "AuthInvalidUserinfoResponse",
        ),
        (
            &|| provider.for_claims("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
            561,
            "AuthUserinfoEpRequestFailed",
        ),
        (&|| provider.for_claims("no claims"), 561, "AuthInvalidUserinfoResponse"),
        (&|| provider.claims(json!({ "long": "x".repeat(11 * 1024) })), 500, "AuthUserinfoResponseSizeExceeded"),
    ];
    for (change, status, error) in rows {
        provider.tokens(json!({}));
        provider.claims(json!({}));
        change();
        let mut browser = Browser::default();
        let answer = browser.log_in(&scene, "/").await;
        assert_eq!(told(&scene, &answer), (status, error.to_owned()));
        let trace = format!("{:?}", scene.trace(&answer));
        assert!(!trace.contains("hush") && !trace.contains("code-1&"), "{trace}");
        assert_eq!(browser.get(&scene, "/").await.status, 302, "{error}");
    }
    assert_eq!(backend.heads().len(), 0);
}

#[tokio::test]
async fn a_large_session_comes_in_parts_and_is_renewed_with_its_refresh_token() {
    let provider = Provider::new().await;
    provider.tokens(json!({ "refresh_token": "refresh-1" }));
    provider.claims(json!({ "long": "x".repeat(7000) }));
    let (backend, scene) = scene(&provider, Session::default()).await;
    let mut browser = Browser::default();
    browser.log_in(&scene, "/").await;
    let names = |browser: &Browser| browser.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let name = |at: usize| format!("AWSELBAuthSessionCookie-{at}");
    assert_eq!(names(&browser), [name(0), name(1), name(2)]);
    assert_eq!(browser.get(&scene, "/").await.status, 200);
    provider.tokens(json!({ "access_token": "access-2", "id_token": null }));
    provider.claims(json!({}));
    scene.plane.move_clock(Duration::from_secs(60));
    assert_eq!(browser.get(&scene, "/").await.status, 200);
    assert_eq!(header(&backend.heads()[1], "x-amzn-oidc-accesstoken").unwrap(), "access-2");
    assert!(provider.asked()[2].ends_with("grant_type=refresh_token&refresh_token=refresh-1"));
    assert_eq!(names(&browser), [name(0)], "what an earlier session left is gone");
    assert_eq!(browser.get(&scene, "/").await.status, 200);
    assert_eq!(provider.asked().len(), 4, "the renewed one is not asked about");
    provider.for_tokens("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    scene.plane.move_clock(Duration::from_secs(60));
    assert_eq!(browser.get(&scene, "/").await.status, 302, "a user who logged out logs in anew");
}

#[tokio::test(start_paused = true)]
async fn a_silent_provider_is_waited_for_five_seconds() {
    let provider = Provider::new().await;
    let (_backend, scene) = scene(&provider, Session::default()).await;
    let mut browser = Browser::default();
    let back = browser.begin(&scene, "/").await;
    provider.silent();
    let begun = tokio::time::Instant::now();
    let answer = browser.get(&scene, &back).await;
    assert_eq!(told(&scene, &answer), (500, "AuthTokenEpRequestTimeout".to_owned()));
    assert_eq!(begun.elapsed().as_secs(), 5);
}
