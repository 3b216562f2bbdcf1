//! The models task: an installed botocore's service models -> one file for each in `models/`.
//!
//! What is kept: names, types, wire locations, constraints, errors and HTTP bindings of what `models/operations.toml` reaches.
//! What is never kept: documentation prose. Corrections are data in `models/patches.json`, applied last.

use crate::Outcome;
use crate::codegen::{SERVICES, read, root, write};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const SHAPE_KEYS: [&str; 17] = [
    "type",
    "members",
    "required",
    "enum",
    "min",
    "max",
    "pattern",
    "member",
    "key",
    "value",
    "flattened",
    "sensitive",
    "timestampFormat",
    "payload",
    "exception",
    "error",
    "xmlNamespace",
];
const REFERENCE_KEYS: [&str; 8] =
    ["shape", "locationName", "queryName", "location", "resultWrapper", "timestampFormat", "flattened", "xmlNamespace"];
const METADATA_KEYS: [&str; 10] = [
    "apiVersion",
    "endpointPrefix",
    "protocol",
    "serviceFullName",
    "serviceId",
    "signingName",
    "targetPrefix",
    "xmlNamespace",
    "jsonVersion",
    "signatureVersion",
];

/// One service's part of operations.toml.
struct Selection {
    botocore: String,
    /// Operation -> supported input members; `None` is all of them.
    operations: BTreeMap<String, Option<BTreeSet<String>>>,
    exclude: BTreeMap<String, BTreeSet<String>>,
    /// Operation or member that is not supported -> why; where one has a reason, each has.
    why: BTreeMap<String, String>,
}

/// `cargo xtask models`
pub(crate) fn run() -> Outcome {
    let models = root().join("models");
    let text = read(&models.join("operations.toml"))?;
    let table: toml::Table = text.parse().map_err(|e| format!("operations.toml: {e}"))?;
    let patches: Value =
        serde_json::from_str(&read(&models.join("patches.json"))?).map_err(|e| format!("patches.json: {e}"))?;
    let mut unserved = BTreeMap::new();
    for service in SERVICES {
        let selection = selection(&table, service)?;
        let full = botocore_model(&selection.botocore)?;
        unserved.insert(service, left_out(&full, &selection)?);
        let mut trimmed = Trim::new(&full, &selection).finish().map_err(|e| format!("{service}: {e}"))?;
        patch(&mut trimmed, &patches, service)?;
        let mut text = serde_json::to_string_pretty(&trimmed).map_err(|e| e.to_string())?;
        text.push('\n');
        write(&models.join(format!("{service}.json")), &text)?;
    }
    let unserved = json!({ "operations": unserved, "services": other_services()? });
    let mut text = serde_json::to_string_pretty(&unserved).map_err(|e| e.to_string())?;
    text.push('\n');
    write(&models.join("unserved.json"), &text)
}

/// The operations that AWS has and we have not: name -> method and path.
fn left_out(full: &Value, selection: &Selection) -> Result<BTreeMap<String, [Value; 2]>, String> {
    let all = full["operations"].as_object().ok_or("no operations")?;
    let others = all.iter().filter(|(name, _)| !selection.operations.contains_key(*name));
    let bound = |operation: &Value| [operation["http"]["method"].clone(), operation["http"]["requestUri"].clone()];
    Ok(others.map(|(name, operation)| (name.clone(), bound(operation))).collect())
}

