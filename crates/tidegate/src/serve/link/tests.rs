//! An agent joins a server that runs, is let in by its certificate, and renews it.

use bytes::Bytes;
use control::enrolment::{GATEWAY_NAME, Token};
use control::{AttachAt, AttachRequest, TOKEN_TTL, TokenWish};
use http::StatusCode;
use plane::Engine;
use plane::link::carrier::gateway::{self, Office as _};
use plane::link::message::{Hello, LineTold, LinesTold};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsConnector;
use topology::resource::agent::Standing;
use topology::resource::attachment::{Served, ServedAt};

use super::*;
use crate::agent::identity::{Identity, JoinError, dial, join};
use crate::cli::UpArgs;
use crate::config;
use crate::link::{CheckedRequest, Phase};
use crate::serve::engine::Chosen;
use crate::serve::owner::Owner;
use crate::serve::{Running, State, start};

struct Place {
    running: Running,
    vpc: VpcId,
    directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        Self::with(UpArgs { ephemeral: true, ..UpArgs::default() }).await
    }

    async fn with(args: UpArgs) -> Self {
        let free = Some("127.0.0.1:0".to_owned());
        let args = UpArgs {
            listen_api: free.clone(),
            listen_public: Some("none".to_owned()),
            listen_public_tls: free.clone(),
            listen_link: free,
            ..args
        };
        let running = start(config::load(&args, [], None).unwrap(), Chosen::by_wish(Engine::Proxy)).await.unwrap();
        let realm = Self::realm(&running.state);
        // With the first change a realm has its default VPC.
        let wish = AttachRequest {
            place: AttachAt::Address(Served::Address([172, 31, 0, 10].into()), None),
            port: None,
            host: ServedAt::Host(([127, 0, 0, 1], 1).into()),
            groups: Vec::new(),
            lease: false,
            agent: None,
        };
        let vpc = running.state.mailbox.attach(realm, wish).await.unwrap().unwrap().vpc;
        Self { running, vpc, directory: tempfile::tempdir().unwrap() }
    }

    fn realm(state: &State) -> Realm {
        Realm { account: state.config.account, region: state.config.region.clone() }
    }

    fn state(&self) -> &Arc<State> {
        &self.running.state
    }

    fn link(&self) -> &Link {
        self.state().link.as_ref().unwrap()
    }

    async fn token(&self) -> Token {
        let (realm, wish) = (
            Self::realm(self.state()),
            TokenWish { vpc: self.vpc, zones: ["us-east-1a".parse().unwrap()].into(), ttl: TOKEN_TTL },
        );
        let named = realm.clone();
        let made = self.state().mailbox.work("test", move |control, now| control.agent_token(&named, &wish, now));
        Token {
            realm,
            secret: made.await.unwrap().unwrap().secret,
            pin: self.link().certifier.current().authorities.issuing().pin(),
        }
    }

    async fn join(&self, token: &Token, name: &str) -> Result<Identity, JoinError> {
        // The first gateway is nowhere.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let gateways = [closed, self.state().ends.link.unwrap().to_string()];
        let native = ["172.31.0.0/24".parse().unwrap()];
        join(token, &gateways, (&self.directory.path().join(name), &native)).await
    }

    /// Who comes with this certificate.
    async fn admit(&self, pem: &str) -> Result<Admitted, &'static str> {
        let leaf = [CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
        let permit = Arc::clone(&self.link().bounds.places).acquire_owned().await.unwrap();
        let judged = admit::admit(self.state(), self.link(), (Some(&leaf), LaneKind::Data), permit).await;
        judged.map_err(|refused| refused.code)
    }

    /// Opens a data lane as this agent; an error where either end does not believe the other.
    async fn lane(&self, identity: &Identity) -> std::io::Result<()> {
        let stream = dial(&self.state().ends.link.unwrap().to_string()).await?;
        let config = identity.client_config(LaneKind::Data).unwrap();
        let name = ServerName::try_from(GATEWAY_NAME).unwrap();
        let mut stream = TlsConnector::from(config).connect(name, stream).await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    }

    /// Has the identity take its next certificate, without a use of it.
    async fn renew(&self, identity: &mut Identity, name: &str) {
        let mut lane = self.admit(&self.certificate(name)).await.unwrap();
        let renewed = renew(self.state(), &mut lane, &identity.renewal_csr().unwrap()).await.unwrap();
        identity.renewed(&renewed.chain, renewed.generation).unwrap();
    }

    /// Asks for the next phase of a rotation.
    async fn rotate(&self) -> (StatusCode, Phase) {
        let (parts, ()) = http::Request::post("/_tidegate/agents/rotate-authority").body(()).unwrap().into_parts();
        let owner = Owner::of(self.state(), &parts, &Bytes::new()).unwrap();
        let answer = rotate(self.state(), &owner).await.unwrap_or_else(|refused| refused);
        (answer.status(), self.link().certifier.current().authorities.phase())
    }

    fn certificate(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name).join("certificate.pem")).unwrap()
    }
}

