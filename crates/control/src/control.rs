//! The state machine: draft, compile, commit, in this order, and the answer last. A failure on the way drops the draft; a draft that
//! came too late is made again from what came before it.

use std::sync::Arc;

use thiserror::Error;
use topology::estate::{Estate, RealmEstate};
use topology::id::{AgentId, CertificateId, Realm};
use topology::net::Ipv4Net;
use topology::observed::{Anomaly, Fact, HealthSince, Observed, TargetKey};
use topology::resource::agent::{Agent, Knows};
use topology::resource::target_group::Target;
use topology::time::Moment;
use wire::{Fault, Output, ServiceId};

use crate::agent::{self, AgentError, Judged, NewToken, TokenSecret, TokenWish};
use crate::attach::{self, AttachError, AttachRequest, Attached, DetachRequest};
use crate::certified::Certified;
use crate::context::{ApiRefusal, Caller, Context};
use crate::lifecycle;
use crate::listening::{self, ListenRequest, Listening};
use crate::log_book::{LogBook, LogError};
use crate::mint::Mint;
use crate::names::Double;
use crate::notebook::{Notebook, StoreError};
use crate::objects::Objects;
use crate::orders::{self, Declined, Ordered};
use crate::presigned::{Dead, Signer};
use crate::realm;
use crate::settings::Settings;
use crate::state::{Commit, Committed, Edit, State, unavailable};
use crate::trial::Pending;
use crate::usage;

/// How often a change is made again because another writer was first. Above: the service is unavailable.
const RUNS_MAX: usize = 8;

/// Why control could not start or could not keep a change.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The events of log groups cannot be used.
    #[error(transparent)]
    Logs(#[from] LogError),
}

/// What comes of a call that was not refused.
#[derive(Debug)]
pub enum Outcome {
    /// This is the answer.
    Answer(Output),
    /// Traffic must carry something out first, and the answer is shaped from what comes of it.
    Trial(Box<Pending>),
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// What the caller gets.
    pub result: Result<Outcome, Fault>,
    /// For a refused call, why, if the contract has a word for it.
    pub refusal: Option<ApiRefusal>,
}

/// The one owner of the estate.
#[derive(Debug)]
pub struct Control {
    state: State,
    observed: Observed,
    mint: Mint,
    settings: Settings,
    signer: Signer,
    logs: Arc<LogBook>,
}

/// What a change is made with, beside the draft.
#[derive(Debug)]
struct Sources<'a> {
    mint: &'a mut Mint,
    observed: &'a Observed,
    settings: &'a Settings,
    signer: &'a Signer,
    logs: &'a LogBook,
}

impl Control {
    /// Loads what the notebook holds and compiles it. Leases of attachments are forgotten. `mint` is all the randomness there is.
    ///
    /// # Errors
    /// When the notebook cannot be read.
    pub fn open(notebook: impl Notebook + 'static, settings: Settings, mint: Mint) -> Result<Self, ControlError> {
        let state = State::open(Box::new(notebook))?;
        let observed = Observed::default();
        let signer = Signer::new(mint.key_for("presigned"));
        let control = Self { state, observed, mint, settings, signer, logs: Arc::new(LogBook::in_memory()?) };
        control.follow_log_groups()?;
        Ok(control)
    }

    /// What was committed since this was last asked; at first, all that there is. It is to be published before the answer leaves that
    /// it was committed for.
    pub fn take_committed(&mut self) -> Option<Committed> {
        self.state.take_committed()
    }

    /// Keeps the events of log groups in this book from now on.
    ///
    /// # Errors
    /// When those of groups that are gone cannot be deleted.
    pub fn keep_logs(&mut self, logs: Arc<LogBook>) -> Result<(), ControlError> {
        self.logs = logs;
        self.follow_log_groups()
    }

    fn follow_log_groups(&self) -> Result<(), ControlError> {
        let realms = &self.estate().realms;
        self.logs.keep_realms(&realms.keys().collect::<Vec<_>>())?;
        for (realm, estate) in realms {
            self.logs.follow(realm, &estate.log_groups)?;
        }
        Ok(())
    }

    /// Carries out a call.
    pub fn call(&mut self, caller: &Caller, call: wire::Call, now: Moment) -> Reply {
        self.call_with(caller, (call, Objects::default()), now)
    }

