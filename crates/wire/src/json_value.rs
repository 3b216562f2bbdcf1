//! JSON <-> the tree of a structure; shared by rest-json and json.
//!
//! Names and shapes come from the tables. Where a body begins and what surrounds it is the protocols' business.

use crate::model::{Location, Member, Nulls, Shape, Structure, TimeFormat};
use crate::problem::{Path, Problem, Step, Strays};
use crate::time;
use crate::value::{Timestamp, Value};
use base64::Engine as _;
use serde_json::{Map, Number, Value as Json};

/// The bytes of base64 text.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// A body's JSON; nothing at all counts as an empty object, as clients send none where no member travels in it.
pub(crate) fn parse(body: &[u8]) -> Result<Json, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Json::Object(Map::new()));
    }
    // serde_json stops at 128 levels by itself; the tables are shallower than that.
    serde_json::from_slice(body).map_err(|_| Problem::Malformed("The request body is not valid JSON".to_owned()))
}

/// Fills the slots of the members that travel in the body.
pub(crate) fn decode_body(
    json: &Json,
    structure: &'static Structure,
    slots: &mut [Option<Value>],
    strays: &mut Strays,
) -> Result<(), Problem> {
    if !json.is_object() {
        return Err(Problem::Malformed("The request body is not a JSON object".to_owned()));
    }
    let in_body = |member: &Member| member.location == Location::Body;
    fill((&mut Path::default(), strays), json, structure, slots, in_body)
}

fn fill(
    (path, strays): (&mut Path, &mut Strays),
    json: &Json,
    structure: &'static Structure,
    slots: &mut [Option<Value>],
    admits: impl Fn(&Member) -> bool,
) -> Result<(), Problem> {
    let Json::Object(fields) = json else {
        return Err(Problem::WrongType { path: path.clone(), expected: "a structure", given: None });
    };
    for (name, given) in fields {
        let found = structure.members.iter().position(|m| m.wire_in == name && admits(m));
        let Some(index) = found else {
            strays.add(path.to(Step::Unknown(name.clone())));
            continue;
        };
        if given.is_null() {
            continue;
        }
        let member = &structure.members[index];
        path.push(Step::Member(member));
        let decoded = value((path, strays), given, member.shape);
        path.pop();
        if let Some(slot) = slots.get_mut(index) {
            *slot = Some(decoded?);
        }
    }
    Ok(())
}

fn value((path, strays): (&mut Path, &mut Strays), json: &Json, shape: &'static Shape) -> Result<Value, Problem> {
    let decoded = match (shape, json) {
        (Shape::Structure(inner), _) => {
            let mut slots = vec![None; inner.members.len()];
            fill((path, strays), json, inner, &mut slots, |_| true)?;
            return Ok(Value::Structure(slots));
        }
        (Shape::List(list), Json::Array(items)) => {
            let mut out = Vec::with_capacity(items.len());
            for (i, item) in items.iter().enumerate() {
                path.push(Step::Index(i + 1));
                let decoded = value((path, strays), item, list.member);
                path.pop();
                out.push(decoded?);
            }
            return Ok(Value::List(out));
        }
        (Shape::Map(map), Json::Object(items)) => {
            let mut out = std::collections::BTreeMap::new();
            let kept = |item: &Json| map.nulls == Nulls::Kept || !item.is_null();
            for (key, item) in items.iter().filter(|(_, item)| kept(item)) {
                path.push(Step::Key(key.clone()));
                let decoded = if item.is_null() { Ok(Value::Null) } else { value((path, strays), item, map.value) };
                path.pop();
                out.insert(key.clone(), decoded?);
            }
            return Ok(Value::Map(out));
        }
        (Shape::String(_), Json::String(text)) => Some(Value::String(text.clone())),
        (Shape::Integer(_), Json::Number(n)) => n.as_i64().filter(|n| i32::try_from(*n).is_ok()).map(Value::Integer),
        (Shape::Long(_), Json::Number(n)) => n.as_i64().map(Value::Integer),
        (Shape::Double(_), Json::Number(n)) => n.as_f64().map(Value::Double),
        (Shape::Boolean, Json::Bool(b)) => Some(Value::Boolean(*b)),
        (Shape::Timestamp(_), Json::Number(n)) => n.as_f64().and_then(time::from_epoch_seconds).map(Value::Timestamp),
        (Shape::Timestamp(_), Json::String(text)) => time::parse_iso(text).map(Value::Timestamp),
        (Shape::Blob(_), Json::String(text)) => base64(text).map(Value::Blob),
        _ => None,
    };
    decoded.ok_or_else(|| Problem::WrongType { path: path.clone(), expected: shape.noun(), given: class(json) })
}

/// The class that API Gateway's framework gives a scalar, as its messages name it.
fn class(json: &Json) -> Option<&'static str> {
    match json {
        Json::Bool(_) => Some("java.lang.Boolean"),
        Json::Number(number) if number.is_f64() => Some("java.lang.Double"),
        Json::Number(_) => Some("java.lang.Integer"),
        Json::String(_) => Some("java.lang.String"),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The JSON object of a structure; absent members and those that travel elsewhere are left out.
pub(crate) fn encode(structure: &'static Structure, value: &Value) -> Json {
    let mut fields = Map::new();
    if let Value::Structure(slots) = value {
        for (member, slot) in structure.members.iter().zip(slots).filter(|(m, _)| m.location == Location::Body) {
            if let Some(value) = slot {
                fields.insert(member.wire_out.to_owned(), encode_value(member.shape, value));
            }
        }
    }
    Json::Object(fields)
}

fn encode_value(shape: &'static Shape, value: &Value) -> Json {
    match (shape, value) {
        (Shape::Structure(inner), structure) => encode(inner, structure),
        (Shape::List(list), Value::List(items)) => items.iter().map(|item| encode_value(list.member, item)).collect(),
        (Shape::Map(map), Value::Map(items)) => {
            let entries = items.iter().map(|(k, v)| (k.clone(), encode_value(map.value, v)));
            Json::Object(entries.collect())
        }
        (Shape::Timestamp(TimeFormat::Epoch), Value::Timestamp(time)) => epoch(*time),
        (Shape::Timestamp(format), Value::Timestamp(time)) => Json::String(time::iso(*time, *format)),
        (_, Value::Null) => Json::Null,
        (_, Value::String(text)) => Json::String(text.clone()),
        (_, Value::Integer(n)) => Json::Number((*n).into()),
        (_, Value::Double(n)) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
        (_, Value::Boolean(b)) => Json::Bool(*b),
        (_, Value::Blob(bytes)) => Json::String(base64::engine::general_purpose::STANDARD.encode(bytes)),
        (_, other) => {
            debug_assert!(false, "{other:?} does not fit its table");
            Json::Null
        }
    }
}

/// Whole seconds as an integer, so that clients with integer times read them; a fraction only where there is one.
fn epoch(time: Timestamp) -> Json {
    if time.0 % 1000 == 0 {
        return Json::Number((time.0 / 1000).into());
    }
    #[allow(clippy::cast_precision_loss)] // milliseconds of this era are far below 2^53
    Number::from_f64(time.0 as f64 / 1000.0).map_or(Json::Null, Json::Number)
}
