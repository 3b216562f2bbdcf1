//! What goes with an API when it is deleted, and what keeps it from being.

use topology::id::ApiId;
use wire::Fault;

use super::fault;
use crate::context::Context;

/// Refuses to delete an API that a custom domain name leads to.
pub(crate) fn refuse_mapped(context: &Context<'_>, id: ApiId) -> Result<(), Fault> {
    let Some(mapping) = context.estate().api_mappings.of(id).next() else {
        return Ok(());
    };
    Err(fault::bad_request(format!(
        "Deleting API failed. Please remove all base path mappings related to the API in your domains: {}",
        mapping.domain_name
    )))
}

/// Takes everything of an API out of these tables of an estate.
macro_rules! remove_of_api {
    ($estate:expr, $id:expr, $($table:ident)*) => {$(
        let gone: Vec<_> = $estate.$table.keys_of($id).cloned().collect();
        for key in gone {
            $estate.$table.remove(&key);
        }
    )*};
}
pub(crate) use remove_of_api;
