//! Certificates that an authority is asked for by ACME (RFC 8555): which there are, when each is to be asked for, and what became of it.
//! Who asks, how often again and by what means is the business of whoever calls control.

use std::sync::Arc;

use topology::estate::{Estate, RealmEstate};
use topology::id::{CertificateId, Realm};
use topology::resource::certificate::{Certificate, FailureReason, Order, Renewal, RenewalOutcome, Request, Standing};
use topology::time::Moment;
use wire::Fault;

use crate::certified::{Certified, KeyAlgorithm};
use crate::ops::acm;

/// A certificate is renewed once this part of its life is left: a third, as authorities advise (ACM itself begins 60 days before the end of
/// 13 months).
const LEFT_PART: i64 = 3;
/// Between two renewals lies at least this part of a certificate's life: an authority whose clock differs is not asked without end.
const APART_PART: i64 = 8;

/// A certificate that an authority is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Whose it is.
    pub realm: Realm,
    /// Which it is.
    pub id: CertificateId,
    /// Its names, the first of which is its domain name.
    pub names: Vec<String>,
    /// What key it has.
    pub key: KeyAlgorithm,
    /// When the authority is to be asked for it; `None` is never again.
    pub due: Option<Moment>,
    /// Before this it is not asked for, whatever the authority suggests.
    pub earliest: Moment,
    /// The certificate in PEM that it has by now, if it has one.
    pub before: Option<String>,
}

/// Why the authority gave none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declined {
    /// What may be otherwise the next time.
    ForNow,
    /// What will not.
    ForGood(FailureReason),
}

/// Every certificate that is to be asked for, now or later, and those that were and will not be again. One that nobody uses is not renewed, as ACM does not either.
pub(crate) fn all(estate: &Estate) -> Vec<Ordered> {
    let of_realm = |(realm, held): (&Realm, &Arc<RealmEstate>)| -> Vec<Ordered> {
        held.certificates.values().filter_map(|certificate| ordered(realm, held, certificate)).collect()
    };
    estate.realms.iter().flat_map(of_realm).collect()
}

fn ordered(realm: &Realm, estate: &RealmEstate, certificate: &Certificate) -> Option<Ordered> {
    let order = certificate.request.as_ref()?.order.as_ref()?;
    let (due, before) = match order.standing {
        // At once, also where the clock that it was made by is ahead of this one.
        Standing::Pending => (Some(Moment::default()), None),
        Standing::Issued if acm::users_in(realm, estate, certificate.id).is_empty() => return None,
        Standing::Issued => (Some(renewal_due(certificate)), Some(certificate.body.clone())),
        Standing::Failed(_) | Standing::TimedOut => (None, None),
    };
    let key = match certificate.key_algorithm.as_str() {
        "RSA_2048" => KeyAlgorithm::Rsa2048,
        "EC_secp384r1" => KeyAlgorithm::P384,
        _ => KeyAlgorithm::P256,
    };
    let names = certificate.names().map(str::to_owned).collect();
    let earliest = before.as_ref().map_or(Moment::default(), |_| earliest(certificate));
    Some(Ordered { realm: realm.clone(), id: certificate.id, names, key, due, earliest, before })
}

fn life_ms(certificate: &Certificate) -> i64 {
    certificate.not_after.ms_since(certificate.not_before).max(0)
}

fn earliest(certificate: &Certificate) -> Moment {
    certificate.imported.plus_ms(life_ms(certificate) / APART_PART)
}

fn renewal_due(certificate: &Certificate) -> Moment {
    certificate.not_after.plus_ms(-life_ms(certificate) / LEFT_PART).max(earliest(certificate))
}

/// Keeps what the authority issued. It is presented from the next handshake on.
pub(crate) fn fulfil(
    draft: &mut Arc<RealmEstate>,
    (id, made): (CertificateId, &Certified),
    now: Moment,
) -> Result<(), Fault> {
    let Some(before) = draft.certificates.get(&id).cloned() else { return Ok(()) };
    let Some((request, order)) = before.request.as_ref().and_then(|held| Some((held, held.order.as_ref()?))) else {
        return Ok(());
    };
    let renewal = match order.standing {
        Standing::Pending => None,
        Standing::Issued => Some(Renewal { outcome: RenewalOutcome::Success, updated: now }),
        Standing::Failed(_) | Standing::TimedOut => return Ok(()),
    };
    let texts = (made.certificate.clone(), made.chain.clone(), made.key.clone());
    let read = acm::read(id, texts, now)?;
    if let Some(name) = before.names().find(|name| !read.names().any(|own| own.eq_ignore_ascii_case(name))) {
        return Err(Fault::internal(format!("the authority's certificate is not for {name}")));
    }
    let order = Some(Order { standing: Standing::Issued, renewal });
    let request = Some(Request { issued: now, order, ..request.clone() });
    let certificate = Certificate {
        domain_name: before.domain_name.clone(),
        alternative_names: before.alternative_names.clone(),
        created: before.created,
        tags: before.tags.clone(),
        request,
        ..read
    };
    Arc::make_mut(draft).certificates.insert(id, certificate);
    Ok(())
}

/// Notes that the authority gave none. What is presented stays.
pub(crate) fn decline(draft: &mut Arc<RealmEstate>, (id, declined): (CertificateId, Declined), now: Moment) {
    let order = draft.certificates.get(&id).and_then(|held| held.request.as_ref()?.order.clone());
    let Some(before) = order else { return };
    let mut after = before.clone();
    match (before.standing, declined) {
        (Standing::Pending, Declined::ForGood(reason)) => after.standing = Standing::Failed(reason),
        (Standing::Issued, declined) => {
            let outcome = match declined {
                Declined::ForNow => RenewalOutcome::Pending,
                Declined::ForGood(reason) => RenewalOutcome::Failed(reason),
            };
            if before.renewal.is_none_or(|renewal| renewal.outcome != outcome) {
                after.renewal = Some(Renewal { outcome, updated: now });
            }
        }
        (Standing::Pending, Declined::ForNow) | (Standing::Failed(_) | Standing::TimedOut, _) => {}
    }
    if after != before
        && let Some(request) = Arc::make_mut(draft).certificates.edit(&id).and_then(|held| held.request.as_mut())
    {
        request.order = Some(after);
    }
}
