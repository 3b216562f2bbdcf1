//! Our own paths, beside AWS's: health, status, attachments, the clock, explanations. Only this machine may use them, and in
//! gateway mode only who signs with a configured key. Who that is, and what it may reach, is `owner`'s.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::presigned::{self, Dead};
use control::{AttachError, ListenRequest};
use http::{Method, Request, StatusCode, Uri};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use topology::arn::{ElbArn, ElbResource};
use wire::ServiceId;

use super::answer::{self, Answer, stopped, wish};
use super::attaching::attach_refusal;
use super::limits::{ASKED_BYTES_MAX, OWN_BODY_BYTES_MAX};
use super::owner::Owner;
use super::tls::Development;
use super::{State, aws, explained, guard, lease, link, page, status};
use crate::mailbox::TICK_SECONDS_MAX;
use crate::wishes::{
    AttachWish, AttachedAnswer, DetachWish, IssueWish, LeaseWish, ListenWish, ListeningAnswer, TickWish, UnlistenWish,
};

/// Where our own paths begin.
pub(crate) const PREFIX: &str = "/_tidegate/";
/// Where the public keys are by which load balancers sign users' claims; on AWS, hosts of their own.
pub(crate) const SIGNING_KEYS: &str = "/_tidegate/elb-keys/";

/// The health page, which tells nothing that a stranger may not know.
pub(crate) fn health(state: &State) -> Answer {
    let services = services("running");
    let mode = state.config.mode();
    let enforcement = state.enforcement().to_string();
    let body = json!({
        "version": version(),
        "services": services,
        "enforcement": enforcement,
        "enforcement_reason": state.unfit.as_ref().map(|unfit| &unfit.step),
        "mode": mode,
    });
    answer::json(StatusCode::OK, &body)
}

/// The health page in the shape that LocalStack's clients read.
pub(crate) fn localstack_health(state: &State) -> Answer {
    let services = services("available");
    let enforcement = state.enforcement().to_string();
    let body = json!({
        "version": version(),
        "services": services,
        "edition": "tidegate",
        "enforcement": enforcement,
        "enforcement_reason": state.unfit.as_ref().map(|unfit| &unfit.step),
    });
    answer::json(StatusCode::OK, &body)
}

/// The page of metrics, for a Prometheus of this machine.
pub(crate) fn metrics(state: &State, request: &Request<Incoming>, peer: SocketAddr) -> Answer {
    if let Err(foreign) = guard::own(request, peer) {
        return answer::foreign(foreign);
    }
    exposition(state)
}

/// The metrics themselves.
pub(crate) fn exposition(state: &State) -> Answer {
    answer::metrics(state.mailbox.lasted().with(&state.plane.metrics()))
}

/// A public key, which anyone may know.
pub(crate) fn signing_key(state: &State, path: &str) -> Answer {
    let kid = path.strip_prefix(SIGNING_KEYS).unwrap_or_default();
    match state.plane.signing_key(kid) {
        Some(pem) => answer::text(StatusCode::OK, pem),
        None => answer::json(StatusCode::NOT_FOUND, &json!({ "message": "no load balancer signs with this key" })),
    }
}

/// What a trust store holds, for whoever has an address of it: the address is the leave.
pub(crate) async fn presigned(state: &State, uri: &Uri) -> Answer {
    let address = uri.path_and_query().and_then(|address| address.as_str().strip_prefix(presigned::PREFIX));
    match state.mailbox.fetch(address.unwrap_or_default().to_owned()).await {
        Ok(Ok(text)) => answer::text(StatusCode::OK, text.to_string()),
        Ok(Err(Dead::Forged)) => answer::refusal(StatusCode::FORBIDDEN, "FORBIDDEN", "The signature does not match"),
        Ok(Err(Dead::Expired)) => answer::refusal(StatusCode::FORBIDDEN, "FORBIDDEN", "The address has expired"),
        Ok(Err(Dead::Gone)) => answer::refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "What it leads to is gone"),
        Err(ended) => stopped(ended),
    }
}

const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn services(state: &str) -> Value {
    let pair = |service: &ServiceId| (name(*service).to_owned(), Value::from(state));
    Value::Object(ServiceId::ALL.iter().map(pair).collect::<Map<_, _>>())
}

/// A service as the AWS CLI calls it; several share a signing name.
const fn name(service: ServiceId) -> &'static str {
    match service {
        ServiceId::Sts => "sts",
        ServiceId::Ec2 => "ec2",
        ServiceId::Elbv2 => "elbv2",
        ServiceId::ApiGateway => "apigateway",
        ServiceId::ApiGatewayV2 => "apigatewayv2",
        ServiceId::Logs => "logs",
        ServiceId::Acm => "acm",
    }
}

