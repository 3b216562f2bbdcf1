//! Integrations with public endpoints: the connection by [`Outside`](crate::fabric::outside::Outside), which judges each address, and
//! the answer as it streams back. Where it leads, `endpoint` says.
//! Nothing private is reached from here, whatever a name resolves to; redirects are the client's business.

use std::sync::Arc;

use http::Response;
use topology::reason::Reason;
use topology::trace::{Hop, HopKind};

use super::outbound::Public;
use super::refusal::Refusal;
use crate::answer::body::Body;
use crate::clock;
use crate::fabric::exchange::{self, ClientFault, Failure, Limits};
use crate::fabric::outside::{OutsideError, Purpose};
use crate::fabric::stream::{self, Hold, Patience};
use crate::limits::CLIENT_BODY_IDLE_TIMEOUT;
use crate::shared::Shared;
use crate::trace::Recording;

/// Carries a request to a public endpoint.
pub(super) async fn carry(
    shared: &Arc<Shared>,
    public: &mut Public,
    recording: &mut Recording,
) -> Result<Response<Body>, Refusal> {
    let (id, origin, timeout) = (public.integration().hop(), Arc::clone(public.origin()), public.timeout());
    let way = shared.outside.way(&origin, Purpose::Integration, timeout);
    let sent = public.request().body().progress();
    let client_idle = CLIENT_BODY_IDLE_TIMEOUT;
    let limits = Limits { start: recording.start(), whole: timeout, idle: timeout, client_idle };
    let exchanged = exchange::exchange(&shared.home.pool, &way, public.request(), limits).await;
    recording.read_clock();
    match exchanged {
        Ok((response, key)) => {
            recording.hop(Hop::pass(HopKind::Endpoint, id, 0).with_status(response.status().as_u16()));
            recording.detail(&format!("{}:{}", origin.host, origin.port));
            let hold = Hold { key: Some(key), sent, reusable: true, lasting: None };
            let left = timeout.saturating_sub(clock::now().duration_since(limits.start));
            let patience = Patience { idle: timeout, budget: left };
            let trace = (&shared.home, recording.id());
            Ok(response.map(|incoming| stream::body(incoming, hold, patience, trace).into()))
        }
        Err(failure) => Err(refuse(&failure, public, recording)),
    }
}

fn refuse(failure: &Failure<OutsideError>, public: &Public, recording: &mut Recording) -> Refusal {
    let reason = match failure.reason(of_connection) {
        Ok(reason) => reason,
        Err(ClientFault::Silent) => return Refusal::ClientSilent,
        Err(ClientFault::Body(fault)) => return Refusal::BodyFault(fault),
    };
    recording.stop(HopKind::Endpoint, public.integration().hop(), reason);
    recording.detail(&match failure {
        Failure::Connect(error) => error.to_string(),
        _ => format!("{}:{}", public.origin().host, public.origin().port),
    });
    if reason == Reason::IntegrationTimeout { Refusal::TimedOut } else { Refusal::Silent(reason) }
}

fn of_connection(error: &OutsideError) -> Reason {
    match error {
        OutsideError::Forbidden { .. } => Reason::EgressForbidden,
        OutsideError::BadHost(_) | OutsideError::Unresolved { .. } => Reason::NoRoute,
        OutsideError::Refused(_) | OutsideError::Io { .. } => Reason::TargetRefused,
        OutsideError::Timeout(_) => Reason::TargetTimeout,
        OutsideError::Tls(fault) => fault.reason(),
    }
}
