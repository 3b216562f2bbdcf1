//! Explanations: of a request that was carried out before, by its id, and of one that is carried out to be explained. The latter
//! goes to this server's own data plane whatever host it names; nothing leaves for anywhere else.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use topology::trace::RequestId;

use super::State;
use super::answer::{self, Answer};
use super::limits::ASKED_TIMEOUT;
use super::owner::Owner;
use crate::explain;
use crate::wishes::ExplainWish;

/// Carries out a request for its explanation.
pub(super) async fn ask(
    state: &State,
    owner: &Owner,
    (body, headers): (&Bytes, &HeaderMap),
    peer: SocketAddr,
) -> Result<Answer, Answer> {
    let wish: ExplainWish = answer::wish(body)?;
    let there = wish.there;
    let request = wish.request().map_err(|why| answer::refusal(StatusCode::BAD_REQUEST, "MALFORMED", &why))?;
    let Ok(_place) = state.asked.try_acquire() else {
        let message = "as many requests are carried out to be explained as may be at a time; try again";
        return Err(answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_REQUESTS", message));
    };
    let Ok(Some(id)) = tokio::time::timeout(ASKED_TIMEOUT, state.plane.ask(request, there, peer)).await else {
        let message = format!("the request was not answered within {} s", ASKED_TIMEOUT.as_secs());
        return Err(answer::refusal(StatusCode::SERVICE_UNAVAILABLE, "TOO_SLOW", &message));
    };
    Ok(tell(state, owner, (&id.to_string(), headers)))
}

/// What is known of a request: of the data plane's by its trace, of a call by the ring.
pub(super) fn tell(state: &State, owner: &Owner, (id, headers): (&str, &HeaderMap)) -> Answer {
    let snapshot = state.plane.snapshot();
    let trace = id.parse::<RequestId>().ok().and_then(|id| state.plane.traces().find(id));
    let trace = trace.filter(|trace| owner.may_see(&snapshot, trace));
    let explained =
        trace.map(|trace| explain::of_trace(&snapshot, &trace, &|target| state.plane.health(target))).or_else(|| {
            let call = state.calls.find(id).filter(|call| owner.may_see_call(call));
            call.map(|call| explain::of_call(&call))
        });
    let Some(explained) = explained else {
        let message = state.runs.unknown(id.parse().ok());
        return answer::refusal(StatusCode::NOT_FOUND, "UNKNOWN_REQUEST", &message);
    };
    let wants_text = headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/plain"));
    let reason = state.enforcement_reason();
    if wants_text {
        let because =
            |why| format!("\nEnforced by the proxy engine, since the kernel cannot carry private networks: {why}\n");
        answer::text(StatusCode::OK, explained.text() + &reason.map(because).unwrap_or_default())
    } else {
        let mut told = explained.json();
        // Scripts know the object as it is without these.
        if let Some(reason) = reason {
            told["enforcement"] = json!(state.enforcement().to_string());
            told["enforcement_reason"] = json!(reason);
        }
        answer::json(StatusCode::OK, &told)
    }
}
