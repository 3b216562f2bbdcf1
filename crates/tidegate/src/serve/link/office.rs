//! What the gateway tells agents and makes of what they say: the state of their VPC as rows, the health of targets as all of its agents see
//! it together, and the calls of programs beside them. An agent is believed about its own VPC only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::changes::{Changes, Row};
use control::{AttachAt, AttachError};
use http::StatusCode;
use plane::link::carrier::gateway::{AgentName, Later, Office};
use plane::link::message::{FactTold, Hello, LinesTold, Refusal, SliceRow};
use plane::{CookieKey, Plane};
use serde_json::json;
use tokio::sync::watch;
use topology::estate::{Estate, RealmEstate};
use topology::id::{AgentId, Realm, VpcId};
use topology::observed::{Anomaly, Fact, Health, TargetKey};
use topology::slice::slice;

use super::Refused;
use super::admit::renew;
use super::certifier::Certifier;
use crate::hour::{iso, wall_clock};
use crate::mailbox::{Mailbox, Stopped};
use crate::serve::attaching::attach_refusal;
use crate::serve::status::attachments;
use crate::wishes::{AttachWish, AttachedAnswer, DetachWish};

/// What was committed last, for agents.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    estate: Mutex<Arc<(u64, Estate)>>,
    revision: watch::Sender<u64>,
}

impl Newest {
    /// Takes what was committed, once traffic goes by it.
    pub(crate) fn take(&self, revision: u64, estate: Estate) {
        *self.estate.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new((revision, estate));
        self.revision.send_replace(revision);
    }

    fn get(&self) -> Arc<(u64, Estate)> {
        Arc::clone(&self.estate.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What is known of an agent's program while it is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// Its version.
    pub(crate) version: String,
    /// Since when it is connected, as RFC 3339 has it.
    pub(crate) since: String,
}

/// What targets are by what each agent sees.
type Seen = HashMap<(Realm, TargetKey), BTreeMap<AgentId, Health>>;

/// What the office is told with.
pub(crate) struct Told {
    /// What was committed last.
    pub(crate) newest: Arc<Newest>,
    /// The way to control.
    pub(crate) mailbox: Mailbox,
    /// The data plane.
    pub(crate) plane: Plane,
    /// What cookies of load balancers are sealed with.
    pub(crate) cookie_key: CookieKey,
    /// How long a connection that is dropped stays silent (`timeouts.blocked_connect`), where that is set.
    pub(crate) blocked_connect: Option<Duration>,
}

/// The office of the link.
pub(crate) struct LinkOffice {
    certifier: Arc<Certifier>,
    with: Told,
    seen: Mutex<Seen>,
    programs: Mutex<HashMap<AgentId, Program>>,
    logged: Mutex<HashMap<AgentId, Logged>>,
}

/// The newest lines that were taken of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Logged {
    run: u64,
    number: u64,
}

impl LinkOffice {
    /// That of a server.
    pub(super) fn new(certifier: Arc<Certifier>, with: Told) -> Self {
        let (seen, programs, logged) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { certifier, with, seen, programs, logged }
    }

    /// How long a connection that is dropped stays silent, in milliseconds, where the server does not do as AWS does.
    pub(super) fn blocked_connect_ms(&self) -> Option<u64> {
        self.with.blocked_connect.map(|silent| u64::try_from(silent.as_millis()).unwrap_or(u64::MAX))
    }

    /// What is known of the program of an agent that is connected.
    pub(crate) fn program(&self, agent: AgentId) -> Option<Program> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).get(&agent).cloned()
    }

    /// Reports what a target is by what all agents see: healthy as soon as one of them reaches it.
    fn report(&self, realm: &Realm, target: TargetKey, seen: &BTreeMap<AgentId, Health>) {
        let best = seen.values().max_by_key(|health| match health {
            Health::Healthy => 2,
            Health::Unhealthy(_) => 1,
            Health::Initial => 0,
        });
        if let Some(health) = best {
            self.with.plane.take_health(realm, target, *health);
            self.with.mailbox.observe(Fact::TargetHealth { realm: realm.clone(), target, health: *health });
        }
    }

    /// Whether a target is one of the VPC that an agent carries.
    fn is_of(&self, name: &AgentName, target: TargetKey) -> bool {
        let snapshot = self.with.plane.snapshot();
        let Some(realm) = snapshot.realm(&name.realm) else { return false };
        let group = realm.balancers.group_by_id(target.group).and_then(|at| realm.balancers.group(at));
        let is_target =
            |known: &topology::snapshot::balancer::Target| (known.address, known.port) == (target.address, target.port);
        group.is_some_and(|group| group.vpc == name.vpc && group.targets.iter().any(is_target))
    }
}

