//! Certificates that are requested: what is asked for, how it is validated, and what becomes of it. The development authority issues
//! each before the call has its turn ([`crate::certified`]), or an authority is asked by ACME after it ([`crate::orders`]); the records
//! and messages of a validation are shown, and nobody waits for them (docs/differences-from-aws.md).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use topology::id::{AccountId, CertificateId};
use topology::resource::Tags;
use topology::resource::certificate::{Certificate, Order, Request, Standing, Transparency, Validation};
use wire::Fault;
use wire::acm::{CertificateOptions, RequestCertificateRequest, ResendValidationEmailRequest, ResourceRecord};

use super::known::{arn, invalid};
use super::pem;
use crate::certified::{CertifiedKind, KeyAlgorithm};
use crate::context::Context;

/// Names of one certificate (ACM user guide, "Quotas", 2026-11: 100 at most, 10 unless more are asked for).
const NAMES_MAX: usize = 100;
/// How long requests with one token are one: an hour (ACM API reference, RequestCertificate, 2026-11).
const TOKEN_MS: i64 = 3600 * 1000;
/// How long AWS takes for a validation by DNS: minutes, once the record stands.
const ISSUE_S: i64 = 120;

/// What is asked for.
pub(crate) struct Wish {
    /// The names, without doubles and in small letters; the domain name first.
    pub(crate) names: Vec<String>,
    /// Its key.
    pub(crate) key: KeyAlgorithm,
    validation: Validation,
    idempotency_token: Option<String>,
    transparency: Transparency,
}

