//! What AWS has and Tidegate has not, so that a caller learns which of the two does not know it. Names come from the generated
//! tables; the sentence is `fault`'s.

use crate::fault::Fault;
use crate::generated::ServiceId;
use crate::generated::unserved::{MEMBERS, OPERATIONS, SERVICES};
use crate::limits::echo;
use crate::model::Protocol;
use crate::problem;
use crate::request::Request;
use crate::resolve::{Dialect, ErrorRoot};
use crate::rest_json;

/// The fault for an operation of a service that we speak, if AWS has it.
pub(crate) fn operation(service: ServiceId, name: &str) -> Option<Fault> {
    let (known, _, _) = operations(service).iter().find(|(known, _, _)| *known == name)?;
    Some(fault(service, known))
}

/// The same by method and path.
pub(crate) fn operation_at(service: ServiceId, request: &Request<'_>) -> Option<Fault> {
    let bound = |(_, method, uri): &&(&str, &str, &'static str)| {
        *method == request.method.as_str() && rest_json::is_bound(uri, request)
    };
    let found = operations(service).iter().filter(bound).max_by_key(|(_, _, uri)| rest_json::fixed_pairs(uri).count());
    found.map(|(name, _, _)| fault(service, name))
}

fn operations(service: ServiceId) -> &'static [(&'static str, &'static str, &'static str)] {
    OPERATIONS.iter().find(|(known, _)| *known == service).map(|(_, operations)| *operations).unwrap_or_default()
}

fn fault(service: ServiceId, operation: &str) -> Fault {
    Fault::unserved(format_args!("the operation {}:{operation}", service.model().signing_name))
}

/// Whether a parameter that no table has is one of AWS's, which is known by its name.
pub(crate) fn is_parameter(service: ServiceId, path: &problem::Path) -> bool {
    let known = MEMBERS.iter().find(|(known, _)| *known == service).map(|(_, names)| *names).unwrap_or_default();
    path.unknown().any(|name| known.binary_search(&name.to_ascii_lowercase().as_str()).is_ok())
}

/// What is said of such parameters, all of them at once.
pub(crate) fn parameters<'p>(paths: impl Iterator<Item = &'p problem::Path>) -> String {
    let names: Vec<String> = paths.map(problem::Path::form).collect();
    match names.as_slice() {
        [only] => crate::fault::unserved(format_args!("the parameter {only}")),
        all => crate::fault::unserved(format_args!("the parameters {}", all.join(", "))),
    }
}

/// The way to speak to a client of a service that is not ours, and what to say. `None` for a name that AWS does not have either.
pub(crate) fn service(signing_name: &str) -> Option<(Dialect, Fault)> {
    let at = SERVICES.binary_search_by_key(&signing_name, |(name, _)| *name).ok()?;
    let (name, protocol) = SERVICES.get(at)?;
    let dialect = match *protocol {
        "ec2" => Dialect::plain(Protocol::Ec2Query),
        "json" => Dialect::plain(Protocol::Json),
        "rest-xml" if *name == "s3" => Dialect { root: ErrorRoot::Error, ..Dialect::plain(Protocol::Query) },
        "query" | "rest-xml" => Dialect::plain(Protocol::Query),
        _ => Dialect::plain(Protocol::RestJson),
    };
    Some((dialect, Fault::unserved(format_args!("the service {}", echo(name)))))
}
