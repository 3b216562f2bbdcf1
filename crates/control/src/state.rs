//! The estate as it is, what traffic reads of it, and how a draft becomes the next revision: what it changes is found, compiled and
//! written down, in this order, and only then is it the estate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use topology::compile::{Before, compile, recompile};
use topology::estate::{Estate, RealmEstate};
use topology::id::Realm;
use topology::snapshot::{RealmSnapshot, Snapshot};
use wire::Fault;

use crate::attach;
use crate::changes::Changes;
use crate::names::{self, Double};
use crate::notebook::{Loaded, Notebook, StoreError};

/// Realms at a time. Ours: any account number and region name that a caller signs with makes one, so their number must end
/// somewhere. Above: the call that would make another is refused.
const REALMS_MAX: usize = 1_024;
/// Resources of a realm up to which a build with assertions compiles each change twice, to see that nothing was taken over that
/// should not have been.
const RECHECKED_MAX: usize = 400;

/// What was committed since it was last asked for, for those who follow: traffic takes the snapshot, others the changes.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The newest revision.
    pub snapshot: Arc<Snapshot>,
    /// What changed, in order. `None` when the estate was read anew or forgotten: then everything may have.
    pub changes: Option<Vec<Changes>>,
    /// Everything there is at that revision.
    pub estate: Estate,
}

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Commit {
    /// It is the estate.
    Done,
    /// Another writer was first. Its estate is read; whatever made the draft has to be run again.
    Late,
}

/// A draft, and what it was made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edit<'e> {
    /// Whose.
    pub(crate) realm: &'e Realm,
    /// What there was.
    pub(crate) before: &'e Arc<RealmEstate>,
    /// What there is to be.
    pub(crate) draft: &'e Arc<RealmEstate>,
}

impl Edit<'_> {
    /// What it changes, if anything.
    fn changes(self) -> Result<Option<Changes>, Fault> {
        let changes = Changes::between(self.realm, self.before, self.draft).map_err(|error| unkept(&error.into()))?;
        Ok((!changes.is_empty()).then_some(changes))
    }
}

/// The estate and what it compiles to.
#[derive(Debug)]
pub(crate) struct State {
    notebook: Box<dyn Notebook>,
    revision: u64,
    estate: Estate,
    compiled: BTreeMap<Realm, Arc<RealmSnapshot>>,
    doubles: Vec<Double>,
    /// What was taken last.
    snapshot: Arc<Snapshot>,
    /// Changes that nobody has taken yet; `None` after everything was read anew.
    changes: Option<Vec<Changes>>,
    is_newer: bool,
}

