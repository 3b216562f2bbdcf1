//! What the fuzz targets and the property tests run: hostile bytes into each decoder, which must answer, never panic.
//!
//! One function per target, so that a crash found by either is replayed by both. Nothing else calls these.

use crate::generated::ServiceId;
use crate::model::Protocol;
use crate::request::Request;
use crate::sigv4::{KeyLookup, Secret};
use crate::value::{Output, Timestamp, Value};
use crate::{Dialect, codec, resolve, sigv4};
use http::{HeaderMap, HeaderValue, Method, Uri};

/// 2026-11-22T10:00:00Z; any instant would do.
const NOW: Timestamp = Timestamp(1_795_341_600_000);

/// A form for query: the first byte chooses service and operation, the rest are more fields.
pub fn query(data: &[u8]) {
    form(data, &[ServiceId::Elbv2, ServiceId::Sts]);
}

/// A form for ec2-query.
pub fn ec2_query(data: &[u8]) {
    form(data, &[ServiceId::Ec2]);
}

fn form(data: &[u8], services: &[ServiceId]) {
    let (choice, rest) = split(data);
    let service = services[choice % services.len()].model();
    let operation = &service.operations[choice % service.operations.len()];
    let mut body = format!("Action={}&Version={}&", operation.name, service.version).into_bytes();
    body.extend_from_slice(rest);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    exchange(&Request { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers, body: &body });
    exchange(&Request { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers, body: rest });
}

/// A json call: the first byte chooses service and operation, the rest is the body.
pub fn json(data: &[u8]) {
    let (choice, body) = split(data);
    let services = [ServiceId::Logs, ServiceId::Acm];
    let service = services[choice % services.len()].model();
    let operation = &service.operations[choice % service.operations.len()];
    let target = format!("{}.{}", service.target_prefix.unwrap_or_default(), operation.name);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&target) {
        headers.insert("x-amz-target", value);
    }
    exchange(&Request { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers, body });
}

/// A REST call: method, path and query string up to the first line end, then the body.
pub fn rest_json(data: &[u8]) {
    let (choice, rest) = split(data);
    let services = [ServiceId::ApiGatewayV2, ServiceId::ApiGateway];
    let operations = services[choice % services.len()].model().operations;
    let operation = &operations[choice % operations.len()];
    let line_end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let target = String::from_utf8_lossy(&rest[..line_end]);
    let body = rest.get(line_end + 1..).unwrap_or_default();
    let label = format!("l{choice}");
    let known: Vec<&str> =
        operation.uri.split('/').map(|s| if s.starts_with('{') { label.as_str() } else { s }).collect();
    let method = Method::from_bytes(operation.method.as_bytes()).unwrap_or(Method::GET);
    for path in [format!("{}{target}", known.join("/")), target.into_owned()] {
        if let Ok(uri) = path.parse::<Uri>() {
            exchange(&Request { method: &method, uri: &uri, headers: &HeaderMap::new(), body });
        }
    }
}

/// A signature: lines of a target, an authorization header and a date, then the body.
pub fn sigv4(data: &[u8]) {
    struct OneKey;
    impl KeyLookup for OneKey {
        fn secret(&self, _: &str) -> Option<Secret> {
            Some(Secret::new("secret"))
        }
    }
    let mut lines = data.splitn(4, |b| *b == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let uri = std::str::from_utf8(line()).ok().and_then(|text| text.parse::<Uri>().ok()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for name in ["authorization", "x-amz-date"] {
        if let Ok(value) = HeaderValue::from_bytes(line()) {
            headers.insert(name, value);
        }
    }
    let request = Request { method: &Method::GET, uri: &uri, headers: &headers, body: line() };
    for protocol in [Protocol::Query, Protocol::Ec2Query, Protocol::RestJson, Protocol::Json] {
        if let Err(fault) = sigv4::inspect(&request, protocol) {
            let _ = codec::encode_fault(Dialect::of(ServiceId::Ec2), &fault, "id");
        }
    }
    let _ = sigv4::verify(&request, ServiceId::Ec2.model(), &OneKey, NOW);
}

fn split(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| ((*first).into(), rest))
}

/// A whole walk: resolve, decode, and encode whatever came of it. What a request says must come back out of its call.
fn exchange(request: &Request<'_>) {
    let resolved = match resolve(request) {
        Ok(resolved) => resolved,
        Err(unresolved) => {
            let _ = codec::encode_fault(unresolved.dialect, &unresolved.fault, "id");
            return;
        }
    };
    match codec::decode(&resolved, request) {
        Err(fault) => {
            let response = codec::encode_fault(resolved.dialect(), &fault, "id");
            assert!(response.status().is_client_error(), "bad input is the caller's mistake: {fault:?}");
        }
        Ok(call) => {
            assert_eq!(call.operation(), resolved.operation);
            let empty = Value::Structure(vec![None; resolved.operation.output.members.len()]);
            let _ = codec::encode(&Output { operation: resolved.operation, value: empty }, "id");
        }
    }
}
