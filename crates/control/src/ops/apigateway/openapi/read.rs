//! From an OpenAPI document, version 2.0 or 3.0, to a plan of what it describes: the requests that would build it one by one (API
//! Gateway developer guide, "OpenAPI extensions for API Gateway", 2026-11). Ids are left open; `carry_out` knows them.
//!
//! A guard that cannot be carried out refuses the document: a method must not be open because its author used a scheme that is
//! not known here.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wire::apigateway as shapes;

use crate::ops::apigateway::documentation::import::PlannedParts;
use crate::ops::gateway_common::document::open_api::{OpenApi, Version};
use crate::ops::gateway_common::document::{BasePath, Unread, list, map, plain, tags};

/// Entries that a document may describe: parameters, headers, models, responses, schemes and methods, each counted as often as it
/// is repeated by reference. Ours: some eighty for each method of an API with all the resources that it may have. Above: refused.
const ENTRIES_MAX: usize = 250_000;

/// What a document describes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The API itself. Members that the document does not name are `None`.
    pub(super) api: shapes::CreateRestApiRequest,
    /// Models by name, with `$ref`s as the document has them.
    pub(super) models: BTreeMap<String, shapes::CreateModelRequest>,
    /// Validators by name.
    pub(super) validators: BTreeMap<String, shapes::CreateRequestValidatorRequest>,
    /// Authorizers by their security scheme.
    pub(super) authorizers: BTreeMap<String, shapes::CreateAuthorizerRequest>,
    /// Gateway responses.
    pub(super) gateway_responses: Vec<shapes::PutGatewayResponseRequest>,
    /// Methods, in the document's order.
    pub(super) methods: Vec<PlannedMethod>,
    /// Paths that have no methods are resources all the same.
    pub(super) paths: Vec<String>,
    /// Parts of the API's documentation; none where it is passed over.
    pub(super) documentation: Option<PlannedParts>,
    /// What may not be as meant.
    pub(super) warnings: Vec<String>,
    /// What cannot be as meant: a line for each.
    pub(super) errors: Vec<String>,
}

impl Plan {
    /// The texts of its templates.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().flat_map(|method| {
            let requests = method.integration.iter().flat_map(|integration| &integration.request_templates).flatten();
            let answers =
                method.integration_responses.iter().flat_map(|response| &response.response_templates).flatten();
            requests.map(|(_, text)| text.as_str()).chain(answers.filter_map(|(_, text)| text.as_deref()))
        })
    }
}

/// A method of a plan.
#[derive(Debug)]
pub(super) struct PlannedMethod {
    /// Its resource's path.
    pub(super) path: String,
    /// The method.
    pub(super) method: shapes::PutMethodRequest,
    /// The security scheme that is its authorizer.
    pub(super) authorizer: Option<String>,
    /// Its validator's name.
    pub(super) validator: Option<String>,
    /// Its responses.
    pub(super) responses: Vec<shapes::PutMethodResponseRequest>,
    /// Its integration.
    pub(super) integration: Option<shapes::PutIntegrationRequest>,
    /// The integration's responses.
    pub(super) integration_responses: Vec<shapes::PutIntegrationResponseRequest>,
}

pub(super) const JSON: &str = "application/json";

/// Reads a document.
///
/// # Errors
/// When it is no document, or describes more than one may. What single parts of it have wrong is in the plan.
pub(super) fn plan(document: &Map<String, Value>, base_path: BasePath) -> Result<Plan, Unread> {
    let said = |key: &str| document.get(key).and_then(plain).unwrap_or_default();
    let version = if said("openapi").starts_with("3.0") {
        Version::Three
    } else if said("swagger") == "2.0" {
        Version::Two
    } else {
        return Err(Unread::invalid("REST APIs take OpenAPI 2.0 and 3.0"));
    };
    let api = OpenApi::new(document, version, base_path);
    let reader = Reader { api, left: Cell::new(ENTRIES_MAX), made: Default::default() };
    let mut plan = Plan { api: reader.described()?, ..Plan::default() };
    reader.models(&mut plan)?;
    reader.validators(&mut plan)?;
    reader.authorizers(&mut plan)?;
    reader.gateway_responses(&mut plan)?;
    reader.paths(&mut plan)?;
    Ok(plan)
}

pub(super) struct Reader<'d> {
    pub(super) api: OpenApi<'d>,
    /// Entries that may still be described.
    left: Cell<usize>,
    /// Models that were made of schemas in place, by where they stand and what they say.
    pub(super) made: std::cell::RefCell<BTreeMap<(String, String), String>>,
}

