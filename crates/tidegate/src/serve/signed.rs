//! Judges signatures of requests to APIs' own endpoints, for the data plane, which knows neither signatures nor keys. How a
//! signature is made is `wire`'s; who may call is decided here by the configured keys alone, as there are no policies.

use plane::{BodyNeed, SignatureJudge, SignedRequest, Signer};
use topology::id::AccountId;

use super::aws::Keys;
use crate::config::{AccessKey, Config};
use crate::hour::wall_clock;

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
    fn verified(&self, signed: &SignedRequest<'_>, verify: Verify) -> Result<Signer, String> {
        let region = signed.realm.region.as_str();
        let caller = verify(&parts(signed), region, &Keys(&self.keys), wall_clock())?;
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
    fn judge_head(&self, signed: &SignedRequest<'_>) -> Result<BodyNeed, String> {
        if self.keys.is_empty() {
            return Ok(BodyNeed::Head);
        }
        self.verified(signed, wire::sigv4::verify_invocation_head).map(|_signer| BodyNeed::Whole)
    }

    fn judge(&self, signed: &SignedRequest<'_>) -> Result<Signer, String> {
        if self.keys.is_empty() {
            return self.believed(&parts(signed));
        }
        self.verified(signed, wire::sigv4::verify_invocation)
    }
}

/// How a signature is verified: with the body, or before it is there.
type Verify =
    fn(&wire::Request<'_>, &str, &dyn wire::sigv4::KeyLookup, wire::Timestamp) -> Result<wire::sigv4::Caller, String>;

fn parts<'a>(signed: &SignedRequest<'a>) -> wire::Request<'a> {
    let SignedRequest { method, uri, headers, body, .. } = *signed;
    wire::Request { method, uri, headers, body }
}

/// The principal in the form that `GetCallerIdentity` answers here.
fn signer(account: String, access_key_id: String) -> Signer {
    Signer { arn: format!("arn:aws:iam::{account}:root"), account, access_key_id }
}
