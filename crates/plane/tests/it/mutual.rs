//! What a listener's own socket asks of clients' certificates, whom it lets in, and what targets are told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use plane::report::outlet::{BalancerLine, Outlet};
use plane::{Binder, Issuer, PlaneConfig};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};
use topology::id::TrustStoreId;
use topology::resource::trust_store::{MutualAuthentication, Revocation, TrustStore, Verify};

use crate::certificates::{Authority, Leaf, When};
use crate::estate::{Chain, LISTENER};
use crate::scene::{Answer, Backend, OK, Scene, bind, header};
use crate::tls::{ask, shake};

pub(crate) const NAME: &str = "internal.example.com";
pub(crate) const STORE: TrustStoreId = TrustStoreId::from_bits(5);
pub(crate) const VERIFY: Verify = Verify { trust_store: STORE, ignores_expiry: false, advertises_names: false };

pub(crate) struct Stage {
    pub(crate) backend: Backend,
    pub(crate) scene: Scene,
    pub(crate) servers: Authority,
    pub(crate) clients: Authority,
    pub(crate) socket: SocketAddr,
}

fn trust(chain: &mut Chain, authority: &Authority) {
    let bundle = authority.pem.as_str().into();
    let store = TrustStore {
        id: STORE,
        name: "clients".into(),
        bundle,
        certificates: 1,
        last_revocation: 0,
        tags: Default::default(),
    };
    chain.estate.trust_stores.insert(STORE, store);
}

impl Stage {
    /// A listener with a socket, which asks this.
    pub(crate) async fn asking(mutual: MutualAuthentication) -> Self {
        Self::logging(mutual, None).await
    }

    /// The same, with a place for lines of logs.
    pub(crate) async fn logging(mutual: MutualAuthentication, balancer_lines: Option<Outlet<BalancerLine>>) -> Self {
        let backend = Backend::answering(OK).await;
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let pem = servers.pem.clone();
        let issuer = Issuer::new(move || Ok(pem.clone()), |_: &[String]| Err("nothing is issued".to_owned()));
        let binder = Binder::new(bind);
        let config = PlaneConfig { development: Some(issuer), binder, balancer_lines, ..PlaneConfig::default() };
        let mut scene = Scene::configured(config, &backend, |chain| {
            chain.listener_certificates([&servers.leaf(&[NAME], When::Now)]);
            trust(chain, &clients);
            chain.mutual(mutual);
        })
        .await;
        let socket = scene.listen();
        Self { backend, scene, servers, clients, socket }
    }

    /// One request over a connection of its own, if there is one.
    pub(crate) async fn ask(&self, leaf: Option<&Leaf>, path: &str) -> Option<Answer> {
        self.ask_as(&self.servers.client(&[], leaf), path).await
    }

    pub(crate) async fn ask_as(&self, client: &Arc<ClientConfig>, path: &str) -> Option<Answer> {
        let mut stream = shake(self.socket, client, NAME).await.ok()?;
        ask(&mut stream, NAME, path).await
    }

    pub(crate) fn told(&self, name: &str) -> Option<String> {
        header(self.backend.heads().last().unwrap(), name)
    }
}