/// Renews on a lane: whoever has it is of the next generation from then on.
async fn renew(state: &State, lane: &mut Admitted, csr: &[u8]) -> Result<admit::Renewed, Refused> {
    let certifier = &state.link.as_ref().unwrap().certifier;
    let has = (lane.realm.clone(), lane.agent, lane.generation);
    let renewed = admit::renew((certifier, &state.mailbox), has, csr).await?;
    lane.generation = renewed.generation;
    Ok(renewed)
}

#[tokio::test]
async fn an_agent_joins_is_let_in_and_renews() {
    let place = Place::new().await;
    let token = place.token().await;
    let mut identity = place.join(&token, "one").await.unwrap();
    assert_eq!(identity.said().vpc, place.vpc);
    assert_eq!(identity.said().native, ["172.31.0.0/24".parse().unwrap()]);
    let first = place.certificate("one");
    let mut lane = place.admit(&first).await.unwrap();
    assert_eq!((lane.agent, lane.vpc, lane.generation), (identity.said().agent, place.vpc, 1));
    for generation in 2..=3 {
        let renewed = renew(place.state(), &mut lane, &identity.renewal_csr().unwrap()).await.unwrap();
        identity.renewed(&renewed.chain, renewed.generation).unwrap();
        assert_eq!((lane.generation, identity.said().generation), (generation, generation));
    }
    assert_eq!(place.admit(&first).await.unwrap_err(), "AGENT_GENERATION_LATE");
    assert_eq!(place.admit(&place.certificate("one")).await.unwrap().generation, 3);
    let refused = renew(place.state(), &mut lane, b"junk").await.unwrap_err();
    assert_eq!((refused.code, lane.generation), ("MALFORMED", 3));
    // The directory holds an agent, and the token was used: neither makes another.
    let taken = place.join(&place.token().await, "one").await.unwrap_err().to_string();
    assert!(taken.contains("holds agent-"), "{taken}");
    let JoinError::Refused { code, .. } = place.join(&token, "two").await.unwrap_err() else { panic!("refused") };
    assert_eq!(code, "TOKEN_USED");
    assert!(!place.directory.path().join("two").exists());
    place.running.stop().await;
}

#[tokio::test]
async fn a_copy_of_a_directory_shuts_both_out() {
    let place = Place::new().await;
    let mut identity = place.join(&place.token().await, "one").await.unwrap();
    let copy = place.certificate("one");
    let [mut lane, mut of_copy] = [place.admit(&copy).await.unwrap(), place.admit(&copy).await.unwrap()];
    let renewed = renew(place.state(), &mut lane, &identity.renewal_csr().unwrap()).await.unwrap();
    identity.renewed(&renewed.chain, renewed.generation).unwrap();
    place.admit(&place.certificate("one")).await.unwrap();
    let refused = renew(place.state(), &mut of_copy, &identity.renewal_csr().unwrap()).await.unwrap_err();
    assert_eq!(refused.code, "AGENT_IDENTITY_COPIED");
    assert_eq!(place.admit(&place.certificate("one")).await.unwrap_err(), "AGENT_IDENTITY_COPIED");
    let snapshot = place.state().plane.snapshot();
    let fabric = &snapshot.realms.iter().find(|realm| realm.realm == lane.realm).unwrap().fabric;
    assert!(!fabric.agent(lane.agent).unwrap().is_active);
    let (realm, agent) = (lane.realm.clone(), lane.agent);
    let revoked = place.state().mailbox.work("test", move |control, _| control.revoke_agent(&realm, agent));
    assert_eq!(revoked.await.unwrap().unwrap().standing, Standing::Revoked);
    assert_eq!(place.admit(&copy).await.unwrap_err(), "AGENT_REVOKED");
    place.running.stop().await;
}

#[tokio::test]
async fn whoever_is_not_an_agent_of_this_server_is_not_let_in() {
    let place = Place::new().await;
    let identity = place.join(&place.token().await, "one").await.unwrap();
    let csr = CheckedRequest::read(&identity.renewal_csr().unwrap()).unwrap();
    let current = place.link().certifier.current();
    let certified = |name: &str| current.authorities.issuing().certify(&csr, &name.parse().unwrap()).unwrap();
    let agent = identity.said().agent;
    let gateway = current.authorities.issuing().gateway().unwrap().certificate;
    for (what, pem, code) in [
        (
            "of another account",
            certified(&format!("tidegate://000000000009/us-east-1/agent/{agent}?generation=1")),
            "NOT_FOUND",
        ),
        (
            "of another region",
            certified(&format!("tidegate://000000000000/us-east-2/agent/{agent}?generation=1")),
            "NOT_FOUND",
        ),
        (
            "unknown",
            certified("tidegate://000000000000/us-east-1/agent/agent-00000000000000009?generation=1"),
            "NOT_FOUND",
        ),
        ("the gateway's own", gateway, "NOT_AN_AGENT"),
        ("the authority's", current.authorities.issuing().certificate().to_owned(), "NOT_AN_AGENT"),
    ] {
        assert_eq!(place.admit(&pem).await.err(), Some(code), "{what}");
    }
    let permit = Arc::clone(&place.link().bounds.places).acquire_owned().await.unwrap();
    let bare = admit::admit(place.state(), place.link(), (None, LaneKind::Data), permit).await;
    assert_eq!(bare.unwrap_err().code, "NO_CERTIFICATE");
    place.running.stop().await;
}

