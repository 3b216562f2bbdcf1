//! Client certificates: what stages show to backends (REST API reference, "ClientCertificate", 2026-11). Each comes with the call that
//! makes it ([`crate::certified`]).

use topology::id::ClientCertificateId;
use topology::resource::certificate::PrivateKeyPem;
use topology::resource::client_certificate::ClientCertificate;
use wire::Fault;
use wire::apigateway as shapes;

use super::patch::{REPLACE, Rule, Sentence, Table};
use super::{fault, seconds};
use crate::context::Context;
use crate::ops::acm;
use crate::ops::gateway_common::{DESCRIPTION_CHARS, check_length, tags};

pub(super) fn generate(
    context: &mut Context<'_>,
    input: shapes::GenerateClientCertificateRequest,
) -> Result<shapes::ClientCertificate, Fault> {
    check_length("description", input.description.as_deref(), DESCRIPTION_CHARS)?;
    let tags = tags::checked(input.tags.unwrap_or_default())?;
    let made = context.objects.certified().map_err(Fault::internal)?.clone();
    let expires = acm::valid_until(&made.certificate);
    let certificate = ClientCertificate {
        id: context.fresh(ClientCertificateId::from_bits, |estate, id| estate.client_certificates.contains(id)),
        description: input.description,
        expires: expires.ok_or_else(|| Fault::internal("the certificate that came with the call cannot be read"))?,
        certificate: made.certificate,
        key: PrivateKeyPem(made.key),
        created: context.now,
        tags,
    };
    let shown = render(&certificate);
    context.edit().client_certificates.insert(certificate.id, certificate);
    Ok(shown)
}

fn known<'c>(context: &'c Context<'_>, id: &str) -> Result<&'c ClientCertificate, Fault> {
    let found = id.parse().ok().and_then(|id| context.estate().client_certificates.get(&id));
    let missing = || fault::not_found("Invalid client certificate identifier specified");
    found.map(|certificate| &**certificate).ok_or_else(missing)
}

/// The certificate that a stage or a trial names; an empty name is none.
pub(super) fn named(context: &Context<'_>, id: &str) -> Result<Option<ClientCertificateId>, Fault> {
    if id.is_empty() {
        return Ok(None);
    }
    let missing = |_| fault::bad_request("Invalid client certificate identifier specified");
    known(context, id).map(|certificate| Some(certificate.id)).map_err(missing)
}

pub(super) fn get(context: &Context<'_>, id: &str) -> Result<shapes::ClientCertificate, Fault> {
    known(context, id).map(render)
}

pub(super) fn list(context: &Context<'_>) -> Vec<shapes::ClientCertificate> {
    context.estate().client_certificates.values().map(|certificate| render(certificate)).collect()
}

pub(super) fn update(
    context: &mut Context<'_>,
    input: shapes::UpdateClientCertificateRequest,
) -> Result<shapes::ClientCertificate, Fault> {
    let mut certificate = known(context, &input.client_certificate_id)?.clone();
    PATHS.apply(context, &mut certificate, input.patch_operations)?;
    let shown = render(&certificate);
    context.edit().client_certificates.insert(certificate.id, certificate);
    Ok(shown)
}

const PATHS: Table<ClientCertificate> = Table {
    rules: &[Rule::new("/description", REPLACE, |_, certificate, change| {
        certificate.description = change.optional();
        check_length("description", certificate.description.as_deref(), DESCRIPTION_CHARS)
    })],
    sentence: Sentence::Listed,
};

/// Deletes a certificate that no stage has.
pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<(), Fault> {
    let id = known(context, id)?.id;
    let user = context.estate().rest_stages.values().find(|stage| stage.client_certificate == Some(id));
    if let Some(stage) = user {
        let text = format!("Client certificate '{id}' is used by stage '{}' of API '{}'", stage.name, stage.api);
        return Err(fault::conflict(text));
    }
    context.edit().client_certificates.remove(&id);
    Ok(())
}

fn render(certificate: &ClientCertificate) -> shapes::ClientCertificate {
    shapes::ClientCertificate {
        client_certificate_id: Some(certificate.id.to_string()),
        created_date: Some(seconds(certificate.created)),
        description: certificate.description.clone(),
        expiration_date: Some(seconds(certificate.expires)),
        pem_encoded_certificate: Some(certificate.certificate.clone()),
        tags: Some(certificate.tags.clone()).filter(|tags| !tags.is_empty()),
    }
}
