//! How certificates are shown.

use topology::id::AccountId;
use topology::resource::certificate::{
    Certificate, FailureReason, Order, RenewalOutcome, Request, Standing, Transparency, Validation,
};
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
    match (order(certificate).map(|order| order.standing), certificate.is_issued(context.now)) {
        (Some(Standing::Failed(_)), _) => "FAILED",
        (Some(Standing::TimedOut), _) => "VALIDATION_TIMED_OUT",
        (_, false) => "PENDING_VALIDATION",
        (_, true) if certificate.not_after < context.now => "EXPIRED",
        (_, true) => "ISSUED",
    }
}

/// How far the authority is that is asked for it by ACME.
fn order(certificate: &Certificate) -> Option<&Order> {
    certificate.request.as_ref()?.order.as_ref()
}

/// Why it was refused for good.
fn failure(certificate: &Certificate) -> Option<FailureReason> {
    match order(certificate)?.standing {
        Standing::Failed(reason) => Some(reason),
        Standing::Pending | Standing::Issued | Standing::TimedOut => None,
    }
}

/// How its last renewal went, name by name.
fn renewed(certificate: &Certificate, options: &Options<'_>) -> Option<RenewalSummary> {
    let renewal = order(certificate)?.renewal?;
    let (renewal_status, validation_status, reason) = match renewal.outcome {
        RenewalOutcome::Pending => ("PENDING_AUTO_RENEWAL", "PENDING_VALIDATION", None),
        RenewalOutcome::Success => ("SUCCESS", "SUCCESS", None),
        RenewalOutcome::Failed(reason) => ("FAILED", "FAILED", Some(reason)),
    };
    let options = Options { status: validation_status, ..*options };
    Some(RenewalSummary {
        domain_validation_options: names(certificate).iter().map(|name| validation(name, &options)).collect(),
        renewal_status: renewal_status.to_owned(),
        renewal_status_reason: reason.map(|reason| reason.as_str().to_owned()),
        updated_at: wire::Timestamp(renewal.updated.0),
    })
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
    // Of a placeholder nothing is shown that the certificate will not have.
    let is_real = is_issued || order(certificate).is_none();
    let validation_status = match order(certificate).map(|order| order.standing) {
        Some(Standing::Failed(_) | Standing::TimedOut) => "FAILED",
        _ if is_issued => "SUCCESS",
        _ => "PENDING_VALIDATION",
    };
    let options = request.map(|request| Options { account: context.account(), status: validation_status, request });
    CertificateDetail {
        certificate_arn: Some(arn(context, certificate.id).to_string()),
        created_at: stamp(certificate.created),
        domain_name: Some(certificate.domain_name.clone()),
        domain_validation_options: options
            .as_ref()
            .map(|options| names(certificate).iter().map(|name| validation(name, options)).collect()),
        extended_key_usages: Some(Vec::new()),
        failure_reason: failure(certificate).map(|reason| reason.as_str().to_owned()),
        imported_at: stamp(certificate.imported).filter(|_| request.is_none()),
        in_use_by: Some(users.clone()),
        issued_at: request.filter(|_| is_issued).and_then(|request| stamp(request.issued)),
        issuer: Some(certificate.issuer.clone()).filter(|_| is_real),
        key_algorithm: Some(certificate.key_algorithm.clone()),
        key_usages: Some(Vec::new()),
        not_after: stamp(certificate.not_after).filter(|_| is_issued),
        not_before: stamp(certificate.not_before).filter(|_| is_issued),
        options: Some(CertificateOptions {
            certificate_transparency_logging_preference: Some(if logged { "ENABLED" } else { "DISABLED" }.to_owned()),
        }),
        renewal_eligibility: renewal(certificate, &users),
        renewal_summary: options.as_ref().and_then(|options| renewed(certificate, options)),
        serial: Some(certificate.serial.clone()).filter(|_| is_issued),
        signature_algorithm: Some(certificate.signature_algorithm.clone()).filter(|_| is_real),
        status: Some(status(context, certificate).to_owned()),
        subject: Some(certificate.subject.clone()),
        subject_alternative_names: Some(names(certificate)),
        type_: kind(certificate),
    }
}

/// What the validation of each name is shown with.
struct Options<'a> {
    account: AccountId,
    status: &'static str,
    request: &'a Request,
}

fn validation(name: &str, options: &Options<'_>) -> DomainValidation {
    let Options { account, status, request } = options;
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
        validation_status: Some((*status).to_owned()),
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
