//! The faults of API Gateway that have one form in both versions (recorded texts: developer guides and public reports, 2026-11).

use wire::Fault;

pub(crate) fn bad_request(message: impl Into<String>) -> Fault {
    Fault::new("BadRequestException", 400, message)
}

pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    Fault::new("ConflictException", 409, message)
}

/// A quota of the service is used up.
pub(crate) fn too_many(message: impl Into<String>) -> Fault {
    Fault::new("TooManyRequestsException", 429, message)
}

/// The member is accepted by AWS but not carried out here; silence would be worse.
pub(crate) fn unsupported(what: &str) -> Fault {
    bad_request(wire::unserved(what))
}
