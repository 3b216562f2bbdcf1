//! Whether a matched request may go on: its declared size, then its route's authorization. Authorizers other
//! than `NONE` are not carried out yet: a route that has one fails closed.

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use topology::reason::Reason;
use topology::snapshot::gateway::{Integration, RouteAuthorization};
use topology::trace::{HopId, HopKind};

use super::find::Matched;
use super::respond::Refusal;
use super::throttle::Metered;
use crate::http::survey::Survey;
use crate::limits::REQUEST_BODY_BYTES_MAX;
use crate::trace::Recording;

/// A request that may be carried. Only [`admit`] makes one.
pub(crate) struct Admitted<'w> {
    /// What was matched.
    pub(super) matched: Matched<'w>,
    /// The route's integration.
    pub(super) integration: &'w Integration,
    _made_here: (),
}

/// Admits the request, or says why not.
pub(crate) fn admit<'w>(
    metered: Metered<'w>,
    (headers, seen): (&HeaderMap, &Survey),
    recording: &mut Recording,
) -> Result<Admitted<'w>, Refusal> {
    let matched = metered.matched;
    if seen.length && declared_bytes(headers).is_some_and(|bytes| bytes > REQUEST_BODY_BYTES_MAX) {
        return Err(Refusal::BodyTooLarge);
    }
    match matched.route.authorization {
        RouteAuthorization::None => {}
        RouteAuthorization::Unsupported => {
            recording.stop(HopKind::Authorizer, HopId::Route(matched.route.id), Reason::AuthorizerUnsupported);
            return Err(Refusal::AuthorizerUnsupported);
        }
    }
    let integration = matched.route.integration.and_then(|at| matched.place.deployed.integrations.get(at as usize));
    let integration = integration.ok_or(Refusal::NoIntegration)?;
    Ok(Admitted { matched, integration, _made_here: () })
}

fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}
