//! The state machine: draft, compile, commit, swap, answer, in this order. A failure on the way drops the draft.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;
use topology::compile::{Before, compile, recompile};
use topology::estate::{Estate, RealmEstate};
use topology::id::Realm;
use topology::observed::{Fact, Observed, TargetKey};
use topology::resource::target_group::Target;
use topology::snapshot::{RealmSnapshot, Snapshot};
use topology::time::Moment;
use wire::{Fault, Output, ServiceId};

use crate::attach::{self, AttachError, AttachRequest, Attached, DetachRequest};
use crate::context::{ApiRefusal, Caller, Context};
use crate::lifecycle;
use crate::log_book::{LogBook, LogError};
use crate::mint::Mint;
use crate::names::{self, Double};
use crate::objects::Objects;
use crate::realm;
use crate::settings::Settings;
use crate::store::{Store, StoreError};
use crate::trial::Pending;
use crate::usage;

/// Realms at a time. Ours: any account number and region name that a caller signs with makes one, so their number must end
/// somewhere. Above: the call that would make another is refused.
const REALMS_MAX: usize = 1_024;
/// Resources of a realm up to which a build with assertions compiles each change twice, to see that nothing was taken over that
/// should not have been.
const RECHECKED_MAX: usize = 400;

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
    /// The new snapshot, if the call changed anything. It is to be published before the answer leaves.
    pub snapshot: Option<Arc<Snapshot>>,
}

/// The one owner of the estate.
#[derive(Debug)]
pub struct Control {
    estate: Estate,
    compiled: BTreeMap<Realm, Arc<RealmSnapshot>>,
    doubles: Vec<Double>,
    observed: Observed,
    mint: Mint,
    settings: Settings,
    store: Store,
    logs: Arc<LogBook>,
}

impl Control {
    /// Loads what the store holds and compiles it. Leases of attachments are forgotten. `mint` is all the randomness there is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store, settings: Settings, mint: Mint) -> Result<(Self, Arc<Snapshot>), ControlError> {
        let estate = store.load()?;
        let mut control = Self {
            estate,
            compiled: BTreeMap::new(),
            doubles: Vec::new(),
            observed: Observed::default(),
            mint,
            settings,
            store,
            logs: Arc::new(LogBook::in_memory()?),
        };
        control.follow_log_groups()?;
        control.drop_leases()?;
        control.doubles = names::doubles(&control.estate);
        for (realm, estate) in &control.estate.realms {
            let visible = names::visible(&control.doubles, realm, estate);
            control.compiled.insert(realm.clone(), compile_realm(realm, &visible));
        }
        let snapshot = control.join();
        Ok((control, snapshot))
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
        self.logs.keep_realms(&self.estate.realms.keys().collect::<Vec<_>>())?;
        for (realm, estate) in &self.estate.realms {
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
        let realm = caller.realm.clone();
        let logs = Arc::clone(&self.logs);
        let outcome = self.change(&realm, |draft, (mint, observed, settings)| {
            let parts = ((mint, observed, settings), &*logs);
            let mut context = Context::new((caller, &mut objects), now, parts, draft, (&mut refusal, &mut pending));
            if touches_realm && !realm::is_furnished(context.estate()) {
                let (estate, mint) = context.edit_with_mint();
                realm::furnish(estate, mint, &caller.realm.region);
            }
            wire::dispatch(&mut context, call)
        });
        match outcome {
            Ok((output, snapshot)) => {
                let outcome = match pending {
                    None => Outcome::Answer(output),
                    Some(pending) => Outcome::Trial(Box::new(Pending::new(output.operation, pending))),
                };
                Reply { result: Ok(outcome), refusal: None, snapshot }
            }
            Err(fault) => Reply { result: Err(named_for(service, fault)), refusal, snapshot: None },
        }
    }