#[tokio::test]
async fn who_leads_to_the_trust_store_is_let_in_and_told_of() {
    let stage = Stage::asking(MutualAuthentication::Verify(VERIFY)).await;
    let leaf = stage.clients.leaf(&["device-1"], When::Now);
    assert_eq!(stage.ask(Some(&leaf), "/").await.unwrap().status, 200);
    assert_eq!(stage.told("x-amzn-mtls-clientcert-subject").as_deref(), Some("CN=device-1,O=Example"));
    let issuer = stage.told("x-amzn-mtls-clientcert-issuer").unwrap();
    assert!(issuer.starts_with("CN=clients"), "{issuer}");
    let validity = stage.told("x-amzn-mtls-clientcert-validity");
    assert_eq!(validity.as_deref(), Some("NotBefore=2020-01-01T00:00:00Z;NotAfter=2120-01-01T00:00:00Z"));
    let shown = stage.told("x-amzn-mtls-clientcert-leaf").unwrap();
    let plain = shown.replace("%20", " ").replace("%0A", "\n");
    assert_eq!(plain.trim(), leaf.certificate.replace("\r\n", "\n").trim());
    let serial = stage.told("x-amzn-mtls-clientcert-serial-number").unwrap();
    assert!(!serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
    assert_eq!(stage.told("x-amzn-mtls-clientcert"), None, "the chain is told of in the other mode only");
}

#[tokio::test]
async fn nobody_else_is_let_in() {
    let strangers = Authority::new("strangers");
    // The same name, another key.
    let namesakes = Authority::new("clients");
    for ignores_expiry in [false, true] {
        let stage = Stage::asking(MutualAuthentication::Verify(Verify { ignores_expiry, ..VERIFY })).await;
        let past = stage.clients.leaf(&["device"], When::Past);
        let future = stage.clients.leaf(&["device"], When::Future);
        for (what, leaf, is_let_in) in [
            ("no certificate", None, false),
            ("of another authority", Some(strangers.leaf(&["device"], When::Now)), false),
            ("of a namesake", Some(namesakes.leaf(&["device"], When::Now)), false),
            ("not valid yet", Some(future), false),
            ("expired", Some(past), ignores_expiry),
            ("of another authority, and expired", Some(strangers.leaf(&["device"], When::Past)), false),
        ] {
            let answer = stage.ask(leaf.as_ref(), "/").await;
            assert_eq!(answer.map(|answer| answer.status), is_let_in.then_some(200), "{what}, {ignores_expiry}");
        }
        assert_eq!(stage.backend.heads().len(), usize::from(ignores_expiry));
    }
}

#[tokio::test]
async fn without_its_trust_store_a_listener_lets_nobody_in() {
    let mut stage = Stage::asking(MutualAuthentication::Verify(VERIFY)).await;
    stage.scene.change(|chain| drop(chain.estate.trust_stores.remove(&STORE)));
    let leaf = stage.clients.leaf(&["device"], When::Now);
    assert!(stage.ask(Some(&leaf), "/").await.is_none());
}

#[tokio::test]
async fn whatever_is_shown_is_passed_on_and_nothing_has_to_be() {
    let stage = Stage::asking(MutualAuthentication::Passthrough).await;
    assert_eq!(stage.ask(None, "/").await.unwrap().status, 200);
    assert_eq!(stage.told("x-amzn-mtls-clientcert"), None);
    let leaf = Authority::new("strangers").leaf(&["device"], When::Past);
    assert_eq!(stage.ask(Some(&leaf), "/").await.unwrap().status, 200);
    let shown = stage.told("x-amzn-mtls-clientcert").unwrap();
    assert!(shown.starts_with("-----BEGIN%20CERTIFICATE-----%0A"), "{shown}");
    assert_eq!(stage.told("x-amzn-mtls-clientcert-subject"), None, "nothing is read out of what nobody verified");
}

#[tokio::test]
async fn a_client_cannot_say_of_itself_what_only_the_load_balancer_says() {
    let forged: String = ["", "-Issuer", "-Leaf", "-Serial-Number", "-Subject", "-Validity"]
        .iter()
        .map(|end| format!("X-Amzn-Mtls-Clientcert{end}: forged\r\nx-amzn-mtls-clientcert{end}: twice\r\n"))
        .collect();
    let stage = Stage::asking(MutualAuthentication::Passthrough).await;
    let path = format!("/ HTTP/1.1\r\n{forged}X-Other: 1\r\nx-rest:");
    assert_eq!(stage.ask(None, &path).await.unwrap().status, 200);
    let plain = Scene::new(&stage.backend).await;
    assert_eq!(plain.send("GET /", &forged).await.status, 200, "by the gateway, to a listener in the clear");
    for head in stage.backend.heads() {
        assert!(!head.to_ascii_lowercase().contains("mtls"), "{head}");
    }
    assert!(stage.backend.heads()[0].to_ascii_lowercase().contains("x-other: 1"));
}

// sees: HTTPS listeners: routing.http.request.x_amzn_mtls_*.header_name
#[tokio::test]
async fn the_headers_have_the_names_that_the_listener_gives_them() {
    let parts = ["_subject", "_issuer", "_leaf", "_serial_number", "_validity", ""];
    let name = |part: &str| format!("x-device{}", part.replace('_', "-"));
    for (asked, told) in
        [(MutualAuthentication::Verify(VERIFY), &parts[..5]), (MutualAuthentication::Passthrough, &parts[5..])]
    {
        let mut stage = Stage::asking(asked).await;
        stage.scene.change(|chain| {
            let listener = chain.estate.listeners.edit(&LISTENER).unwrap();
            for part in parts {
                let key = format!("routing.http.request.x_amzn_mtls_clientcert{part}.header_name");
                listener.set_attribute(&key, &name(part)).unwrap();
            }
        });
        let leaf = stage.clients.leaf(&["device-1"], When::Now);
        let path = "/ HTTP/1.1\r\nx-device-subject: forged\r\nx-amzn-mtls-clientcert-subject: forged\r\nx-rest:";
        assert_eq!(stage.ask(Some(&leaf), path).await.unwrap().status, 200);
        let head = stage.backend.heads().pop().unwrap().to_ascii_lowercase();
        assert!(!head.contains("forged") && !head.contains("clientcert"), "{head}");
        let named: Vec<&str> = parts.into_iter().filter(|part| stage.told(&name(part)).is_some()).collect();
        assert_eq!(named, told);
        let subject = stage.told("x-device-subject");
        assert_eq!(subject.as_deref(), (named.len() > 1).then_some("CN=device-1,O=Example"));
    }
}

#[tokio::test]
async fn a_connection_that_was_asked_something_else_comes_again() {
    let mut stage = Stage::asking(MutualAuthentication::Verify(VERIFY)).await;
    let leaf = stage.clients.leaf(&["device"], When::Now);
    let client = stage.servers.client(&[], Some(&leaf));
    let mut judged = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut judged, NAME, "/").await.unwrap().status, 200);
    let others = Authority::new("others");
    stage.scene.change(|chain| trust(chain, &others));
    assert_eq!(ask(&mut judged, NAME, "/").await.unwrap().status, 421, "judged by what is trusted no longer");
    assert_eq!(stage.backend.heads().len(), 1);
    assert!(stage.ask(Some(&leaf), "/").await.is_none());

    stage.scene.change(|chain| chain.mutual(MutualAuthentication::Off));
    let mut unasked = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut unasked, NAME, "/").await.unwrap().status, 200);
    stage.scene.change(|chain| chain.mutual(MutualAuthentication::Verify(VERIFY)));
    assert_eq!(ask(&mut unasked, NAME, "/").await.unwrap().status, 421, "never judged");
}

