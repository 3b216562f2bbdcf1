//! One door per direction: bytes to a call, an answer or a fault to bytes, for whichever protocol was resolved.

use crate::check::{self, Entries};
use crate::fault::Fault;
use crate::generated::{Call, ServiceId};
use crate::harmless::{self, Harmless, LeftOut};
use crate::limits::BODY_BYTES_MAX;
use crate::model::{OperationModel, Protocol};
use crate::problem::{Problem, Strays};
use crate::request::Request;
use crate::resolve::{Dialect, Input, Resolved};
use crate::value::{Output, Value};
use crate::{ec2_query, json, query, rest_json, unserved};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

/// The typed call of a resolved request.
///
/// # Errors
/// AWS's fault for a body that is not what the protocol says, for a parameter that is not supported, and for a value
/// that breaks a constraint; each names the member.
pub fn decode(resolved: &Resolved, request: &Request<'_>) -> Result<Call, Fault> {
    decode_leaving_out(resolved, request, Harmless::Refused).map(|(call, _)| call)
}

/// The same; parameters that are not supported and do no harm may be left out of it, and are told.
///
/// # Errors
/// As [`decode`].
pub fn decode_leaving_out(
    resolved: &Resolved,
    request: &Request<'_>,
    harmless: Harmless,
) -> Result<(Call, Vec<LeftOut>), Fault> {
    let mut strays = Strays::default();
    let decoded = slots(resolved, request, &mut strays);
    let strays = strays.problems();
    let left_out = match harmless {
        Harmless::LeftOut => harmless::all_of(resolved.operation.service, resolved.operation.name, &strays),
        Harmless::Refused => strays.is_empty().then(Vec::new),
    };
    let left_out = left_out.ok_or_else(|| fault(resolved.operation, &strays))?;
    let slots = decoded.map_err(|problem| fault(resolved.operation, &[problem]))?;
    // Version 1 of API Gateway tells an enumeration's list as a whole (recorded, 2026-03).
    let is_v1 = resolved.operation.service == ServiceId::ApiGateway;
    let entries = if is_v1 { Entries::Together } else { Entries::Each };
    let violations = check::violations(resolved.operation.input, &slots, entries);
    if !violations.is_empty() {
        return Err(fault(resolved.operation, &violations));
    }
    Call::from_value(resolved.operation, Value::Structure(slots))
        .map(|call| (call, left_out))
        .ok_or_else(|| Fault::internal("an operation stands outside its service's table"))
}

fn slots(resolved: &Resolved, request: &Request<'_>, strays: &mut Strays) -> Result<Vec<Option<Value>>, Problem> {
    if request.body.len() > BODY_BYTES_MAX {
        return Err(Problem::TooMuch { what: "bytes in its body", limit: BODY_BYTES_MAX });
    }
    let operation = resolved.operation;
    match (&resolved.input, resolved.dialect().protocol) {
        (Input::Form(pairs), Protocol::Ec2Query) => ec2_query::decode(operation, pairs, strays),
        (Input::Form(pairs), _) => query::decode(operation, pairs, strays),
        (Input::Whole, Protocol::Json) => json::decode(operation, request.body, strays),
        (Input::Whole, _) => rest_json::decode(operation, request, strays),
    }
}

fn fault(operation: &'static OperationModel, problems: &[Problem]) -> Fault {
    let Some(first @ Problem::Unknown(path)) = problems.first() else {
        return fault_of_protocol(operation, problems);
    };
    let fault = fault_of_protocol(operation, std::slice::from_ref(first));
    if !unserved::is_parameter(operation.service, path) {
        // A slip of the caller's: AWS has no such name either.
        return fault;
    }
    let paths = problems.iter().filter_map(|problem| match problem {
        Problem::Unknown(path) => Some(path),
        _ => None,
    });
    let unserved = paths.filter(|path| unserved::is_parameter(operation.service, path));
    Fault { message: unserved::parameters(unserved), ..fault }
}

fn fault_of_protocol(operation: &'static OperationModel, problems: &[Problem]) -> Fault {
    match operation.service.model().protocol {
        Protocol::Query => query::fault(problems),
        Protocol::Ec2Query => ec2_query::fault(problems),
        Protocol::RestJson => rest_json::fault(operation, problems),
        Protocol::Json => json::fault(problems),
    }
}

/// The HTTP answer of an operation that succeeded.
#[must_use]
pub fn encode(output: &Output, request_id: &str) -> Response<Vec<u8>> {
    match output.operation.service.model().protocol {
        Protocol::Query => query::encode(output, request_id),
        Protocol::Ec2Query => ec2_query::encode(output, request_id),
        Protocol::RestJson => rest_json::encode(output, request_id),
        Protocol::Json => json::encode(output, request_id),
    }
}

/// The HTTP answer of a fault, in the dialect that the caller spoke.
#[must_use]
pub fn encode_fault(dialect: Dialect, fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    match dialect.protocol {
        Protocol::Query => query::encode_fault((dialect.namespace, dialect.root), fault, request_id),
        Protocol::Ec2Query => ec2_query::encode_fault(fault, request_id),
        Protocol::RestJson => rest_json::encode_fault(fault, request_id),
        Protocol::Json => json::encode_fault(fault, request_id),
    }
}

/// What every answer has: status, content type and the request id. The length is the server's to say.
pub(crate) fn respond(status: u16, content_type: &'static str, request_id: &str, body: Vec<u8>) -> Response<Vec<u8>> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}
