//! The ec2-query protocol: a form with flat lists in, XML out.
//!
//! Here are its envelopes and EC2's words for a bad request. The tree between is `form`'s and `xml`'s.

use crate::codec::respond;
use crate::fault::Fault;
use crate::form::{self, Lists};
use crate::model::OperationModel;
use crate::problem::{Problem, Rule, Strays};
use crate::value::{Output, Value};
use crate::xml::Xml;
use http::Response;

const CONTENT_TYPE: &str = "text/xml;charset=UTF-8";

pub(crate) fn decode(
    operation: &'static OperationModel,
    pairs: &[(String, String)],
    strays: &mut Strays,
) -> Result<Vec<Option<Value>>, Problem> {
    form::decode(pairs, operation.input, Lists::Flat, strays)
}

/// EC2 names one problem at a time (EC2 API reference, error codes, client errors, 2026-11).
pub(crate) fn fault(problems: &[Problem]) -> Fault {
    let Some(first) = problems.first() else {
        return Fault::internal("a fault was asked for where no problem was");
    };
    let (code, message) = match first {
        Problem::Unknown(path) => ("UnknownParameter", format!("The parameter {} is not recognized", path.form())),
        Problem::Missing(path) => {
            ("MissingParameter", format!("The request must contain the parameter {}", path.form()))
        }
        Problem::Violation { path, shown, rule } => {
            let shown = shown.as_deref().unwrap_or("null");
            let because = expectation(rule);
            let path = path.form();
            ("InvalidParameterValue", format!("Value ({shown}) for parameter {path} is invalid. {because}"))
        }
        Problem::WrongType { path, expected, .. } => {
            ("InvalidParameterValue", format!("The value of parameter {} must be {expected}", path.form()))
        }
        // Not `RequestLimitExceeded`: clients would send the same again.
        Problem::Repeated(_) | Problem::Malformed(_) | Problem::TooMuch { .. } => {
            ("MalformedQueryString", first.sentence())
        }
    };
    Fault::new(code, 400, message)
}

fn expectation(rule: &Rule) -> String {
    match rule {
        Rule::LengthAtLeast(n) => format!("Expecting a length of at least {n}."),
        Rule::LengthAtMost(n) => format!("Expecting a length of at most {n}."),
        Rule::ValueAtLeast(n) => format!("Expecting a value of at least {n}."),
        Rule::ValueAtMost(n) => format!("Expecting a value of at most {n}."),
        Rule::Pattern(p) => format!("Expecting a match of {p}."),
        Rule::OneOf(list) | Rule::EachOneOf(list) => format!("Expecting one of {}.", list.join(", ")),
    }
}

pub(crate) fn encode(output: &Output, request_id: &str) -> Response<Vec<u8>> {
    let operation = output.operation;
    let mut xml = Xml::default();
    xml.declaration();
    xml.root(&format!("{}Response", operation.name), operation.service.model().namespace, |xml| {
        xml.text("requestId", request_id);
        if operation.has_output {
            xml.members(operation.output, &output.value);
        } else {
            // An operation without an output says `true`, though the model does not list it.
            xml.text("return", "true");
        }
    });
    respond(operation.status, CONTENT_TYPE, request_id, xml.finish())
}

pub(crate) fn encode_fault(fault: &Fault, request_id: &str) -> Response<Vec<u8>> {
    let mut xml = Xml::default();
    xml.declaration();
    xml.root("Response", "", |xml| {
        xml.element("Errors", |xml| {
            xml.element("Error", |xml| {
                xml.text("Code", &fault.code);
                xml.text("Message", &fault.message);
                for (name, value) in &fault.members {
                    xml.text(name, value);
                }
            });
        });
        xml.text("RequestID", request_id);
    });
    respond(fault.status, CONTENT_TYPE, request_id, xml.finish())
}