impl State {
    /// Reads what the notebook holds and compiles it. Leases of attachments are forgotten.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(mut notebook: Box<dyn Notebook>) -> Result<Self, StoreError> {
        let Loaded { mut revision, mut estate } = notebook.load()?;
        for (realm, held) in &mut estate.realms {
            let mut draft = Arc::clone(held);
            attach::drop_leases(&mut draft);
            let changes = Changes::between(realm, held, &draft)?;
            if !changes.is_empty() {
                revision = notebook.commit(revision, &changes)?;
                *held = draft;
            }
        }
        let empty = Estate::default();
        let (compiled, doubles, snapshot) = (BTreeMap::new(), Vec::new(), Arc::default());
        let mut state =
            Self { notebook, revision, estate: empty, compiled, doubles, snapshot, changes: None, is_newer: true };
        state.take_over(Loaded { revision, estate });
        Ok(state)
    }

    /// Everything there is.
    pub(crate) const fn estate(&self) -> &Estate {
        &self.estate
    }

    /// Names that several realms hold.
    pub(crate) fn doubles(&self) -> &[Double] {
        &self.doubles
    }

    /// What a realm holds.
    pub(crate) fn realm(&self, realm: &Realm) -> Arc<RealmEstate> {
        self.estate.realms.get(realm).cloned().unwrap_or_default()
    }

    /// Makes a draft the estate. Nothing is kept when it is refused, or when the notebook fails.
    ///
    /// # Errors
    /// AWS's conflict for a name that another realm has; the service is unavailable when the notebook is.
    pub(crate) fn commit(&mut self, edit: Edit<'_>) -> Result<Commit, Fault> {
        let Some(changes) = edit.changes()? else { return Ok(Commit::Done) };
        let Edit { realm, before, draft } = edit;
        if !self.estate.realms.contains_key(realm) && self.estate.realms.len() >= REALMS_MAX {
            let text = format!("This server holds {REALMS_MAX} accounts and regions, and takes no more");
            return Err(Fault::new("RequestLimitExceeded", 400, text));
        }
        names::refuse_taken(&self.estate, realm, before, draft)?;
        let compiled = self.recompiled(edit);
        if self.write_down(&changes)? == Commit::Late {
            return Ok(Commit::Late);
        }
        self.estate.realms.insert(realm.clone(), Arc::clone(draft));
        self.compiled.insert(realm.clone(), compiled);
        self.settle_doubles();
        if let Some(kept) = &mut self.changes {
            kept.push(changes);
        }
        self.is_newer = true;
        Ok(Commit::Done)
    }

    /// The same for what traffic counted itself: it is written down, and nobody is told.
    ///
    /// # Errors
    /// The service is unavailable when the notebook is.
    pub(crate) fn commit_counts(&mut self, edit: Edit<'_>) -> Result<Commit, Fault> {
        let Some(changes) = edit.changes()? else { return Ok(Commit::Done) };
        if self.write_down(&changes)? == Commit::Late {
            return Ok(Commit::Late);
        }
        self.estate.realms.insert(edit.realm.clone(), Arc::clone(edit.draft));
        Ok(Commit::Done)
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the notebook cannot be emptied.
    pub(crate) fn clear(&mut self) -> Result<(), StoreError> {
        let revision = self.notebook.clear()?;
        self.take_over(Loaded { revision, estate: Estate::default() });
        Ok(())
    }

    /// What was committed since this was last asked.
    pub(crate) fn take_committed(&mut self) -> Option<Committed> {
        if !std::mem::take(&mut self.is_newer) {
            return None;
        }
        self.snapshot = Arc::new(self.snapshot.next(self.revision, self.compiled.values().cloned().collect()));
        let (snapshot, changes) = (Arc::clone(&self.snapshot), self.changes.replace(Vec::new()));
        Some(Committed { snapshot, changes, estate: self.estate.clone() })
    }

    fn write_down(&mut self, changes: &Changes) -> Result<Commit, Fault> {
        match self.notebook.commit(self.revision, changes) {
            Ok(revision) => self.revision = revision,
            Err(StoreError::Conflict { .. }) => {
                let loaded = self.notebook.load().map_err(|error| unkept(&error))?;
                self.take_over(loaded);
                return Ok(Commit::Late);
            }
            Err(error) => return Err(unkept(&error)),
        }
        Ok(Commit::Done)
    }

    /// Begins from another estate.
    fn take_over(&mut self, Loaded { revision, estate }: Loaded) {
        self.doubles = names::doubles(&estate);
        let visible =
            |(realm, held)| (Realm::clone(realm), compiled(realm, &names::visible(&self.doubles, realm, held)));
        self.compiled = estate.realms.iter().map(visible).collect();
        (self.revision, self.estate) = (revision, estate);
        (self.changes, self.is_newer) = (None, true);
    }

    /// What a change compiles to: what it has no bearing on is taken over.
    fn recompiled(&self, Edit { realm, before, draft }: Edit<'_>) -> Arc<RealmSnapshot> {
        let visible = names::visible(&self.doubles, realm, draft);
        let Some(known) = self.compiled.get(realm) else { return compiled(realm, &visible) };
        let before = names::visible(&self.doubles, realm, before);
        let recompiled = recompile(realm, &visible, Before { estate: &before, compiled: known });
        // What was taken over and should not have been would be served until the next start.
        debug_assert!(visible.len() > RECHECKED_MAX || recompiled == compile(realm, &visible));
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
                let compiled = compiled(&realm, &names::visible(&self.doubles, &realm, estate));
                self.compiled.insert(realm, compiled);
            }
        }
    }
}

fn compiled(realm: &Realm, estate: &RealmEstate) -> Arc<RealmSnapshot> {
    Arc::new(compile(realm, estate))
}

/// What the caller sees of a write that could not be kept: the service is unavailable for now. The log learns of which file.
fn unkept(error: &StoreError) -> Fault {
    unavailable(error.to_string())
}

/// The service is unavailable for now; the log learns why.
pub(crate) fn unavailable(why: impl Into<String>) -> Fault {
    let text = "The service is temporarily unavailable. Please try again.";
    Fault::new("ServiceUnavailable", 503, text).with_detail(why)
}
