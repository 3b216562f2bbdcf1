//! The faults of API Gateway V2, in AWS's words (recorded texts: HTTP API developer guide and public reports, 2026-11).

use wire::Fault;

pub(super) fn bad_request(message: impl Into<String>) -> Fault {
    Fault::new("BadRequestException", 400, message)
}

pub(super) fn conflict(message: impl Into<String>) -> Fault {
    Fault::new("ConflictException", 409, message)
}

/// `kind` is the noun as AWS writes it in this text: `API`, `Route`, `Integration`.
pub(super) fn not_found(kind: &str, id: &str) -> Fault {
    Fault::new("NotFoundException", 404, format!("Invalid {kind} identifier specified"))
        .with_detail(format!("no {kind} {id}"))
}

/// A quota of the service is used up.
pub(super) fn too_many(message: impl Into<String>) -> Fault {
    Fault::new("TooManyRequestsException", 429, message)
}

/// VPC links have words of their own.
pub(super) fn no_link(id: &str) -> Fault {
    Fault::new("NotFoundException", 404, format!("Unable to find VpcLink by id {id}"))
}

/// The member is accepted by AWS but not carried out here; silence would be worse.
pub(super) fn unsupported(what: &str) -> Fault {
    bad_request(format!("{what} is not supported here"))
}
