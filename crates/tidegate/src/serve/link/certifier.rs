//! The authorities of the link as they are now, and how hands are shaken by them. A phase of a rotation takes their place under open
//! connections, which go on.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;

use crate::link::{Authorities, server_config};

/// Who certifies.
pub(super) struct Certifier {
    current: RwLock<Arc<Current>>,
    /// Held while a phase of a rotation is begun.
    pub(super) rotating: tokio::sync::Mutex<()>,
}

/// The authorities now.
pub(super) struct Current {
    pub(super) authorities: Authorities,
    pub(super) tls: Arc<ServerConfig>,
}

impl Current {
    pub(super) fn of(authorities: Authorities) -> Result<Arc<Self>, String> {
        let tls = server_config(authorities.issuing(), &authorities.of_agents())?;
        Ok(Arc::new(Self { authorities, tls }))
    }
}

impl Certifier {
    /// By the authorities of a data directory.
    pub(super) fn open(data_dir: Option<&Path>) -> Result<Self, String> {
        let authorities = Authorities::open(data_dir).map_err(|error| error.to_string())?;
        Ok(Self { current: RwLock::new(Current::of(authorities)?), rotating: tokio::sync::Mutex::default() })
    }

    /// Those that are there now.
    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in their place, for whoever comes from now on.
    pub(super) fn replace(&self, next: Arc<Current>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }
}
