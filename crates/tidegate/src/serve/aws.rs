//! AWS calls: bounded bytes, `wire` for what they mean and who sent them, the mailbox for what they do, `wire` for the
//! answer. Whether a call is right is decided by those two rooms, never here.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use control::ahead::{certificate_of, takes_reading};
use control::objects::Objects;
use control::{ApiRefusal, Caller, Outcome, Pending, Reply};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use topology::id::{AccountId, Realm};
use wire::limits::BODY_BYTES_MAX;
use wire::model::OperationModel;
use wire::{Dialect, Fault, Harmless, KeyLookup, LeftOut, Output, Resolved, Secret};

use super::State;
use super::answer::{self, Answer, Unread};
use super::limits::{CALL_TIMEOUT, TRIAL_TIMEOUT};
use super::objects;
use crate::config::{AccessKey, Unsupported};
use crate::remembered::{Came, Remembered};

/// The keys of the configuration.
pub(super) struct Keys<'a>(pub(super) &'a [AccessKey]);

impl KeyLookup for Keys<'_> {
    fn secret(&self, access_key_id: &str) -> Option<Secret> {
        self.0.iter().find(|key| key.id == access_key_id).map(|key| key.secret.clone())
    }
}

/// A call that is refused, with the way to say so.
struct Refusal {
    dialect: Dialect,
    operation: Option<&'static OperationModel>,
    fault: Fault,
    why: Option<ApiRefusal>,
    account: Option<AccountId>,
}

impl Refusal {
    fn of(resolved: &Resolved, fault: Fault) -> Self {
        Self { dialect: resolved.dialect(), operation: Some(resolved.operation), fault, why: None, account: None }
    }

    /// The same, of a caller who was believed.
    fn to(self, account: AccountId) -> Self {
        Self { account: Some(account), ..self }
    }
}

/// Answers one call.
pub(crate) async fn serve(
    state: &Arc<State>,
    request: Request<Incoming>,
    (request_id, peer): (String, SocketAddr),
) -> Answer {
    let (mut parts, body) = request.into_parts();
    name_host(&mut parts);
    let outcome = match answer::read(body, BODY_BYTES_MAX).await {
        Ok(body) => carry_out(state, &parts, (&body, peer)).await,
        Err(unread) => Err(refuse_unread(&parts, unread)),
    };
    match outcome {
        Ok((output, left_out)) => {
            tracing::debug!(request_id, operation = output.operation.name, "a call was carried out");
            let answer = wire::encode(&output, &request_id).map(answer::whole);
            if let Some((account, left_out)) = left_out {
                remember(state, (request_id, account), output.operation, left_out);
            }
            answer
        }
        Err(refusal) => refuse(state, request_id, refusal),
    }
}

/// What was left out of a call, and whose it is; `None` where nothing was.
type Lacks = Option<(AccountId, Vec<LeftOut>)>;

async fn carry_out(
    state: &State,
    parts: &Parts,
    (body, peer): (&Bytes, SocketAddr),
) -> Result<(Output, Lacks), Refusal> {
    let request = wire::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body };
    let resolved = wire::resolve(&request).map_err(|unresolved| {
        let wire::Unresolved { dialect, fault } = *unresolved;
        Refusal { dialect, operation: None, fault, why: None, account: None }
    })?;
    let caller = caller(state, &resolved, &request).map_err(|fault| Refusal::of(&resolved, fault))?;
    let account = caller.realm.account;
    let refused = |fault| Refusal::of(&resolved, fault).to(account);
    let harmless = if state.config.unsupported == Unsupported::Warn { Harmless::LeftOut } else { Harmless::Refused };
    let (call, left_out) = wire::decode_leaving_out(&resolved, &request, harmless).map_err(refused)?;
    let lacks = (!left_out.is_empty()).then_some((account, left_out));
    // What traffic has counted is told before a call can ask for it.
    state.plane.report_usage();
    let reply = match tokio::time::timeout(CALL_TIMEOUT, take_turn(state, caller, call)).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(why)) => return Err(refused(Fault::internal(why))),
        Err(_) => {
            let fault = Fault::new("ServiceUnavailable", 503, "The request did not get its turn in time.");
            return Err(refused(fault));
        }
    };
    match reply.result {
        Ok(Outcome::Answer(output)) => Ok((output, lacks)),
        Ok(Outcome::Trial(pending)) => {
            carry_out_trial(state, *pending, peer).await.map(|output| (output, lacks)).map_err(refused)
        }
        Err(fault) => Err(Refusal { why: reply.refusal, ..refused(fault) }),
    }
}

/// Warns of what was left out of a call that was carried out, and remembers it.
fn remember(
    state: &State,
    (request_id, account): (String, AccountId),
    operation: &'static OperationModel,
    left_out: Vec<LeftOut>,
) {
    let service = operation.service.model().signing_name;
    for LeftOut { parameter, why } in &left_out {
        let operation = operation.name;
        tracing::warn!(
            request_id,
            service,
            operation,
            parameter,
            why,
            "a parameter was left out: it is not carried out"
        );
    }
    let came = Came::LeftOut(operation.status, left_out);
    let (operation, account) = (operation.name, Some(account));
    state.calls.keep(Remembered { request_id, account, service, operation, came });
}

