//! The rest-json protocol (apigateway, apigatewayv2): members in path labels, the query string, headers and a body, which is
//! JSON or one member as it stands.
//!
//! A path is matched as received and its labels are decoded afterwards, so that an ARN with `%2F` stays one segment.

use crate::codec::respond;
use crate::fault::Fault;
use crate::generated::ServiceId;
use crate::json_value;
use crate::limits::echo;
use crate::model::{Location, Member, OperationModel, Shape};
use crate::problem::{self, Path, Problem, Step, Strays};
use crate::request::Request;
use crate::value::{Output, Value};
use base64::Engine as _;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

const CONTENT_TYPE: &str = "application/json";
/// A payload is a document; which kind, the caller asked for.
const PAYLOAD_TYPE: &str = "application/octet-stream";

/// Query parameters that carry a signature.
const SIGNATURE_PREFIX: &str = "X-Amz-";

/// The pairs that a template's own query string asks for: `mode=import` of `/restapis?mode=import`.
pub(crate) fn fixed_pairs(template: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let query = template.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('='))
}

/// Whether a request's path and query string are those of a template.
pub(crate) fn is_bound(template: &'static str, request: &Request<'_>) -> bool {
    let has = |fixed: (&str, &str)| request.query_pairs().any(|(name, value)| (name.as_str(), value.as_str()) == fixed);
    labels(template, request.uri.path()).is_some() && fixed_pairs(template).all(has)
}

/// The labels of a path under a template, still encoded, or `None` when it is another path.
pub(crate) fn labels<'p>(template: &'static str, path: &'p str) -> Option<Vec<(&'static str, &'p str)>> {
    let mut found = Vec::new();
    let template = template.split_once('?').map_or(template, |(path, _)| path);
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

pub(crate) fn decode(
    operation: &'static OperationModel,
    request: &Request<'_>,
    strays: &mut Strays,
) -> Result<Vec<Option<Value>>, Problem> {
    let mut slots = vec![None; operation.input.members.len()];
    put_labels(operation, request, &mut slots)?;
    put_query(operation, request, &mut slots, strays)?;
    put_headers(operation, request, &mut slots)?;
    match operation.input.members.iter().position(|member| member.location == Location::Payload) {
        // No byte at all is an absent member, which a required one must not be.
        Some(at) if !request.body.is_empty() => {
            if let Some(slot) = slots.get_mut(at) {
                *slot = Some(Value::Blob(request.body.to_vec()));
            }
        }
        Some(_) => {}
        None => json_value::decode_body(&json_value::parse(request.body)?, operation.input, &mut slots, strays)?,
    }
    Ok(slots)
}

type Slots = [Option<Value>];

fn put_labels(operation: &'static OperationModel, request: &Request<'_>, slots: &mut Slots) -> Result<(), Problem> {
    let labels = labels(operation.uri, request.uri.path()).unwrap_or_default();
    for (name, raw) in labels {
        let text = percent_decode_str(raw).decode_utf8().ok();
        let text = text.ok_or_else(|| Problem::Malformed(format!("The path label {name} is not UTF-8")))?;
        let (index, member) = find(operation, Location::Uri, name)?;
        put(slots, index, member, text.into_owned())?;
    }
    Ok(())
}

fn put_query(
    operation: &'static OperationModel,
    request: &Request<'_>,
    slots: &mut Slots,
    strays: &mut Strays,
) -> Result<(), Problem> {
    let is_fixed = |(name, value): &(String, String)| fixed_pairs(operation.uri).any(|pair| pair == (name, value));
    let pairs = request.query_pairs().filter(|(name, _)| !name.starts_with(SIGNATURE_PREFIX));
    for (name, text) in pairs.filter(|pair| !is_fixed(pair)) {
        match find(operation, Location::Query, &name) {
            Ok((index, member)) => put(slots, index, member, text)?,
            Err(_) => match put_pair(operation, slots, (&name, text)) {
                Some(()) => {}
                None => strays.add(Path::default().to(Step::Unknown(name))),
            },
        }
    }
    Ok(())
}

