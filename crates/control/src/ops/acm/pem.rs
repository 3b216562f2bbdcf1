//! What a certificate says of itself, read from its PEM.

use topology::id::CertificateId;
use topology::resource::Tags;
use topology::resource::certificate::{Certificate, PrivateKeyPem};
use topology::time::Moment;
use wire::Fault;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::known::invalid;

/// Every certificate of a text in PEM; `None` where something in it is none.
fn certificates(text: &str) -> Option<Vec<Pem>> {
    let all: Vec<Pem> = Pem::iter_from_buffer(text.as_bytes()).collect::<Result<_, _>>().ok()?;
    let is_one = |pem: &Pem| pem.label == "CERTIFICATE" && X509Certificate::from_der(&pem.contents).is_ok();
    (!all.is_empty() && all.iter().all(is_one)).then_some(all)
}

/// Whether a chain goes on from a certificate link by link: each one's issuer is the next one's subject (ACM user guide,
/// "Prerequisites for importing ACM certificates", 2026-11). Signatures are checked by who verifies a handshake.
fn continues(certificate: &X509Certificate<'_>, chain: &[Pem]) -> bool {
    let mut issuer = certificate.issuer().as_raw().to_vec();
    chain.iter().all(|pem| match X509Certificate::from_der(&pem.contents) {
        Ok((_, next)) => {
            let fits = next.subject().as_raw() == issuer && next.is_ca();
            issuer = next.issuer().as_raw().to_vec();
            fits
        }
        Err(_) => false,
    })
}

/// Until when a certificate in PEM is valid.
pub(crate) fn valid_until(text: &str) -> Option<Moment> {
    let [pem] = <[Pem; 1]>::try_from(certificates(text)?).ok()?;
    let (_, parsed) = X509Certificate::from_der(&pem.contents).ok()?;
    Some(Moment(parsed.validity().not_after.timestamp().saturating_mul(1000)))
}

/// Refuses a certificate that is not valid now.
pub(super) fn valid_at(certificate: &Certificate, now: Moment) -> Result<(), Fault> {
    if certificate.not_after < now {
        return Err(invalid("The certificate has expired."));
    }
    if certificate.not_before > now {
        return Err(invalid("The certificate is not valid yet."));
    }
    Ok(())
}

/// Reads what ACM shows of a certificate out of it.
pub(crate) fn read(
    id: CertificateId,
    (body, chain, key): (String, Option<String>, String),
    now: Moment,
) -> Result<Certificate, Fault> {
    let malformed = || invalid("The certificate field contains more than one certificate or is not valid PEM.");
    let own = certificates(&body).ok_or_else(malformed)?;
    let [pem] = own.as_slice() else { return Err(malformed()) };
    let (_, parsed) = X509Certificate::from_der(&pem.contents).map_err(|_| malformed())?;
    if !key.contains("-----BEGIN ") || !key.contains("PRIVATE KEY-----") {
        return Err(invalid("The private key is not valid PEM."));
    }
    if key.contains("ENCRYPTED") {
        return Err(invalid("The private key is not supported: it must not be encrypted."));
    }
    let moment = |time: x509_parser::time::ASN1Time| Moment(time.timestamp().saturating_mul(1000));
    if !fits(&parsed, &key) {
        return Err(invalid("The private key does not match the public key of the certificate."));
    }
    let above = chain
        .as_deref()
        .map(|chain| certificates(chain).ok_or_else(|| invalid("The certificate chain is not valid PEM.")));
    let above = above.transpose()?.unwrap_or_default();
    if !continues(&parsed, &above) {
        return Err(invalid("Could not validate the certificate with the certificate chain."));
    }
    let alternative_names: Vec<String> = match parsed.subject_alternative_name() {
        Ok(Some(extension)) => extension
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
    let domain_name = common_name.or_else(|| alternative_names.first().cloned());
    let issuer = parsed.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
    let domain_name =
        domain_name.ok_or_else(|| invalid("The certificate has neither a common name nor a DNS name."))?;
    let issuer = issuer.map_or_else(|| parsed.issuer().to_string(), str::to_owned);
    let (serial, subject) = (parsed.raw_serial_as_string(), parsed.subject().to_string());
    let (key_algorithm, signature_algorithm) = (key_algorithm(&parsed), signature_algorithm(&parsed));
    let (not_before, not_after) = (moment(parsed.validity().not_before), moment(parsed.validity().not_after));
    Ok(Certificate {
        id,
        domain_name,
        alternative_names,
        serial,
        subject,
        issuer,
        key_algorithm,
        signature_algorithm,
        not_before,
        not_after,
        created: now,
        imported: now,
        tags: Tags::new(),
        request: None,
        key: PrivateKeyPem(key),
        body,
        chain,
    })
}

/// Whether a private key can be that of a certificate: an RSA key holds its modulus, and an EC key usually its public point.
/// One that holds no point is taken.
fn fits(certificate: &X509Certificate<'_>, key: &str) -> bool {
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(key.as_bytes()) else { return false };
    let holds = |part: &[u8]| !part.is_empty() && pem.contents.windows(part.len()).any(|window| window == part);
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(public)) => holds(public.modulus),
        Ok(PublicKey::EC(point)) => holds(point.data()) || !EC_POINTS.iter().any(|tag| holds(tag)),
        _ => true,
    }
}

/// How a public point of the curves P-256, P-384 and P-521 begins in a key: a bit string of its length, uncompressed.
const EC_POINTS: [&[u8]; 3] = [&[0x03, 0x42, 0x00, 0x04], &[0x03, 0x62, 0x00, 0x04], &[0x03, 0x81, 0x86, 0x00, 0x04]];

fn key_algorithm(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA_{}", key.key_size()),
        Ok(PublicKey::EC(point)) => match point.key_size() {
            256 => "EC_prime256v1".to_owned(),
            384 => "EC_secp384r1".to_owned(),
            521 | 528 => "EC_secp521r1".to_owned(),
            other => format!("EC_{other}"),
        },
        _ => "UNKNOWN".to_owned(),
    }
}

fn signature_algorithm(certificate: &X509Certificate<'_>) -> String {
    let name = match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.11" => "SHA256WITHRSA",
        "1.2.840.113549.1.1.12" => "SHA384WITHRSA",
        "1.2.840.113549.1.1.13" => "SHA512WITHRSA",
        "1.2.840.10045.4.3.2" => "SHA256WITHECDSA",
        "1.2.840.10045.4.3.3" => "SHA384WITHECDSA",
        "1.2.840.10045.4.3.4" => "SHA512WITHECDSA",
        _ => "UNKNOWN",
    };
    name.to_owned()
}
