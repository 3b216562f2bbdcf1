//! Imported certificates of ACM, with their chain and key: what listeners and custom domain names present.

use topology::arn::CertificateArn;
use topology::id::CertificateId;
use topology::resource::Tags;
use topology::resource::certificate::{Certificate, PrivateKeyPem};
use topology::time::Moment;
use wire::Fault;
use wire::acm::*;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::context::Context;
use crate::ops::paging;

/// Tags of a certificate: 50 at most (ACM API reference, AddTagsToCertificate, 2026-11).
const TAGS_MAX: usize = 50;
/// At most this many certificates on a page.
const PAGE_MAX: usize = 1000;

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", 400, message)
}

/// The ARN of a certificate of the caller's account and region.
pub(crate) fn arn(context: &Context<'_>, id: CertificateId) -> CertificateArn {
    CertificateArn { realm: context.realm().clone(), id }
}

fn known(context: &Context<'_>, wanted: &str) -> Result<std::sync::Arc<Certificate>, Fault> {
    let named = wanted.parse().ok().filter(|arn: &CertificateArn| arn.realm == *context.realm());
    let found = named.and_then(|arn| context.estate().certificates.get(&arn.id).cloned());
    found.ok_or_else(|| {
        Fault::new(
            "ResourceNotFoundException",
            400,
            format!("Could not find certificate {wanted} in account {}.", context.account()),
        )
    })
}

/// The certificate of the caller's account and region that an ARN names.
pub(crate) fn imported(context: &Context<'_>, arn: &str) -> Option<std::sync::Arc<Certificate>> {
    known(context, arn).ok()
}

/// Who uses a certificate: load balancers whose listeners name it, and domain names.
fn users(context: &Context<'_>, id: CertificateId) -> Vec<String> {
    let arn = arn(context, id);
    let estate = context.estate();
    let listeners = estate.listeners.values().filter(|listener| {
        let presented = listener.protocol().certificates();
        presented.is_some_and(|(default, others)| *default == arn || others.contains(&arn))
    });
    let balancers =
        listeners.filter_map(|listener| estate.load_balancers.get(&listener.load_balancer)).map(|balancer| {
            let (region, account) = (context.region(), context.account());
            format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/{}", balancer.full_name())
        });
    let domains = estate
        .domain_names
        .values()
        .filter(|domain| domain.certificate_arn == arn || domain.ownership_certificate_arn.as_ref() == Some(&arn));
    let domains =
        domains.map(|domain| format!("arn:aws:apigateway:{}::/domainnames/{}", context.region(), domain.name));
    balancers.chain(domains).collect()
}

fn parse_tags(tags: Vec<Tag>, onto: &Tags) -> Result<Tags, Fault> {
    let mut all = onto.clone();
    all.extend(tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())));
    if all.len() > TAGS_MAX {
        return Err(Fault::new(
            "TooManyTagsException",
            400,
            format!("A certificate can have at most {TAGS_MAX} tags."),
        ));
    }
    Ok(all)
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|_| invalid(format!("The {what} is not in PEM format.")))
}

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