/// A pair that no member is named for, into the map that takes them all, where there is one.
fn put_pair(operation: &'static OperationModel, slots: &mut Slots, (name, text): (&str, String)) -> Option<()> {
    let takes_all = |m: &Member| m.location == Location::Query && matches!(m.shape, Shape::Map(_));
    let at = operation.input.members.iter().position(takes_all)?;
    if let Value::Map(pairs) = slots.get_mut(at)?.get_or_insert_with(|| Value::Map(BTreeMap::new())) {
        pairs.insert(name.to_owned(), Value::String(text));
    }
    Some(())
}

fn put_headers(operation: &'static OperationModel, request: &Request<'_>, slots: &mut Slots) -> Result<(), Problem> {
    let members = operation.input.members.iter().enumerate();
    for (index, member) in members.filter(|(_, member)| member.location == Location::Header) {
        if let Some(text) = request.header(member.wire_in) {
            put(slots, index, member, text.to_owned())?;
        }
    }
    Ok(())
}

fn find(
    operation: &'static OperationModel,
    location: Location,
    name: &str,
) -> Result<(usize, &'static Member), Problem> {
    let mut members = operation.input.members.iter().enumerate();
    let found = members.find(|(_, m)| m.location == location && m.wire_in == name);
    found.ok_or_else(|| Problem::Unknown(Path::default().to(Step::Unknown(name.to_owned()))))
}

/// One text into its slot: a list takes one more entry, anything else only the first.
fn put(slots: &mut Slots, index: usize, member: &'static Member, text: String) -> Result<(), Problem> {
    let at = || Path::default().to(Step::Member(member));
    let wrong = || Problem::WrongType { path: at(), expected: member.shape.noun(), given: None };
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

/// V2 has one code for every bad request. V1 answers constraints and types from its framework, with codes of that.
pub(crate) fn fault(operation: &'static OperationModel, problems: &[Problem]) -> Fault {
    let is_v1 = operation.service == ServiceId::ApiGateway;
    let (code, message) = match problems.first() {
        Some(Problem::Unknown(path)) => {
            ("BadRequestException", format!("The parameter {} is not supported", path.json()))
        }
        Some(Problem::Missing(_) | Problem::Violation { .. }) if is_v1 => {
            ("ValidationException", problem::message_below(&input_name(operation), problems))
        }
        Some(Problem::WrongType { expected, given: Some(class), .. }) if is_v1 && java(expected).is_some() => {
            let wanted = java(expected).unwrap_or_default();
            ("SerializationException", format!("class {class} can not be converted to an {wanted}"))
        }
        Some(Problem::WrongType { .. } | Problem::Malformed(_)) if is_v1 => {
            ("SerializationException", problem::message(problems))
        }
        _ => ("BadRequestException", problem::message(problems)),
    };
    Fault::new(code, 400, message)
}

/// What V1's framework calls a scalar of this noun.
fn java(noun: &str) -> Option<&'static str> {
    let known =
        [("a string", "String"), ("an integer", "Integer"), ("a number", "Double"), ("true or false", "Boolean")];
    known.into_iter().find(|(known, _)| *known == noun).map(|(_, name)| name)
}

/// What V1's framework calls the whole of a request: `putIntegrationInput`.
fn input_name(operation: &OperationModel) -> String {
    format!("{}Input", problem::lower_first(operation.name))
}

/// The fault for a path or method that no operation has: what API Gateway's own front answers.
pub(crate) fn no_such_path(method: &str, path: &str) -> Fault {
    Fault::new("MissingAuthenticationTokenException", 403, "Missing Authentication Token").with_detail(format!(
        "no operation of API Gateway at {} {}",
        echo(method),
        echo(path)
    ))
}

pub(crate) fn encode(output: &Output, request_id: &str) -> Response<Vec<u8>> {
    let operation = output.operation;
    if let Some(bytes) = payload(output) {
        let mut response = respond(operation.status, PAYLOAD_TYPE, request_id, bytes.to_vec());
        write_headers(output, response.headers_mut());
        return stamp(response, request_id);
    }
    let silent = operation.status == StatusCode::NO_CONTENT || operation.output.members.is_empty();
    let body =
        if silent { Vec::new() } else { json_value::encode(operation.output, &output.value).to_string().into_bytes() };
    stamp(respond(operation.status, CONTENT_TYPE, request_id, body), request_id)
}