/// What a request asks for.
///
/// # Errors
/// When AWS would not issue it.
pub(crate) fn wish(input: &RequestCertificateRequest) -> Result<Wish, Fault> {
    let mut names: Vec<String> = Vec::new();
    for name in std::iter::once(&input.domain_name).chain(input.subject_alternative_names.iter().flatten()) {
        let name = name.to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > NAMES_MAX {
        let text = format!("A certificate can have at most {NAMES_MAX} domain names.");
        return Err(Fault::new("LimitExceededException", 400, text));
    }
    Ok(Wish {
        key: key(input.key_algorithm.as_deref())?,
        validation: validation(input, &names)?,
        idempotency_token: input.idempotency_token.clone(),
        transparency: transparency(input.options.as_ref()),
        names,
    })
}

/// The algorithms that ACM makes keys of; others it takes with an import alone (ACM API reference, RequestCertificate, 2026-11).
fn key(algorithm: Option<&str>) -> Result<KeyAlgorithm, Fault> {
    match algorithm {
        None | Some("RSA_2048") => Ok(KeyAlgorithm::Rsa2048),
        Some("EC_prime256v1") => Ok(KeyAlgorithm::P256),
        Some("EC_secp384r1") => Ok(KeyAlgorithm::P384),
        Some(other) => Err(invalid(format!("The key algorithm {other} cannot be requested, only imported."))),
    }
}

fn validation(input: &RequestCertificateRequest, names: &[String]) -> Result<Validation, Fault> {
    let options = input.domain_validation_options.as_deref().unwrap_or_default();
    let refused = |text| Err(Fault::new("InvalidDomainValidationOptionsException", 400, text));
    let mut domains = BTreeMap::new();
    for option in options {
        let (name, above) = (option.domain_name.to_ascii_lowercase(), option.validation_domain.to_ascii_lowercase());
        if !names.contains(&name) {
            return refused(format!("{name} is no domain name of this request."));
        }
        if !is_above(&above, &name) {
            return refused(format!("The validation domain {above} is no domain above {name}."));
        }
        domains.insert(name, above);
    }
    match input.validation_method.as_deref() {
        Some("DNS") if !domains.is_empty() => refused("Validation domains are for validation by e-mail.".to_owned()),
        Some("DNS") => Ok(Validation::Dns),
        None | Some("EMAIL") => Ok(Validation::Email(domains)),
        Some(other) => Err(invalid(format!("The validation method {other} is for certificates of CloudFront alone."))),
    }
}

/// Whether a domain is that of a name, or one that holds it.
fn is_above(above: &str, name: &str) -> bool {
    domain(name).strip_suffix(above).is_some_and(|left| left.is_empty() || left.ends_with('.'))
}

/// What options say of transparency logs: a certificate stands in them unless it is said.
pub(super) fn transparency(options: Option<&CertificateOptions>) -> Transparency {
    match options.and_then(|options| options.certificate_transparency_logging_preference.as_deref()) {
        Some("DISABLED") => Transparency::Disabled,
        _ => Transparency::Enabled,
    }
}

/// The domain that a name is validated by: itself, without its star.
pub(super) fn domain(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}

/// The record that the owner of a domain makes. As on AWS it is the same for each certificate of an account, and for a name and its
/// wildcard.
pub(super) fn record(account: AccountId, name: &str) -> ResourceRecord {
    let domain = domain(name);
    let hash = Sha256::digest(format!("acm {account} {domain}"));
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let letters: String = hash.iter().rev().take(10).map(|byte| char::from(b'a' + byte % 26)).collect();
    let (own, other) = hex.split_at(32);
    ResourceRecord {
        name: format!("_{own}.{domain}."),
        type_: "CNAME".to_owned(),
        value: format!("_{other}.{letters}.acm-validations.aws."),
    }
}

/// Keeps what was issued for a wish, or finds what an earlier request with its token made.
pub(super) fn request(context: &mut Context<'_>, wish: Wish, tags: Tags) -> Result<CertificateId, Fault> {
    if let Some(id) = earlier(context, &wish) {
        return Ok(id);
    }
    let issued = context.objects.certified().map_err(Fault::internal)?;
    let texts = (issued.certificate.clone(), issued.chain.clone(), issued.key.clone());
    let id = context.mint.certificate_id();
    let is_asked = issued.kind == CertifiedKind::Placeholder;
    let request = Request {
        validation: wish.validation,
        issued: if is_asked { context.now } else { context.ready_at(ISSUE_S) },
        order: is_asked.then_some(Order { standing: Standing::Pending, renewal: None }),
        idempotency_token: wish.idempotency_token,
        transparency: wish.transparency,
    };
    let certificate = Certificate { tags, request: Some(request), ..pem::read(id, texts, context.now)? };
    context.edit().certificates.insert(id, certificate);
    Ok(id)
}

/// A certificate that was requested for the same by the same token within the hour.
fn earlier(context: &Context<'_>, wish: &Wish) -> Option<CertificateId> {
    let token = wish.idempotency_token.as_ref()?;
    let same = |certificate: &Certificate| {
        let request = certificate.request.as_ref()?;
        let is_recent = certificate.created.plus_ms(TOKEN_MS) > context.now;
        let is_it = request.idempotency_token.as_ref() == Some(token)
            && certificate.alternative_names == wish.names
            && request.validation == wish.validation;
        (is_recent && is_it).then_some(certificate.id)
    };
    context.estate().certificates.values().find_map(|certificate| same(certificate))
}

/// Sends the messages of a validation again: there is something to send while it is pending, to a domain that is asked.
pub(super) fn resend(
    context: &Context<'_>,
    certificate: &Certificate,
    input: &ResendValidationEmailRequest,
) -> Result<(), Fault> {
    let refused = |why: &str| {
        let text = format!("Certificate {} {why}.", arn(context, certificate.id));
        Err(Fault::new("InvalidStateException", 400, text))
    };
    match certificate.request.as_ref().map(|request| &request.validation) {
        None => return refused("was imported"),
        Some(Validation::Dns) => return refused("is validated by DNS"),
        Some(Validation::Email(_)) if certificate.is_issued(context.now) => return refused("is issued"),
        Some(Validation::Email(_)) => {}
    }
    let (name, above) = (input.domain.to_ascii_lowercase(), input.validation_domain.to_ascii_lowercase());
    if !certificate.alternative_names.contains(&name) || !is_above(&above, &name) {
        let text = format!("{name} is not validated by messages to {above}.");
        return Err(Fault::new("InvalidDomainValidationOptionsException", 400, text));
    }
    Ok(())
}
