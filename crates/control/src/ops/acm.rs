//! The operations of acm, one line each; what they do stands in the files beside.

use wire::Fault;
use wire::acm::*;

use crate::context::Context;

impl Service for Context<'_> {
    fn add_tags_to_certificate(&mut self, _input: AddTagsToCertificateRequest) -> Result<(), Fault> {
        Err(super::unimplemented("add_tags_to_certificate"))
    }

    fn delete_certificate(&mut self, _input: DeleteCertificateRequest) -> Result<(), Fault> {
        Err(super::unimplemented("delete_certificate"))
    }

    fn describe_certificate(
        &mut self,
        _input: DescribeCertificateRequest,
    ) -> Result<DescribeCertificateResponse, Fault> {
        Err(super::unimplemented("describe_certificate"))
    }

    fn import_certificate(&mut self, _input: ImportCertificateRequest) -> Result<ImportCertificateResponse, Fault> {
        Err(super::unimplemented("import_certificate"))
    }

    fn list_certificates(&mut self, _input: ListCertificatesRequest) -> Result<ListCertificatesResponse, Fault> {
        Err(super::unimplemented("list_certificates"))
    }

    fn list_tags_for_certificate(
        &mut self,
        _input: ListTagsForCertificateRequest,
    ) -> Result<ListTagsForCertificateResponse, Fault> {
        Err(super::unimplemented("list_tags_for_certificate"))
    }

    fn remove_tags_from_certificate(&mut self, _input: RemoveTagsFromCertificateRequest) -> Result<(), Fault> {
        Err(super::unimplemented("remove_tags_from_certificate"))
    }
}