impl Reader<'_> {
    fn described(&self) -> Result<shapes::CreateRestApiRequest, Unread> {
        let info = self.api.info()?;
        let extension = |name: &str| self.api.extension(name);
        let endpoint = extension("endpoint-configuration");
        let of_endpoint = |name: &str| endpoint.and_then(|endpoint| endpoint.get(name));
        let types = list(of_endpoint("types")).or_else(|| Some(vec![of_endpoint("type").and_then(plain)?]));
        Ok(shapes::CreateRestApiRequest {
            api_key_source: extension("api-key-source").and_then(plain),
            binary_media_types: list(extension("binary-media-types")),
            description: info.description,
            disable_execute_api_endpoint: info.disable_execute_api_endpoint,
            endpoint_configuration: types.map(|types| shapes::EndpointConfiguration {
                types: Some(types),
                ..shapes::EndpointConfiguration::default()
            }),
            minimum_compression_size: extension("minimum-compression-size").and_then(Value::as_i64),
            name: info.title,
            policy: extension("policy").map(|policy| match policy {
                Value::String(text) => text.clone(),
                document => document.to_string(),
            }),
            tags: Some(tags(self.api.document)).filter(|tags| !tags.is_empty()),
            version: info.version,
        })
    }

    /// Counts entries before they are described.
    pub(super) fn count(&self, entries: usize) -> Result<(), Unread> {
        let left = self.left.get().checked_sub(entries);
        self.left
            .set(left.ok_or_else(|| Unread::bound(format!("The document describes more than {ENTRIES_MAX} parts")))?);
        Ok(())
    }

    fn models(&self, plan: &mut Plan) -> Result<(), Unread> {
        for (name, schema) in self.api.components("schemas").into_iter().flatten() {
            self.count(1)?;
            plan.models.insert(name.clone(), model(name, schema));
        }
        Ok(())
    }

    fn validators(&self, plan: &mut Plan) -> Result<(), Unread> {
        let validators = self.api.extension("request-validators").and_then(Value::as_object);
        for (name, validator) in validators.into_iter().flatten() {
            let flag = |key: &str| validator.get(key).and_then(Value::as_bool);
            let request = shapes::CreateRequestValidatorRequest {
                name: Some(name.clone()),
                validate_request_body: flag("validateRequestBody"),
                validate_request_parameters: flag("validateRequestParameters"),
                ..shapes::CreateRequestValidatorRequest::default()
            };
            self.count(1)?;
            plan.validators.insert(name.clone(), request);
        }
        Ok(())
    }

    fn authorizers(&self, plan: &mut Plan) -> Result<(), Unread> {
        for (name, scheme) in self.api.components("securitySchemes").into_iter().flatten() {
            self.count(1)?;
            let Some(authorizer) = scheme.get("x-amazon-apigateway-authorizer") else { continue };
            let told = |key: &str| authorizer.get(key).and_then(plain);
            let kind = told("type").unwrap_or_default().to_ascii_uppercase();
            if kind != "COGNITO_USER_POOLS" {
                let why = wire::unserved(format_args!("authorizer type {kind}"));
                plan.errors.push(format!("Unable to create authorizer '{name}': {why}"));
                continue;
            }
            let header = scheme.get("name").and_then(plain).unwrap_or_else(|| "Authorization".to_owned());
            let request = shapes::CreateAuthorizerRequest {
                name: name.clone(),
                type_: kind,
                identity_source: told("identitySource").or_else(|| Some(format!("method.request.header.{header}"))),
                provider_arns: list(authorizer.get("providerARNs")),
                ..shapes::CreateAuthorizerRequest::default()
            };
            plan.authorizers.insert(name.clone(), request);
        }
        Ok(())
    }

    fn gateway_responses(&self, plan: &mut Plan) -> Result<(), Unread> {
        let responses = self.api.extension("gateway-responses").and_then(Value::as_object);
        for (kind, response) in responses.into_iter().flatten() {
            self.count(1)?;
            plan.gateway_responses.push(shapes::PutGatewayResponseRequest {
                response_type: kind.clone(),
                status_code: response.get("statusCode").and_then(plain),
                response_parameters: map(response.get("responseParameters")),
                response_templates: map(response.get("responseTemplates")),
                ..shapes::PutGatewayResponseRequest::default()
            });
        }
        Ok(())
    }
}

pub(super) fn model(name: &str, schema: &Value) -> shapes::CreateModelRequest {
    shapes::CreateModelRequest {
        content_type: JSON.to_owned(),
        description: schema.get("description").and_then(plain),
        name: name.to_owned(),
        schema: Some(schema.to_string()),
        ..shapes::CreateModelRequest::default()
    }
}

/// The model that a reference within a document names.
pub(super) fn model_name(reference: &str) -> Option<&str> {
    let local = reference.strip_prefix("#/definitions/").or_else(|| reference.strip_prefix("#/components/schemas/"));
    local.or_else(|| {
        reference.strip_prefix("https://apigateway.amazonaws.com/restapis/")?.split_once("/models/").map(|(_, n)| n)
    })
}

/// The same schema with its references in the form that models have.
pub(super) fn with_references(schema: &mut Value, api: &str) {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get_mut("$ref")
                && let Some(name) = reference.as_str().and_then(model_name)
            {
                *reference = json!(format!("https://apigateway.amazonaws.com/restapis/{api}/models/{name}"));
            }
            members.values_mut().for_each(|member| with_references(member, api));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| with_references(item, api)),
        _ => {}
    }
}