    /// Attaches a private address to a host address. An attachment of the same address and port is replaced.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(&mut self, realm: &Realm, wish: &AttachRequest) -> Result<(Attached, Arc<Snapshot>), AttachError> {
        let attach = |draft: &mut Arc<RealmEstate>, (mint, _, _): (&mut Mint, &Observed, &Settings)| {
            attach::attach(Arc::make_mut(draft), mint, realm, wish)
        };
        let (attached, snapshot) = self.change(realm, attach)?;
        snapshot.map(|snapshot| (attached, snapshot)).ok_or(AttachError::NotAttached)
    }

    /// Undoes an attachment, and deletes its interface if attaching made it.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn detach(&mut self, realm: &Realm, wish: &DetachRequest) -> Result<(Attached, Arc<Snapshot>), AttachError> {
        let (attached, snapshot) = self.change(realm, |draft, _| attach::detach(Arc::make_mut(draft), wish))?;
        snapshot.map(|snapshot| (attached, snapshot)).ok_or(AttachError::NotAttached)
    }

    /// Takes in a fact that traffic reported. Most facts change nothing durable.
    ///
    /// # Errors
    /// When the store cannot keep the change.
    pub fn observe(&mut self, fact: Fact, now: Moment) -> Result<Option<Arc<Snapshot>>, Fault> {
        match fact {
            Fact::TargetHealth { realm, target, health } => {
                // A fact may arrive after its target has gone.
                if self.estate.realms.get(&realm).is_some_and(|estate| is_registered(estate, &target)) {
                    self.observed.health.insert(target, health);
                }
                Ok(None)
            }
            Fact::LinkUsed { realm, link } => {
                let ready = self.settings.delays.ready_at(now, lifecycle::link::PROVISIONING_S);
                let used = |draft: &mut Arc<RealmEstate>, (mint, _, _): (&mut Mint, &Observed, &Settings)| {
                    lifecycle::link_used(draft, mint, (link, now, ready));
                    Ok::<_, Fault>(())
                };
                self.change(&realm, used).map(|((), snapshot)| snapshot)
            }
            Fact::Usage { realm, key, day, used } => {
                let Some(before) = self.estate.realms.get(&realm).cloned() else { return Ok(None) };
                let mut draft = Arc::clone(&before);
                usage::count(&mut draft, &key, (day, used));
                if !Arc::ptr_eq(&before, &draft) {
                    self.store.commit(&realm, &before, &draft).map_err(|error| unkept(&error))?;
                    self.estate.realms.insert(realm, draft);
                }
                Ok(None)
            }
        }
    }

    /// Moves every life cycle to `now`.
    ///
    /// # Errors
    /// When the store cannot keep the change.
    pub fn tick(&mut self, now: Moment) -> Result<Option<Arc<Snapshot>>, Fault> {
        // Expired events that cannot be deleted now are out of sight all the same, and no life cycle waits for them.
        let _ = self.logs.expire(now);
        let realms: Vec<Realm> = self.estate.realms.keys().cloned().collect();
        let mut newest = None;
        for realm in realms {
            let advance = |draft: &mut Arc<RealmEstate>, _: (&mut Mint, &Observed, &Settings)| {
                lifecycle::advance(draft, now);
                Ok::<_, Fault>(())
            };
            let ((), snapshot) = self.change(&realm, advance)?;
            newest = snapshot.or(newest);
        }
        Ok(newest)
    }

    /// When the next life cycle changes, if any does by itself.
    #[must_use]
    pub fn next_change(&self) -> Option<Moment> {
        self.estate.realms.values().filter_map(|realm| lifecycle::next_change(realm)).min()
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the store cannot be emptied.
    pub fn reset(&mut self) -> Result<Arc<Snapshot>, ControlError> {
        self.store.clear()?;
        self.logs.keep_realms(&[])?;
        self.estate = Estate::default();
        self.compiled.clear();
        self.doubles.clear();
        self.observed = Observed::default();
        Ok(self.join())
    }

    /// Everything there is, for reports.
    #[must_use]
    pub const fn estate(&self) -> &Estate {
        &self.estate
    }

    /// Names that several realms of the opened store hold, for whoever starts the server to say so.
    #[must_use]
    pub fn doubles(&self) -> &[Double] {
        &self.doubles
    }

    /// Edits one realm: draft, compile, commit, swap. Nothing is kept when `edit` or the store fails.
    fn change<T, E: From<Fault>>(
        &mut self,
        realm: &Realm,
        edit: impl FnOnce(&mut Arc<RealmEstate>, (&mut Mint, &Observed, &Settings)) -> Result<T, E>,
    ) -> Result<(T, Option<Arc<Snapshot>>), E> {
        let before = self.estate.realms.get(realm).cloned().unwrap_or_default();
        let mut draft = Arc::clone(&before);
        let value = edit(&mut draft, (&mut self.mint, &self.observed, &self.settings))?;
        if Arc::ptr_eq(&before, &draft) {
            return Ok((value, None));
        }
        if !self.estate.realms.contains_key(realm) && self.estate.realms.len() >= REALMS_MAX {
            let text = format!("This server holds {REALMS_MAX} accounts and regions, and takes no more");
            return Err(Fault::new("RequestLimitExceeded", 400, text).into());
        }
        names::refuse_taken(&self.estate, realm, &before, &draft)?;
        let compiled = self.recompiled(realm, (&before, &draft));
        self.store.commit(realm, &before, &draft).map_err(|error| unkept(&error))?;
        forget_health(&mut self.observed, &before, &draft);
        if !before.log_groups.changes(&draft.log_groups).is_empty() {
            // The change is committed. Events that could not be deleted are out of reach, and the next start deletes them.
            let _ = self.logs.follow(realm, &draft.log_groups);
        }
        self.estate.realms.insert(realm.clone(), draft);
        self.compiled.insert(realm.clone(), compiled);
        self.settle_doubles();
        Ok((value, Some(self.join())))
    }

    /// What a change compiles to: what it has no bearing on is taken over.
    fn recompiled(&self, realm: &Realm, (before, draft): (&Arc<RealmEstate>, &Arc<RealmEstate>)) -> Arc<RealmSnapshot> {
        let visible = names::visible(&self.doubles, realm, draft);
        let Some(compiled) = self.compiled.get(realm) else { return compile_realm(realm, &visible) };
        let before = names::visible(&self.doubles, realm, before);
        let recompiled = recompile(realm, &visible, Before { estate: &before, compiled });
        // What was taken over and should not have been would be served until the next start.
        debug_assert!(visible.len() > RECHECKED_MAX || recompiled == compile(realm, &visible).0);
        Arc::new(recompiled)
    }

    /// Compiles again what the end of a double shows or hides.
    fn settle_doubles(&mut self) {
        if self.doubles.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut self.doubles, names::doubles(&self.estate));
        let named = before.iter().chain(&self.doubles).flat_map(|double| &double.hidden).cloned();
        for realm in named.collect::<BTreeSet<Realm>>() {
            if let Some(estate) = self.estate.realms.get(&realm) {
                let compiled = compile_realm(&realm, &names::visible(&self.doubles, &realm, estate));
                self.compiled.insert(realm, compiled);
            }
        }
    }

    fn join(&self) -> Arc<Snapshot> {
        Arc::new(Snapshot::new(self.store.revision(), self.compiled.values().cloned().collect()))
    }

    fn drop_leases(&mut self) -> Result<(), ControlError> {
        for (realm, before) in &mut self.estate.realms {
            let mut draft = Arc::clone(before);
            attach::drop_leases(&mut draft);
            self.store.commit(realm, before, &draft)?;
            *before = draft;
        }
        Ok(())
    }
}

/// What the caller sees of a write that could not be kept: the service is unavailable for now. The log learns of which file.
fn unkept(error: &StoreError) -> Fault {
    let text = "The service is temporarily unavailable. Please try again.";
    Fault::new("ServiceUnavailable", 503, text).with_detail(error.to_string())
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
    let of = |known: &Target| (known.address, known.port) == (target.address, target.port);
    let group = estate.target_groups.get(&target.group);
    group.is_some_and(|group| group.targets().iter().any(|known| of(known) && known.draining_until.is_none()))
}

/// Forgets what was observed of targets that a change took away, so that one registered again begins anew.
fn forget_health(observed: &mut Observed, before: &RealmEstate, after: &RealmEstate) {
    for (group, _) in before.target_groups.changes(&after.target_groups) {
        observed.health.retain(|target, _| target.group != *group || is_registered(after, target));
    }
}

fn compile_realm(realm: &Realm, estate: &RealmEstate) -> Arc<RealmSnapshot> {
    let (snapshot, _problems) = compile(realm, estate);
    Arc::new(snapshot)
}
