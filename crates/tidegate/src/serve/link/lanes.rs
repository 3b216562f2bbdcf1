//! What becomes of a lane that was let in.

use std::sync::Arc;

use plane::link::carrier::LaneKind;
use plane::link::carrier::gateway::AgentName;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use topology::id::AgentId;

use super::office::LinkOffice;
use super::{Admitted, Link};
use crate::serve::State;

/// What is known of an agent that is connected.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// Whether no new requests are sent to it.
    pub(crate) is_draining: bool,
    /// The version of its program.
    pub(crate) version: String,
    /// Since when it is connected, as RFC 3339 has it.
    pub(crate) since: String,
    /// How long ago it was last heard, in milliseconds.
    pub(crate) heard_ms: u64,
    /// How long a ping to it and back took, in milliseconds.
    pub(crate) round_trip_ms: f64,
    /// Its open connections.
    pub(crate) connections: usize,
}

/// Takes a lane. It goes on by itself: what a server that goes down lets end, ends with it.
pub(super) fn admitted(state: &Arc<State>, link: &Link, admitted: Admitted, stream: TlsStream<TcpStream>) {
    let Admitted { realm, agent, vpc, generation, lane, place } = admitted;
    match lane {
        LaneKind::Data => state.plane.take_lane(agent, stream, Box::new(place)),
        LaneKind::Control => {
            let name = AgentName { realm, agent, vpc, generation };
            let (plane, office) = (state.plane.clone(), Arc::clone(&link.office));
            tokio::spawn(async move {
                if let Err(why) = plane.drive_lane(&office, name, stream).await {
                    tracing::info!(%agent, %why, "a control lane ended");
                }
                drop(place);
            });
        }
    }
}

/// What is known of an agent now; `None` where it is not connected.
pub(crate) fn live(state: &State, office: &LinkOffice, agent: AgentId) -> Option<Live> {
    let (seen, program) = (state.plane.agent_seen(agent)?, office.program(agent)?);
    Some(Live {
        is_draining: !seen.takes,
        version: program.version,
        since: program.since,
        heard_ms: u64::try_from(seen.heard.as_millis()).unwrap_or(u64::MAX),
        round_trip_ms: seen.round_trip.as_secs_f64() * 1e3,
        connections: seen.idle + seen.busy + 1,
    })
}