#[tokio::test]
async fn the_authority_is_rotated_and_no_agent_is_shut_out_that_came() {
    let data_dir = tempfile::tempdir().unwrap();
    let named = Some(data_dir.path().to_str().unwrap().to_owned());
    let place = Place::with(UpArgs { data_dir: named, ..UpArgs::default() }).await;
    let path = place.directory.path().join("one");
    let mut identity = place.join(&place.token().await, "one").await.unwrap();
    let of_old = Identity::load(&path).unwrap();
    place.lane(&identity).await.unwrap();
    let (begun, behind) = (StatusCode::OK, StatusCode::CONFLICT);
    assert_eq!(place.rotate().await, (begun, Phase::NewTrusted));
    place.lane(&identity).await.unwrap();
    assert_eq!(place.rotate().await, (behind, Phase::NewTrusted), "it does not know the new one");
    place.renew(&mut identity, "one").await;
    assert_eq!(place.rotate().await, (behind, Phase::NewTrusted), "it may have lost what it was told");
    place.lane(&identity).await.unwrap();
    let before = Identity::load(&path).unwrap();
    let other = place.join(&place.token().await, "two").await.unwrap();
    assert_eq!(place.rotate().await, (begun, Phase::NewIssues));
    for one in [&identity, &other] {
        place.lane(one).await.unwrap();
    }
    assert!(place.lane(&of_old).await.is_err(), "it believes the old authority alone");
    place.join(&place.token().await, "three").await.unwrap();
    assert_eq!(place.rotate().await, (behind, Phase::NewIssues), "the old one made certificates of two");
    place.renew(&mut identity, "one").await;
    place.lane(&identity).await.unwrap();
    let (realm, shut_out) = (Place::realm(place.state()), other.said().agent);
    let revoked = place.state().mailbox.work("test", move |control, _| control.revoke_agent(&realm, shut_out));
    revoked.await.unwrap().unwrap();
    assert_eq!(place.rotate().await, (begun, Phase::Settled), "who is revoked is not waited for");
    place.lane(&identity).await.unwrap();
    assert!(place.lane(&before).await.is_err(), "a certificate of the old authority is none");
    place.running.stop().await;
}

#[tokio::test]
async fn an_authority_in_memory_is_not_rotated() {
    let place = Place::new().await;
    assert_eq!(place.rotate().await, (StatusCode::CONFLICT, Phase::Settled));
    place.running.stop().await;
}

#[tokio::test]
async fn lines_are_taken_once_and_for_logs_of_the_agents_vpc_alone() {
    let place = Place::new().await;
    let enrolled = place.join(&place.token().await, "a").await.unwrap();
    let (state, office) = (place.state(), &place.link().office);
    let realm = Place::realm(state);
    let name = gateway::AgentName { realm, agent: enrolled.said().agent, vpc: place.vpc, generation: 1 };
    let event = |text: &str| LineTold::Event {
        group: "/flows".parse().unwrap(),
        stream: "eni-00000000000000001-all".to_owned(),
        at_unix_ms: 1,
        text: text.to_owned(),
    };
    let told = |number, dropped_events| LinesTold {
        number,
        lines: vec![event("of no flow log of its VPC"), event("two\nlines")],
        dropped_files: 0,
        dropped_events,
        counts: Vec::new(),
    };
    let greet = |run| {
        let hello = Hello { versions: (1, 2), program: "0.1.0".to_owned(), run, revision: 0 };
        office.came(&name, &hello);
    };
    let dropped = || {
        let page = state.plane.metrics();
        ["no_destination", "failed", "queue_full"].map(|cause| {
            let series = format!("tidegate_access_log_lines_dropped_total{{cause=\"{cause}\"}} ");
            page.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<u64>().unwrap()
        })
    };
    office.log(&name, told(1, 3));
    assert_eq!(dropped(), [0; 3], "nobody came");
    greet(7);
    office.log(&name, told(1, 3));
    assert_eq!(dropped(), [1, 1, 3]);
    greet(7);
    office.log(&name, told(1, 3));
    assert_eq!(dropped(), [1, 1, 3], "it was taken before the session was cut");
    office.log(&name, told(2, 0));
    greet(8);
    office.log(&name, told(1, 0));
    assert_eq!(dropped(), [3, 3, 3], "another run counts anew");
}
