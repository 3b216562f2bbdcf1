//! The ids of APIs. Invoke hosts tell HTTP and REST APIs apart by nothing but their ids, so that one space holds both.

use topology::estate::RealmEstate;
use topology::id::ApiId;
use topology::resource::Tags;
use wire::Fault;

use super::fault;
use crate::context::Context;

/// The tag by which users of other local clouds wish for an id.
const WISH: &str = "_custom_id_";

/// The id of a new API: minted, or the one that a tag wishes for.
pub(crate) fn wanted(context: &mut Context<'_>, tags: Option<&Tags>) -> Result<ApiId, Fault> {
    let Some(wish) = tags.and_then(|tags| tags.get(WISH)) else {
        return Ok(context.fresh(ApiId::from_bits, is_taken));
    };
    let id = wish.parse().map_err(|_| fault::bad_request("_custom_id_ must be 10 lower-case letters and digits"))?;
    if is_taken(context.estate(), &id) {
        return Err(fault::conflict(format!("An API with the id {id} already exists")));
    }
    Ok(id)
}

fn is_taken(estate: &RealmEstate, id: &ApiId) -> bool {
    estate.apis.contains(id) || estate.rest_apis.contains(id)
}
