//! Our own paths about agents: tokens, the list, and what shuts an agent out.

use std::sync::Arc;

use bytes::Bytes;
use control::enrolment::Token;
use control::{AgentError, TokenWish};
use http::StatusCode;
use serde_json::{Value, json};
use topology::estate::RealmEstate;
use topology::id::Realm;
use topology::resource::agent::{Agent, Standing};
use topology::time::Moment;

use super::lanes;
use crate::hour::{iso, wall_clock};
use crate::serve::State;
use crate::serve::answer::{self, Answer, stopped, wish};
use crate::serve::owner::Owner;
use crate::wishes::{AgentTokenAnswer, AgentTokenWish, AgentWish};

/// Makes a token.
pub(in crate::serve) async fn token(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let AgentTokenWish { realm, vpc, zones, ttl_s } = wish(body)?;
    let realm = owner.realm(&realm)?;
    let link = state.link.as_ref().ok_or_else(no_link)?;
    let ttl = ttl_s.map_or(control::TOKEN_TTL, std::time::Duration::from_secs);
    let wanted = TokenWish { vpc, zones: zones.clone(), ttl };
    let named = realm.clone();
    let made = state.mailbox.work("make a token", move |control, now| control.agent_token(&named, &wanted, now));
    let made = made.await.map_err(stopped)?.map_err(|error| refuse(&error))?;
    let token = Token { realm, secret: made.secret, pin: link.certifier.current().authorities.issuing().pin() };
    let answer = AgentTokenAnswer { token: token.expose(), expires: iso(made.expires), vpc, zones };
    Ok(answer::json(StatusCode::OK, &json!(answer)))
}

pub(super) fn no_link() -> Answer {
    let message = "the server does not listen for agents: start it with --link HOST:PORT";
    answer::refusal(StatusCode::CONFLICT, "NO_LINK", message)
}

/// Lists agents.
pub(in crate::serve) async fn list(state: &State, owner: &Owner) -> Result<Answer, Answer> {
    let census = state.mailbox.census().await.map_err(stopped)?;
    let reached = census.realms.iter().filter(|(realm, _)| owner.may_reach(realm.account));
    let agents: Vec<Value> = reached.flat_map(|(realm, estate)| of_realm(state, realm, estate)).collect();
    Ok(answer::json(StatusCode::OK, &json!({ "agents": agents })))
}

fn of_realm(state: &State, realm: &Realm, estate: &Arc<RealmEstate>) -> Vec<Value> {
    estate.agents.values().map(|agent| shown(state, realm, agent)).collect()
}

fn shown(state: &State, realm: &Realm, agent: &Agent) -> Value {
    let live = state.link.as_ref().and_then(|link| lanes::live(state, &link.office, agent.id));
    let known = match (agent.standing, &live) {
        (Standing::Revoked, _) => "revoked",
        (Standing::Quarantined, _) => "quarantined",
        (Standing::Active | Standing::Here, None) => "lost",
        (Standing::Active | Standing::Here, Some(live)) if live.is_draining => "draining",
        (Standing::Active | Standing::Here, Some(_)) => "connected",
    };
    json!({
        "agent": agent.id,
        "vpc": agent.vpc,
        "zones": agent.zones,
        "state": known,
        "version": live.as_ref().map(|live| &live.version),
        "since": live.as_ref().map(|live| &live.since),
        "last_seen": live.as_ref().map(|live| iso(Moment(wall_clock().0.saturating_sub_unsigned(live.heard_ms)))),
        "round_trip_ms": live.as_ref().map(|live| live.round_trip_ms),
        "connections": live.as_ref().map_or(0, |live| live.connections),
        "account_id": realm.account,
        "region": realm.region,
    })
}

/// Shuts an agent out for good.
pub(in crate::serve) async fn revoke(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let AgentWish { realm, agent } = wish(body)?;
    let realm = owner.realm(&realm)?;
    let revoked = state.mailbox.work("revoke an agent", move |control, _| control.revoke_agent(&realm, agent));
    Ok(told(revoked.await.map_err(stopped)?, "revoked"))
}

/// Forgets a revoked agent.
pub(in crate::serve) async fn forget(state: &State, owner: &Owner, body: &Bytes) -> Result<Answer, Answer> {
    let AgentWish { realm, agent } = wish(body)?;
    let realm = owner.realm(&realm)?;
    let forgotten = state.mailbox.work("forget an agent", move |control, _| control.forget_agent(&realm, agent));
    Ok(told(forgotten.await.map_err(stopped)?, "forgotten"))
}

fn told(outcome: Result<Agent, AgentError>, what: &str) -> Answer {
    match outcome {
        Ok(agent) => {
            tracing::info!(agent = %agent.id, vpc = %agent.vpc, "an agent was {what}, as asked");
            answer::json(StatusCode::OK, &json!({ "agent": agent.id, "vpc": agent.vpc, "state": what }))
        }
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &AgentError) -> Answer {
    let status = match error.code() {
        "NOT_FOUND" => StatusCode::NOT_FOUND,
        "MALFORMED" => StatusCode::BAD_REQUEST,
        "STORE" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    answer::refusal(status, error.code(), &error.to_string())
}