    /// Carries out a call with what came with it: see [`crate::objects`].
    pub fn call_with(&mut self, caller: &Caller, (call, mut objects): (wire::Call, Objects), now: Moment) -> Reply {
        let (mut refusal, mut pending) = (None, None);
        let service = call.operation().service;
        let touches_realm = service != ServiceId::Sts;
        let outcome = self.change(&caller.realm, |draft, sources| {
            // What a run before this one left, which came too late.
            (refusal, pending) = (None, None);
            let Sources { mint, observed, settings, signer, logs } = sources;
            let parts = ((mint, observed, settings, signer), logs);
            let mut context = Context::new((caller, &mut objects), now, parts, draft, (&mut refusal, &mut pending));
            if touches_realm && !realm::is_furnished(context.estate()) {
                let (estate, mint) = context.edit_with_mint();
                realm::furnish(estate, mint, &caller.realm.region);
            }
            wire::dispatch(&mut context, call.clone())
        });
        match outcome {
            Ok(output) => {
                let outcome = match pending {
                    None => Outcome::Answer(output),
                    Some(pending) => Outcome::Trial(Box::new(Pending::new(output.operation, pending))),
                };
                Reply { result: Ok(outcome), refusal: None }
            }
            Err(fault) => Reply { result: Err(named_for(service, fault)), refusal },
        }
    }

