//! Trust stores of mutual TLS (HTTP API developer guide, "Configuring mutual TLS authentication", 2026-11). The bytes come with
//! the call; what they held when they were set is kept, so that nothing is read again later.

use std::sync::Arc;

use topology::resource::domain::{DomainName, MutualTls};
use topology::time::Moment;
use wire::Fault;
use wire::apigatewayv2 as shapes;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::fault;
use crate::context::Context;
use crate::objects::ObjectName;

/// Certificates of a trust store. Ours, after AWS's own bound of 1,000.
const CERTIFICATES_MAX: usize = 1_000;
/// Bits of an RSA key at least, and of an elliptic curve's.
const RSA_BITS_MIN: usize = 2_048;
const EC_BITS_MIN: usize = 256;
/// Signatures with SHA-256 or better, by object identifier.
const STRONG_SIGNATURES: [&str; 8] = [
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
];

/// Sets, replaces or, by an empty URI, takes away a domain's trust store.
pub(super) fn apply(
    context: &Context<'_>,
    domain: &mut DomainName,
    wanted: shapes::MutualTlsAuthenticationInput,
) -> Result<(), Fault> {
    let before = domain.mutual_tls.take();
    let uri = match (wanted.truststore_uri, before) {
        (Some(uri), _) if uri.is_empty() => return Ok(()),
        (Some(uri), _) => uri,
        (None, Some(before)) => before.truststore_uri,
        (None, None) => return Err(fault::bad_request("A truststore URI must be specified for mutual TLS")),
    };
    let version = wanted.truststore_version.filter(|version| !version.is_empty());
    let (bundle, warnings) = read(context, &uri, version.as_deref())?;
    domain.mutual_tls = Some(MutualTls { truststore_uri: uri, truststore_version: version, bundle, warnings });
    Ok(())
}

fn read(context: &Context<'_>, uri: &str, version: Option<&str>) -> Result<(Arc<str>, Vec<String>), Fault> {
    if !uri.starts_with("s3://") {
        return Err(fault::bad_request(format!("Invalid truststore URI: {uri}")));
    }
    let bytes = context
        .objects
        .get(&ObjectName { uri: uri.to_owned(), version: version.map(str::to_owned) })
        .map_err(|why| fault::bad_request(format!("Unable to read the truststore {uri}")).with_detail(why))?;
    let text = std::str::from_utf8(bytes).map_err(|_| fault::bad_request("The truststore is not in PEM format"))?;
    let warnings = judge(text, context.now)?;
    Ok((text.into(), warnings))
}

/// What is wrong with some certificates; a fault when nothing is left to trust.
fn judge(text: &str, now: Moment) -> Result<Vec<String>, Fault> {
    let (mut warnings, mut usable, mut count) = (Vec::new(), 0, 0);
    for pem in Pem::iter_from_buffer(text.as_bytes()) {
        let pem = pem.map_err(|_| fault::bad_request("The truststore is not in PEM format"))?;
        count += 1;
        if pem.label != "CERTIFICATE" {
            return Err(fault::bad_request("The truststore holds something that is no certificate"));
        }
        match flaw(&pem.contents, now) {
            None => usable += 1,
            Some(Flaw { subject, what }) => warnings.push(format!("Certificate {subject}: {what}")),
        }
    }
    if count > CERTIFICATES_MAX {
        return Err(fault::bad_request(format!("The truststore holds more than {CERTIFICATES_MAX} certificates")));
    }
    if usable == 0 {
        return Err(fault::bad_request("The truststore holds no valid certificate").with_detail(warnings.join("; ")));
    }
    Ok(warnings)
}

struct Flaw {
    subject: String,
    what: &'static str,
}

fn flaw(der: &[u8], now: Moment) -> Option<Flaw> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Some(Flaw { subject: "unknown".to_owned(), what: "it cannot be read" });
    };
    let ms = |time: x509_parser::time::ASN1Time| Moment(time.timestamp().saturating_mul(1000));
    let weak_key = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size() < RSA_BITS_MIN,
        Ok(PublicKey::EC(point)) => point.key_size() < EC_BITS_MIN,
        _ => true,
    };
    let signature = certificate.signature_algorithm.algorithm.to_id_string();
    let what = if ms(certificate.validity().not_after) < now {
        "it has expired"
    } else if ms(certificate.validity().not_before) > now {
        "it is not valid yet"
    } else if weak_key {
        "its key is weaker than RSA 2048 or ECDSA 256"
    } else if !STRONG_SIGNATURES.contains(&signature.as_str()) {
        "its signature is weaker than SHA-256"
    } else {
        return None;
    };
    Some(Flaw { subject: certificate.subject().to_string(), what })
}

pub(super) fn render(mutual: &MutualTls) -> shapes::MutualTlsAuthentication {
    shapes::MutualTlsAuthentication {
        truststore_uri: Some(mutual.truststore_uri.clone()),
        truststore_version: mutual.truststore_version.clone(),
        truststore_warnings: Some(mutual.warnings.clone()),
    }
}
