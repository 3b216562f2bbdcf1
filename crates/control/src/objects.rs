//! What comes with a call. Objects of S3 that it names: control reads no file; whoever calls it asks which objects a call names,
//! reads them, and hands the bytes over. And what was read of it before it had its turn, which [`crate::ahead`] brings: here it is only
//! carried, and each operation takes back what it knows.

use std::any::Any;
use std::collections::BTreeMap;

use topology::template::Written;
use wire::apigatewayv2::Call as GatewayCall;
use wire::elbv2::Call as BalancerCall;

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
    document: Option<Box<dyn Any + Send>>,
    /// Templates that were judged, by their text.
    templates: BTreeMap<String, Written>,
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

    /// A template of this text, judged already if it came with the call.
    pub(crate) fn template(&self, text: &str) -> Written {
        self.templates.get(text).cloned().unwrap_or_else(|| Written::new(text))
    }

    /// Adds what was read of the call's document. What it is knows whoever takes it back.
    pub(crate) fn bring_document(&mut self, read: impl Any + Send) {
        self.document = Some(Box::new(read));
    }

    /// Adds templates that were judged.
    pub(crate) fn bring_templates(&mut self, judged: BTreeMap<String, Written>) {
        self.templates = judged;
    }

    /// What was read of the call's document, where it is this.
    pub(crate) fn take_document<T: Any>(&mut self) -> Option<T> {
        self.document.take()?.downcast().ok().map(|read| *read)
    }
}

/// The object that a call names, if it names one.
#[must_use]
pub fn named_by(call: &wire::Call) -> Option<ObjectName> {
    let whole = |bucket: &str, key: &str, version: Option<&String>| {
        let version = version.filter(|version| !version.is_empty()).cloned();
        Some(ObjectName { uri: format!("s3://{bucket}/{key}"), version })
    };
    let wanted = match call {
        wire::Call::Elbv2(BalancerCall::CreateTrustStore(input)) => {
            let (bucket, key) = (&input.ca_certificates_bundle_s3_bucket, &input.ca_certificates_bundle_s3_key);
            return whole(bucket, key, input.ca_certificates_bundle_s3_object_version.as_ref());
        }
        wire::Call::Elbv2(BalancerCall::ModifyTrustStore(input)) => {
            let (bucket, key) = (&input.ca_certificates_bundle_s3_bucket, &input.ca_certificates_bundle_s3_key);
            return whole(bucket, key, input.ca_certificates_bundle_s3_object_version.as_ref());
        }
        wire::Call::ApiGatewayV2(GatewayCall::CreateDomainName(input)) => input.mutual_tls_authentication.as_ref(),
        wire::Call::ApiGatewayV2(GatewayCall::UpdateDomainName(input)) => input.mutual_tls_authentication.as_ref(),
        _ => None,
    }?;
    let uri = wanted.truststore_uri.clone().filter(|uri| !uri.is_empty())?;
    Some(ObjectName { uri, version: wanted.truststore_version.clone().filter(|version| !version.is_empty()) })
}
