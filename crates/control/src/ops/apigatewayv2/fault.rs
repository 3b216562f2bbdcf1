//! The faults of API Gateway V2, in AWS's words (recorded texts: HTTP API developer guide and public reports, 2026-11).

use wire::Fault;

pub(super) use crate::ops::gateway_common::fault::{bad_request, conflict, too_many, unsupported};

/// `kind` is the noun as AWS writes it in this text: `API`, `Route`, `Integration`.
pub(super) fn not_found(kind: &str, id: &str) -> Fault {
    Fault::new("NotFoundException", 404, format!("Invalid {kind} identifier specified"))
        .with_detail(format!("no {kind} {id}"))
}

/// VPC links have words of their own.
pub(super) fn no_link(id: &str) -> Fault {
    Fault::new("NotFoundException", 404, format!("Unable to find VpcLink by id {id}"))
}