    /// What traffic reported up to now.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Attaches a private address to a host address. An attachment of the same address and port is replaced.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(&mut self, realm: &Realm, wish: &AttachRequest) -> Result<Attached, AttachError> {
        self.change(realm, |draft, sources| attach::attach(Arc::make_mut(draft), sources.mint, realm, wish))
    }

    /// Undoes an attachment, and deletes its interface if attaching made it.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn detach(&mut self, realm: &Realm, wish: &DetachRequest) -> Result<Attached, AttachError> {
        self.change(realm, |draft, _| attach::detach(Arc::make_mut(draft), wish))
    }

    /// Opens a socket of the host to a listener. A socket that the listener had is replaced.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn listen(&mut self, realm: &Realm, wish: &ListenRequest) -> Result<Listening, AttachError> {
        self.change(realm, |draft, sources| listening::listen(Arc::make_mut(draft), sources.mint, realm, wish))
    }

    /// Closes the socket of a listener, and deletes its interface.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn unlisten(&mut self, realm: &Realm, listener: &str) -> Result<Listening, AttachError> {
        self.change(realm, |draft, _| listening::unlisten(Arc::make_mut(draft), realm, listener))
    }

    /// Makes a token that one agent can be enrolled with, once. One that is open for the same VPC and zones is closed.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn agent_token(&mut self, realm: &Realm, wish: &TokenWish, now: Moment) -> Result<NewToken, AgentError> {
        self.change(realm, |draft, sources| agent::token(Arc::make_mut(draft), sources.mint, realm, (wish, now)))
    }

    /// Enrols an agent and uses its token up, in one. `native` are the blocks of the VPC that are real addresses in its network, `knows` the
    /// authorities that its certificate is going to tell of.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn enrol_agent(
        &mut self,
        realm: &Realm,
        who: (&TokenSecret, &[Ipv4Net], &Knows),
        now: Moment,
    ) -> Result<Agent, AgentError> {
        self.change(realm, |draft, sources| agent::enrol(Arc::make_mut(draft), sources.mint, who, now))
    }

    /// The realm whose token has this secret, whatever became of it.
    #[must_use]
    pub fn realm_of_token(&self, secret: &TokenSecret) -> Option<&Realm> {
        let hash = secret.hash();
        self.estate().realms.iter().find(|(_, held)| held.agent_tokens.contains(&hash)).map(|(realm, _)| realm)
    }

    /// Lets in an agent that comes with a certificate of this generation, or shuts it out where that is a copy's.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn admit_agent(&mut self, realm: &Realm, who: (AgentId, u64), now: Moment) -> Result<Agent, AgentError> {
        self.judge_agent(realm, |estate| agent::admit(estate, who, now))
    }

    /// Gives an agent that has this generation the next one, or shuts it out where this is a copy's.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn renew_agent(
        &mut self,
        realm: &Realm,
        (who, knows): ((AgentId, u64), &Knows),
        now: Moment,
    ) -> Result<u64, AgentError> {
        self.judge_agent(realm, |estate| agent::renew(estate, who, knows, now))
    }

    /// Shuts an agent out until a person decides.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn quarantine_agent(&mut self, realm: &Realm, id: AgentId) -> Result<(), AgentError> {
        self.change(realm, |draft, _| agent::quarantine(Arc::make_mut(draft), id))
    }

    /// Shuts an agent out for good.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn revoke_agent(&mut self, realm: &Realm, id: AgentId) -> Result<Agent, AgentError> {
        self.change(realm, |draft, _| agent::revoke(Arc::make_mut(draft), id))
    }

    /// Forgets a revoked agent. A VPC without any is carried by the server itself again.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub fn forget_agent(&mut self, realm: &Realm, id: AgentId) -> Result<Agent, AgentError> {
        self.change(realm, |draft, _| agent::forget(Arc::make_mut(draft), id))
    }

    /// What a judgement changed is kept, whether it lets in or not.
    fn judge_agent<T>(
        &mut self,
        realm: &Realm,
        judge: impl Fn(&mut RealmEstate) -> Result<Judged<T>, AgentError>,
    ) -> Result<T, AgentError> {
        self.change(realm, |draft, _| judge(Arc::make_mut(draft)))?
    }

    /// The certificates that an authority is asked for by ACME, but those that are issued and not used.
    #[must_use]
    pub fn orders(&self) -> Vec<Ordered> {
        orders::all(self.estate())
    }

    /// Keeps a certificate that the authority issued. One that was deleted meanwhile stays so.
    ///
    /// # Errors
    /// When it is not what was asked for, or the store cannot keep it.
    pub fn fulfil(&mut self, (realm, id): (&Realm, CertificateId), made: &Certified, now: Moment) -> Result<(), Fault> {
        self.change(realm, |draft, _| orders::fulfil(draft, (id, made), now))
    }

    /// Notes that the authority gave no certificate.
    ///
    /// # Errors
    /// When the store cannot keep that.
    pub fn decline(&mut self, (realm, id): (&Realm, CertificateId), why: Declined, now: Moment) -> Result<(), Fault> {
        self.change(realm, |draft, _| {
            orders::decline(draft, (id, why), now);
            Ok(())
        })
    }

    /// Takes in a fact that traffic reported. Most facts change nothing durable.
    ///
    /// # Errors
    /// When the store cannot keep the change.
    pub fn observe(&mut self, fact: Fact, now: Moment) -> Result<(), Fault> {
        match fact {
            Fact::TargetHealth { realm, target, health } => {
                // A fact may arrive after its target has gone.
                if self.estate().realms.get(&realm).is_some_and(|estate| is_registered(estate, &target)) {
                    let before = self.observed.health.get(&target).copied();
                    self.observed.health.insert(target, HealthSince::after(before, health, now));
                }
                Ok(())
            }
            Fact::TargetAnomaly { realm, target, anomaly } => {
                let is_known = self.estate().realms.get(&realm).is_some_and(|estate| is_registered(estate, &target));
                match is_known && anomaly != Anomaly::default() {
                    true => drop(self.observed.anomalies.insert(target, anomaly)),
                    false => drop(self.observed.anomalies.remove(&target)),
                }
                Ok(())
            }
            Fact::LinkUsed { realm, link } => {
                let ready = self.settings.delays.ready_at(now, lifecycle::link::PROVISIONING_S);
                self.change(&realm, |draft, sources| {
                    lifecycle::link_used(draft, sources.mint, (link, now, ready));
                    Ok(())
                })
            }
            Fact::Usage { realm, key, day, used } => self.until_done(|control| {
                let Some(before) = control.estate().realms.get(&realm).cloned() else { return Ok(((), Commit::Done)) };
                let mut draft = Arc::clone(&before);
                usage::count(&mut draft, &key, (day, used));
                Ok(((), control.state.commit_counts(Edit { realm: &realm, before: &before, draft: &draft })?))
            }),
        }
    }

    /// Moves every life cycle to `now`.
    ///
    /// # Errors
    /// When the store cannot keep the change.
    pub fn tick(&mut self, now: Moment) -> Result<(), Fault> {
        // Expired events that cannot be deleted now are out of sight all the same, and no life cycle waits for them.
        let _ = self.logs.expire(now);
        let realms: Vec<Realm> = self.estate().realms.keys().cloned().collect();
        realms.iter().try_for_each(|realm| {
            self.change(realm, |draft, _| {
                lifecycle::advance(draft, now);
                Ok(())
            })
        })
    }

    /// When the next life cycle changes, if any does by itself.
    #[must_use]
    pub fn next_change(&self) -> Option<Moment> {
        self.estate().realms.values().filter_map(|realm| lifecycle::next_change(realm)).min()
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the store cannot be emptied.
    pub fn reset(&mut self) -> Result<(), ControlError> {
        self.state.clear()?;
        self.observed = Observed::default();
        Ok(self.logs.keep_realms(&[])?)
    }

    /// What an address leads to that an operation gave: the path and the query behind [`crate::presigned::PREFIX`].
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn fetch(&self, address: &str, now: Moment) -> Result<Arc<str>, Dead> {
        self.signer.fetch(address, self.estate(), now)
    }

    /// Everything there is, for reports.
    #[must_use]
    pub const fn estate(&self) -> &Estate {
        self.state.estate()
    }

    /// Names that several realms of the opened store hold, for whoever starts the server to say so.
    #[must_use]
    pub fn doubles(&self) -> &[Double] {
        self.state.doubles()
    }

    /// Edits one realm. Nothing is kept when `edit` or the notebook fails. `edit` is run again where another writer was first, on what
    /// that one left.
    fn change<T, E: From<Fault>>(
        &mut self,
        realm: &Realm,
        mut edit: impl FnMut(&mut Arc<RealmEstate>, Sources<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.until_done(|control| {
            let before = control.state.realm(realm);
            let mut draft = Arc::clone(&before);
            let Self { state, observed, mint, settings, signer, logs } = control;
            let value = edit(&mut draft, Sources { mint, observed, settings, signer, logs })?;
            if Arc::ptr_eq(&before, &draft) {
                return Ok((value, Commit::Done));
            }
            let commit = state.commit(Edit { realm, before: &before, draft: &draft })?;
            if commit == Commit::Done {
                forget_health(observed, &before, &draft);
                if !before.log_groups.changes(&draft.log_groups).is_empty() {
                    // The change is committed. Events that could not be deleted are out of reach, and the next start deletes them.
                    let _ = logs.follow(realm, &draft.log_groups);
                }
            }
            Ok((value, commit))
        })
    }

    /// Makes a change until nobody was faster.
    fn until_done<T, E: From<Fault>>(
        &mut self,
        mut run: impl FnMut(&mut Self) -> Result<(T, Commit), E>,
    ) -> Result<T, E> {
        for _ in 0..RUNS_MAX {
            let (value, commit) = run(self)?;
            if commit == Commit::Done {
                return Ok(value);
            }
            // What others wrote may have taken log groups away; those that cannot be deleted now are deleted at the next start.
            let _ = self.follow_log_groups();
            let estate = self.state.estate();
            let is_known = |target: &TargetKey| estate.realms.values().any(|held| is_registered(held, target));
            self.observed.health.retain(|target, _| is_known(target));
            self.observed.anomalies.retain(|target, _| is_known(target));
        }
        Err(unavailable(format!("other writers were first, {RUNS_MAX} times")).into())
    }
}

/// The same by the name that the called service has for it (common errors of each API's reference, 2026-11).
fn named_for(service: ServiceId, fault: Fault) -> Fault {
    let code = match service {
        ServiceId::Ec2 => "Unavailable",
        ServiceId::ApiGateway | ServiceId::ApiGatewayV2 | ServiceId::Logs => "ServiceUnavailableException",
        ServiceId::Sts | ServiceId::Elbv2 | ServiceId::Acm => "ServiceUnavailable",
    };
    Fault { code: if fault.status == 503 { code.into() } else { fault.code }, ..fault }
}

/// Whether a target gets traffic as far as its registration goes.
fn is_registered(estate: &RealmEstate, target: &TargetKey) -> bool {
    estate.target_groups.get(&target.group).is_some_and(|group| {
        let is_it = |found: &Target| {
            (found.address, found.port) == (target.address, target.port) && found.draining_until.is_none()
        };
        let of_balancer = || estate.address_of_balancer(group.alb()?).map(|address| (address.into(), group.port));
        group.targets().iter().any(is_it) || of_balancer() == Some((target.address, target.port))
    })
}

/// Forgets what was observed of targets that a change took away, so that one registered again begins anew.
fn forget_health(observed: &mut Observed, before: &RealmEstate, after: &RealmEstate) {
    for (group, _) in before.target_groups.changes(&after.target_groups) {
        let is_known = |target: &TargetKey| target.group != *group || is_registered(after, target);
        observed.health.retain(|target, _| is_known(target));
        observed.anomalies.retain(|target, _| is_known(target));
    }
}
