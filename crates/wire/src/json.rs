//! The json protocol, version 1.1 (logs, acm): the operation in `X-Amz-Target`, members in a JSON body.

use crate::codec::respond;
use crate::fault::Fault;
use crate::json_value;
use crate::model::OperationModel;
use crate::problem::{self, Problem, Strays};
use crate::value::{Output, Value};
use http::Response;
use serde_json::{Map, Value as Json};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

pub(crate) fn decode(
    operation: &'static OperationModel,
    body: &[u8],
    strays: &mut Strays,
) -> Result<Vec<Option<Value>>, Problem> {
    let mut slots = vec![None; operation.input.members.len()];
    json_value::decode_body(&json_value::parse(body)?, operation.input, &mut slots, strays)?;
    Ok(slots)
}

/// What is no JSON, or of the wrong type, is a serialization failure; the rest are validation failures.
pub(crate) fn fault(problems: &[Problem]) -> Fault {
    let code = match problems.first() {
        Some(Problem::WrongType { .. } | Problem::Malformed(_) | Problem::Repeated(_)) => "SerializationException",
        _ => "ValidationException",
    };
    Fault::new(code, 400, problem::message(problems))
}

pub(crate) fn encode(output: &Output, request_id: &str) -> Response<Vec<u8>> {
    let operation = output.operation;
    let body = if operation.has_output {
        json_value::encode(operation.output, &output.value).to_string().into_bytes()
    } else {
        Vec::new()
    };
    respond(operation.status, CONTENT_TYPE, request_id, body)
}

pub(crate) fn encode_fault(fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Json::String(fault.code.clone().into_owned()));
    body.insert("message".to_owned(), Json::String(fault.message.clone()));
    for (name, value) in &fault.members {
        body.insert((*name).to_owned(), Json::String(value.clone()));
    }
    respond(fault.status, CONTENT_TYPE, request_id, Json::Object(body).to_string().into_bytes())
}