/// Reads what ACM shows of a certificate out of it; the certificate is made with its id.
fn read(
    body: String,
    chain: Option<String>,
    key: String,
    now: Moment,
) -> Result<impl FnOnce(CertificateId) -> Certificate, Fault> {
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
    if moment(parsed.validity().not_after) < now {
        return Err(invalid("The certificate has expired."));
    }
    if moment(parsed.validity().not_before) > now {
        return Err(invalid("The certificate is not valid yet."));
    }
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
    Ok(move |id| Certificate {
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

fn stamp(moment: Moment) -> Option<wire::Timestamp> {
    Some(wire::Timestamp(moment.0))
}

fn status(context: &Context<'_>, certificate: &Certificate) -> &'static str {
    if certificate.not_after < context.now { "EXPIRED" } else { "ISSUED" }
}

fn names(certificate: &Certificate) -> Vec<String> {
    if certificate.alternative_names.is_empty() {
        vec![certificate.domain_name.clone()]
    } else {
        certificate.alternative_names.clone()
    }
}

impl Service for Context<'_> {
    fn import_certificate(&mut self, input: ImportCertificateRequest) -> Result<ImportCertificateResponse, Fault> {
        let chain = input.certificate_chain.map(|chain| text(chain, "certificate chain")).transpose()?;
        let now = self.now;
        let body = text(input.certificate, "certificate")?;
        let imported = read(body, chain, text(input.private_key, "private key")?, now)?;
        let certificate = match input.certificate_arn {
            None => {
                let tags = parse_tags(input.tags.unwrap_or_default(), &Tags::new())?;
                Certificate { tags, ..imported(self.mint.certificate_id()) }
            }
            Some(_) if input.tags.is_some_and(|tags| !tags.is_empty()) => {
                return Err(invalid("Tagging is not permitted on re-import."));
            }
            Some(wanted) => {
                let before = known(self, &wanted)?;
                Certificate { created: before.created, tags: before.tags.clone(), ..imported(before.id) }
            }
        };
        let answer = arn(self, certificate.id).to_string();
        self.edit().certificates.insert(certificate.id, certificate);
        Ok(ImportCertificateResponse { certificate_arn: Some(answer) })
    }

    fn describe_certificate(
        &mut self,
        input: DescribeCertificateRequest,
    ) -> Result<DescribeCertificateResponse, Fault> {
        let found = known(self, &input.certificate_arn)?;
        let detail = CertificateDetail {
            certificate_arn: Some(arn(self, found.id).to_string()),
            created_at: stamp(found.created),
            domain_name: Some(found.domain_name.clone()),
            extended_key_usages: Some(Vec::new()),
            imported_at: stamp(found.imported),
            in_use_by: Some(users(self, found.id)),
            issuer: Some(found.issuer.clone()),
            key_algorithm: Some(found.key_algorithm.clone()),
            key_usages: Some(Vec::new()),
            not_after: stamp(found.not_after),
            not_before: stamp(found.not_before),
            options: Some(CertificateOptions {
                certificate_transparency_logging_preference: Some("DISABLED".to_owned()),
            }),
            renewal_eligibility: Some("INELIGIBLE".to_owned()),
            serial: Some(found.serial.clone()),
            signature_algorithm: Some(found.signature_algorithm.clone()),
            status: Some(status(self, &found).to_owned()),
            subject: Some(found.subject.clone()),
            subject_alternative_names: Some(names(&found)),
            type_: Some("IMPORTED".to_owned()),
        };
        Ok(DescribeCertificateResponse { certificate: Some(detail) })
    }

    fn list_certificates(&mut self, input: ListCertificatesRequest) -> Result<ListCertificatesResponse, Fault> {
        if input.sort_by.is_some() || input.sort_order.is_some() {
            return Err(invalid(wire::unserved("sorting")));
        }
        let includes = input.includes.unwrap_or_default();
        if includes.extended_key_usage.is_some() || includes.key_usage.is_some() {
            return Err(invalid(wire::unserved("filtering by key usage")));
        }
        let wanted = |certificate: &Certificate| {
            let by_status = input.certificate_statuses.as_ref().filter(|statuses| !statuses.is_empty());
            let by_key = includes.key_types.as_ref().filter(|types| !types.is_empty());
            by_status.is_none_or(|statuses| statuses.iter().any(|one| one == status(self, certificate)))
                && by_key.is_none_or(|types| types.contains(&certificate.key_algorithm))
        };
        let found = self.estate().certificates.values().filter(|certificate| wanted(certificate));
        let summaries: Vec<_> = found.map(|certificate| summary(self, certificate)).collect();
        let size = input.max_items.and_then(|items| usize::try_from(items).ok()).unwrap_or(PAGE_MAX);
        let page = paging::page(summaries, Some(size), input.next_token.as_deref());
        let (summaries, next_token) = page.map_err(|paging::BadToken| invalid("Invalid next token"))?;
        Ok(ListCertificatesResponse { certificate_summary_list: Some(summaries), next_token })
    }

    fn delete_certificate(&mut self, input: DeleteCertificateRequest) -> Result<(), Fault> {
        let found = known(self, &input.certificate_arn)?;
        if !users(self, found.id).is_empty() {
            let text = format!("Certificate {} in account {} is in use.", input.certificate_arn, self.account());
            return Err(Fault::new("ResourceInUseException", 400, text));
        }
        self.edit().certificates.remove(&found.id);
        Ok(())
    }

    fn list_tags_for_certificate(
        &mut self,
        input: ListTagsForCertificateRequest,
    ) -> Result<ListTagsForCertificateResponse, Fault> {
        let found = known(self, &input.certificate_arn)?;
        let shape = |(key, value): (&String, &String)| Tag { key: key.clone(), value: Some(value.clone()) };
        Ok(ListTagsForCertificateResponse { tags: Some(found.tags.iter().map(shape).collect()) })
    }

    fn add_tags_to_certificate(&mut self, input: AddTagsToCertificateRequest) -> Result<(), Fault> {
        let id = known(self, &input.certificate_arn)?.id;
        if let Some(certificate) = self.edit().certificates.edit(&id) {
            certificate.tags = parse_tags(input.tags, &certificate.tags)?;
        }
        Ok(())
    }

    fn remove_tags_from_certificate(&mut self, input: RemoveTagsFromCertificateRequest) -> Result<(), Fault> {
        let id = known(self, &input.certificate_arn)?.id;
        if let Some(certificate) = self.edit().certificates.edit(&id) {
            for tag in input.tags {
                let same = certificate.tags.get(&tag.key).is_some_and(|value| tag.value.is_none_or(|v| v == *value));
                if same {
                    certificate.tags.remove(&tag.key);
                }
            }
        }
        Ok(())
    }
}

fn summary(context: &Context<'_>, certificate: &Certificate) -> CertificateSummary {
    CertificateSummary {
        certificate_arn: Some(arn(context, certificate.id).to_string()),
        created_at: stamp(certificate.created),
        domain_name: Some(certificate.domain_name.clone()),
        has_additional_subject_alternative_names: Some(false),
        imported_at: stamp(certificate.imported),
        in_use: Some(!users(context, certificate.id).is_empty()),
        key_algorithm: Some(certificate.key_algorithm.clone()),
        not_after: stamp(certificate.not_after),
        not_before: stamp(certificate.not_before),
        renewal_eligibility: Some("INELIGIBLE".to_owned()),
        status: Some(status(context, certificate).to_owned()),
        subject_alternative_name_summaries: Some(names(certificate)),
        type_: Some("IMPORTED".to_owned()),
        ..Default::default()
    }
}
