//! The plane's ends of links between machines: a gateway's lanes, and an agent's keeper.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use topology::id::{AgentId, Realm, VpcId};
use topology::observed::{Health, TargetKey};

use super::Plane;
use crate::clock;
use crate::link::carrier::LaneError;
use crate::link::carrier::agent::{self, Desk, Ends, Keeping};
use crate::link::carrier::gateway::{self, AgentName, Office};
use crate::link::lines;
use crate::link::message::LinesTold;

/// What is known of an agent while it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentSeen {
    /// Whether it is given requests: it is not going down.
    pub takes: bool,
    /// Connections that wait for a request.
    pub idle: usize,
    /// Connections that carry one.
    pub busy: usize,
    /// How long the last ping and its answer took; zero before the first.
    pub round_trip: Duration,
    /// How long ago it was heard.
    pub heard: Duration,
}

impl Plane {
    /// Takes in a connection that carries requests, which an agent dialled. `held` lasts as long as it does.
    pub fn take_lane(&self, agent: AgentId, stream: TlsStream<TcpStream>, held: Box<dyn Any + Send + Sync>) {
        gateway::take(&self.0.shared, agent, stream, held);
    }

    /// Drives the control lane that an agent dialled, to its end.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn drive_lane<O: Office>(
        &self,
        office: &Arc<O>,
        name: AgentName,
        stream: TlsStream<TcpStream>,
    ) -> Result<(), LaneError> {
        gateway::drive((&self.0.shared, self.0.stopping.subscribe()), office, name, stream).await
    }

    /// Takes lines of logs that an agent of this VPC wrote.
    pub fn take_lines(&self, of: (&Realm, VpcId), lines: LinesTold) {
        lines::take(&self.0.shared, of, lines);
    }

    /// Takes what agents say of the health of a target that they carry; nobody probes it here.
    pub fn take_health(&self, realm: &Realm, target: TargetKey, health: Health) {
        let world = self.0.shared.world.load();
        let held = world.realms.iter().find(|held| held.snapshot.realm == *realm);
        let state = held.and_then(|held| held.groups().find(|(group, _)| group.id == target.group));
        let known = state.and_then(|(_, state)| state.targets.iter().find(|known| known.key == target));
        if let Some(known) = known {
            // Its share grows where requests are given to it.
            known.set(health, (false, clock::now()));
        }
    }

    /// What is known of an agent, if it is connected.
    #[must_use]
    pub fn agent_seen(&self, id: AgentId) -> Option<AgentSeen> {
        let lane = self.0.shared.lanes.agent(id)?;
        let (idle, busy) = lane.connections();
        let round_trip = Duration::from_micros(lane.round_trip_micros().into());
        Some(AgentSeen { takes: lane.takes(), idle, busy, round_trip, heard: lane.silent_for() })
    }

    /// As an agent: keeps the link to a gateway until the agent goes down.
    pub async fn keep_link<D: Desk>(&self, keeping: Keeping<D>) {
        let (shared, connections) = (Arc::clone(&self.0.shared), Arc::clone(&self.0.connections));
        agent::keep(Ends { shared, connections, write_flows: super::flows::write_all }, keeping).await;
    }
}
