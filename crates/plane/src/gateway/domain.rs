//! Requests to custom domain names: whether this connection may ask for the name, and which stage the path leads to (HTTP API
//! developer guide, "Set up custom domain names" and "Use API mappings", 2026-11). The key of the mapping goes and the stage's
//! name, unless it is `$default`, comes in its place.
//!
//! Whether the default endpoint of the API is disabled does not matter here.

use http::HeaderMap;
use topology::reason::Reason;
use topology::snapshot::domain::Destination;
use topology::trace::{HopId, HopKind};

use super::arrival::{self, Presented};
use super::context::{Asked, ClientPath, Context, Found, Site};
use super::find;
use super::refusal::Refusal;
use crate::trace::Recording;
use crate::world::{DomainFound, World};

/// A stage that a request for a custom domain name leads to. Only [`site`] makes one.
pub(super) struct Entered<'w> {
    site: Site<'w>,
    _presented: Presented,
}

impl<'w> Entered<'w> {
    /// The API and stage.
    pub(super) const fn site(&self) -> Site<'w> {
        self.site
    }
}

/// Finds the API and the stage, or the documented refusal. The context learns them.
pub(super) fn site<'w>(
    world: &'w World,
    context: &mut Context<'w>,
    (domain, headers): (DomainFound<'w>, &HeaderMap),
    recording: &mut Recording,
) -> Result<Entered<'w>, Refusal> {
    let presented = check_client(context, &domain, recording)?;
    let path = context.uri.path();
    let lines = context.lines();
    let values = |name: &str| headers.get_all(name).iter().chain(lines.named(name)).map(http::HeaderValue::as_bytes);
    let destination = domain.compiled.destination(path, values);
    // A backend that resolves dot segments or merges slashes must not serve what another mapping guards.
    // How long the base path is spelled is no difference.
    let meant = |found: Option<Destination<'w>>| found.map(|d| (d.api, d.stage, d.base_path, d.stripped > 0));
    find::check_readings(path, meant(destination), |reading| meant(domain.compiled.destination(reading, values)))?;
    let Some(destination) = destination else {
        recording.stop(HopKind::Gateway, HopId::None, Reason::ApiNotFound);
        recording.detail(&format!("custom domain {}: no mapping or rule fits the path", domain.compiled.name));
        return Err(Refusal::Unmapped);
    };
    recording.api(destination.api);
    let known = world.api(destination.api).filter(|(realm, ..)| std::ptr::eq(*realm, domain.realm));
    let Some((realm, api, api_world)) = known else {
        recording.stop(HopKind::Gateway, HopId::Api(destination.api), Reason::ApiNotFound);
        let name = &domain.compiled.name;
        recording.detail(&format!("custom domain {name} leads to the API {}, which is not here", destination.api));
        return Err(Refusal::ApiNotFound);
    };
    context.kind = api.kind;
    let at = api.stages.iter().position(|stage| stage.name == *destination.stage).ok_or(Refusal::StageNotFound)?;
    let (stage, stage_world) = api.stages.get(at).zip(api_world.stages.get(at)).ok_or(Refusal::StageNotFound)?;
    let deployed = stage.deployed.as_deref().ok_or(Refusal::StageNotFound)?;
    let site = Site { realm, api, api_world, stage, stage_world, deployed };
    let (path, route_path_at) = staged(path, &destination);
    find::checked_stage(api, (path.of(&context.uri), destination.stage.is_default()))?;
    recording.pass(HopKind::Gateway, HopId::Api(api.id));
    recording.detail(&format!("custom domain {}, base path {:?}", domain.compiled.name, destination.base_path));
    context.asked = Some(Asked { names: domain.names, base_path: destination.base_path });
    context.found = Some(Found { site, route: None, path, route_path_at });
    Ok(Entered { site, _presented: presented })
}

fn check_client(
    context: &Context<'_>,
    domain: &DomainFound<'_>,
    recording: &mut Recording,
) -> Result<Presented, Refusal> {
    let refusal = match arrival::check_client(&context.arrival, domain.tls) {
        Ok(presented) => return Ok(presented),
        Err(refusal) => refusal,
    };
    let reason = match refusal {
        Refusal::ClientCertificateInvalid => Reason::ClientCertInvalid,
        _ => Reason::ClientCertRequired,
    };
    recording.stop(HopKind::Gateway, HopId::None, reason);
    let name = &domain.compiled.name;
    recording.detail(&match (&refusal, context.arrival.tls.as_ref()) {
        (Refusal::ClientCertificateInvalid, Some(tls)) => match &tls.client {
            Some(Err(why)) => format!("custom domain {name}: {why}"),
            _ => format!("custom domain {name}: the certificate cannot be read"),
        },
        (_, Some(tls)) => {
            let asked = tls.server_name.as_deref().unwrap_or("no name");
            format!("custom domain {name} asks for a client certificate; the connection was made for {asked}")
        }
        (_, None) => format!("custom domain {name} asks for a client certificate; the connection has no TLS"),
    });
    Err(refusal)
}

/// The path with the stage in front, and where the path without it begins.
fn staged(path: &str, destination: &Destination<'_>) -> (ClientPath, usize) {
    if destination.stage.is_default() {
        return (ClientPath::From(destination.stripped), 0);
    }
    let rest = path.get(destination.stripped..).unwrap_or_default();
    (ClientPath::Made(format!("/{}{rest}", destination.stage).into()), destination.stage.as_str().len() + 1)
}
