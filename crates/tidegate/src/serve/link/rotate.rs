//! One authority of the link takes the place of another, a phase for each time that it is asked for. No phase begins while an agent is behind
//! that it would shut out: what an agent knows counts once it has come with the certificate that told it.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use topology::id::AgentId;
use topology::resource::agent::{Agent, Standing};

use super::certifier::Current;
use super::own::no_link;
use crate::link::{Authorities, RotationError};
use crate::mailbox::Stopped;
use crate::serve::State;
use crate::serve::answer::{self, Answer, stopped};
use crate::serve::owner::Owner;

/// Begins the next phase, or says who is behind.
pub(in crate::serve) async fn rotate(state: &State, owner: &Owner) -> Result<Answer, Answer> {
    owner.for_everybody()?;
    let link = state.link.as_ref().ok_or_else(no_link)?;
    let _alone = link.certifier.rotating.lock().await;
    let before = link.certifier.current();
    let late = behind(state, &before.authorities).await.map_err(stopped)?;
    if !late.is_empty() {
        let message = "agents are behind: each takes the phase with its next renewal; revoke those that do not come";
        let phase = before.authorities.phase();
        let body = json!({ "code": "AGENTS_BEHIND", "message": message, "phase": phase, "behind": late });
        return Err(answer::json(StatusCode::CONFLICT, &body));
    }
    let begun = tokio::task::spawn_blocking(move || {
        let next = before.authorities.advance().map_err(|error| match error {
            RotationError::InMemory => (StatusCode::CONFLICT, error.to_string()),
            RotationError::File { .. } | RotationError::Authority(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        })?;
        Current::of(next).map_err(|why| (StatusCode::INTERNAL_SERVER_ERROR, why))
    });
    let begun = begun.await.unwrap_or_else(|_| Err((StatusCode::INTERNAL_SERVER_ERROR, "it was cut short".to_owned())));
    let next = begun.map_err(|(status, why)| answer::refusal(status, "AUTHORITY", &why))?;
    link.certifier.replace(Arc::clone(&next));
    let (phase, told) = (next.authorities.phase(), next.authorities.told());
    tracing::warn!(?phase, authority = %told.issuer, "a phase of the rotation of the link's authority began, as asked");
    let late = behind(state, &next.authorities).await.map_err(stopped)?;
    let body = json!({ "phase": phase, "authority": told.issuer, "trusted": told.trusted, "behind": late });
    Ok(answer::json(StatusCode::OK, &body))
}

/// The agents that the next phase would shut out.
async fn behind(state: &State, authorities: &Authorities) -> Result<Vec<AgentId>, Stopped> {
    let census = state.mailbox.census().await?;
    let agents = census.realms.iter().flat_map(|(_, estate)| estate.agents.values());
    Ok(agents.filter(|agent| is_behind(authorities, agent)).map(|agent| agent.id).collect())
}

fn is_behind(authorities: &Authorities, agent: &Agent) -> bool {
    agent.standing == Standing::Active && (agent.fallback.is_some() || !authorities.is_ready(&agent.knows))
}
