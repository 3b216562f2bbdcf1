//! Certificates of an authority that is asked by ACME (RFC 8555): for those that `RequestCertificate` made pending, and again while they are in
//! use and a third of their life is left. Which these are says `control::orders`; what is presented is read from the estate, as with every other
//! certificate. Nothing here runs on the control thread, and no key and no token is logged.

mod account;
mod challenges;
mod http;
mod order;
mod renewal;
mod work;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use control::changes::Changes;
use plane::Prover;
use rustls::ClientConfig;
use tokio::sync::Notify;
use topology::id::{CertificateId, Realm};
use topology::time::Moment;

use crate::config::Acme;
use account::Book;
pub(crate) use challenges::Challenges;
pub(crate) use work::work;

/// Which certificate.
pub(crate) type Key = (Realm, CertificateId);

/// What went wrong with a certificate the last time, until it goes well or the certificate is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// How often it went wrong.
    pub(crate) tries: u32,
    /// Why.
    pub(crate) why: String,
    /// When the authority is asked again, unless it said its last word.
    pub(crate) again: Option<Moment>,
}

/// The authority, and what is asked of it.
pub(crate) struct Authority {
    /// The settings.
    pub(crate) acme: Acme,
    /// What proves names to it.
    pub(crate) challenges: Arc<Challenges>,
    tls: Arc<ClientConfig>,
    book: Book,
    wake: Notify,
    /// At most one for each certificate that is asked for.
    troubles: Mutex<BTreeMap<Key, Trouble>>,
}

impl Authority {
    /// That of the settings.
    ///
    /// # Errors
    /// When its roots or the account's file cannot be used, with the setting.
    pub(crate) fn open(acme: &Acme, data_dir: Option<&Path>) -> Result<Arc<Self>, String> {
        let tls = http::tls(acme.ca_file.as_deref()).map_err(|why| format!("acme.ca_file: {why}"))?;
        let book = Book::open(data_dir, acme).map_err(|why| format!("acme.directory: {why}"))?;
        Ok(Arc::new(Self {
            acme: acme.clone(),
            challenges: Arc::default(),
            tls,
            book,
            wake: Notify::new(),
            troubles: Mutex::default(),
        }))
    }

    /// How names are proven in handshakes of the public listener.
    pub(crate) fn prover(&self) -> Prover {
        let challenges = Arc::clone(&self.challenges);
        Prover::new(move |name| challenges.certificate(name))
    }

    /// Looks now at what is to be asked for.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    /// Looks at it if changes touched certificates, or who uses them.
    pub(crate) fn look_after<'a>(&self, changes: impl IntoIterator<Item = &'a Changes>) {
        let touches = |changes: &Changes| {
            changes.rows.iter().any(|row| ["certificates", "listeners", "domain_names"].contains(&row.table.as_str()))
        };
        if changes.into_iter().any(touches) {
            self.look();
        }
    }

    /// What goes wrong with certificates now.
    pub(crate) fn troubles(&self) -> BTreeMap<Key, Trouble> {
        self.with_troubles(|troubles| troubles.clone())
    }

    fn with_troubles<T>(&self, act: impl FnOnce(&mut BTreeMap<Key, Trouble>) -> T) -> T {
        act(&mut self.troubles.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
