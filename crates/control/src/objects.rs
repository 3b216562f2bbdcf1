//! What comes with a call. Objects of S3 that it names: control reads no file; whoever calls it asks which objects a call names,
//! reads them, and hands the bytes over. And what it carries that takes long to read and needs nothing of the estate, a document or
//! templates: read before the call has its turn, so that no other call has to wait for it.

use std::collections::BTreeMap;

use topology::template::Written;
use wire::Fault;
use wire::apigateway::Call as RestCall;
use wire::apigatewayv2::Call as GatewayCall;

use crate::ops::{apigateway, apigatewayv2};

/// Which object: its URI, and its version if one is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `s3://BUCKET/KEY`
    pub uri: String,
    /// The version.
    pub version: Option<String>,
}

/// The objects that came with a call, or why they did not, and what was read of what it carries.
#[derive(Debug, Default)]
pub struct Objects {
    named: BTreeMap<ObjectName, Result<Vec<u8>, String>>,
    document: Option<Document>,
    /// Templates of the call and of its document, by their text.
    templates: BTreeMap<String, Written>,
}

/// A document that was read, or why it cannot be.
#[derive(Debug)]
enum Document {
    Rest(Result<apigateway::Plan, Fault>),
    Parts(Result<apigateway::PlannedParts, Fault>),
    Http(Result<apigatewayv2::Plan, Fault>),
}

impl Objects {
    /// Adds an object, or why it cannot be had.
    pub fn insert(&mut self, name: ObjectName, bytes: Result<Vec<u8>, String>) {
        self.named.insert(name, bytes);
    }

    pub(crate) fn get(&self, uri: &str, version: Option<&str>) -> Result<&[u8], String> {
        let name = ObjectName { uri: uri.to_owned(), version: version.map(str::to_owned) };
        match self.named.get(&name) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("{uri} did not come with the call")),
        }
    }

    /// Reads what a call carries that takes long: its document, if it has one, and its templates. Where nobody has, the call's own
    /// turn does.
    pub fn read_ahead(&mut self, call: &wire::Call) {
        self.read_document(call);
        let mut texts = apigateway::templates_of(call);
        if let Some(Document::Rest(Ok(plan))) = &self.document {
            texts.extend(plan.templates());
        }
        let judged = |text: &str| {
            let template = Written::new(text);
            // Why one is refused is said by the operation, with its place in the call.
            let _verdict = template.check();
            (text.to_owned(), template)
        };
        self.templates = texts.into_iter().map(judged).collect();
    }

    /// A template of this text, judged already if it came with the call.
    pub(crate) fn template(&self, text: &str) -> Written {
        self.templates.get(text).cloned().unwrap_or_else(|| Written::new(text))
    }

    fn read_document(&mut self, call: &wire::Call) {
        self.document = match call {
            wire::Call::ApiGateway(RestCall::ImportRestApi(input)) => {
                Some(Document::Rest(apigateway::read_document(&input.body, input.parameters.as_ref())))
            }
            wire::Call::ApiGateway(RestCall::PutRestApi(input)) => {
                Some(Document::Rest(apigateway::read_document(&input.body, input.parameters.as_ref())))
            }
            wire::Call::ApiGateway(RestCall::ImportDocumentationParts(input)) => {
                Some(Document::Parts(apigateway::read_parts(&input.body)))
            }
            wire::Call::ApiGatewayV2(GatewayCall::ImportApi(input)) => {
                Some(Document::Http(apigatewayv2::read_document(&input.body, input.basepath.as_deref())))
            }
            wire::Call::ApiGatewayV2(GatewayCall::ReimportApi(input)) => {
                Some(Document::Http(apigatewayv2::read_document(&input.body, input.basepath.as_deref())))
            }
            _ => None,
        };
    }

    /// What was read of the document of a REST API.
    pub(crate) fn take_rest_plan(&mut self) -> Option<Result<apigateway::Plan, Fault>> {
        match self.document.take()? {
            Document::Rest(plan) => Some(plan),
            Document::Parts(_) | Document::Http(_) => None,
        }
    }

    /// What was read of the documentation of a REST API.
    pub(crate) fn take_parts(&mut self) -> Option<Result<apigateway::PlannedParts, Fault>> {
        match self.document.take()? {
            Document::Parts(parts) => Some(parts),
            Document::Rest(_) | Document::Http(_) => None,
        }
    }

    /// What was read of the document of an HTTP API.
    pub(crate) fn take_http_plan(&mut self) -> Option<Result<apigatewayv2::Plan, Fault>> {
        match self.document.take()? {
            Document::Http(plan) => Some(plan),
            Document::Rest(_) | Document::Parts(_) => None,
        }
    }
}

