//! IAM: who signed a request for `execute-api`. The plane does not know how signatures are made; it hands the request to the
//! judge that the binary wired in: first its head, then, if the head is good and the judge asks for it, with its body. So nobody
//! makes the gateway keep a body who has no credentials to show.

use std::fmt;

use http::{HeaderMap, Method, Uri};
use topology::id::Realm;

/// A request whose signature is to be judged.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The client's method.
    pub method: &'a Method,
    /// The client's target, as it was sent.
    pub uri: &'a Uri,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The client's whole body; empty where it is not there yet, or the judge did not ask for it.
    pub body: &'a [u8],
    /// The account and region of the API.
    pub realm: &'a Realm,
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The account.
    pub account: String,
    /// The access key id.
    pub access_key_id: String,
    /// The principal's ARN.
    pub arn: String,
}

/// Whether a judge needs the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyNeed {
    /// The head says all that is judged.
    Head,
    /// The signature covers the body, which must be read before anything is sent on.
    Whole,
}

/// Judges signatures for `execute-api`.
pub trait SignatureJudge: Send + Sync + fmt::Debug {
    /// Whether the body is worth waiting for, by the head of a request whose body is still to come.
    ///
    /// # Errors
    /// A sentence for the operator, as for [`SignatureJudge::judge`], that says why nobody signed whatever the body is.
    fn judge_head(&self, request: &SignedRequest<'_>) -> Result<BodyNeed, String>;

    /// Who signed the request.
    ///
    /// # Errors
    /// A sentence for the operator that says why nobody did; it repeats no signature and no secret.
    fn judge(&self, request: &SignedRequest<'_>) -> Result<Signer, String>;
}
