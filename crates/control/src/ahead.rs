//! What a call carries that takes long to read and needs nothing of the estate, a document or templates: read before the call has its
//! turn, so that no other call has to wait for it. And which certificate it needs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use topology::template::Written;
use wire::acm::Call as CertificateCall;
use wire::apigateway::Call as RestCall;
use wire::apigatewayv2::Call as GatewayCall;
use wire::elbv2::Call as BalancerCall;

use crate::certified::Wanted;
use crate::objects::Objects;
use crate::ops::{acm, apigateway, apigatewayv2, elbv2, gateway_common};

/// Reads a document in JSON or YAML, within the bounds of those that calls carry.
///
/// # Errors
/// Why it is none, or which bound it passes.
pub fn document(text: &str) -> Result<Map<String, Value>, String> {
    gateway_common::document::parse(text).map_err(|unread| unread.detail)
}

/// Reads what a call carries that takes long: its document, if it has one, and its templates. Where nobody has, the call's own
/// turn does.
pub fn read_ahead(call: &wire::Call, objects: &mut Objects) {
    let judged = read(call, objects);
    objects.bring_templates(judged);
}

/// Reads the document, and judges the templates of the call and of its document, by their text.
fn read(call: &wire::Call, objects: &mut Objects) -> BTreeMap<String, Written> {
    let mut judged = judge(apigateway::templates_of(call));
    match call {
        wire::Call::ApiGateway(RestCall::ImportRestApi(input)) => {
            judged.extend(rest(&input.body, input.parameters.as_ref(), objects));
        }
        wire::Call::ApiGateway(RestCall::PutRestApi(input)) => {
            judged.extend(rest(&input.body, input.parameters.as_ref(), objects));
        }
        wire::Call::ApiGateway(RestCall::ImportDocumentationParts(input)) => {
            objects.bring_document(apigateway::read_parts(&input.body));
        }
        wire::Call::ApiGatewayV2(GatewayCall::ImportApi(input)) => {
            objects.bring_document(apigatewayv2::read_document(&input.body, input.basepath.as_deref()));
        }
        wire::Call::ApiGatewayV2(GatewayCall::ReimportApi(input)) => {
            objects.bring_document(apigatewayv2::read_document(&input.body, input.basepath.as_deref()));
        }
        wire::Call::Elbv2(BalancerCall::AddTrustStoreRevocations(input)) => {
            let read = elbv2::revocation::read(input, objects);
            objects.bring_document(read);
        }
        _ => {}
    }
    judged
}

fn judge<'t>(texts: impl IntoIterator<Item = &'t str>) -> BTreeMap<String, Written> {
    let judged = |text: &str| {
        let template = Written::new(text);
        // Why one is refused is said by the operation, with its place in the call.
        let _verdict = template.check();
        (text.to_owned(), template)
    };
    texts.into_iter().map(judged).collect()
}

/// Reads the document of a REST API; its templates.
fn rest(
    body: &[u8],
    parameters: Option<&BTreeMap<String, String>>,
    objects: &mut Objects,
) -> BTreeMap<String, Written> {
    let plan = apigateway::read_document(body, parameters);
    let judged = judge(plan.iter().flat_map(apigateway::Plan::templates));
    objects.bring_document(plan);
    judged
}

/// Whether a call carries what [`read_ahead`] reads.
#[must_use]
pub fn takes_reading(call: &wire::Call) -> bool {
    !apigateway::templates_of(call).is_empty() || carries_document(call)
}

const fn carries_document(call: &wire::Call) -> bool {
    matches!(
        call,
        wire::Call::ApiGateway(
            RestCall::ImportRestApi(_) | RestCall::PutRestApi(_) | RestCall::ImportDocumentationParts(_)
        ) | wire::Call::ApiGatewayV2(GatewayCall::ImportApi(_) | GatewayCall::ReimportApi(_))
            | wire::Call::Elbv2(BalancerCall::AddTrustStoreRevocations(_))
    )
}

/// The certificate that a call needs, if it needs one. A call that will be refused needs none.
#[must_use]
pub fn certificate_of(call: &wire::Call) -> Option<Wanted> {
    match call {
        wire::Call::Acm(CertificateCall::RequestCertificate(input)) => {
            let wish = acm::wish(input).ok()?;
            Some(Wanted::Issued { names: wish.names, key: wish.key })
        }
        wire::Call::ApiGateway(RestCall::GenerateClientCertificate(_)) => Some(Wanted::SelfSigned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use wire::apigateway::{ImportRestApiRequest, UpdateIntegrationRequest};
    use wire::apigateway::{PatchOperation, PutIntegrationRequest, PutIntegrationResponseRequest};

    use super::*;

    fn judged(call: RestCall) -> Vec<String> {
        let call = wire::Call::ApiGateway(call);
        assert!(takes_reading(&call));
        let mut objects = Objects::default();
        read(&call, &mut objects).into_keys().collect()
    }

    #[test]
    fn templates_are_judged_before_a_call_has_its_turn() {
        let put = PutIntegrationRequest {
            request_templates: Some([("text/plain".to_owned(), "$a".to_owned())].into()),
            ..Default::default()
        };
        assert_eq!(judged(RestCall::PutIntegration(put)), ["$a"]);
        let put = PutIntegrationResponseRequest {
            response_templates: Some([("a/b".to_owned(), Some("$b".to_owned())), ("c/d".to_owned(), None)].into()),
            ..Default::default()
        };
        assert_eq!(judged(RestCall::PutIntegrationResponse(put)), ["$b"]);
        let patch = |path: &str| PatchOperation {
            path: Some(path.to_owned()),
            value: Some(format!("$c of {path}")),
            ..Default::default()
        };
        let update = UpdateIntegrationRequest {
            patch_operations: Some(vec![patch("/requestTemplates/a~1b"), patch("/uri")]),
            ..Default::default()
        };
        assert_eq!(judged(RestCall::UpdateIntegration(update)), ["$c of /requestTemplates/a~1b"]);
        let document = br#"{"swagger": "2.0", "info": {"title": "t"}, "paths": {"/": {"get": {"responses": {},
            "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"a/b": "$d"},
            "responses": {"default": {"statusCode": "200", "responseTemplates": {"a/b": "$e", "c/d": null}}}}}}}}"#;
        let import = ImportRestApiRequest { body: document.to_vec(), ..Default::default() };
        assert_eq!(judged(RestCall::ImportRestApi(import)), ["$d", "$e"]);
    }
}