impl Office for LinkOffice {
    type Told = Arc<RealmEstate>;

    fn revisions(&self) -> watch::Receiver<u64> {
        self.with.newest.revision.subscribe()
    }

    fn news(&self, name: &AgentName, told: &mut Arc<RealmEstate>) -> (u64, Vec<SliceRow>) {
        let newest = self.with.newest.get();
        let (revision, estate) = &*newest;
        let now = estate.realms.get(&name.realm).map(|held| slice(held, name.agent)).unwrap_or_default();
        let rows = match Changes::between(&name.realm, told, &now) {
            Ok(changes) => changes.rows,
            Err(error) => {
                tracing::error!(%error, "the state of a VPC cannot be told to its agent");
                Vec::new()
            }
        };
        *told = Arc::new(now);
        let told = |Row { table, key, value }| SliceRow { table: table.as_str().to_owned(), key, value };
        (*revision, rows.into_iter().map(told).collect())
    }

    fn shut_out(&self, name: &AgentName) -> Option<&'static str> {
        let snapshot = self.with.plane.snapshot();
        let agent = snapshot.realm(&name.realm).and_then(|realm| realm.fabric.agent(name.agent));
        match agent {
            None => Some("it is no agent of this server any more"),
            Some(agent) if !agent.is_active => Some("it was revoked, or somebody has a copy of its key"),
            Some(_) => None,
        }
    }

    fn cookie_key(&self, vpc: VpcId) -> String {
        STANDARD.encode(self.with.cookie_key.of(&vpc.to_string()))
    }

    fn came(&self, name: &AgentName, hello: &Hello) {
        tracing::info!(agent = %name.agent, vpc = %name.vpc, version = hello.program, "an agent is connected");
        let program = Program { version: hello.program.clone(), since: iso(topology::time::Moment(wall_clock().0)) };
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).insert(name.agent, program);
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let known = logged.entry(name.agent).or_insert(Logged { run: hello.run, number: 0 });
        if known.run != hello.run {
            *known = Logged { run: hello.run, number: 0 };
        }
    }

    fn gone(&self, name: &AgentName) {
        tracing::info!(agent = %name.agent, vpc = %name.vpc, "an agent is not connected any more");
        self.programs.lock().unwrap_or_else(PoisonError::into_inner).remove(&name.agent);
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for ((realm, target), seen) in all.iter_mut() {
            if seen.remove(&name.agent).is_some() {
                self.report(realm, *target, seen);
            }
        }
        all.retain(|_, seen| !seen.is_empty());
    }

    fn saw(&self, name: &AgentName, facts: Vec<FactTold>) {
        for fact in facts {
            match fact {
                FactTold::Health { target, health } if self.is_of(name, target.into()) => {
                    let target = TargetKey::from(target);
                    let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let seen = all.entry((name.realm.clone(), target)).or_default();
                    seen.insert(name.agent, health.into());
                    self.report(&name.realm, target, seen);
                }
                FactTold::Anomaly { target, is_anomalous, is_mitigated } if self.is_of(name, target.into()) => {
                    let (realm, target) = (name.realm.clone(), target.into());
                    let anomaly = Anomaly { is_anomalous, is_mitigated };
                    self.with.mailbox.observe(Fact::TargetAnomaly { realm, target, anomaly });
                }
                FactTold::Health { .. } | FactTold::Anomaly { .. } => {
                    tracing::debug!(agent = %name.agent, "an agent tells of a target that is none of its VPC's");
                }
            }
        }
    }

    fn log(&self, name: &AgentName, lines: LinesTold) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = logged.get_mut(&name.agent).filter(|known| known.number < lines.number) else { return };
        known.number = lines.number;
        drop(logged);
        self.with.plane.take_lines((&name.realm, name.vpc), lines);
    }

    fn call(&self, name: &AgentName, path: String, body: String) -> Later<(u16, String)> {
        let (name, mailbox) = (name.clone(), self.with.mailbox.clone());
        Box::pin(async move {
            match path.as_str() {
                "attach" => attach(&mailbox, &name, &body).await,
                "detach" => detach(&mailbox, &name, &body).await,
                _ => listed(&mailbox, &name).await,
            }
        })
    }

    fn renew(&self, name: &AgentName, csr: String) -> Later<Result<(String, u64), Refusal>> {
        let (name, mailbox, certifier) = (name.clone(), self.with.mailbox.clone(), Arc::clone(&self.certifier));
        Box::pin(async move {
            let refusal =
                |Refused { code, message }: Refused| Refusal { code: code.to_owned(), message, retry_after_ms: None };
            let malformed = || Refused { code: "MALFORMED", message: "the signing request is no Base64".to_owned() };
            let csr = STANDARD.decode(csr).map_err(|_| refusal(malformed()))?;
            let has = (name.realm, name.agent, name.generation);
            let renewed = renew((&certifier, &mailbox), has, &csr).await.map_err(refusal)?;
            Ok((renewed.chain, renewed.generation))
        })
    }

    fn copied(&self, name: &AgentName) {
        tracing::warn!(
            agent = %name.agent,
            code = "AGENT_IDENTITY_COPIED",
            "two programs are this agent at once: it is shut out until somebody decides (`tidegate agent revoke`)"
        );
        let (mailbox, name) = (self.with.mailbox.clone(), name.clone());
        tokio::spawn(async move {
            let asked = mailbox
                .work("quarantine an agent", move |control, _| control.quarantine_agent(&name.realm, name.agent));
            if let Ok(Err(error)) = asked.await {
                tracing::warn!(%error, "an agent could not be shut out");
            }
        });
    }
}

