//! When names are given up that an authority, asked by ACME, could not validate.

use std::sync::Arc;

use topology::estate::RealmEstate;
use topology::id::CertificateId;
use topology::resource::certificate::{Certificate, Standing};
use topology::time::Moment;

/// How long names may be validated: 72 hours (ACM user guide, "Certificate validation failure", 2026-11).
pub(crate) const VALIDATION_MS: i64 = 72 * 3600 * 1000;

/// When names that are not validated are given up.
fn given_up(certificate: &Certificate) -> Option<Moment> {
    let order = certificate.request.as_ref()?.order.as_ref()?;
    (order.standing == Standing::Pending).then(|| certificate.created.plus_ms(VALIDATION_MS))
}

/// When the next certificate is given up.
pub(super) fn next_change(estate: &RealmEstate) -> Option<Moment> {
    estate.certificates.values().filter_map(|certificate| given_up(certificate)).min()
}

/// Gives up what was not validated in time.
pub(super) fn advance(estate: &mut RealmEstate, now: Moment) {
    let is_due = |certificate: &&Arc<Certificate>| given_up(certificate).is_some_and(|due| due <= now);
    let due: Vec<CertificateId> = estate.certificates.values().filter(is_due).map(|found| found.id).collect();
    for id in due {
        let request = estate.certificates.edit(&id).and_then(|held| held.request.as_mut());
        if let Some(order) = request.and_then(|request| request.order.as_mut()) {
            order.standing = Standing::TimedOut;
        }
    }
}