pub(crate) fn revoke(chain: &mut Chain, id: u64, lists: &str) {
    let revocation = Revocation { lists: lists.into(), entries: 1 };
    chain.estate.trust_store_revocations.insert((STORE, id), revocation);
}

#[tokio::test]
async fn whoever_is_on_a_list_is_let_in_no_longer() {
    let mut stage = Stage::asking(MutualAuthentication::Verify(VERIFY)).await;
    let [one, two, three] = ["one", "two", "three"].map(|name| stage.clients.leaf(&[name], When::Now));
    let client = stage.servers.client(&[], Some(&one));
    let mut before = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut before, NAME, "/").await.unwrap().status, 200);
    // Two lists of one issuer, and one of somebody of the same name with another key.
    let (first, second) = (stage.clients.revoking(&[&one]), stage.clients.revoking(&[&two]));
    stage.scene.change(|chain| {
        revoke(chain, 1, &first);
        revoke(chain, 2, &second);
    });
    assert_eq!(ask(&mut before, NAME, "/").await.unwrap().status, 421, "judged before there were lists");
    for (leaf, status) in [(&one, None), (&two, None), (&three, Some(200))] {
        let answer = stage.ask(Some(leaf), "/").await;
        assert_eq!(answer.map(|answer| answer.status), status);
    }
    stage.scene.change(|chain| drop(chain.estate.trust_store_revocations.remove(&(STORE, 1))));
    assert_eq!(stage.ask(Some(&one), "/").await.unwrap().status, 200, "the list is gone");
    assert!(stage.ask(Some(&two), "/").await.is_none());
}

