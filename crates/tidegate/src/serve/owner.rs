//! Who calls one of our own paths, and whose resources it may reach. In development mode any program of this machine is
//! believed, as for AWS calls. In gateway mode a call is signed with a configured key (Signature Version 4, signing name
//! `tidegate`): it reaches the key's account, and the keys of the server's own account (`account_id`) reach everything.

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use topology::id::{AccountId, Realm, Region};
use topology::reach;
use topology::snapshot::Snapshot;
use topology::trace::Trace;
use wire::sigv4;

use super::State;
use super::answer::Declined;
use super::aws::Keys;
use crate::hour::wall_clock;
use crate::remembered::Remembered;
use crate::wishes::RealmWish;

/// Whose resources a caller may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Everybody's: development mode, and the operator's keys.
    Everything,
    /// Those of one account.
    Account(AccountId),
}

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    reach: Reach,
    /// What is meant where a wish names nothing: by the caller's signature, as for AWS calls, else the server's own.
    home: Realm,
}

impl Owner {
    /// Judges who calls.
    ///
    /// # Errors
    /// The refusal of a call that must be signed and is not, or is not well.
    pub(crate) fn of(state: &State, parts: &Parts, body: &Bytes) -> Result<Self, Declined> {
        let request = wire::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body };
        let config = &state.config;
        let (caller, reach) = if config.is_development() {
            (sigv4::inspect_own(&request).map_err(|why| unsigned(&why))?, Reach::Everything)
        } else {
            let caller = sigv4::verify_own(&request, &Keys(&config.access_keys), wall_clock());
            let caller = caller.map_err(|why| unsigned(&why))?;
            let key = config.access_keys.iter().find(|key| key.id == caller.access_key_id);
            let account = key.map(|key| key.account).ok_or_else(|| unsigned("The access key id is unknown."))?;
            let reach = if account == config.account { Reach::Everything } else { Reach::Account(account) };
            (Some(sigv4::Caller { account: Some(account.to_string()), ..caller }), reach)
        };
        let (account, region) = caller.map(|caller| (caller.account, caller.region)).unwrap_or_default();
        let region = region.map(|name| name.parse::<Region>()).transpose().map_err(|error| {
            Declined::new(StatusCode::BAD_REQUEST, "MALFORMED", format!("the region of the signature: {error}"))
        })?;
        let account = account.and_then(|account| account.parse().ok());
        let home = RealmWish { account, region }.realm(config);
        Ok(Self { reach, home })
    }

    /// The realm that a wish means.
    ///
    /// # Errors
    /// The refusal where it is out of reach.
    pub(crate) fn realm(&self, wish: &RealmWish) -> Result<Realm, Declined> {
        let account = wish.account.unwrap_or(self.home.account);
        if !self.may_reach(account) {
            return Err(forbidden(&format!("the key is not account {account}'s")));
        }
        Ok(Realm { account, region: wish.region.clone().unwrap_or_else(|| self.home.region.clone()) })
    }

    /// Refuses what concerns every account.
    ///
    /// # Errors
    /// The refusal, unless everything is in reach.
    pub(crate) fn for_everybody(&self) -> Result<(), Declined> {
        match self.reach {
            Reach::Everything => Ok(()),
            Reach::Account(_) => Err(forbidden("only a key of the server's own account (account_id) may do this")),
        }
    }

    /// Whether an account's resources are in reach.
    pub(crate) fn may_reach(&self, account: AccountId) -> bool {
        match self.reach {
            Reach::Everything => true,
            Reach::Account(own) => own == account,
        }
    }

    /// Whether a request may be explained: one that found neither an API nor a listener is nobody's.
    pub(crate) fn may_see(&self, snapshot: &Snapshot, trace: &Trace) -> bool {
        self.reach == Reach::Everything
            || reach::owner(snapshot, trace).is_some_and(|realm| self.may_reach(realm.account))
    }

    /// Whether a call may be explained: one whose caller was not believed is nobody's.
    pub(crate) fn may_see_call(&self, call: &Remembered) -> bool {
        self.reach == Reach::Everything || call.account.is_some_and(|account| self.may_reach(account))
    }
}

fn unsigned(why: &str) -> Declined {
    let text = format!(
        "{why} In gateway mode these paths take calls that are signed with a configured key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    );
    Declined::new(StatusCode::FORBIDDEN, "UNSIGNED", text)
}

fn forbidden(why: &str) -> Declined {
    Declined::new(StatusCode::FORBIDDEN, "FORBIDDEN", why)
}