/// Whether a call carries what [`Objects::read_ahead`] reads.
#[must_use]
pub fn takes_reading(call: &wire::Call) -> bool {
    !apigateway::templates_of(call).is_empty() || carries_document(call)
}

const fn carries_document(call: &wire::Call) -> bool {
    matches!(
        call,
        wire::Call::ApiGateway(
            RestCall::ImportRestApi(_) | RestCall::PutRestApi(_) | RestCall::ImportDocumentationParts(_)
        ) | wire::Call::ApiGatewayV2(GatewayCall::ImportApi(_) | GatewayCall::ReimportApi(_))
    )
}

/// The object that a call names, if it names one.
#[must_use]
pub fn named_by(call: &wire::Call) -> Option<ObjectName> {
    let wanted = match call {
        wire::Call::ApiGatewayV2(GatewayCall::CreateDomainName(input)) => input.mutual_tls_authentication.as_ref(),
        wire::Call::ApiGatewayV2(GatewayCall::UpdateDomainName(input)) => input.mutual_tls_authentication.as_ref(),
        _ => None,
    }?;
    let uri = wanted.truststore_uri.clone().filter(|uri| !uri.is_empty())?;
    Some(ObjectName { uri, version: wanted.truststore_version.clone().filter(|version| !version.is_empty()) })
}

#[cfg(test)]
mod tests {
    use wire::apigateway::{ImportRestApiRequest, UpdateIntegrationRequest};
    use wire::apigateway::{PatchOperation, PutIntegrationRequest, PutIntegrationResponseRequest};

    use super::*;

    fn judged(call: RestCall) -> Vec<String> {
        let call = wire::Call::ApiGateway(call);
        assert!(takes_reading(&call));
        let mut objects = Objects::default();
        objects.read_ahead(&call);
        objects.templates.into_keys().collect()
    }

    #[test]
    fn templates_are_judged_before_a_call_has_its_turn() {
        let put = PutIntegrationRequest {
            request_templates: Some([("text/plain".to_owned(), "$a".to_owned())].into()),
            ..Default::default()
        };
        assert_eq!(judged(RestCall::PutIntegration(put)), ["$a"]);
        let put = PutIntegrationResponseRequest {
            response_templates: Some([("a/b".to_owned(), Some("$b".to_owned())), ("c/d".to_owned(), None)].into()),
            ..Default::default()
        };
        assert_eq!(judged(RestCall::PutIntegrationResponse(put)), ["$b"]);
        let patch = |path: &str| PatchOperation {
            path: Some(path.to_owned()),
            value: Some(format!("$c of {path}")),
            ..Default::default()
        };
        let update = UpdateIntegrationRequest {
            patch_operations: Some(vec![patch("/requestTemplates/a~1b"), patch("/uri")]),
            ..Default::default()
        };
        assert_eq!(judged(RestCall::UpdateIntegration(update)), ["$c of /requestTemplates/a~1b"]);
        let document = br#"{"swagger": "2.0", "info": {"title": "t"}, "paths": {"/": {"get": {"responses": {},
            "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"a/b": "$d"},
            "responses": {"default": {"statusCode": "200", "responseTemplates": {"a/b": "$e", "c/d": null}}}}}}}}"#;
        let import = ImportRestApiRequest { body: document.to_vec(), ..Default::default() };
        assert_eq!(judged(RestCall::ImportRestApi(import)), ["$d", "$e"]);
    }
}
