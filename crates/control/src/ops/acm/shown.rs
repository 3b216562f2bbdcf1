//! How certificates are shown.

use topology::id::AccountId;
use topology::resource::certificate::{Certificate, Request, Transparency, Validation};
use topology::time::Moment;
use wire::acm::*;

use super::known::{arn, users};
use super::request;
use crate::context::Context;

fn stamp(moment: Moment) -> Option<wire::Timestamp> {
    Some(wire::Timestamp(moment.0))
}

/// The status at this moment: a requested certificate is pending until it is issued.
pub(super) fn status(context: &Context<'_>, certificate: &Certificate) -> &'static str {
    match certificate.is_issued(context.now) {
        false => "PENDING_VALIDATION",
        true if certificate.not_after < context.now => "EXPIRED",
        true => "ISSUED",
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    if certificate.alternative_names.is_empty() {
        vec![certificate.domain_name.clone()]
    } else {
        certificate.alternative_names.clone()
    }
}

/// Whether AWS would renew it by itself: one that it issued, and that is in use (ACM user guide, "Managed certificate renewal", 2026-11).
fn renewal(certificate: &Certificate, users: &[String]) -> Option<String> {
    let eligible = certificate.request.is_some() && !users.is_empty();
    Some(if eligible { "ELIGIBLE" } else { "INELIGIBLE" }.to_owned())
}

fn kind(certificate: &Certificate) -> Option<String> {
    Some(if certificate.request.is_some() { "AMAZON_ISSUED" } else { "IMPORTED" }.to_owned())
}

/// All of a certificate. What only an issued one has is left out before.
pub(super) fn detail(context: &Context<'_>, certificate: &Certificate) -> CertificateDetail {
    let (request, users) = (certificate.request.as_ref(), users(context, certificate.id));
    let is_issued = certificate.is_issued(context.now);
    let logged = request.is_some_and(|request| request.transparency == Transparency::Enabled);
    CertificateDetail {
        certificate_arn: Some(arn(context, certificate.id).to_string()),
        created_at: stamp(certificate.created),
        domain_name: Some(certificate.domain_name.clone()),
        domain_validation_options: request.map(|request| {
            let options = Options { account: context.account(), is_issued, request };
            names(certificate).iter().map(|name| validation(name, &options)).collect()
        }),
        extended_key_usages: Some(Vec::new()),
        imported_at: stamp(certificate.imported).filter(|_| request.is_none()),
        in_use_by: Some(users.clone()),
        issued_at: request.filter(|_| is_issued).and_then(|request| stamp(request.issued)),
        issuer: Some(certificate.issuer.clone()),
        key_algorithm: Some(certificate.key_algorithm.clone()),
        key_usages: Some(Vec::new()),
        not_after: stamp(certificate.not_after).filter(|_| is_issued),
        not_before: stamp(certificate.not_before).filter(|_| is_issued),
        options: Some(CertificateOptions {
            certificate_transparency_logging_preference: Some(if logged { "ENABLED" } else { "DISABLED" }.to_owned()),
        }),
        renewal_eligibility: renewal(certificate, &users),
        serial: Some(certificate.serial.clone()).filter(|_| is_issued),
        signature_algorithm: Some(certificate.signature_algorithm.clone()),
        status: Some(status(context, certificate).to_owned()),
        subject: Some(certificate.subject.clone()),
        subject_alternative_names: Some(names(certificate)),
        type_: kind(certificate),
    }
}

/// What the validation of each name is shown with.
struct Options<'a> {
    account: AccountId,
    is_issued: bool,
    request: &'a Request,
}

fn validation(name: &str, options: &Options<'_>) -> DomainValidation {
    let Options { account, is_issued, request } = options;
    let (method, record, emails) = match &request.validation {
        Validation::Dns => ("DNS", Some(request::record(*account, name)), None),
        Validation::Email(domains) => {
            let domain = domains.get(name).map_or(request::domain(name), String::as_str);
            ("EMAIL", None, Some(MAILBOXES.iter().map(|mailbox| format!("{mailbox}@{domain}")).collect()))
        }
    };
    let given = match &request.validation {
        Validation::Email(domains) => domains.get(name).cloned(),
        Validation::Dns => None,
    };
    DomainValidation {
        domain_name: name.to_owned(),
        resource_record: record,
        validation_domain: given.or_else(|| Some(name.to_owned())),
        validation_emails: emails,
        validation_method: Some(method.to_owned()),
        validation_status: Some(if *is_issued { "SUCCESS" } else { "PENDING_VALIDATION" }.to_owned()),
    }
}

/// Whom ACM writes to at a domain (ACM user guide, "Email validation", 2026-11).
const MAILBOXES: [&str; 5] = ["admin", "administrator", "hostmaster", "postmaster", "webmaster"];

/// A certificate in a list.
pub(super) fn summary(context: &Context<'_>, certificate: &Certificate) -> CertificateSummary {
    let (users, is_issued) = (users(context, certificate.id), certificate.is_issued(context.now));
    let request = certificate.request.as_ref();
    CertificateSummary {
        certificate_arn: Some(arn(context, certificate.id).to_string()),
        created_at: stamp(certificate.created),
        domain_name: Some(certificate.domain_name.clone()),
        has_additional_subject_alternative_names: Some(false),
        imported_at: stamp(certificate.imported).filter(|_| request.is_none()),
        in_use: Some(!users.is_empty()),
        issued_at: request.filter(|_| is_issued).and_then(|request| stamp(request.issued)),
        key_algorithm: Some(certificate.key_algorithm.clone()),
        not_after: stamp(certificate.not_after).filter(|_| is_issued),
        not_before: stamp(certificate.not_before).filter(|_| is_issued),
        renewal_eligibility: renewal(certificate, &users),
        status: Some(status(context, certificate).to_owned()),
        subject_alternative_name_summaries: Some(names(certificate)),
        type_: kind(certificate),
        ..Default::default()
    }
}
