//! What comes with a call. Objects of S3 that it names: control reads no file; whoever calls it asks which objects a call names,
//! reads them, and hands the bytes over. A certificate that was made for it ([`crate::certified`]). And what was read of it before it had its turn, which [`crate::ahead`] brings: here it is only
//! carried, and each operation takes back what it knows.

use std::any::Any;
use std::collections::BTreeMap;

use topology::template::Written;
use wire::apigatewayv2::{Call as GatewayCall, MutualTlsAuthenticationInput};
use wire::elbv2::{AddTrustStoreRevocationsInput, Call as BalancerCall, RevocationContent};

use crate::certified::Certified;

/// Bytes of a bundle of certificates. Ours. Above: it cannot be had.
const BUNDLE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a file of revocation lists (ALB user guide, "Quotas", 2026-11: 50 MB). Above: it cannot be had.
const REVOCATION_BYTES_MAX: u64 = 50 * 1024 * 1024;
/// Files of revocation lists of a trust store (the same).
pub(crate) const REVOCATIONS_MAX: usize = 30;

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
    certified: Option<Result<Certified, String>>,
}

impl Objects {
    /// Adds an object, or why it cannot be had.
    pub fn insert(&mut self, name: ObjectName, bytes: Result<Vec<u8>, String>) {
        self.named.insert(name, bytes);
    }

    pub(crate) fn get(&self, name: &ObjectName) -> Result<&[u8], String> {
        match self.named.get(name) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("{} did not come with the call", name.uri)),
        }
    }

    /// Adds the certificate that was made for the call, or why there is none.
    pub fn bring_certified(&mut self, made: Result<Certified, String>) {
        self.certified = Some(made);
    }

    /// The certificate that was made for the call. A call may run twice, so that it stays.
    pub(crate) fn certified(&self) -> Result<&Certified, String> {
        match &self.certified {
            Some(made) => made.as_ref().map_err(Clone::clone),
            None => Err("no certificate came with the call".to_owned()),
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

impl ObjectName {
    /// The object of a key in a bucket. An empty version is none.
    pub(crate) fn of(bucket: &str, key: &str, version: Option<&str>) -> Self {
        let version = version.filter(|version| !version.is_empty()).map(str::to_owned);
        Self { uri: format!("s3://{bucket}/{key}"), version }
    }
}

/// The objects that a call names, each with how many bytes it may have.
#[must_use]
pub fn named_by(call: &wire::Call) -> Vec<(ObjectName, u64)> {
    let name = match call {
        wire::Call::Elbv2(BalancerCall::AddTrustStoreRevocations(input)) => {
            return revocation_names(input).map(|name| (name, REVOCATION_BYTES_MAX)).collect();
        }
        wire::Call::Elbv2(BalancerCall::CreateTrustStore(input)) => {
            let (bucket, key) = (&input.ca_certificates_bundle_s3_bucket, &input.ca_certificates_bundle_s3_key);
            Some(ObjectName::of(bucket, key, input.ca_certificates_bundle_s3_object_version.as_deref()))
        }
        wire::Call::Elbv2(BalancerCall::ModifyTrustStore(input)) => {
            let (bucket, key) = (&input.ca_certificates_bundle_s3_bucket, &input.ca_certificates_bundle_s3_key);
            Some(ObjectName::of(bucket, key, input.ca_certificates_bundle_s3_object_version.as_deref()))
        }
        wire::Call::ApiGatewayV2(GatewayCall::CreateDomainName(input)) => {
            input.mutual_tls_authentication.as_ref().and_then(truststore_name)
        }
        wire::Call::ApiGatewayV2(GatewayCall::UpdateDomainName(input)) => {
            input.mutual_tls_authentication.as_ref().and_then(truststore_name)
        }
        _ => None,
    };
    name.map(|name| (name, BUNDLE_BYTES_MAX)).into_iter().collect()
}

fn truststore_name(wanted: &MutualTlsAuthenticationInput) -> Option<ObjectName> {
    let uri = wanted.truststore_uri.clone().filter(|uri| !uri.is_empty())?;
    Some(ObjectName { uri, version: wanted.truststore_version.clone().filter(|version| !version.is_empty()) })
}

/// The objects of a call that adds revocation lists: no more than a trust store may have lists.
fn revocation_names(input: &AddTrustStoreRevocationsInput) -> impl Iterator<Item = ObjectName> {
    let named = |content: &RevocationContent| {
        let (bucket, key) = (content.s3_bucket.as_deref()?, content.s3_key.as_deref()?);
        Some(ObjectName::of(bucket, key, content.s3_object_version.as_deref()))
    };
    let contents = input.revocation_contents.iter().flatten();
    contents.take(REVOCATIONS_MAX).filter_map(named)
}
