//! What a gateway that speaks TLS to a private listener checks (`tlsConfig.serverNameToVerify`; HTTP API developer guide,
//! "Create private integrations for HTTP APIs", 2026-11). Gateway and load balancer are one process, so no bytes are encrypted
//! between them; the certificate that the listener would present is verified all the same: its chain, its times and its name.
//!
//! A result is kept for each name until a certificate of the listener changes or a time is passed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error};
use topology::reason::Reason;
use topology::resource::certificate::Certificate;
use topology::snapshot::balancer::ListenerTls;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Issuer, provider};
use crate::clock;
use crate::fabric::outside::trust::{self, ExtraRoot};
use crate::limits::SERVER_NAMES_KEPT;

/// Whom the gateway trusts as a TLS client of listeners: made with the first check, since it reads the platform's roots from
/// files.
#[derive(Debug)]
pub(crate) struct Trust {
    extra: Vec<ExtraRoot>,
    development: Option<Issuer>,
    judge: OnceLock<Result<Arc<WebPkiServerVerifier>, String>>,
}

impl Trust {
    /// The platform's roots, these, and the development authority where there is one.
    pub(crate) fn new(extra: Vec<ExtraRoot>, development: Option<Issuer>) -> Self {
        Self { extra, development, judge: OnceLock::new() }
    }

    /// Reads the roots, where that may block, so that no request has to.
    pub(crate) fn prepare(&self) {
        if let Err(error) = self.judge() {
            tracing::warn!(error, "TLS to listeners will be refused");
        }
    }

    fn judge(&self) -> Result<Arc<WebPkiServerVerifier>, String> {
        let make = || {
            let authority = self.development.iter().filter_map(|issuer| issuer.authority().ok());
            let authority = authority.filter_map(|pem| ExtraRoot::read_pem(pem.as_bytes()).ok()).flatten();
            let extra: Vec<_> = self.extra.iter().cloned().chain(authority).collect();
            let roots = Arc::new(trust::roots(&extra));
            let made = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
            made.map_err(|error| format!("there are no roots to trust: {error}"))
        };
        self.judge.get_or_init(make).clone()
    }
}

/// Why the gateway would not go on with the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Untrusted {
    /// The reason.
    pub(crate) reason: Reason,
    /// What was asked and what was offered.
    pub(crate) detail: String,
}

/// A result and the time at which it may be another.
#[derive(Debug, Clone)]
struct Kept {
    result: Result<(), Arc<Untrusted>>,
    until: Duration,
}

/// The checks of one listener. It is the same one for as long as the listener's certificates are.
#[derive(Debug)]
pub(crate) struct ListenerChecks {
    tls: ListenerTls,
    kept: Mutex<HashMap<Arc<str>, Kept>>,
}

impl ListenerChecks {
    /// Those of a compiled listener: the ones before, if nothing changed.
    pub(crate) fn of(tls: &ListenerTls, before: Option<&Arc<Self>>) -> Arc<Self> {
        let same = |before: &Arc<Self>| {
            let (old, new) = (&before.tls.certificates, &tls.certificates);
            old.len() == new.len() && old.iter().zip(new).all(|(one, two)| Arc::ptr_eq(one, two))
        };
        match before.filter(|before| same(before)) {
            Some(before) => Arc::clone(before),
            None => Arc::new(Self { tls: tls.clone(), kept: Mutex::default() }),
        }
    }

    /// Whether the gateway would go on with a handshake for this server name.
    pub(crate) fn check(&self, name: &Arc<str>, trust: &Trust) -> Result<(), Arc<Untrusted>> {
        let now = clock::since_epoch();
        if let Some(kept) = self.kept.lock().get(name).filter(|kept| now < kept.until) {
            return kept.result.clone();
        }
        let (result, until) = self.look(name, trust, now);
        let result = result.map_err(Arc::new);
        let mut kept = self.kept.lock();
        if kept.len() >= SERVER_NAMES_KEPT {
            kept.clear();
        }
        kept.insert(Arc::clone(name), Kept { result: result.clone(), until });
        result
    }

    fn look(&self, name: &str, trust: &Trust, now: Duration) -> (Result<(), Untrusted>, Duration) {
        let failed = |reason, detail: String| Err(Untrusted { reason, detail });
        let Some(certificate) = self.tls.certificate(Some(name), true, clock::moment(now)) else {
            return (failed(Reason::TlsHandshakeFailed, "the listener's certificate is gone".to_owned()), now);
        };
        let chain = chain_of(certificate);
        let until = next_change(&chain, now);
        let Some((own, between)) = chain.split_first() else {
            return (failed(Reason::TlsHandshakeFailed, "the listener's certificate cannot be read".to_owned()), until);
        };
        let Ok(server) = ServerName::try_from(name) else {
            return (failed(Reason::TlsHandshakeFailed, format!("{name} is no server name")), until);
        };
        let result = trust.judge().map_err(|text| Untrusted { reason: Reason::TlsUntrusted, detail: text });
        let result = result.and_then(|judge| {
            let at = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
            let judged = judge.verify_server_cert(own, between, &server, &[], at);
            judged.map(|_| ()).map_err(|error| untrusted(&error, name, certificate))
        });
        (result, until)
    }
}

fn chain_of(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    let parts = std::iter::once(&certificate.body).chain(&certificate.chain);
    parts.flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok)).collect()
}

/// The next moment at which one of these certificates becomes valid or expires.
fn next_change(chain: &[CertificateDer<'_>], now: Duration) -> Duration {
    let moments = chain.iter().filter_map(|der| X509Certificate::from_der(der).ok()).flat_map(|(_, parsed)| {
        // One is valid to the end of its last second.
        let (from, to) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
        [from, to.saturating_add(1)]
    });
    let ahead = moments.filter_map(|at| u64::try_from(at).ok()).map(Duration::from_secs).filter(|at| *at > now);
    ahead.min().unwrap_or(Duration::MAX)
}

fn untrusted(error: &Error, asked: &str, offered: &Certificate) -> Untrusted {
    let (reason, detail) = match error {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            let names: Vec<&str> = offered.names().collect();
            let detail = format!("asked for {asked}; the certificate {} is for {}", offered.id, names.join(", "));
            (Reason::TlsNameMismatch, detail)
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => (
            Reason::TlsExpired,
            format!("asked for {asked}; the certificate {} or one above it has expired", offered.id),
        ),
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            (Reason::TlsExpired, format!("asked for {asked}; the certificate {} is not valid yet", offered.id))
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            let detail =
                format!("asked for {asked}; nobody who is trusted signed {}, issued by {}", offered.id, offered.issuer);
            (Reason::TlsUntrusted, detail)
        }
        other => (Reason::TlsUntrusted, format!("asked for {asked}; the certificate {}: {other}", offered.id)),
    };
    Untrusted { reason, detail }
}