/// The members that travel in headers of an answer; a content type of the answer's own replaces the general one.
fn write_headers(output: &Output, headers: &mut HeaderMap) {
    let Value::Structure(slots) = &output.value else { return };
    let members = output.operation.output.members.iter().zip(slots);
    for (member, slot) in members.filter(|(member, _)| member.location == Location::Header) {
        if let Some(Value::String(text)) = slot
            && let (Ok(name), Ok(value)) = (member.wire_out.parse::<HeaderName>(), HeaderValue::from_str(text))
        {
            headers.insert(name, value);
        }
    }
}

/// The member that is the whole body, where an answer has one.
fn payload(output: &Output) -> Option<&[u8]> {
    let at = output.operation.output.members.iter().position(|member| member.location == Location::Payload)?;
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
    use crate::model::{self, Map, Need, Nulls, Structure};
    use http::Method;

    static PAIRS: Shape =
        Shape::Map(Map { min: None, max: None, key: &model::STRING, value: &model::STRING, nulls: Nulls::Dropped });
    static INPUT: Structure = Structure {
        name: "In",
        members: &[
            Member::header("accepts", "Accept", "Accept", Need::Optional, &model::STRING),
            Member::payload("body", "body", "body", Need::Required, &model::BLOB),
            Member::query("fail", "failonwarnings", "failonwarnings", Need::Optional, &model::BOOLEAN),
            Member::query("parameters", "", "", Need::Optional, &PAIRS),
        ],
    };
    static OUTPUT: Structure = Structure {
        name: "Out",
        members: &[
            Member::payload("body", "body", "body", Need::Optional, &model::BLOB),
            Member::header("contentType", "Content-Type", "Content-Type", Need::Optional, &model::STRING),
        ],
    };
    static IMPORT: OperationModel = OperationModel {
        service: ServiceId::ApiGateway,
        index: 0,
        name: "Import",
        method: "POST",
        uri: "/restapis?mode=import",
        status: 201,
        input: &INPUT,
        output: &OUTPUT,
        has_output: true,
        result_wrapper: "",
    };

    fn posted(target: &str) -> (Method, http::Uri, HeaderMap) {
        let headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("application/yaml"))]);
        (Method::POST, target.parse().unwrap(), headers)
    }

    #[test]
    fn a_template_with_a_query_string_wants_its_pairs() {
        for (target, expected) in [
            ("/restapis?mode=import", true),
            ("/restapis?a=b&mode=import", true),
            ("/restapis?mode=merge", false),
            ("/restapis", false),
            ("/restapis/a?mode=import", false),
        ] {
            let (method, uri, headers) = posted(target);
            let request = Request { method: &method, uri: &uri, headers: &headers, body: b"" };
            assert_eq!(is_bound(IMPORT.uri, &request), expected, "{target}");
        }
    }

    #[test]
    fn a_payload_is_taken_whole_beside_headers_and_free_pairs() {
        let (method, uri, headers) = posted("/restapis?mode=import&failonwarnings=true&basepath=prepend");
        let request = Request { method: &method, uri: &uri, headers: &headers, body: b"\0{" };
        let text = |text: &str| Value::String(text.to_owned());
        let pairs = BTreeMap::from([("basepath".to_owned(), text("prepend"))]);
        let expected = [
            Some(text("application/yaml")),
            Some(Value::Blob(b"\0{".to_vec())),
            Some(Value::Boolean(true)),
            Some(Value::Map(pairs)),
        ];
        assert_eq!(decode(&IMPORT, &request, &mut Strays::default()).unwrap(), expected);
        let request = Request { body: b"", ..request };
        assert_eq!(decode(&IMPORT, &request, &mut Strays::default()).unwrap()[1], None);
    }

    #[test]
    fn headers_of_an_answer_stand_beside_its_payload() {
        let slots = vec![Some(Value::Blob(b"x".to_vec())), Some(Value::String("application/yaml".to_owned()))];
        let answer = encode(&Output { operation: &IMPORT, value: Value::Structure(slots) }, "id");
        assert_eq!(answer.headers()["content-type"], "application/yaml");
        assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (201, b"x".as_slice()));
    }

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
