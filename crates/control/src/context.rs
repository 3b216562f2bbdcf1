//! What an operation works with: who calls, when, the draft it may edit, and where ids come from.

use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::{AccountId, Realm, Region};
use topology::observed::Observed;
use topology::reason::Reason;
use topology::time::Moment;
use topology::trial::Trial;
use wire::Fault;

use crate::log_book::LogBook;
use crate::mint::Mint;
use crate::objects::Objects;
use crate::presigned::{Presigned, Signer};
use crate::settings::Settings;
use crate::target_state::TargetStates;
use crate::trial::Names;

/// How many ids are made before one is taken as it is: by then a space of 36^6 would have to be full.
const IDS_TRIED_MAX: usize = 64;

/// Who calls, as the signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account and region that the call is about.
    pub realm: Realm,
    /// The access key id.
    pub access_key_id: String,
}

/// Why a call was refused, in the words of the contract: shown by `explain`, never by the AWS API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRefusal {
    /// The reason code.
    pub reason: Reason,
    /// The ids or ARNs that were meant, or that stand in the way.
    pub meant: Vec<String>,
    /// What to do, as typed in a shell.
    pub fix: Vec<String>,
}

/// The surroundings of one operation.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Who calls.
    pub(crate) caller: &'a Caller,
    /// The objects that came with the call.
    pub(crate) objects: &'a mut Objects,
    /// When.
    pub(crate) now: Moment,
    /// Where ids come from.
    pub(crate) mint: &'a mut Mint,
    /// What traffic reported.
    pub(crate) observed: &'a Observed,
    /// The server's settings.
    pub(crate) settings: &'a Settings,
    /// Signs addresses.
    pub(crate) signer: &'a Signer,
    /// The events of log groups.
    pub(crate) logs: &'a LogBook,
    /// Whether changes are deployed as they are made.
    pub(crate) deployments: Deployments,
    draft: &'a mut Arc<RealmEstate>,
    refusal: &'a mut Option<ApiRefusal>,
    trial: &'a mut Option<(Trial, Names)>,
}

/// Whether changes to an API are deployed as they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deployments {
    /// They are, to the stages that ask for it.
    Made,
    /// They wait for the last of several changes.
    Held,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        (caller, objects): (&'a Caller, &'a mut Objects),
        now: Moment,
        (parts, logs): ((&'a mut Mint, &'a Observed, &'a Settings, &'a Signer), &'a LogBook),
        draft: &'a mut Arc<RealmEstate>,
        (refusal, trial): (&'a mut Option<ApiRefusal>, &'a mut Option<(Trial, Names)>),
    ) -> Self {
        let (mint, observed, settings, signer) = parts;
        let deployments = Deployments::Made;
        Self { caller, objects, now, mint, observed, settings, signer, logs, deployments, draft, refusal, trial }
    }

    /// What the caller's realm holds, with what this call has changed so far.
    #[must_use]
    pub(crate) fn estate(&self) -> &RealmEstate {
        self.draft
    }

    /// The states of its targets.
    #[must_use]
    pub(crate) fn target_states(&self) -> TargetStates<'_> {
        TargetStates::of(self.estate(), self.observed, self.now)
    }

    /// The draft, to be edited: the first edit of a call copies the pointers.
    pub(crate) fn edit(&mut self) -> &mut RealmEstate {
        Arc::make_mut(self.draft)
    }

    /// The draft and the source of ids together, for what makes several resources at once.
    pub(crate) fn edit_with_mint(&mut self) -> (&mut RealmEstate, &mut Mint) {
        (Arc::make_mut(self.draft), self.mint)
    }

    /// An id that nothing of the realm has. The short ones of API Gateway need it: among ten thousand of six characters two are alike
    /// once in fifty times, and the later would take the elder's place.
    pub(crate) fn fresh<I>(&mut self, make: impl Fn(u64) -> I, is_taken: impl Fn(&RealmEstate, &I) -> bool) -> I {
        let mut id = make(self.mint.bits());
        for _ in 1..IDS_TRIED_MAX {
            if !is_taken(self.draft, &id) {
                break;
            }
            id = make(self.mint.bits());
        }
        id
    }

    /// The caller's realm.
    #[must_use]
    pub(crate) fn realm(&self) -> &Realm {
        &self.caller.realm
    }

    /// The caller's account.
    #[must_use]
    pub(crate) fn account(&self) -> AccountId {
        self.caller.realm.account
    }

    /// The caller's region.
    #[must_use]
    pub(crate) fn region(&self) -> &Region {
        &self.caller.realm.region
    }

    /// Notes why the call is about to be refused and hands the fault on.
    pub(crate) fn refuse(&mut self, refusal: ApiRefusal, fault: Fault) -> Fault {
        *self.refusal = Some(refusal);
        fault
    }

    /// Has a trial carried out; the answer of this call is shaped from what comes of it, with headers under these names.
    pub(crate) fn carry_out(&mut self, trial: Trial, names: Names) {
        *self.trial = Some((trial, names));
    }

    /// Where what a trust store holds can be fetched for a while.
    #[must_use]
    pub(crate) fn address_of(&self, of: &Presigned) -> String {
        self.settings.api_url.clone() + &self.signer.path(of, self.now)
    }

    /// The moment at which something that takes AWS `realistic_s` seconds is done here.
    #[must_use]
    pub(crate) fn ready_at(&self, realistic_s: i64) -> Moment {
        self.settings.delays.ready_at(self.now, realistic_s)
    }
}