fn refused(status: StatusCode, code: &str, message: &str) -> (u16, String) {
    (status.as_u16(), json!({ "code": code, "message": message }).to_string())
}

fn stopped(stopped: Stopped) -> (u16, String) {
    refused(StatusCode::INTERNAL_SERVER_ERROR, "STOPPED", &stopped.to_string())
}

fn malformed(error: &serde_json::Error) -> (u16, String) {
    refused(StatusCode::BAD_REQUEST, "MALFORMED", &error.to_string())
}

fn outcome(outcome: Result<Result<control::Attached, AttachError>, Stopped>) -> (u16, String) {
    match outcome {
        Ok(Ok(attached)) => (StatusCode::OK.as_u16(), json!(AttachedAnswer::from(&attached)).to_string()),
        Ok(Err(error)) => {
            let (status, body) = attach_refusal(&error);
            (status.as_u16(), body.to_string())
        }
        Err(ended) => stopped(ended),
    }
}

/// Attaches an address of the agent's VPC, served on the agent's machine.
async fn attach(mailbox: &Mailbox, name: &AgentName, body: &str) -> (u16, String) {
    let wish: AttachWish = match serde_json::from_str(body) {
        Ok(wish) => wish,
        Err(error) => return malformed(&error),
    };
    let mut request = wish.request();
    request.agent = Some(name.agent);
    if let AttachAt::Address(_, vpc) = &mut request.place {
        if vpc.is_some_and(|vpc| vpc != name.vpc) {
            let text = format!("this agent carries {} and no other VPC", name.vpc);
            return refused(StatusCode::FORBIDDEN, "OTHER_VPC", &text);
        }
        *vpc = Some(name.vpc);
    }
    outcome(mailbox.attach(name.realm.clone(), request).await)
}

async fn detach(mailbox: &Mailbox, name: &AgentName, body: &str) -> (u16, String) {
    let wish: DetachWish = match serde_json::from_str(body) {
        Ok(wish) => wish,
        Err(error) => return malformed(&error),
    };
    let mut request = wish.request();
    (request.agent, request.vpc) = (Some(name.agent), Some(name.vpc));
    outcome(mailbox.detach(name.realm.clone(), request).await)
}

/// What the agent has attached, as `tidegate status` tells it.
async fn listed(mailbox: &Mailbox, name: &AgentName) -> (u16, String) {
    let census = match mailbox.census().await {
        Ok(census) => census,
        Err(ended) => return stopped(ended),
    };
    let held = census.realms.iter().find(|(realm, _)| *realm == name.realm).map(|(_, held)| held);
    let told = held.map(|held| attachments(held, |attachment| attachment.agent == Some(name.agent)));
    let realm = json!({
        "account_id": name.realm.account,
        "region": name.realm.region,
        "attachments": told.unwrap_or_default(),
    });
    (StatusCode::OK.as_u16(), json!({ "realms": [realm] }).to_string())
}
