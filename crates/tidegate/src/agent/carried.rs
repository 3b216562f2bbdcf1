//! What an agent carries: the state of its VPC, as its gateways tell it, in effect and on disk. It goes on by the newest that it has, whatever
//! becomes of a gateway, and takes nothing older and nothing of another VPC.
//!
//! Enforced: the mode of the file, and that nobody without the agent's key has changed it. Trusted: the gateway, about this VPC.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use control::changes::Row;
use hmac::{Hmac, Mac as _};
use plane::Plane;
use plane::link::carrier::agent::FactBook;
use plane::link::message::{Slice, SliceRow};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::sync::watch;
use topology::compile::{Before, compile, recompile};
use topology::estate::RealmEstate;
use topology::id::{AgentId, Realm, VpcId};
use topology::slice::agent_of;
use topology::snapshot::{RealmSnapshot, Snapshot};

use crate::{given, private};

/// The file of the newest state.
const FILE: &str = "slice.json";
/// Bytes of it that are read: 256 MiB. Ours. Above: it is not used, and the gateway tells the state anew.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Whose state it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whose {
    pub(super) realm: Realm,
    pub(super) agent: AgentId,
    pub(super) vpc: VpcId,
}

/// The state of the VPC.
pub(super) struct Carried {
    whose: Whose,
    plane: Plane,
    facts: Arc<FactBook>,
    file: PathBuf,
    key: Vec<u8>,
    effect: Mutex<Effect>,
    revision: watch::Sender<u64>,
}

/// What is in effect.
#[derive(Default)]
struct Effect {
    estate: Arc<RealmEstate>,
    compiled: Option<Arc<RealmSnapshot>>,
    snapshot: Arc<Snapshot>,
}

/// A state as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    agent: AgentId,
    vpc: VpcId,
    revision: u64,
    rows: Vec<SliceRow>,
}

/// A state with what shows that nobody else wrote it.
#[derive(Serialize, Deserialize)]
struct Sealed {
    /// HMAC-SHA-256 of the text, in hexadecimal.
    mac: String,
    text: String,
}

impl Carried {
    /// Nothing yet; `key` is a secret of the agent's.
    pub(super) fn new(
        whose: Whose,
        (plane, facts): (Plane, Arc<FactBook>),
        (directory, key): (&Path, Vec<u8>),
    ) -> Self {
        let file = directory.join(FILE);
        Self { whose, plane, facts, file, key, effect: Mutex::default(), revision: watch::Sender::new(0) }
    }

    /// The newest revision that is in effect, as it changes; 0 before the first.
    pub(super) fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Puts the state in effect that the last run kept, if there is one that can be used.
    pub(super) fn resume(&self) {
        let kept = match given::text(&self.file, FILE_BYTES_MAX) {
            Ok(text) => self.opened(&text),
            Err(_) if !self.file.exists() => return,
            Err(why) => Err(why),
        };
        let resumed = kept.and_then(|kept| {
            let mut estate = RealmEstate::default();
            put(&mut estate, kept.rows)?;
            self.take(kept.revision, estate, false)
        });
        match resumed {
            Ok(()) => tracing::info!(revision = *self.revision.borrow(), "carrying by the state of the last run"),
            Err(why) => tracing::warn!(why, "the state of the last run is not used; the gateway tells it anew"),
        }
    }

    fn opened(&self, text: &str) -> Result<Kept, String> {
        let sealed: Sealed = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if self.mac(&sealed.text) != sealed.mac {
            return Err("somebody without the agent's key has written it".to_owned());
        }
        let kept: Kept = serde_json::from_str(&sealed.text).map_err(|error| error.to_string())?;
        if (kept.agent, kept.vpc) == (self.whose.agent, self.whose.vpc) {
            Ok(kept)
        } else {
            Err("it is of another agent or VPC".to_owned())
        }
    }

    fn mac(&self, text: &str) -> String {
        // A key of any length is one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Puts a state in effect, unless a newer one is; whether it is kept on disk.
    pub(super) fn take(&self, revision: u64, estate: RealmEstate, is_kept: bool) -> Result<(), String> {
        match agent_of(&estate) {
            Some(of) if of == (self.whose.agent, self.whose.vpc) => {}
            Some((agent, vpc)) => return Err(format!("it is of {agent} in {vpc}")),
            None => return Err("it is the state of no agent's VPC".to_owned()),
        }
        let mut effect = self.effect.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = *self.revision.borrow();
        // A gateway tells the whole state anew whenever it is connected.
        if revision < newest || (revision == newest && *effect.estate == estate) {
            return Ok(());
        }
        let before = effect.compiled.as_deref().map(|compiled| Before { estate: &effect.estate, compiled });
        let compiled = Arc::new(match before {
            Some(before) => recompile(&self.whose.realm, &estate, before),
            None => compile(&self.whose.realm, &estate),
        });
        let snapshot = Arc::new(effect.snapshot.next(revision, vec![Arc::clone(&compiled)]));
        self.plane.publish(Arc::clone(&snapshot));
        self.facts.keep(|target| {
            let at = compiled.balancers.group_by_id(target.group).and_then(|at| compiled.balancers.group(at));
            at.is_some_and(|group| {
                group.targets.iter().any(|known| (known.address, known.port) == (target.address, target.port))
            })
        });
        *effect = Effect { estate: Arc::new(estate), compiled: Some(compiled), snapshot };
        let estate = Arc::clone(&effect.estate);
        drop(effect);
        self.revision.send_if_modified(|known| revision > std::mem::replace(known, revision.max(*known)));
        if is_kept && let Err(error) = self.keep(revision, &estate) {
            tracing::warn!(%error, "the state of the VPC cannot be kept for the next start");
        }
        Ok(())
    }

    fn keep(&self, revision: u64, estate: &RealmEstate) -> Result<(), String> {
        let changes = control::changes::Changes::between(&self.whose.realm, &RealmEstate::default(), estate);
        let rows = changes.map_err(|error| error.to_string())?.rows;
        let told = |Row { table, key, value }| SliceRow { table: table.as_str().to_owned(), key, value };
        let Whose { agent, vpc, .. } = self.whose;
        let kept = Kept { agent, vpc, revision, rows: rows.into_iter().map(told).collect() };
        let text = serde_json::to_string(&kept).map_err(|error| error.to_string())?;
        let sealed = Sealed { mac: self.mac(&text), text };
        let text = serde_json::to_string(&sealed).map_err(|error| error.to_string())?;
        private::replace(&self.file, text.as_bytes()).map_err(|error| error.to_string())
    }
}

/// Puts rows into a state.
pub(super) fn put(estate: &mut RealmEstate, rows: Vec<SliceRow>) -> Result<(), String> {
    for SliceRow { table, key, value } in rows {
        let table = table.parse().map_err(|unknown: control::changes::UnknownTable| unknown.to_string())?;
        Row { table, key, value }.put_into(estate).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A state as one gateway tells it.
#[derive(Default)]
pub(super) struct Coming(RealmEstate);

impl Coming {
    /// Puts a part in; a whole state, once it is.
    pub(super) fn put_in(&mut self, slice: Slice) -> Result<Option<(u64, RealmEstate)>, String> {
        if slice.is_whole {
            self.0 = RealmEstate::default();
        }
        put(&mut self.0, slice.rows)?;
        Ok(slice.is_last.then(|| (slice.revision, self.0.clone())))
    }
}