/// Every service that AWS has by its signing name, with the protocol that its clients speak.
fn other_services() -> Result<Value, String> {
    let script = "import botocore.session, json, sys
session, found = botocore.session.get_session(), {}
for name in session.get_available_services():
    meta = session.get_service_model(name).metadata
    found.setdefault(meta.get('signingName') or meta['endpointPrefix'], meta['protocol'])
json.dump(dict(sorted(found.items())), sys.stdout)";
    let output = Command::new("python3").args(["-c", script]).output().map_err(|e| format!("python3: {e}"))?;
    if !output.status.success() {
        return Err(format!("python3: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("services: {e}"))
}

fn selection(table: &toml::Table, service: &str) -> Result<Selection, String> {
    let bad = |what: &str| format!("operations.toml: services.{service}: {what}");
    let part = table.get("services").and_then(|s| s.get(service)).ok_or_else(|| bad("missing"))?;
    let botocore = part.get("botocore").and_then(toml::Value::as_str).ok_or_else(|| bad("botocore missing"))?;
    let mut operations = BTreeMap::new();
    let list = part.get("operations").and_then(toml::Value::as_table).ok_or_else(|| bad("operations missing"))?;
    for (name, value) in list {
        let members = match value {
            toml::Value::String(all) if all == "*" => None,
            other => Some(strings(other.get("input")).ok_or_else(|| bad(name))?),
        };
        operations.insert(name.clone(), members);
    }
    let mut exclude = BTreeMap::new();
    if let Some(list) = part.get("exclude").and_then(toml::Value::as_table) {
        for (shape, value) in list {
            exclude.insert(shape.clone(), strings(Some(value)).ok_or_else(|| bad(shape))?);
        }
    }
    let mut why = BTreeMap::new();
    for (name, reason) in part.get("why").and_then(toml::Value::as_table).into_iter().flatten() {
        why.insert(name.clone(), reason.as_str().ok_or_else(|| bad(name))?.to_owned());
    }
    Ok(Selection { botocore: botocore.to_owned(), operations, exclude, why })
}

fn strings(value: Option<&toml::Value>) -> Option<BTreeSet<String>> {
    value?.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Asks the installed botocore for one of its data files, which may or may not be compressed.
fn botocore_model(path: &str) -> Result<Value, String> {
    let script = "import botocore, gzip, os, sys
p = os.path.join(os.path.dirname(botocore.__file__), 'data', sys.argv[1], 'service-2.json')
sys.stdout.buffer.write(open(p, 'rb').read() if os.path.exists(p) else gzip.open(p + '.gz').read())";
    let output = Command::new("python3").args(["-c", script, path]).output().map_err(|e| format!("python3: {e}"))?;
    if !output.status.success() {
        return Err(format!("python3: {}", String::from_utf8_lossy(&output.stderr)));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{path}: {e}"))
}

/// The closure of the selected operations over one full model.
struct Trim<'a> {
    full: &'a Value,
    selection: &'a Selection,
    shapes: BTreeMap<String, Value>,
    pruned: BTreeMap<String, Vec<String>>,
    /// Exclusions that matched something; what is left over is a mistake in operations.toml.
    used: BTreeSet<(String, String)>,
}

impl<'a> Trim<'a> {
    fn new(full: &'a Value, selection: &'a Selection) -> Self {
        Trim { full, selection, shapes: BTreeMap::new(), pruned: BTreeMap::new(), used: BTreeSet::new() }
    }

    fn finish(mut self) -> Result<Value, String> {
        let all = self.full["operations"].as_object().ok_or("no operations")?;
        let mut operations = Map::new();
        for (name, members) in &self.selection.operations {
            let operation = all.get(name).ok_or_else(|| format!("no operation {name}"))?;
            operations.insert(name.clone(), self.operation(operation, members.as_ref())?);
        }
        for (shape, members) in &self.selection.exclude {
            for member in members {
                if !self.used.contains(&(shape.clone(), member.clone())) {
                    return Err(format!("exclude {shape}.{member} matches nothing"));
                }
            }
        }
        let unsupported: Vec<&String> = all.keys().filter(|k| !self.selection.operations.contains_key(*k)).collect();
        self.explained(&unsupported)?;
        Ok(json!({
            "metadata": keep(&self.full["metadata"], &METADATA_KEYS),
            "operations": operations,
            "shapes": self.shapes,
            "pruned": self.pruned,
            "unsupported": unsupported,
            "why": self.selection.why,
        }))
    }

    /// Whether all that is not supported has its reason, where anything has one, and nothing else has.
    fn explained(&self, unsupported: &[&String]) -> Outcome {
        let why = &self.selection.why;
        let missing: BTreeSet<&String> = self.pruned.values().flatten().chain(unsupported.iter().copied()).collect();
        if let Some(name) = why.keys().find(|name| !missing.contains(name)) {
            return Err(format!("why {name}: it is supported, or there is no such thing"));
        }
        match missing.into_iter().find(|name| !why.is_empty() && !why.contains_key(*name)) {
            Some(name) => Err(format!("why is {name} not supported? Other things say it")),
            None => Ok(()),
        }
    }

    fn operation(&mut self, operation: &Value, members: Option<&BTreeSet<String>>) -> Result<Value, String> {
        let mut kept = Map::new();
        kept.insert("name".into(), operation["name"].clone());
        kept.insert("http".into(), keep(&operation["http"], &["method", "requestUri", "responseCode"]));
        if let Some(input) = operation.get("input") {
            self.shape(name_of(input)?, members)?;
            kept.insert("input".into(), keep(input, &REFERENCE_KEYS));
        }
        if let Some(output) = operation.get("output") {
            self.shape(name_of(output)?, None)?;
            kept.insert("output".into(), keep(output, &REFERENCE_KEYS));
        }
        if let Some(errors) = operation.get("errors").and_then(Value::as_array) {
            let mut list = Vec::new();
            for error in errors {
                self.shape(name_of(error)?, None)?;
                list.push(keep(error, &["shape"]));
            }
            kept.insert("errors".into(), list.into());
        }
        Ok(kept.into())
    }

    fn shape(&mut self, name: &str, only: Option<&BTreeSet<String>>) -> Result<(), String> {
        if self.shapes.contains_key(name) {
            return match only {
                Some(_) => Err(format!("{name} is reached twice, so its members cannot be chosen per operation")),
                None => Ok(()),
            };
        }
        let full = self.full["shapes"].get(name).ok_or_else(|| format!("no shape {name}"))?.clone();
        let mut shape = keep(&full, &SHAPE_KEYS);
        // Reserve the name first: a shape may reach itself.
        self.shapes.insert(name.to_owned(), Value::Null);
        if let Some(members) = full.get("members").and_then(Value::as_object) {
            let kept = self.members(name, members, only)?;
            if let Some(required) = full.get("required").and_then(Value::as_array) {
                let lost = required.iter().filter_map(Value::as_str).find(|r| !kept.contains_key(*r));
                if let Some(lost) = lost {
                    return Err(format!("{name}.{lost} is required and cannot be left out"));
                }
            }
            shape["members"] = kept.into();
        }
        for inner in ["member", "key", "value"] {
            if let Some(reference) = full.get(inner).filter(|r| r.is_object()) {
                self.shape(name_of(reference)?, None)?;
                shape[inner] = keep(reference, &REFERENCE_KEYS);
            }
        }
        self.shapes.insert(name.to_owned(), shape);
        Ok(())
    }

    fn members(
        &mut self,
        shape: &str,
        members: &Map<String, Value>,
        only: Option<&BTreeSet<String>>,
    ) -> Result<Map<String, Value>, String> {
        if let Some(unknown) = only.and_then(|only| only.iter().find(|m| !members.contains_key(*m))) {
            return Err(format!("{shape} has no member {unknown}"));
        }
        let mut kept = Map::new();
        for (name, reference) in members {
            // A choice of members outweighs the exclusions; without one, only those count.
            let is_kept = match only {
                Some(only) => only.contains(name),
                None => !self.excluded(shape, name),
            };
            if !is_kept {
                self.pruned.entry(shape.to_owned()).or_default().push(name.clone());
                continue;
            }
            self.shape(name_of(reference)?, None)?;
            kept.insert(name.clone(), keep(reference, &REFERENCE_KEYS));
        }
        Ok(kept)
    }

    fn excluded(&mut self, shape: &str, member: &str) -> bool {
        let mut hit = false;
        for key in [shape, "*"] {
            if self.selection.exclude.get(key).is_some_and(|set| set.contains(member)) {
                self.used.insert((key.to_owned(), member.to_owned()));
                hit = true;
            }
        }
        hit
    }
}

fn name_of(reference: &Value) -> Result<&str, String> {
    reference["shape"].as_str().ok_or_else(|| "reference without a shape".to_owned())
}

fn keep(value: &Value, keys: &[&str]) -> Value {
    let mut kept = Map::new();
    for key in keys {
        if let Some(found) = value.get(*key) {
            kept.insert((*key).to_owned(), found.clone());
        }
    }
    kept.into()
}

/// Applies the corrections of one service. Each is `{service, op: "set"|"remove", path: JSON pointer, value?, why}`.
fn patch(model: &mut Value, patches: &Value, service: &str) -> Outcome {
    let list = patches.as_array().ok_or("patches.json: not a list")?;
    for item in list.iter().filter(|p| p["service"] == service) {
        let pointer = item["path"].as_str().ok_or("patches.json: path missing")?;
        let (parent, last) = pointer.rsplit_once('/').ok_or("patches.json: path must start with /")?;
        let last = last.replace("~1", "/").replace("~0", "~");
        let target = model
            .pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .ok_or_else(|| format!("patches.json: {pointer} leads nowhere in {service}"))?;
        match item["op"].as_str() {
            Some("set") => {
                target.insert(last, item["value"].clone());
            }
            Some("remove") => {
                target.remove(&last).ok_or_else(|| format!("patches.json: {pointer} is already gone"))?;
            }
            other => return Err(format!("patches.json: unknown op {other:?}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Value {
        json!({
            "metadata": {"protocol": "json", "documentation": "prose"},
            "operations": {
                "Get": {"name": "Get", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "GetIn"}, "documentation": "prose"},
                "Put": {"name": "Put", "http": {"method": "POST", "requestUri": "/"}},
            },
            "shapes": {
                "GetIn": {"type": "structure", "required": ["A"], "members": {"A": {"shape": "S", "documentation": "prose"}, "B": {"shape": "T"}}},
                "S": {"type": "string"}, "T": {"type": "string"},
            },
        })
    }

    fn selected(members: &[&str]) -> Selection {
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        Selection {
            botocore: String::new(),
            operations: BTreeMap::from([("Get".to_owned(), Some(members))]),
            exclude: BTreeMap::new(),
            why: BTreeMap::new(),
        }
    }

    #[test]
    fn where_one_thing_has_a_reason_each_has() {
        let mut selection = selected(&["A"]);
        selection.why.insert("B".into(), "no such thing here".into());
        assert!(Trim::new(&model(), &selection).finish().is_err_and(|error| error.contains("Put")));
        selection.why.insert("Put".into(), "nor this".into());
        let trimmed = Trim::new(&model(), &selection).finish().expect("trims");
        assert_eq!(trimmed["why"], json!({"B": "no such thing here", "Put": "nor this"}));
        selection.why.insert("A".into(), "it is there".into());
        assert!(Trim::new(&model(), &selection).finish().is_err_and(|error| error.contains("why A")));
    }

    #[test]
    fn trimming_keeps_only_what_is_reached_and_no_prose() {
        let trimmed = Trim::new(&model(), &selected(&["A"])).finish().expect("trims");
        assert!(!trimmed.to_string().contains("prose"));
        assert!(trimmed["shapes"].get("T").is_none());
        assert_eq!(trimmed["pruned"], json!({"GetIn": ["B"]}));
        assert_eq!(trimmed["unsupported"], json!(["Put"]));
    }

    #[test]
    fn leaving_out_a_required_member_is_refused() {
        let error = Trim::new(&model(), &selected(&["B"])).finish().expect_err("A is required");
        assert!(error.contains("GetIn.A is required"), "{error}");
    }

    #[test]
    fn an_exclusion_that_matches_nothing_is_refused() {
        let mut selection = selected(&["A"]);
        selection.exclude.insert("GetIn".into(), BTreeSet::from(["Zzz".to_owned()]));
        assert!(Trim::new(&model(), &selection).finish().is_err());
    }

    #[test]
    fn patches_set_and_remove_and_complain_when_they_miss() {
        let mut value = json!({"shapes": {"S": {"type": "string", "min": 1}}});
        let set = json!([{"service": "x", "op": "set", "path": "/shapes/S/max", "value": 3},
                         {"service": "x", "op": "remove", "path": "/shapes/S/min"}]);
        patch(&mut value, &set, "x").expect("applies");
        assert_eq!(value, json!({"shapes": {"S": {"type": "string", "max": 3}}}));
        let miss = json!([{"service": "x", "op": "remove", "path": "/shapes/Q/min"}]);
        assert!(patch(&mut value, &miss, "x").is_err());
    }
}