/// Gathers what comes with a call, then has it carried out.
async fn take_turn(state: &State, caller: Caller, call: wire::Call) -> Result<Reply, String> {
    let root = state.config.s3_root.as_deref();
    let brought = if takes_reading(&call) {
        let _place = state.documents.acquire().await.map_err(|error| error.to_string())?;
        let objects = objects::of_call(root, &call).await;
        objects::read_ahead(call, objects).await?
    } else if let Some(wanted) = certificate_of(&call) {
        let _place = state.documents.acquire().await.map_err(|error| error.to_string())?;
        let authority = Arc::clone(&state.authority);
        let made = tokio::task::spawn_blocking(move || authority.certify(&wanted)).await;
        let mut objects = Objects::default();
        objects.bring_certified(made.unwrap_or_else(|_| Err("the certificate could not be made".to_owned())));
        (call, objects)
    } else {
        let objects = objects::of_call(root, &call).await;
        (call, objects)
    };
    state.mailbox.call(caller, brought).await.map_err(|stopped| stopped.to_string())
}

/// Has traffic carry out a trial. The control thread has long gone on.
async fn carry_out_trial(state: &State, pending: Pending, peer: SocketAddr) -> Result<Output, Fault> {
    let (trial, shape) = pending.split();
    let Ok(_place) = state.trials.try_acquire() else { return Err(shape.too_many()) };
    match tokio::time::timeout(TRIAL_TIMEOUT, state.plane.try_method(trial, peer)).await {
        Ok(tried) => Ok(shape.answer(tried)),
        Err(_elapsed) => Err(shape.too_slow()),
    }
}

/// Who calls: verified where keys are configured, believed where none are.
fn caller(state: &State, resolved: &Resolved, request: &wire::Request<'_>) -> Result<Caller, Fault> {
    let service = resolved.operation.service.model();
    let keys = &state.config.access_keys;
    let signer = if keys.is_empty() {
        wire::sigv4::inspect(request, service.protocol)?
    } else {
        wire::sigv4::verify(request, service, &Keys(keys), crate::hour::wall_clock())?
    };
    let configured = keys.iter().find(|key| key.id == signer.access_key_id).map(|key| key.account);
    let by_key = signer.account.as_deref().filter(|_| keys.is_empty()).and_then(|account| account.parse().ok());
    let account = configured.or(by_key).unwrap_or(state.config.account);
    let region = match signer.region.as_deref() {
        None => state.config.region.clone(),
        Some(name) => name.parse().map_err(|_| {
            Fault::new("InvalidParameterValue", 400, "The region of the credential scope is no region name")
        })?,
    };
    Ok(Caller { realm: Realm { account, region }, access_key_id: signer.access_key_id })
}

/// HTTP/2 names the host in its own place; signatures speak of the header.
pub(super) fn name_host(parts: &mut Parts) {
    if parts.headers.contains_key(HOST) {
        return;
    }
    let authority = parts.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(authority) = authority {
        parts.headers.insert(HOST, authority);
    }
}

/// A body that was not read: the head still says how the caller speaks.
fn refuse_unread(parts: &Parts, unread: Unread) -> Refusal {
    let code = match unread {
        Unread::TooLarge => "RequestEntityTooLarge",
        Unread::TooSlow => "RequestTimeout",
        Unread::Broken => "MalformedInput",
    };
    let fault = Fault::new(code, unread.status().as_u16(), unread.sentence());
    let head = wire::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &[] };
    match wire::resolve(&head) {
        Ok(resolved) => Refusal::of(&resolved, fault),
        Err(unresolved) => Refusal { dialect: unresolved.dialect, operation: None, fault, why: None, account: None },
    }
}

fn refuse(state: &State, request_id: String, refusal: Refusal) -> Answer {
    let Refusal { dialect, operation, fault, why, account } = refusal;
    let service = operation.map_or("", |operation| operation.service.model().signing_name);
    let operation = operation.map_or("", |operation| operation.name);
    let reason = why.as_ref().map(|why| why.reason.code());
    let is_ours = fault.status >= StatusCode::INTERNAL_SERVER_ERROR.as_u16();
    // What is not served is no failure of ours: the caller learns it, and nobody has to mend anything.
    if is_ours && fault.status != StatusCode::NOT_IMPLEMENTED.as_u16() {
        tracing::error!(request_id, service, operation, %fault, detail = fault.detail, "a call failed");
    } else {
        let meant = why.as_ref().map(|why| why.meant.join(" "));
        tracing::info!(request_id, service, operation, %fault, detail = fault.detail, reason, meant, "a call was refused");
    }
    let answer = wire::encode_fault(dialect, &fault, &request_id).map(answer::whole);
    state.calls.keep(Remembered { request_id, account, service, operation, came: Came::Refused { fault, why } });
    answer
}
