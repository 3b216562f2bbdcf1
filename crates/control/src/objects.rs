//! Objects of S3 that a call names. Control reads no file: whoever calls it asks which objects a call names, reads them, and
//! hands the bytes over with the call.

use std::collections::BTreeMap;

use wire::apigatewayv2::Call as GatewayCall;

/// Which object: its URI, and its version if one is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// `s3://BUCKET/KEY`
    pub uri: String,
    /// The version.
    pub version: Option<String>,
}

/// The objects that came with a call, or why they did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects(BTreeMap<ObjectName, Result<Vec<u8>, String>>);

impl Objects {
    /// Adds an object, or why it cannot be had.
    pub fn insert(&mut self, name: ObjectName, bytes: Result<Vec<u8>, String>) {
        self.0.insert(name, bytes);
    }

    pub(crate) fn get(&self, uri: &str, version: Option<&str>) -> Result<&[u8], String> {
        let name = ObjectName { uri: uri.to_owned(), version: version.map(str::to_owned) };
        match self.0.get(&name) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("{uri} did not come with the call")),
        }
    }
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
