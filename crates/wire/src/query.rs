//! The query protocol (elbv2, sts): a form in, XML out.
//!
//! Here are its list spelling, its envelopes and its words for a bad request. The tree between is `form`'s and `xml`'s.

use crate::codec::respond;
use crate::fault::{Fault, FaultKind};
use crate::form::{self, Lists};
use crate::model::OperationModel;
use crate::problem::{self, Problem, Strays};
use crate::resolve::ErrorRoot;
use crate::value::{Output, Value};
use crate::xml::Xml;
use http::Response;

const CONTENT_TYPE: &str = "text/xml";

pub(crate) fn decode(
    operation: &'static OperationModel,
    pairs: &[(String, String)],
    strays: &mut Strays,
) -> Result<Vec<Option<Value>>, Problem> {
    form::decode(pairs, operation.input, Lists::Marked, strays)
}

/// Constraint failures and unknown members are all `ValidationError`, which no service lists in its model
/// (ELBv2 API reference, common errors, 2026-11).
pub(crate) fn fault(problems: &[Problem]) -> Fault {
    let code = match problems.first() {
        Some(Problem::Repeated(_) | Problem::Malformed(_)) => "MalformedQueryString",
        _ => "ValidationError",
    };
    Fault::new(code, 400, problem::message(problems))
}

pub(crate) fn encode(output: &Output, request_id: &str) -> Response<Vec<u8>> {
    let operation = output.operation;
    let name = operation.name;
    let mut xml = Xml::default();
    xml.root(&format!("{name}Response"), operation.service.model().namespace, |xml| {
        if !operation.result_wrapper.is_empty() {
            xml.element(operation.result_wrapper, |xml| xml.members(operation.output, &output.value));
        }
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    respond(operation.status, CONTENT_TYPE, request_id, xml.finish())
}

pub(crate) fn encode_fault((namespace, root): (&str, ErrorRoot), fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    let kind = match fault.kind {
        FaultKind::Sender => "Sender",
        FaultKind::Receiver => "Receiver",
    };
    let members = |xml: &mut Xml| {
        xml.text("Code", &fault.code);
        xml.text("Message", &fault.message);
        for (name, value) in &fault.members {
            xml.text(name, value);
        }
    };
    let mut xml = Xml::default();
    match root {
        ErrorRoot::OfProtocol => xml.root("ErrorResponse", namespace, |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", kind);
                members(xml);
            });
            xml.text("RequestId", request_id);
        }),
        ErrorRoot::Error => xml.root("Error", namespace, |xml| {
            members(xml);
            xml.text("RequestId", request_id);
        }),
    }
    respond(fault.status, CONTENT_TYPE, request_id, xml.finish())
}
