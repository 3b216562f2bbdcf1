//! What tags of API Gateway's resources may be. Where they stand is each version's business.

use topology::resource::Tags;
use wire::Fault;

use super::fault;

/// Tags of a resource: 50 at most (HTTP API quotas, 2026-11).
const TAGS_MAX: usize = 50;

/// Tags that AWS would take.
pub(crate) fn checked(tags: Tags) -> Result<Tags, Fault> {
    let fine = |(key, value): (&String, &String)| {
        !key.is_empty() && key.chars().count() <= 128 && value.chars().count() <= 256 && !key.starts_with("aws:")
    };
    if tags.len() > TAGS_MAX || !tags.iter().all(fine) {
        return Err(fault::bad_request(
            "Invalid tags: at most 50, keys of 1 to 128 characters not starting with aws:, values up to 256",
        ));
    }
    Ok(tags)
}
