//! The static tables of one service: operations, structures and constrained shapes, with both wire names of each member.
//!
//! Typed structs and traits are `codegen_rust`'s.

use crate::codegen::{Reference, Shape};
use crate::codegen_names::{capitalized, constant, pascal};
use crate::codegen_rust::{Generator, inner};
use std::fmt::Write as _;

impl Generator<'_> {
    pub(crate) fn tables(&self, out: &mut String) -> Result<(), String> {
        let meta = &self.model.metadata;
        let protocol = match meta.protocol.as_str() {
            "ec2" => "Ec2Query",
            "query" => "Query",
            "rest-json" => "RestJson",
            "json" => "Json",
            other => return Err(format!("unknown protocol {other}")),
        };
        let _ = writeln!(
            out,
            "/// The service's table.\npub static SERVICE: ServiceModel = ServiceModel {{ id: ServiceId::{}, protocol: Protocol::{protocol}, version: {:?}, signing_name: {:?}, target_prefix: {:?}, namespace: {:?}, operations: &OPERATIONS }};",
            pascal(self.model.service),
            meta.api_version,
            meta.signing_name.as_ref().unwrap_or(&meta.endpoint_prefix),
            meta.target_prefix,
            meta.xml_namespace.as_deref().unwrap_or_default(),
        );
        self.operation_tables(out);
        for (name, shape) in &self.model.shapes {
            match shape.kind.as_str() {
                "structure" if self.emitted.contains(name.as_str()) => self.structure_table(out, name, shape)?,
                "structure" => {}
                _ if self.nested.contains(name.as_str()) && self.builtin(name).is_none() => {
                    let _ = writeln!(out, "static {}: Shape = {};", constant(name), self.shape_expression(name)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn operation_tables(&self, out: &mut String) {
        let _ = write!(out, "static OPERATIONS: [OperationModel; {}] = [", self.model.operations.len());
        for (index, (name, operation)) in self.model.operations.iter().enumerate() {
            let table = |r: &Option<Reference>| {
                r.as_ref().map_or("&model::EMPTY".to_owned(), |r| format!("&{}_FIELDS", constant(&r.shape)))
            };
            let wrapper = operation.output.as_ref().and_then(|o| o.result_wrapper.as_deref()).unwrap_or_default();
            let _ = writeln!(
                out,
                "OperationModel {{ service: ServiceId::{}, index: {index}, name: {name:?}, method: {:?}, uri: {:?}, status: {}, input: {}, output: {}, has_output: {}, result_wrapper: {wrapper:?} }},",
                pascal(self.model.service),
                operation.http.method,
                operation.http.request_uri,
                operation.http.response_code.unwrap_or(200),
                table(&operation.input),
                table(&operation.output),
                operation.output.is_some(),
            );
        }
        out.push_str("];\n");
    }

    fn structure_table(&self, out: &mut String, name: &str, shape: &Shape) -> Result<(), String> {
        let _ = write!(
            out,
            "#[rustfmt::skip]\nstatic {}_FIELDS: Structure = Structure {{ name: {name:?}, members: &[\n",
            constant(name)
        );
        for (member, reference) in &shape.members {
            let place = match reference.location.as_deref() {
                None if shape.payload.as_ref() == Some(member) => "payload",
                None => "body",
                Some("uri") => "uri",
                Some("querystring") => "query",
                Some("header") => "header",
                Some(other) => return Err(format!("{name}.{member}: unknown location {other}")),
            };
            let (wire_in, wire_out) = self.wire_names(member, reference);
            let target = self.target(&reference.shape, reference.timestamp_format.as_deref())?;
            let need = if shape.required.contains(member) { "Need::Required" } else { "Need::Optional" };
            let _ = writeln!(out, "Member::{place}({member:?}, {wire_in:?}, {wire_out:?}, {need}, {target}),");
        }
        out.push_str("] };\n");
        if self.nested.contains(name) {
            let name = constant(name);
            let _ = writeln!(out, "static {name}: Shape = Shape::Structure(&{name}_FIELDS);");
        }
        Ok(())
    }

    /// What a member is called in a request and in an answer.
    fn wire_names(&self, member: &str, reference: &Reference) -> (String, String) {
        let out = reference.location_name.clone().unwrap_or_else(|| member.to_owned());
        let wire_in = match self.model.metadata.protocol.as_str() {
            "ec2" => match (&reference.query_name, &reference.location_name) {
                (Some(query), _) => query.clone(),
                (None, Some(location)) => capitalized(location),
                (None, None) => member.to_owned(),
            },
            "json" => return (member.to_owned(), member.to_owned()),
            _ => out.clone(),
        };
        (wire_in, out)
    }

    fn target(&self, name: &str, time_format: Option<&str>) -> Result<String, String> {
        if let Some(format) = time_format.or(self.shape(name).timestamp_format.as_deref()) {
            return Ok(format!("&model::TIME_{}", time_constant(format)?));
        }
        Ok(match (self.builtin(name), self.shape(name).kind.as_str()) {
            (Some(builtin), _) => format!("&model::{builtin}"),
            (None, "structure") => format!("&{}", constant(name)),
            (None, _) => format!("&{}", constant(name)),
        })
    }

    /// A shape without constraints is shared by all services.
    fn builtin(&self, name: &str) -> Option<&'static str> {
        let shape = self.shape(name);
        let constrained =
            shape.min.is_some() || shape.max.is_some() || shape.pattern.is_some() || !shape.choices.is_empty();
        let plain = (!constrained || !self.reached.contains(name)) && !shape.sensitive;
        match shape.kind.as_str() {
            "string" if plain => Some("STRING"),
            "integer" if plain => Some("INTEGER"),
            "long" if plain => Some("LONG"),
            "double" | "float" if plain => Some("DOUBLE"),
            "boolean" => Some("BOOLEAN"),
            "blob" if plain => Some("BLOB"),
            "timestamp" => Some(match self.model.metadata.protocol.as_str() {
                "json" | "rest-json" => "TIME_EPOCH",
                _ => "TIME_ISO_MILLIS",
            }),
            _ => None,
        }
    }

    fn is_form(&self) -> bool {
        matches!(self.model.metadata.protocol.as_str(), "query" | "ec2")
    }

    fn shape_expression(&self, name: &str) -> Result<String, String> {
        let shape = self.shape(name);
        let constrained = self.reached.contains(name);
        let bound = |b: Option<f64>| match b.filter(|_| constrained) {
            #[allow(clippy::cast_possible_truncation)]
            Some(b) => format!("Some({})", b as i64),
            None => "None".to_owned(),
        };
        let (min, max) = (bound(shape.min), bound(shape.max));
        let sensitive = shape.sensitive;
        Ok(match shape.kind.as_str() {
            "string" => {
                let pattern = match shape.pattern.as_ref().filter(|_| constrained) {
                    Some(p) => format!("Some(Pattern::new({p:?}))"),
                    None => "None".to_owned(),
                };
                let choices = if constrained { shape.choices.as_slice() } else { &[] };
                format!(
                    "Shape::String(Text {{ min: {min}, max: {max}, pattern: {pattern}, choices: &{choices:?}, sensitive: {sensitive} }})"
                )
            }
            "integer" => format!("Shape::Integer(Scalar {{ min: {min}, max: {max}, sensitive: {sensitive} }})"),
            "long" => {
                format!("Shape::Long(Scalar {{ min: {min}, max: {max}, sensitive: {sensitive} }})")
            }
            "double" | "float" => format!("Shape::Double(Scalar {{ min: {min}, max: {max}, sensitive: {sensitive} }})"),
            "blob" => {
                format!("Shape::Blob(Scalar {{ min: {min}, max: {max}, sensitive: {sensitive} }})")
            }
            "list" if shape.flattened => {
                return Err(format!("{name} is a flattened list: teach the protocols about it"));
            }
            "list" => {
                let member = shape.member.as_ref().ok_or("list without member")?;
                let item = member.location_name.clone().unwrap_or_else(|| "member".to_owned());
                let target = self.target(&member.shape, member.timestamp_format.as_deref())?;
                format!("Shape::List(List {{ item: {item:?}, min: {min}, max: {max}, member: {target} }})")
            }
            "map" if self.model.metadata.protocol == "ec2" || (self.is_form() && is_named(shape)) => {
                return Err(format!("{name} is a map that no form has so far: teach the protocols about it"));
            }
            "map" => {
                let key = self.target(inner(&shape.key), None)?;
                let value = self.target(inner(&shape.value), None)?;
                let nulls = if shape.nulls { "Kept" } else { "Dropped" };
                format!(
                    "Shape::Map(Map {{ min: {min}, max: {max}, key: {key}, value: {value}, nulls: Nulls::{nulls} }})"
                )
            }
            other => return Err(format!("{name}: unknown type {other}")),
        })
    }
}

/// Whether the entries of a map, or their halves, are not called as usual in a form.
fn is_named(shape: &Shape) -> bool {
    shape.flattened || [&shape.key, &shape.value].into_iter().flatten().any(|half| half.location_name.is_some())
}

fn time_constant(format: &str) -> Result<&'static str, String> {
    match format {
        "iso8601" => Ok("ISO_SECONDS"),
        "unixTimestamp" => Ok("EPOCH"),
        other => Err(format!("unknown timestamp format {other}")),
    }
}