#[tokio::test]
async fn a_list_counts_for_whom_it_is_of_and_for_no_other_trust_store() {
    let mut stage = Stage::asking(MutualAuthentication::Verify(VERIFY)).await;
    let leaf = stage.clients.leaf(&["device"], When::Now);
    let strangers = Authority::new("strangers").revoking(&[&leaf]);
    let own = stage.clients.revoking(&[&leaf]);
    stage.scene.change(|chain| {
        revoke(chain, 1, &strangers);
        let revocation = Revocation { lists: own.as_str().into(), entries: 1 };
        chain.estate.trust_store_revocations.insert((TrustStoreId::from_bits(6), 1), revocation);
    });
    assert_eq!(stage.ask(Some(&leaf), "/").await.unwrap().status, 200);
    // What only seems to be the authority's takes nobody back, and nobody can be sure of it.
    let namesakes = Authority::new("clients").revoking(&[]);
    stage.scene.change(|chain| revoke(chain, 1, &namesakes));
    assert!(stage.ask(Some(&leaf), "/").await.is_none());
    assert_eq!(stage.backend.heads().len(), 1);
}

#[tokio::test]
async fn an_expired_certificate_that_is_taken_may_be_revoked() {
    let mut stage = Stage::asking(MutualAuthentication::Verify(Verify { ignores_expiry: true, ..VERIFY })).await;
    let leaf = stage.clients.leaf(&["device"], When::Past);
    let list = stage.clients.revoking(&[&leaf]);
    assert_eq!(stage.ask(Some(&leaf), "/").await.unwrap().status, 200);
    stage.scene.change(|chain| revoke(chain, 1, &list));
    assert!(stage.ask(Some(&leaf), "/").await.is_none());
}

#[tokio::test]
async fn a_link_has_no_certificate_to_show() {
    let stage = Stage::asking(MutualAuthentication::Verify(VERIFY)).await;
    let mut scene = stage.scene;
    scene.change(|chain| chain.edit_integration(|integration| integration.tls_server_name = Some(NAME.to_owned())));
    let answer = scene.get("/").await;
    assert_eq!((answer.status, answer.outcome().as_str()), (503, "TLS_HANDSHAKE_FAILED"));
    assert_eq!(stage.backend.heads().len(), 0);
}

/// Notes whom it is told that its certificate must lead to, and shows none.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<Vec<u8>>>);

impl ResolvesClientCert for Noting {
    fn resolve(&self, names: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap().extend(names.iter().map(|name| name.to_vec()));
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn clients_are_told_whom_to_lead_to_where_that_is_wanted() {
    for (advertises_names, expected) in [(true, 1), (false, 0)] {
        let stage = Stage::asking(MutualAuthentication::Verify(Verify { advertises_names, ..VERIFY })).await;
        let noting = Arc::new(Noting::default());
        let mut client = ClientConfig::clone(&stage.servers.client(&[], None));
        client.client_auth_cert_resolver = Arc::clone(&noting) as Arc<dyn ResolvesClientCert>;
        assert!(stage.ask_as(&Arc::new(client), "/").await.is_none());
        assert_eq!(noting.0.lock().unwrap().len(), expected);
    }
}
