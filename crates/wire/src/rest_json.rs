//! The rest-json protocol (apigatewayv2): members in path labels, the query string and a JSON body.
//!
//! A path is matched as received and its labels are decoded afterwards, so that an ARN with `%2F` stays one segment.

use crate::codec::respond;
use crate::fault::Fault;
use crate::json_value;
use crate::limits::echo;
use crate::model::{Member, OperationModel, Place, Shape};
use crate::problem::{self, Path, Problem, Step};
use crate::request::Request;
use crate::value::{Output, Value};
use base64::Engine as _;
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

const CONTENT_TYPE: &str = "application/json";
/// A payload is a document; which kind, the caller asked for.
const PAYLOAD_TYPE: &str = "application/octet-stream";

/// Query parameters that carry a signature.
const SIGNATURE_PREFIX: &str = "X-Amz-";

/// The labels of a path under a template, still encoded, or `None` when it is another path.
pub(crate) fn labels<'p>(template: &'static str, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut found = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(w), Some(g)) => match w.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                Some(_) if g.is_empty() => return None,
                Some(label) => found.push((label, g)),
                None if w == g => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

pub(crate) fn decode(operation: &'static OperationModel, request: &Request<'_>) -> Result<Vec<Option<Value>>, Problem> {
    let mut slots = vec![None; operation.input.members.len()];
    let labels = labels(operation.uri, request.uri.path()).unwrap_or_default();
    for (name, raw) in labels {
        let text = percent_decode_str(raw).decode_utf8().ok();
        let text = text.ok_or_else(|| Problem::Malformed(format!("The path label {name} is not UTF-8")))?;
        let (index, member) = find(operation, Place::Uri, name)?;
        put(&mut slots, index, member, text.into_owned())?;
    }
    for (name, text) in request.query_pairs().filter(|(name, _)| !name.starts_with(SIGNATURE_PREFIX)) {
        let (index, member) = find(operation, Place::Query, &name)?;
        put(&mut slots, index, member, text)?;
    }
    json_value::decode_body(&json_value::parse(request.body)?, operation.input, &mut slots)?;
    Ok(slots)
}

fn find(operation: &'static OperationModel, place: Place, name: &str) -> Result<(usize, &'static Member), Problem> {
    let mut members = operation.input.members.iter().enumerate();
    let found = members.find(|(_, m)| m.place == place && m.wire_in == name);
    found.ok_or_else(|| Problem::Unknown(Path::default().to(Step::Unknown(name.to_owned()))))
}

/// One text into its slot: a list takes one more entry, anything else only the first.
fn put(slots: &mut [Option<Value>], index: usize, member: &'static Member, text: String) -> Result<(), Problem> {
    let at = || Path::default().to(Step::Member(member));
    let wrong = || Problem::WrongType { path: at(), expected: member.shape.noun() };
    let Some(slot) = slots.get_mut(index) else {
        return Err(wrong());
    };
    match (member.shape, slot.as_mut()) {
        (Shape::List(list), Some(Value::List(items))) if matches!(list.member, Shape::String(_)) => {
            items.push(Value::String(text));
        }
        (Shape::List(list), None) if matches!(list.member, Shape::String(_)) => {
            *slot = Some(Value::List(vec![Value::String(text)]));
        }
        (_, Some(_)) => return Err(Problem::Repeated(at())),
        (Shape::String(_), None) => *slot = Some(Value::String(text)),
        (Shape::Integer(_), None) => {
            *slot = Some(Value::Integer(text.parse::<i32>().map_err(|_| wrong())?.into()));
        }
        (Shape::Boolean, None) => *slot = Some(Value::Boolean(text.parse().map_err(|_| wrong())?)),
        (_, None) => return Err(wrong()),
    }
    Ok(())
}

/// API Gateway has one code for every bad request.
pub(crate) fn fault(problems: &[Problem]) -> Fault {
    let message = match problems.first() {
        Some(Problem::Unknown(path)) => format!("The parameter {} is not supported", path.json()),
        _ => problem::message(problems),
    };
    Fault::new("BadRequestException", 400, message)
}

/// The fault for a path or method that no operation has: what API Gateway's own front answers.
pub(crate) fn no_such_path(method: &str, path: &str) -> Fault {
    Fault::new("MissingAuthenticationTokenException", 403, "Missing Authentication Token").with_detail(format!(
        "no apigatewayv2 operation at {} {}",
        echo(method),
        echo(path)
    ))
}

pub(crate) fn encode(output: &Output, request_id: &str) -> Response<Vec<u8>> {
    let operation = output.operation;
    if let Some(bytes) = payload(output) {
        return stamp(respond(operation.status, PAYLOAD_TYPE, request_id, bytes.to_vec()), request_id);
    }
    let silent = operation.status == StatusCode::NO_CONTENT || operation.output.members.is_empty();
    let body =
        if silent { Vec::new() } else { json_value::encode(operation.output, &output.value).to_string().into_bytes() };
    stamp(respond(operation.status, CONTENT_TYPE, request_id, body), request_id)
}

/// The member that is the whole body, where an answer has one.
fn payload(output: &Output) -> Option<&[u8]> {
    let at = output.operation.output.members.iter().position(|member| member.place == Place::Payload)?;
    match &output.value {
        Value::Structure(members) => match members.get(at)?.as_ref()? {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn encode_fault(fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    let mut body = Map::new();
    body.insert("message".to_owned(), Json::String(fault.message.clone()));
    for (name, value) in &fault.members {
        body.insert((*name).to_owned(), Json::String(value.clone()));
    }
    let body = Json::Object(body).to_string().into_bytes();
    let mut response = respond(fault.status, CONTENT_TYPE, request_id, body);
    if let Ok(code) = HeaderValue::from_str(&fault.code) {
        response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), code);
    }
    stamp(response, request_id)
}

/// API Gateway's second id: opaque text; ours is made from the request id, so that one leads to the other.
fn stamp(mut response: Response<Vec<u8>>, request_id: &str) -> Response<Vec<u8>> {
    let digest = Sha256::digest(request_id.as_bytes());
    let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..11]);
    if let Ok(value) = HeaderValue::from_str(&format!("{id}=")) {
        response.headers_mut().insert(HeaderName::from_static("x-amz-apigw-id"), value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_matched_before_they_are_decoded() {
        let arn: &[_] = &[("resource-arn", "arn%3A%2Fx")];
        let rows = [
            ("/v2/apis", "/v2/apis", Some(&[][..])),
            ("/v2/apis/{apiId}", "/v2/apis/a1", Some(&[("apiId", "a1")])),
            ("/v2/apis/{apiId}", "/v2/apis/", None),
            ("/v2/apis/{apiId}", "/v2/apis/a1/routes", None),
            ("/v2/tags/{resource-arn}", "/v2/tags/arn%3A%2Fx", Some(arn)),
            ("/v2/tags/{resource-arn}", "/v2/tags/arn:/x", None),
        ];
        for (template, path, expected) in rows {
            assert_eq!(labels(template, path).as_deref(), expected, "{template} {path}");
        }
    }
}
