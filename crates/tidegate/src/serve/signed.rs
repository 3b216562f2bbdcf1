//! Judges signatures of requests to APIs' own endpoints, for the data plane, which knows neither signatures nor keys. How a
//! signature is made is `wire`'s; who may call is decided here by the configured keys alone, as there are no policies.

use plane::{BodyNeed, SignatureJudge, SignedRequest, Signer};
use topology::id::AccountId;

use super::aws::Keys;
use super::wall_clock;
use crate::config::{AccessKey, Config};

/// Believes any well-formed signature where no keys are configured (development mode), else verifies it.
#[derive(Debug)]
pub(super) struct Judge {
    keys: Vec<AccessKey>,
    account: AccountId,
}

impl Judge {
    pub(super) fn new(config: &Config) -> Self {
        Self { keys: config.access_keys.clone(), account: config.account }
    }

    /// Development mode: the account is the key, if it is one.
    fn believed(&self, request: &wire::Request<'_>) -> Result<Signer, String> {
        let caller = wire::sigv4::inspect_invocation(request)?;
        let account = caller.account.unwrap_or_else(|| self.account.to_string());
        Ok(signer(account, caller.access_key_id))
    }

    /// Gateway mode. An HTTP API has no resource policy, so a key of another account is let in by nobody.
    fn verified(&self, request: &wire::Request<'_>, signed: &SignedRequest<'_>) -> Result<Signer, String> {
        let region = signed.realm.region.as_str();
        let caller = wire::sigv4::verify_invocation(request, region, &Keys(&self.keys), wall_clock())?;
        let key = self.keys.iter().find(|key| key.id == caller.access_key_id);
        match key.map(|key| key.account) {
            Some(account) if account == signed.realm.account => Ok(signer(account.to_string(), caller.access_key_id)),
            Some(account) => {
                Err(format!("The key is account {account}'s, the API account {}'s.", signed.realm.account))
            }
            None => Err("The access key id is unknown.".to_owned()),
        }
    }
}

impl SignatureJudge for Judge {
    fn needs(&self) -> BodyNeed {
        if self.keys.is_empty() { BodyNeed::Head } else { BodyNeed::Whole }
    }

    fn judge(&self, signed: &SignedRequest<'_>) -> Result<Signer, String> {
        let SignedRequest { method, uri, headers, body, .. } = *signed;
        let request = wire::Request { method, uri, headers, body };
        if self.keys.is_empty() { self.believed(&request) } else { self.verified(&request, signed) }
    }
}

/// The principal in the form that `GetCallerIdentity` answers here.
fn signer(account: String, access_key_id: String) -> Signer {
    Signer { arn: format!("arn:aws:iam::{account}:root"), account, access_key_id }
}