/// Answers one request below `/_tidegate/`.
pub(crate) async fn serve(state: &Arc<State>, request: Request<Incoming>, peer: SocketAddr) -> Answer {
    if let Err(foreign) = guard::own(&request, peer) {
        return answer::foreign(foreign);
    }
    let (mut parts, body) = request.into_parts();
    aws::name_host(&mut parts);
    let body = match answer::read(body, bytes_max(parts.uri.path())).await {
        Ok(body) => body,
        Err(unread) => return answer::refusal(unread.status(), "BODY", unread.sentence()),
    };
    if (&parts.method, parts.uri.path()) == (&Method::GET, PREFIX) {
        // It tells nothing by itself.
        return page::page(state);
    }
    let owner = match Owner::of(state, &parts, &body) {
        Ok(owner) => owner,
        Err(declined) => return declined.into(),
    };
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let outcome = match (&parts.method, path) {
        (&Method::GET, "status") => status(state, &owner).await,
        (&Method::GET, "requests") => Ok(page::requests(state, &owner)),
        (&Method::GET, "ca") => certificate(state).await,
        (&Method::POST, "ca") => issue(state, &body).await,
        (&Method::POST, "reset") => reset(state, &owner).await,
        (&Method::POST, "tick") => tick(state, &owner, &body).await,
        (&Method::POST, "attach") => attach(state, &owner, &body).await,
        (&Method::POST, "detach") => detach(state, &owner, &body).await,
        (&Method::POST, "listen") => listen(state, &owner, &body).await,
        (&Method::POST, "unlisten") => unlisten(state, &owner, &body).await,
        (&Method::POST, "lease") => lease(state, &owner, &body).await,
        (&Method::POST, "agents/tokens") => link::own::token(state, &owner, &body).await,
        (&Method::GET, "agents") => link::own::list(state, &owner).await,
        (&Method::POST, "agents/revoke") => link::own::revoke(state, &owner, &body).await,
        (&Method::POST, "agents/rotate-authority") => link::rotate(state, &owner).await,
        (&Method::POST, "agents/forget") => link::own::forget(state, &owner, &body).await,
        (&Method::POST, "explain") => explained::ask(state, &owner, (&body, &parts.headers), peer).await,
        (&Method::GET, path) => match path.strip_prefix("explain/") {
            Some(id) => Ok(explained::tell(state, &owner, (id, &parts.headers))),
            None => Err(unknown()),
        },
        _ => Err(unknown()),
    };
    outcome.unwrap_or_else(|refused| refused)
}

/// How large a wish for this path may be.
fn bytes_max(path: &str) -> usize {
    if path.strip_prefix(PREFIX) == Some("explain") { ASKED_BYTES_MAX } else { OWN_BODY_BYTES_MAX }
}

fn unknown() -> Answer {
    answer::refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such path, or not with this method")
}

async fn status(state: &State, owner: &Owner) -> Result<Answer, Answer> {
    let mut census = state.mailbox.census().await.map_err(stopped)?;
    census.realms.retain(|(realm, _)| owner.may_reach(realm.account));
    let snapshot = state.plane.snapshot();
    let body = json!({
        "version": version(),
        "api": state.ends.api_url(),
        "api_tls": state.ends.api_tls_url(),
        "metrics": state.ends.metrics_url(),
        "redirect": state.ends.redirect_url(),
        "public": state.ends.public_url(),
        "public_tls": state.ends.public_tls_url(),
        "link": state.ends.link,
        "pid": std::process::id(),
        "enforcement": state.enforcement().to_string(),
        "enforcement_reason": state.enforcement_reason(),
        "revision": snapshot.revision,
        // Whole, since whoever asks may be in another directory.
        "data_dir": state.config.data_dir.as_ref().map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.clone())),
        "log_file": state.config.kept_log.as_ref(),
        "mode": state.config.mode(),
        "door": state.door,
        "fabric_faults": faults(state, owner),
        "acme": state.acme.as_ref().map(|acme| status::of_orders(acme, |realm| owner.may_reach(realm.account))),
        "realms": status::of_realms((state, &snapshot), &census),
    });
    Ok(answer::json(StatusCode::OK, &body))
}

/// What the kernel refused of the caller's private networks.
fn faults(state: &State, owner: &Owner) -> Vec<Value> {
    let faults = state.plane.engine().faults().into_iter().filter(|(realm, ..)| owner.may_reach(realm.account));
    faults.map(|(realm, vpc, why)| json!({ "region": realm.region, "vpc": vpc, "why": why })).collect()
}

/// The development authority's certificate: of a server without a data directory there is no other way to it.
async fn certificate(state: &State) -> Result<Answer, Answer> {
    let authority = authority(state).ok_or_else(no_authority)?;
    let made = tokio::task::spawn_blocking(move || authority.certificate()).await;
    match made.unwrap_or_else(|_| Err("the certificate could not be made".to_owned())) {
        Ok(certificate) => Ok(answer::text(StatusCode::OK, certificate)),
        Err(why) => Err(answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", &why)),
    }
}

/// A certificate for names of whoever asks, and its key. In development mode every program of this machine may have one: the authority's
/// own key lies in the data directory of the same user.
async fn issue(state: &State, body: &Bytes) -> Result<Answer, Answer> {
    let IssueWish { names } = wish(body)?;
    let authority = authority(state).ok_or_else(no_authority)?;
    let made = tokio::task::spawn_blocking(move || authority.issue(&names)).await;
    match made.unwrap_or_else(|_| Err("the certificate could not be made".to_owned())) {
        Ok(issued) => {
            Ok(answer::json(StatusCode::OK, &json!({ "certificate": issued.chain, "private_key": issued.key })))
        }
        Err(why) => Err(answer::refusal(StatusCode::BAD_REQUEST, "MALFORMED", &why)),
    }
}

/// The development authority, in development mode: in gateway mode nobody but ACM has certificates made.
fn authority(state: &State) -> Option<Arc<Development>> {
    state.config.is_development().then(|| Arc::clone(&state.authority))
}

fn no_authority() -> Answer {
    answer::refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "Gateway mode has no development authority")
}

