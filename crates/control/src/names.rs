//! Names that stand for one thing on the whole server, whoever owns it: the ids of APIs, by which invoke hosts find them, and
//! custom domain names, by which their hosts do. A change that would take one that another realm has is refused, and where a
//! store holds one twice, nobody's traffic goes to whoever came second.
//!
//! Everything else is found from within its realm and may be called alike in two of them: log groups, load balancers, links,
//! certificates, keys. What is keyed by a bare id elsewhere (links, target groups, deployments) has an id of ours, which no
//! caller can wish for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use topology::estate::{Estate, RealmEstate};
use topology::id::{ApiId, HostName, Realm};
use topology::resource::domain::stands_for;
use topology::time::Moment;
use wire::Fault;

/// A name of the whole server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// An API, HTTP or REST.
    Api(ApiId),
    /// A custom domain name.
    Domain(HostName),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(id) => write!(f, "API {id}"),
            Self::Domain(name) => write!(f, "domain name {name}"),
        }
    }
}

/// A name that several realms of a store hold. No change can make one; a store of an earlier version may have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Double {
    /// The name.
    pub name: Name,
    /// Whose it is. `None` where that cannot be told: then nobody's is served.
    pub served: Option<Realm>,
    /// Those whose resource of this name gets no traffic until the other is deleted.
    pub hidden: Vec<Realm>,
}

/// Refuses a change that takes a name that another realm has.
///
/// # Errors
/// AWS's conflict.
pub(crate) fn refuse_taken(
    estate: &Estate,
    realm: &Realm,
    before: &RealmEstate,
    draft: &RealmEstate,
) -> Result<(), Fault> {
    let others = || estate.realms.iter().filter(|(other, _)| *other != realm).map(|(_, held)| held);
    let http = before.apis.changes(&draft.apis).into_iter().map(|(id, _)| *id);
    let rest = before.rest_apis.changes(&draft.rest_apis).into_iter().map(|(id, _)| *id);
    for id in http.chain(rest).filter(|id| !holds_api(before, *id)) {
        if others().any(|held| holds_api(held, id)) {
            return Err(Fault::new("ConflictException", 409, format!("An API with the id {id} already exists")));
        }
    }
    for (name, _) in draft.domain_names.iter().filter(|(name, _)| !before.domain_names.contains(name)) {
        if is_taken_elsewhere(estate, realm, name) {
            return Err(Fault::new("ConflictException", 409, "The domain name you provided already exists."));
        }
    }
    Ok(())
}

/// Every name that several realms hold. The elder API is served, since whoever came second must not get its clients' tokens;
/// domain names have no age.
pub(crate) fn doubles(estate: &Estate) -> Vec<Double> {
    let mut holders: BTreeMap<ApiId, Vec<(Moment, &Realm)>> = BTreeMap::new();
    for (realm, held) in &estate.realms {
        for (id, created) in apis(held) {
            holders.entry(id).or_default().push((created, realm));
        }
    }
    let apis = holders.into_iter().filter(|(_, held)| held.len() > 1).map(|(id, held)| of_api(id, held));
    let domains = estate.realms.iter().flat_map(|(realm, held)| held.domain_names.iter().map(move |(n, _)| (realm, n)));
    let domains = domains.filter(|(realm, name)| is_taken_elsewhere(estate, realm, name));
    let mut hidden: BTreeMap<Name, Vec<Realm>> = BTreeMap::new();
    for (realm, name) in domains {
        hidden.entry(Name::Domain(name.clone())).or_default().push(realm.clone());
    }
    apis.chain(hidden.into_iter().map(|(name, hidden)| Double { name, served: None, hidden })).collect()
}

fn of_api(id: ApiId, mut held: Vec<(Moment, &Realm)>) -> Double {
    held.sort();
    let is_elder = matches!(held.as_slice(), [(first, _), (second, _), ..] if first < second);
    let (served, hidden) = if is_elder { held.split_at(1) } else { held.split_at(0) };
    let realms = |held: &[(Moment, &Realm)]| held.iter().map(|(_, realm)| (*realm).clone()).collect::<Vec<_>>();
    Double { name: Name::Api(id), served: realms(served).pop(), hidden: realms(hidden) }
}

/// The realm as traffic may see it: without what is hidden of it.
pub(crate) fn visible(doubles: &[Double], realm: &Realm, estate: &Arc<RealmEstate>) -> Arc<RealmEstate> {
    let mut seen = Arc::clone(estate);
    for double in doubles.iter().filter(|double| double.hidden.contains(realm)) {
        let seen = Arc::make_mut(&mut seen);
        match &double.name {
            Name::Api(id) => {
                seen.apis.remove(id);
                seen.rest_apis.remove(id);
            }
            Name::Domain(name) => {
                seen.domain_names.remove(name);
            }
        }
    }
    seen
}

fn apis(estate: &RealmEstate) -> impl Iterator<Item = (ApiId, Moment)> {
    let http = estate.apis.iter().map(|(id, api)| (*id, api.created));
    http.chain(estate.rest_apis.iter().map(|(id, api)| (*id, api.created)))
}

fn holds_api(estate: &RealmEstate, id: ApiId) -> bool {
    estate.apis.contains(&id) || estate.rest_apis.contains(&id)
}

/// Whether a domain name that another realm has stands in the way of a new one: a host leads to one place here. A name is
/// the same everywhere; a wildcard also reaches over the names below it, except within its own account (HTTP API developer
/// guide, "Wildcard custom domain names", 2026-11).
fn is_taken_elsewhere(estate: &Estate, realm: &Realm, name: &HostName) -> bool {
    let covers = |one: &HostName, two: &HostName| {
        one == two || one.as_str().starts_with("*.") && stands_for(one.as_str(), two.as_str())
    };
    estate.realms.iter().filter(|(other, _)| *other != realm).any(|(other, held)| {
        let foreign = other.account != realm.account;
        held.domain_names
            .values()
            .any(|held| held.name == *name || foreign && (covers(&held.name, name) || covers(name, &held.name)))
    })
}
