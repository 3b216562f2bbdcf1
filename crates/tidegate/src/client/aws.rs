//! Requests to the AWS endpoint as any client makes them: forms for EC2 and load balancing, JSON for API Gateway, certificates and logs.
//! They are signed with the keys of the shell, or with some that are nobody's and that development mode believes. What is asked is
//! decided by those who call; no path of our own leads to what these change.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde_json::Value;

use super::http::{Answer, Call, send, url};
use super::keys::Keys;
use super::{Complaint, Server};

/// A query protocol's service: its signing name and its API version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormService(&'static str, &'static str);

/// EC2.
pub(crate) const EC2: FormService = FormService("ec2", "2016-11-15");
/// Elastic Load Balancing, version 2.
pub(crate) const ELB: FormService = FormService("elasticloadbalancing", "2015-12-01");

/// A JSON protocol's service: its signing name, and how its operations are prefixed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonService(&'static str, &'static str);

/// CloudWatch Logs.
pub(crate) const LOGS: JsonService = JsonService("logs", "Logs_20140328");

/// Certificate Manager.
pub(crate) const ACM: JsonService = JsonService("acm", "CertificateManager");

/// The region of calls to a server that verifies signatures, when the shell names none.
const REGION: &str = "us-east-1";

/// The endpoint, and who calls it.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    base: String,
    keys: Keys,
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
    /// The endpoint at this URL, in development mode.
    pub(crate) fn at(base: &str) -> Self {
        Self { base: base.to_owned(), keys: Keys::of_nobody("test").within(REGION) }
    }

    /// The endpoint of a server, with the account and region that its commands were given: in development mode an account is
    /// named by the key, otherwise the keys of the shell are whose they are.
    pub(crate) async fn of(server: &Server) -> Self {
        let region = server.realm.region.as_ref().map(|region| region.as_str());
        let account = server.realm.account.map(|account| account.to_string());
        let keys = match (server.is_development().await, &server.keys) {
            (Some(false), Some(keys)) => {
                let own = if keys.region().is_empty() { REGION } else { keys.region() }.to_owned();
                keys.clone().within(region.unwrap_or(&own))
            }
            (_, shell) => {
                let own = shell.as_ref().map(|keys| keys.region().to_owned()).unwrap_or_default();
                let keys = match (account, shell) {
                    (None, Some(keys)) => keys.clone(),
                    (account, _) => Keys::of_nobody(account.as_deref().unwrap_or("test")),
                };
                keys.within(region.unwrap_or(&own))
            }
        };
        Self { base: server.base.clone(), keys }
    }

    /// The same endpoint, for what an account has in a region.
    pub(crate) async fn within(server: &Server, (account, region): (&str, &str)) -> Self {
        let Self { base, keys } = Self::of(server).await;
        let is_development = server.is_development().await != Some(false);
        let keys = if is_development { Keys::of_nobody(account) } else { keys };
        Self { base, keys: keys.within(region) }
    }

    /// Calls a query operation.
    ///
    /// # Errors
    /// [`Complaint::Aws`] where the service refuses.
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
        let answer = self.call(Method::POST, "/", (name, content_type, None), body.finish().into()).await?;
        let xml = Xml(String::from_utf8_lossy(&answer.body).into_owned());
        if answer.status.is_success() {
            return Ok(xml);
        }
        let part = |name| xml.first(name).unwrap_or_default();
        Err(Complaint::Aws { operation: action.to_owned(), code: part("Code"), message: part("Message") })
    }

    /// Calls an operation of API Gateway.
    ///
    /// # Errors
    /// [`Complaint::Aws`] where the service refuses.
    pub(crate) async fn rest(&self, method: Method, path: &str, body: &Value) -> Result<Value, Complaint> {
        let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let answer = self.call(method.clone(), path, ("apigateway", "application/json", None), bytes).await?;
        judged(answer, || format!("{method} {path}"))
    }

    /// Calls an operation of a JSON protocol.
    ///
    /// # Errors
    /// [`Complaint::Aws`] where the service refuses.
    pub(crate) async fn json(&self, service: JsonService, operation: &str, body: &Value) -> Result<Value, Complaint> {
        let JsonService(name, prefix) = service;
        let target = format!("{prefix}.{operation}");
        let kind = (name, "application/x-amz-json-1.1", Some(target.as_str()));
        let answer = self.call(Method::POST, "/", kind, body.to_string().into()).await?;
        judged(answer, || operation.to_owned())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        (service, content_type, operation): (&str, &'static str, Option<&str>),
        body: Bytes,
    ) -> Result<Answer, Complaint> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(operation) = operation {
            let operation = HeaderValue::from_str(operation).map_err(|error| Complaint::System(error.to_string()))?;
            headers.insert(HeaderName::from_static("x-amz-target"), operation);
        }
        let call = Call { method, url: url(&format!("{}{path}", self.base))?, headers, body };
        Ok(send(self.keys.signed_for(service, call)).await?)
    }
}

/// The answer of a JSON protocol.
fn judged(answer: Answer, operation: impl FnOnce() -> String) -> Result<Value, Complaint> {
    let body = answer.json();
    if answer.status.is_success() {
        return Ok(body);
    }
    let code = answer.header("x-amzn-errortype").or_else(|| body["__type"].as_str()).unwrap_or_default();
    // A code may come behind its namespace, and before a URL.
    let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned();
    let message = body["message"].as_str().or_else(|| body["Message"].as_str());
    let message = message.map_or_else(|| format!("{} {body}", answer.status), str::to_owned);
    Err(Complaint::Aws { operation: operation(), code, message })
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
