//! The operations of ACM.

use topology::resource::Tags;
use topology::resource::certificate::Certificate;
use wire::Fault;
use wire::acm::*;

use super::known::{arn, invalid, known, users};
use super::{pem, request, shown};
use crate::context::Context;
use crate::ops::paging;

/// Tags of a certificate: 50 at most (ACM API reference, AddTagsToCertificate, 2026-11).
const TAGS_MAX: usize = 50;
/// At most this many certificates on a page.
const PAGE_MAX: usize = 1000;

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

impl Service for Context<'_> {
    fn import_certificate(&mut self, input: ImportCertificateRequest) -> Result<ImportCertificateResponse, Fault> {
        let chain = input.certificate_chain.map(|chain| text(chain, "certificate chain")).transpose()?;
        let now = self.now;
        let body = text(input.certificate, "certificate")?;
        let texts = (body, chain, text(input.private_key, "private key")?);
        let imported = |id| {
            let certificate = pem::read(id, texts, now)?;
            pem::valid_at(&certificate, now).map(|()| certificate)
        };
        let certificate = match input.certificate_arn {
            None => {
                let tags = parse_tags(input.tags.unwrap_or_default(), &Tags::new())?;
                Certificate { tags, ..imported(self.mint.certificate_id())? }
            }
            Some(_) if input.tags.is_some_and(|tags| !tags.is_empty()) => {
                return Err(invalid("Tagging is not permitted on re-import."));
            }
            Some(wanted) => {
                let before = known(self, &wanted)?;
                if before.request.is_some() {
                    return Err(invalid(format!("Certificate {wanted} was not imported.")));
                }
                Certificate { created: before.created, tags: before.tags.clone(), ..imported(before.id)? }
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
        Ok(DescribeCertificateResponse { certificate: Some(shown::detail(self, &found)) })
    }

    fn get_certificate(&mut self, input: GetCertificateRequest) -> Result<GetCertificateResponse, Fault> {
        let found = known(self, &input.certificate_arn)?;
        if !found.is_issued(self.now) {
            let text = format!("Certificate {} is not issued yet.", input.certificate_arn);
            return Err(Fault::new("RequestInProgressException", 400, text));
        }
        Ok(GetCertificateResponse { certificate: Some(found.body.clone()), certificate_chain: found.chain.clone() })
    }

    fn request_certificate(&mut self, input: RequestCertificateRequest) -> Result<RequestCertificateResponse, Fault> {
        let wish = request::wish(&input)?;
        let tags = parse_tags(input.tags.unwrap_or_default(), &Tags::new())?;
        let id = request::request(self, wish, tags)?;
        Ok(RequestCertificateResponse { certificate_arn: Some(arn(self, id).to_string()) })
    }

    fn resend_validation_email(&mut self, input: ResendValidationEmailRequest) -> Result<(), Fault> {
        let found = known(self, &input.certificate_arn)?;
        request::resend(self, &found, &input)
    }

    fn update_certificate_options(&mut self, input: UpdateCertificateOptionsRequest) -> Result<(), Fault> {
        let found = known(self, &input.certificate_arn)?;
        let transparency = request::transparency(Some(&input.options));
        if found.request.is_none() {
            let text = format!("Certificate {} was imported and has no options.", input.certificate_arn);
            return Err(Fault::new("InvalidStateException", 400, text));
        }
        if let Some(request) = self.edit().certificates.edit(&found.id).and_then(|found| found.request.as_mut()) {
            request.transparency = transparency;
        }
        Ok(())
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
            by_status.is_none_or(|statuses| statuses.iter().any(|one| one == shown::status(self, certificate)))
                && by_key.is_none_or(|types| types.contains(&certificate.key_algorithm))
        };
        let found = self.estate().certificates.values().filter(|certificate| wanted(certificate));
        let summaries: Vec<_> = found.map(|certificate| shown::summary(self, certificate)).collect();
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
