//! What comes with a call. Objects of S3 that it names: control reads no file; whoever calls it asks which objects a call names,
//! reads them, and hands the bytes over. And the document that it carries, read before the call has its turn: that takes long and
//! needs nothing of the estate, so that no other call has to wait for it.

use std::collections::BTreeMap;

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

/// The objects that came with a call, or why they did not, and the document that it carries.
#[derive(Debug, Default)]
pub struct Objects {
    named: BTreeMap<ObjectName, Result<Vec<u8>, String>>,
    document: Option<Document>,
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

    /// Reads the document that a call carries, if it carries one. Where nobody has, the call's own turn does.
    pub fn read_document(&mut self, call: &wire::Call) {
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

/// Whether a call carries a document that [`Objects::read_document`] reads.
#[must_use]
pub const fn carries_document(call: &wire::Call) -> bool {
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
