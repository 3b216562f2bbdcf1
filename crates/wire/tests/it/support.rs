//! Requests by hand, recorded vectors, and a tree's JSON form by model names.

use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;
use wire::model::{OperationModel, Shape, Structure};
use wire::{Request, ServiceId, Timestamp, Value};

/// A request that owns its parts.
pub(crate) struct Raw(http::Request<Vec<u8>>);

impl Raw {
    pub(crate) fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        let mut request = http::Request::new(body.as_bytes().to_vec());
        *request.method_mut() = method.parse().expect("method");
        *request.uri_mut() = target.parse().expect("target");
        for (name, value) in headers {
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes()).expect("name"),
                HeaderValue::from_str(value).expect("value"),
            );
        }
        Raw(request)
    }

    pub(crate) fn form(body: &str) -> Raw {
        Raw::new("POST", "/", &[("content-type", "application/x-www-form-urlencoded")], body)
    }

    pub(crate) fn ec2(rest: &str) -> Raw {
        Raw::form(&format!("Version=2016-11-15&Action={rest}"))
    }

    pub(crate) fn elb(rest: &str) -> Raw {
        Raw::form(&format!("Version=2015-12-01&Action={rest}"))
    }

    pub(crate) fn json(target: &str, body: &str) -> Raw {
        Raw::new("POST", "/", &[("x-amz-target", target)], body)
    }

    pub(crate) fn rest(method: &str, target: &str, body: &str) -> Raw {
        Raw::new(method, target, &[("content-type", "application/json")], body)
    }

    pub(crate) fn parts(&self) -> Request<'_> {
        Request::of(&self.0)
    }

    /// The decoded call, or the answer that the caller would read: status, code and text.
    pub(crate) fn call(&self) -> Result<wire::Call, String> {
        let request = self.parts();
        let resolved = wire::resolve(&request).map_err(|u| said(&u.fault))?;
        wire::decode(&resolved, &request).map_err(|fault| said(&fault))
    }
}

pub(crate) fn said(fault: &wire::Fault) -> String {
    format!("{} {}: {}", fault.status, fault.code, fault.message)
}

pub(crate) fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

pub(crate) fn read_vectors(name: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(vectors().join(name)).expect("vectors are committed");
    serde_json::from_str(&text).expect("vectors are JSON")
}

pub(crate) fn text<'a>(record: &'a Json, field: &str) -> &'a str {
    record[field].as_str().expect("a text field")
}

pub(crate) fn service(name: &str) -> ServiceId {
    match name {
        "sts" => ServiceId::Sts,
        "ec2" => ServiceId::Ec2,
        "elbv2" => ServiceId::Elbv2,
        "apigateway" => ServiceId::ApiGateway,
        "apigatewayv2" => ServiceId::ApiGatewayV2,
        "logs" => ServiceId::Logs,
        "acm" => ServiceId::Acm,
        other => panic!("no service {other}"),
    }
}

pub(crate) fn operation(record: &Json) -> &'static OperationModel {
    let model = service(text(record, "service")).model();
    model.operation(text(record, "operation")).expect("a supported operation")
}

/// A tree by model names; times and bytes as the recorder writes them.
pub(crate) fn to_json(structure: &'static Structure, value: &Value) -> Json {
    let Value::Structure(slots) = value else { panic!("not a structure: {value:?}") };
    let mut fields = Map::new();
    for (member, slot) in structure.members.iter().zip(slots) {
        if let Some(value) = slot {
            fields.insert(member.name.to_owned(), value_to_json(member.shape, value));
        }
    }
    Json::Object(fields)
}

fn value_to_json(shape: &'static Shape, value: &Value) -> Json {
    match (shape, value) {
        (Shape::Structure(inner), value) => to_json(inner, value),
        (Shape::List(list), Value::List(items)) => items.iter().map(|v| value_to_json(list.member, v)).collect(),
        (Shape::Map(map), Value::Map(items)) => {
            Json::Object(items.iter().map(|(k, v)| (k.clone(), value_to_json(map.value, v))).collect())
        }
        (_, Value::String(s)) => json!(s),
        (_, Value::Integer(n)) => json!(n),
        (_, Value::Double(n)) => json!(n),
        (_, Value::Boolean(b)) => json!(b),
        (_, Value::Timestamp(t)) => json!({"$time": t.0}),
        (_, Value::Blob(b)) => json!({"$blob": encode_base64(b)}),
        (_, other) => panic!("{other:?} does not fit its table"),
    }
}

/// The tree that such JSON describes.
pub(crate) fn from_json(structure: &'static Structure, json: &Json) -> Value {
    let fields = json.as_object().expect("an object");
    for name in fields.keys() {
        assert!(structure.members.iter().any(|m| m.name == name), "{} has no {name}", structure.name);
    }
    let slots = structure.members.iter().map(|m| fields.get(m.name).map(|v| value_from_json(m.shape, v)));
    Value::Structure(slots.collect())
}

fn value_from_json(shape: &'static Shape, json: &Json) -> Value {
    match shape {
        Shape::Structure(inner) => from_json(inner, json),
        Shape::List(list) => {
            let items = json.as_array().expect("a list").iter();
            Value::List(items.map(|v| value_from_json(list.member, v)).collect())
        }
        Shape::Map(map) => {
            let items = json.as_object().expect("a map").iter();
            Value::Map(items.map(|(k, v)| (k.clone(), value_from_json(map.value, v))).collect())
        }
        Shape::String(_) => Value::String(json.as_str().expect("text").to_owned()),
        Shape::Integer(_) | Shape::Long(_) => Value::Integer(json.as_i64().expect("an integer")),
        Shape::Double(_) => Value::Double(json.as_f64().expect("a number")),
        Shape::Boolean => Value::Boolean(json.as_bool().expect("a boolean")),
        Shape::Timestamp(_) => Value::Timestamp(Timestamp(json["$time"].as_i64().expect("a time"))),
        Shape::Blob(_) => Value::Blob(decode_base64(text(json, "$blob"))),
    }
}

fn encode_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}