async fn reset(state: &State, owner: &Owner) -> Result<Answer, Answer> {
    owner.for_everybody()?;
    let outcome = state.mailbox.reset().await.map_err(stopped)?;
    outcome.map_err(|error| answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "STORE", &error))?;
    tracing::warn!("everything was forgotten, as asked");
    Ok(answer::json(StatusCode::OK, &json!({})))
}

async fn tick(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    owner.for_everybody()?;
    let TickWish { seconds } = wish(body)?;
    if !(0..=TICK_SECONDS_MAX).contains(&seconds) {
        let message = format!("seconds must lie between 0 and {TICK_SECONDS_MAX}");
        return Err(answer::refusal(StatusCode::BAD_REQUEST, "MALFORMED", &message));
    }
    let outcome = state.mailbox.tick(seconds).await.map_err(stopped)?;
    let unkept = |fault: wire::Fault| fault.detail.unwrap_or(fault.message);
    outcome.map_err(|fault| answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "STORE", &unkept(fault)))?;
    // Tokens and the keys of issuers are judged by the plane's clock.
    let by = Duration::from_secs(seconds.unsigned_abs());
    state.plane.move_clock(by);
    if let Some(log_files) = &state.log_files {
        log_files.move_clock(by).await;
    }
    if let Some(acme) = &state.acme {
        acme.look();
    }
    Ok(answer::json(StatusCode::OK, &json!({ "seconds": seconds })))
}

async fn attach(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let wish: AttachWish = wish(body)?;
    let realm = owner.realm(&wish.realm)?;
    Ok(attached(state.mailbox.attach(realm, wish.request()).await.map_err(stopped)?))
}

async fn detach(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let wish: DetachWish = wish(body)?;
    let realm = owner.realm(&wish.realm)?;
    Ok(attached(state.mailbox.detach(realm, wish.request()).await.map_err(stopped)?))
}

/// The socket is bound first, so that whoever asks hears what the system says of its address; the statement follows, and what could not
/// be stated is closed again.
async fn listen(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let ListenWish { realm, listener, host, security_groups: groups } = wish(body)?;
    let realm = owner.realm(&realm)?;
    if !host.ip().is_loopback() && !state.config.allow_remote {
        let message = format!("{host} is no loopback address, and the server was started without --allow-remote");
        return Err(answer::refusal(StatusCode::FORBIDDEN, "FORBIDDEN", &message));
    }
    let named = listener.parse::<ElbArn>().ok().and_then(|arn| match arn.resource {
        ElbResource::Listener(_, id) => Some(id),
        _ => None,
    });
    let bound = state.plane.offer_socket((&realm, named), host).map_err(|error| {
        answer::refusal(StatusCode::CONFLICT, "UNUSABLE", &format!("cannot listen on {host}: {error}"))
    })?;
    let asked = state.mailbox.listen(realm, ListenRequest { listener, host: bound, groups }).await;
    state.plane.withdraw_socket(bound);
    match asked.map_err(stopped)? {
        Ok(listening) => Ok(answer::json(StatusCode::OK, &json!(ListeningAnswer::from(listening)))),
        Err(error) => Err(refuse_attaching(&error)),
    }
}

async fn unlisten(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let wish: UnlistenWish = wish(body)?;
    let realm = owner.realm(&wish.realm)?;
    let closed = state.mailbox.unlisten(realm, wish.listener).await.map_err(stopped)?;
    let closed = closed.map_err(|error| refuse_attaching(&error))?;
    Ok(answer::json(StatusCode::OK, &json!(ListeningAnswer::from(closed))))
}

fn attached(outcome: Result<control::Attached, AttachError>) -> Answer {
    match outcome {
        Ok(attached) => answer::json(StatusCode::OK, &json!(AttachedAnswer::from(&attached))),
        Err(error) => refuse_attaching(&error),
    }
}

async fn lease(state: &Arc<State>, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let wish: LeaseWish = wish(body)?;
    let realm = owner.realm(&wish.realm)?;
    let place = Arc::clone(&state.leases).try_acquire_owned().map_err(|_| {
        answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_LEASES", "There are as many leases as there may be")
    })?;
    let outcome = state.mailbox.attach(realm.clone(), wish.request(state.enforcement())).await.map_err(stopped)?;
    let attached = outcome.map_err(|error| refuse_attaching(&error))?;
    Ok(lease::answer(state, realm, attached, place))
}

/// An attachment that cannot be.
fn refuse_attaching(error: &AttachError) -> Answer {
    let (status, body) = attach_refusal(error);
    answer::json(status, &body)
}
