//! The faults of REST APIs, in AWS's words (texts recorded on AWS, 2026-03, and public reports).

use wire::Fault;

use crate::context::Context;

pub(super) use crate::ops::gateway_common::fault::{bad_request, conflict, too_many, unsupported};

/// What is not there, in the words that AWS has for its kind.
pub(super) fn not_found(message: impl Into<String>) -> Fault {
    Fault::new("NotFoundException", 404, message)
}

pub(super) fn no_api(context: &Context<'_>, api: &str) -> Fault {
    not_found(format!("Invalid API identifier specified {}:{api}", context.account()))
}

pub(super) fn no_resource(id: &str) -> Fault {
    not_found("Invalid Resource identifier specified").with_detail(format!("no resource {id}"))
}

pub(super) fn no_method(method: &str) -> Fault {
    not_found("Invalid Method identifier specified").with_detail(format!("no method {method}"))
}

pub(super) fn no_integration() -> Fault {
    not_found("Invalid Integration identifier specified")
}

pub(super) fn no_status() -> Fault {
    not_found("Invalid Response status code specified")
}

pub(super) fn no_deployment() -> Fault {
    not_found("Invalid Deployment identifier specified")
}

pub(super) fn no_stage() -> Fault {
    not_found("Invalid stage identifier specified")
}

/// A mapping expression that is not in its language, or that names what is not declared.
pub(super) fn mapping(what: &str) -> Fault {
    bad_request(format!("Invalid mapping expression specified: Validation Result: warnings : [], errors : [{what}]"))
}
