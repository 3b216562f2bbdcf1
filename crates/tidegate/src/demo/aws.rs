//! Requests to the AWS endpoint as any client makes them: forms for EC2 and load balancing, JSON for API Gateway, signed
//! with credentials that development mode believes. The demo builds its stack with these alone.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::client::Complaint;
use crate::client::http::{Answer, Call, send, url};

/// A query protocol's service: its signing name and its API version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormService(&'static str, &'static str);

/// EC2.
pub(crate) const EC2: FormService = FormService("ec2", "2016-11-15");
/// Elastic Load Balancing, version 2.
pub(crate) const ELB: FormService = FormService("elasticloadbalancing", "2015-12-01");

/// When the requests claim to be signed; development mode looks at the form only.
const SIGNED_AT: &str = "20260101T000000Z";

/// The endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    base: String,
}

/// An XML answer.
#[derive(Debug)]
pub(crate) struct Xml(String);

impl Xml {
    /// The text of the first element of this name.
    pub(crate) fn first(&self, name: &str) -> Result<String, Complaint> {
        let missing = || Complaint::Refused(format!("the answer has no {name}: {}", self.0));
        self.all(name).next().map(str::to_owned).ok_or_else(missing)
    }

    /// The texts of all elements of this name, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let mut rest = self.0.as_str();
        std::iter::from_fn(move || {
            let from = rest.find(&open)? + open.len();
            let to = from + rest[from..].find(&close)?;
            let text = &rest[from..to];
            rest = &rest[to..];
            Some(text)
        })
    }
}

impl Aws {
    /// The endpoint at this URL.
    pub(crate) fn at(base: &str) -> Self {
        Self { base: base.to_owned() }
    }

    /// Calls a query operation.
    pub(crate) async fn form(
        &self,
        service: FormService,
        action: &str,
        members: &[(&str, &str)],
    ) -> Result<Xml, Complaint> {
        let FormService(name, version) = service;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("Action", action).append_pair("Version", version).extend_pairs(members);
        let content_type = "application/x-www-form-urlencoded; charset=utf-8";
        let answer = self.call(Method::POST, "/", (name, content_type), body.finish().into()).await?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status.is_success() { Ok(Xml(text)) } else { Err(Complaint::Refused(format!("{action}: {text}"))) }
    }

    /// Calls an operation of API Gateway.
    pub(crate) async fn rest(&self, method: Method, path: &str, body: &Value) -> Result<Value, Complaint> {
        let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let answer = self.call(method.clone(), path, ("apigateway", "application/json"), bytes).await?;
        if answer.status.is_success() {
            return Ok(answer.json());
        }
        Err(Complaint::Refused(format!("{method} {path}: {}", String::from_utf8_lossy(&answer.body))))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        (service, content_type): (&str, &'static str),
        body: Bytes,
    ) -> Result<Answer, Complaint> {
        let date = &SIGNED_AT[..8];
        let credential = format!("test/{date}/us-east-1/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=0");
        let signed = HeaderValue::from_str(&signed).map_err(|error| Complaint::System(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, signed);
        headers.insert(HeaderName::from_static("x-amz-date"), HeaderValue::from_static(SIGNED_AT));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Ok(send(Call { method, url: url(&format!("{}{path}", self.base))?, headers, body }).await?)
    }
}

/// A member of a JSON answer that must be text.
pub(crate) fn text(answer: &Value, name: &str) -> Result<String, Complaint> {
    let missing = || Complaint::Refused(format!("the answer has no {name}: {answer}"));
    answer[name].as_str().map(str::to_owned).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_order() {
        let xml = Xml("<a><id>1</id><b>x</b><id>2</id></a>".to_owned());
        assert_eq!(xml.all("id").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(xml.first("b").unwrap(), "x");
        assert!(xml.first("c").is_err());
    }
}
