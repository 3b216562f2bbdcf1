//! One gateway, as an agent deals with it: how it is dialled, and what becomes of what it says.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plane::link::carrier::agent::{Desk, Dialling};
use plane::link::carrier::{LaneError, LaneKind};
use plane::link::message::{Slice, Welcome};
use plane::link::session::Over;
use tokio::sync::watch;

use super::carried::{Carried, Coming};
use super::identity::{Identity, dial, shake};
use crate::link::protocol;

/// How long after a renewal that came to nothing another one is asked for.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// One gateway.
pub(super) struct GatewayDesk {
    /// Host and port.
    pub(super) gateway: String,
    /// What tells this run of the program from another.
    pub(super) run: u64,
    /// Who the agent is.
    pub(super) identity: Arc<Mutex<Identity>>,
    /// What it carries.
    pub(super) carried: Arc<Carried>,
    /// What this gateway has told so far.
    pub(super) coming: Mutex<Coming>,
    /// Whether it is connected.
    pub(super) connected: watch::Sender<bool>,
    /// What was last said of a failure, so that it is said once.
    pub(super) said: Mutex<String>,
}

impl GatewayDesk {
    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for GatewayDesk {
    fn dial(&self, lane: LaneKind) -> Dialling {
        let config = self.identity().client_config(lane).map_err(io::Error::other);
        let gateway = self.gateway.clone();
        Box::pin(async move {
            let stream = dial(&gateway).await?;
            let peer = stream.peer_addr()?;
            let stream = shake(config?, stream).await?;
            match stream.get_ref().1.alpn_protocol() == Some(protocol(lane)) {
                true => Ok((stream, peer)),
                false => {
                    Err(io::Error::other("something between agent and gateway strips ALPN, or speaks another protocol"))
                }
            }
        })
    }

    fn hello(&self) -> (u64, u64) {
        (self.run, *self.carried.revision().borrow())
    }

    fn welcomed(&self, welcome: &Welcome) {
        if welcome.cookie_key != self.identity().said().cookie_key {
            tracing::warn!("the gateway seals cookies of load balancers with another key: clients lose their targets");
        }
    }

    fn put_in(&self, slice: Slice) -> Result<(), String> {
        let whole = self.coming.lock().unwrap_or_else(PoisonError::into_inner).put_in(slice)?;
        match whole {
            Some((revision, estate)) => self.carried.take(revision, estate, true),
            None => Ok(()),
        }
    }

    fn renewal(&self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let identity = Arc::clone(&self.identity);
        Box::pin(async move {
            loop {
                let renew_at = identity.lock().unwrap_or_else(PoisonError::into_inner).renew_at();
                tokio::time::sleep(renew_at.duration_since(SystemTime::now()).unwrap_or_default()).await;
                let csr = identity.lock().unwrap_or_else(PoisonError::into_inner).renewal_csr();
                match csr {
                    Ok(csr) => return STANDARD.encode(csr),
                    Err(error) => tracing::error!(%error, "no signing request can be made"),
                }
                tokio::time::sleep(RENEW_AGAIN).await;
            }
        })
    }

    fn renewed(&self, chain: &str, generation: u64) -> Result<(), String> {
        self.identity().renewed(chain, generation).map_err(|error| error.to_string())?;
        tracing::info!(generation, "the certificate was renewed");
        Ok(())
    }

    fn connected(&self, is_connected: Result<(), &LaneError>) {
        let text = is_connected.err().map(ToString::to_string).unwrap_or_default();
        self.connected.send_replace(is_connected.is_ok());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == text && is_connected.is_err() {
            return tracing::debug!(gateway = self.gateway, why = text, "not connected");
        }
        match is_connected {
            Ok(()) => tracing::info!(gateway = self.gateway, "connected"),
            Err(LaneError::Over(Over::Refused(refusal))) => {
                tracing::error!(
                    gateway = self.gateway,
                    code = refusal.code,
                    "the gateway refused: {}",
                    refusal.message
                );
            }
            Err(_) => tracing::warn!(gateway = self.gateway, why = text, "not connected; dialling again"),
        }
        *said = text;
    }
}
