//! What a connection may ask for is decided here: a name whose clients must show a certificate is reached only over a connection that
//! was made for that very name.
//!
//! Enforced: the name of the handshake, the certificate that was presented, the client's certificate. Trusted: nothing that
//! a request says of itself.

use std::sync::Arc;

use topology::resource::domain::stands_for;

use super::refusal::Refusal;
use crate::front::arrival::Arrival;
use crate::tls::presented::DomainTls;

/// That a request's host belongs on its connection. Only [`check_host`] makes one.
#[derive(Debug)]
pub(super) struct Belongs(());

/// That a request's client may go on to the domain that it asked for. Only [`check_client`] makes one.
#[derive(Debug)]
pub(super) struct Presented(());

/// Whether a request for this host belongs on this connection: on one with TLS, the host must be the name that was asked
/// for or one that the certificate is for (RFC 9110, section 7.4).
pub(super) fn check_host(arrival: &Arrival, host: &str) -> Result<Belongs, Refusal> {
    let Some(tls) = &arrival.tls else { return Ok(Belongs(())) };
    let asked = tls.server_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host));
    if asked || tls.names.iter().any(|name| stands_for(name, host)) {
        Ok(Belongs(()))
    } else {
        Err(Refusal::Misdirected)
    }
}

/// Whether a request for this domain may go on. A client certificate counts for the domain of its handshake and for the
/// trust store that it was verified with, and for nothing else.
pub(super) fn check_client(arrival: &Arrival, domain: &DomainTls) -> Result<Presented, Refusal> {
    let Some(trust) = domain.trust() else { return Ok(Presented(())) };
    let Some(tls) = &arrival.tls else { return Err(Refusal::ClientCertificateRequired) };
    let same = |shaken: &Arc<DomainTls>| {
        shaken.name() == domain.name() && shaken.trust().is_some_and(|with| Arc::ptr_eq(with, trust))
    };
    match (tls.domain.as_ref().is_some_and(same), &tls.client) {
        (false, _) => Err(Refusal::ClientCertificateElsewhere),
        (true, Some(Ok(_))) => Ok(Presented(())),
        (true, Some(Err(_))) => Err(Refusal::ClientCertificateInvalid),
        (true, None) => Err(Refusal::ClientCertificateRequired),
    }
}
