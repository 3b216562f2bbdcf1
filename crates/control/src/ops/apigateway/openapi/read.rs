//! From an OpenAPI document, version 2.0 or 3.0, to a plan of what it describes: the requests that would build it one by one (API
//! Gateway developer guide, "OpenAPI extensions for API Gateway", 2026-11). Ids are left open; `carry_out` knows them.
//!
//! A guard that cannot be carried out refuses the document: a method must not be open because its author used a scheme that is
//! not known here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wire::apigateway as shapes;

use crate::ops::gateway_common::document::{
    ANY_METHOD, BasePath, INVALID, METHODS, list, map, parse, plain, server_path, tags,
};

/// What a document describes.
#[derive(Debug, Default)]
pub(super) struct Plan {
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
    /// What may not be as meant.
    pub(super) warnings: Vec<String>,
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

const INTEGRATION: &str = "x-amazon-apigateway-integration";
const VALIDATOR: &str = "x-amazon-apigateway-request-validator";
const JSON: &str = "application/json";

/// Reads a document.
///
/// # Errors
/// AWS's message, with what is wrong where this reader knows it.
pub(super) fn plan(text: &str, base_path: BasePath) -> Result<Plan, String> {
    let document = parse(text)?;
    let version = |key: &str| document.get(key).and_then(plain).unwrap_or_default();
    if !version("openapi").starts_with("3.0") && version("swagger") != "2.0" {
        return Err(format!("{INVALID} REST APIs take OpenAPI 2.0 and 3.0"));
    }
    // Version 2.0 has a word of its own for what 3.0 says by a server.
    let base = document.get("basePath").and_then(plain).unwrap_or_else(|| server_path(&document));
    let reader = Reader { prefix: base_path.prefix(&base), document: &document };
    let mut plan = Plan { api: reader.api()?, ..Plan::default() };
    reader.models(&mut plan);
    reader.validators(&mut plan);
    reader.authorizers(&mut plan)?;
    reader.gateway_responses(&mut plan);
    reader.paths(&mut plan)?;
    Ok(plan)
}

struct Reader<'d> {
    document: &'d Map<String, Value>,
    prefix: String,
}

/// How a method may be called.
#[derive(Debug, Default, PartialEq, Eq)]
struct Guard {
    kind: &'static str,
    authorizer: Option<String>,
    scopes: Vec<String>,
    key: bool,
}

impl<'d> Reader<'d> {
    fn api(&self) -> Result<shapes::CreateRestApiRequest, String> {
        let info = self.document.get("info").and_then(Value::as_object);
        let told = |name: &str| info.and_then(|info| info.get(name)).and_then(plain).filter(|text| !text.is_empty());
        let extension = |name: &str| self.document.get(&format!("x-amazon-apigateway-{name}"));
        let endpoint = extension("endpoint-configuration");
        let of_endpoint = |name: &str| endpoint.and_then(|endpoint| endpoint.get(name));
        let types = list(of_endpoint("types")).or_else(|| Some(vec![of_endpoint("type").and_then(plain)?]));
        Ok(shapes::CreateRestApiRequest {
            api_key_source: extension("api-key-source").and_then(plain),
            binary_media_types: list(extension("binary-media-types")),
            description: told("description"),
            disable_execute_api_endpoint: of_endpoint("disableExecuteApiEndpoint").and_then(Value::as_bool),
            endpoint_configuration: types.map(|types| shapes::EndpointConfiguration {
                types: Some(types),
                ..shapes::EndpointConfiguration::default()
            }),
            minimum_compression_size: extension("minimum-compression-size").and_then(Value::as_i64),
            name: told("title").ok_or_else(|| format!("{INVALID} info.title is missing"))?,
            policy: extension("policy").map(|policy| match policy {
                Value::String(text) => text.clone(),
                document => document.to_string(),
            }),
            tags: Some(tags(self.document)).filter(|tags| !tags.is_empty()),
            version: told("version"),
        })
    }

    fn component(&self, two: &str, three: &str) -> impl Iterator<Item = (&'d String, &'d Value)> + use<'d> {
        let three = self.document.get("components").and_then(|components| components.get(three));
        let found = self.document.get(two).or(three).and_then(Value::as_object);
        found.into_iter().flatten()
    }

    fn models(&self, plan: &mut Plan) {
        for (name, schema) in self.component("definitions", "schemas") {
            plan.models.insert(name.clone(), model(name, schema));
        }
    }

    fn validators(&self, plan: &mut Plan) {
        let validators = self.document.get("x-amazon-apigateway-request-validators").and_then(Value::as_object);
        for (name, validator) in validators.into_iter().flatten() {
            let flag = |key: &str| validator.get(key).and_then(Value::as_bool);
            let request = shapes::CreateRequestValidatorRequest {
                name: Some(name.clone()),
                validate_request_body: flag("validateRequestBody"),
                validate_request_parameters: flag("validateRequestParameters"),
                ..shapes::CreateRequestValidatorRequest::default()
            };
            plan.validators.insert(name.clone(), request);
        }
    }

    fn authorizers(&self, plan: &mut Plan) -> Result<(), String> {
        for (name, scheme) in self.component("securityDefinitions", "securitySchemes") {
            let Some(authorizer) = scheme.get("x-amazon-apigateway-authorizer") else { continue };
            let told = |key: &str| authorizer.get(key).and_then(plain);
            let kind = told("type").unwrap_or_default().to_ascii_uppercase();
            if kind != "COGNITO_USER_POOLS" {
                return Err(format!("{INVALID} Authorizer type {kind} of security scheme {name} is not supported"));
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

    fn gateway_responses(&self, plan: &mut Plan) {
        let responses = self.document.get("x-amazon-apigateway-gateway-responses").and_then(Value::as_object);
        for (kind, response) in responses.into_iter().flatten() {
            plan.gateway_responses.push(shapes::PutGatewayResponseRequest {
                response_type: kind.clone(),
                status_code: response.get("statusCode").and_then(plain),
                response_parameters: map(response.get("responseParameters")),
                response_templates: map(response.get("responseTemplates")),
                ..shapes::PutGatewayResponseRequest::default()
            });
        }
    }

    fn paths(&self, plan: &mut Plan) -> Result<(), String> {
        let paths = self.document.get("paths").and_then(Value::as_object);
        let paths = paths.ok_or_else(|| format!("{INVALID} paths is missing"))?;
        for (path, item) in paths {
            let item = item.as_object().ok_or_else(|| format!("{INVALID} path {path} is no object"))?;
            let full = format!("{}{path}", self.prefix);
            plan.paths.push(full.clone());
            for (name, operation) in item {
                let method = match name.as_str() {
                    ANY_METHOD => "ANY".to_owned(),
                    known if METHODS.contains(&known) => known.to_ascii_uppercase(),
                    "trace" => {
                        plan.warnings.push(format!("Method TRACE of {path} is not supported and is left out"));
                        continue;
                    }
                    _ => continue,
                };
                let planned = self.method(plan, (&full, &method), (item, operation))?;
                plan.methods.push(planned);
            }
        }
        Ok(())
    }

    fn method(
        &self,
        plan: &mut Plan,
        (path, method): (&str, &str),
        (item, operation): (&Map<String, Value>, &Value),
    ) -> Result<PlannedMethod, String> {
        let place = format!("{method} {path}");
        let guard = self.guard(&place, operation)?;
        let (parameters, models) = self.inputs(plan, &place, (item, operation));
        let validator = operation.get(VALIDATOR).or_else(|| self.document.get(VALIDATOR)).and_then(plain);
        if let Some(name) = validator.as_ref().filter(|name| !plan.validators.contains_key(*name)) {
            return Err(format!("{INVALID} {place} names the validator {name}, which is not there"));
        }
        let (integration, integration_responses) = match operation.get(INTEGRATION) {
            Some(value) => {
                let (integration, responses) = integration(value, &place)?;
                (Some(integration), responses)
            }
            None => (None, Vec::new()),
        };
        Ok(PlannedMethod {
            path: path.to_owned(),
            method: shapes::PutMethodRequest {
                api_key_required: Some(guard.key),
                authorization_scopes: Some(guard.scopes).filter(|scopes| !scopes.is_empty()),
                authorization_type: guard.kind.to_owned(),
                http_method: method.to_owned(),
                operation_name: operation.get("operationId").and_then(plain),
                request_models: Some(models).filter(|models| !models.is_empty()),
                request_parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
                ..shapes::PutMethodRequest::default()
            },
            authorizer: guard.authorizer,
            validator,
            responses: self.responses(plan, &place, (method, operation)),
            integration,
            integration_responses,
        })
    }

    /// Parameters and models of a method's request. A parameter of the operation comes over one of the path.
    fn inputs(
        &self,
        plan: &mut Plan,
        place: &str,
        (item, operation): (&Map<String, Value>, &Value),
    ) -> (BTreeMap<String, bool>, BTreeMap<String, String>) {
        let (mut parameters, mut models) = (BTreeMap::new(), BTreeMap::new());
        let listed = |value: Option<&'_ Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let all = listed(item.get("parameters")).into_iter().chain(listed(operation.get("parameters")));
        for parameter in all {
            let parameter = self.resolved(&parameter).clone();
            let name = parameter.get("name").and_then(plain).unwrap_or_default();
            let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
            match parameter.get("in").and_then(Value::as_str) {
                Some("query") => drop(parameters.insert(format!("method.request.querystring.{name}"), required)),
                Some(place @ ("path" | "header")) => {
                    parameters.insert(format!("method.request.{place}.{name}"), required);
                }
                Some("body") => {
                    let types = list(operation.get("consumes").or_else(|| self.document.get("consumes")));
                    if let Some(named) = parameter.get("schema").map(|schema| self.named(plan, place, schema)) {
                        for media in types.unwrap_or_else(|| vec![JSON.to_owned()]) {
                            models.insert(media, named.clone());
                        }
                    }
                }
                _ => plan.warnings.push(format!("Parameter {name} of {place} is not supported and is left out")),
            }
        }
        let content = operation.get("requestBody").map(|body| self.resolved(body)).and_then(|body| body.get("content"));
        for (media, value) in content.and_then(Value::as_object).into_iter().flatten() {
            if let Some(schema) = value.get("schema") {
                models.insert(media.clone(), self.named(plan, place, schema));
            }
        }
        (parameters, models)
    }

    /// What a local reference leads to; anything else is itself.
    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let path = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix("#/"));
        let Some(path) = path else { return value };
        let mut steps = path.split('/');
        let first = steps.next().and_then(|step| self.document.get(step));
        steps.fold(first, |at, step| at?.get(step)).unwrap_or(value)
    }

    /// The model of a schema: the one it refers to, or one made of it.
    fn named(&self, plan: &mut Plan, place: &str, schema: &Value) -> String {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(model_name) {
            return name.to_owned();
        }
        let letters = place.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let mut name = format!("MODEL{letters}");
        while plan.models.get(&name).is_some_and(|known| known.schema != model(&name, schema).schema) {
            name.push('X');
        }
        plan.models.entry(name.clone()).or_insert_with(|| model(&name, schema));
        name
    }

    fn responses(
        &self,
        plan: &mut Plan,
        place: &str,
        (method, operation): (&str, &Value),
    ) -> Vec<shapes::PutMethodResponseRequest> {
        let mut made = Vec::new();
        let responses = operation.get("responses").and_then(Value::as_object).cloned().unwrap_or_default();
        for (status, response) in &responses {
            if status.parse::<u16>().is_err() {
                // `default` and ranges are no statuses of a method.
                plan.warnings.push(format!("Response {status} of {place} is not supported and is left out"));
                continue;
            }
            let response = self.resolved(response).clone();
            let headers = response.get("headers").and_then(Value::as_object).into_iter().flatten();
            let parameters: BTreeMap<_, _> =
                headers.map(|(name, _)| (format!("method.response.header.{name}"), false)).collect();
            let mut models = BTreeMap::new();
            let types = list(operation.get("produces").or_else(|| self.document.get("produces")));
            if let Some(schema) = response.get("schema") {
                let named = self.named(plan, &format!("{place}{status}"), schema);
                models.extend(
                    types.unwrap_or_else(|| vec![JSON.to_owned()]).into_iter().map(|media| (media, named.clone())),
                );
            }
            for (media, value) in response.get("content").and_then(Value::as_object).into_iter().flatten() {
                if let Some(schema) = value.get("schema") {
                    models.insert(media.clone(), self.named(plan, &format!("{place}{status}"), schema));
                }
            }
            made.push(shapes::PutMethodResponseRequest {
                http_method: method.to_owned(),
                status_code: status.clone(),
                response_models: Some(models).filter(|models| !models.is_empty()),
                response_parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
                ..shapes::PutMethodResponseRequest::default()
            });
        }
        made
    }

    /// Who may call a method. A scheme that is not understood refuses the document.
    fn guard(&self, place: &str, operation: &Value) -> Result<Guard, String> {
        let wrong = |what: &str| format!("{INVALID} {what} of {place} is not in the form of OpenAPI");
        let open = Guard { kind: "NONE", ..Guard::default() };
        match operation.get("x-amazon-apigateway-auth").map(|auth| auth.get("type").and_then(Value::as_str)) {
            None => {}
            Some(Some(kind)) if kind.eq_ignore_ascii_case("none") => {}
            Some(Some(kind)) if kind.eq_ignore_ascii_case("aws_iam") => return Ok(Guard { kind: "AWS_IAM", ..open }),
            Some(Some(kind)) => return Err(format!("{INVALID} Authorization type {kind} of {place} is not supported")),
            Some(None) => return Err(wrong("x-amazon-apigateway-auth")),
        }
        let Some(security) = operation.get("security").or_else(|| self.document.get("security")) else {
            return Ok(open);
        };
        let mut guard = open;
        for requirement in security.as_array().ok_or_else(|| wrong("security"))? {
            for (name, scopes) in requirement.as_object().ok_or_else(|| wrong("security"))? {
                let mut schemes = self.component("securityDefinitions", "securitySchemes");
                let scheme = schemes.find(|(known, _)| *known == name).map(|(_, scheme)| scheme);
                let scheme =
                    scheme.ok_or_else(|| format!("{INVALID} {place} names {name}, which is no security scheme"))?;
                self.add(&mut guard, (name, scheme), scopes)
                    .ok_or_else(|| format!("{INVALID} Security scheme {name} of {place} is not supported"))?;
            }
        }
        Ok(guard)
    }

    fn add(&self, guard: &mut Guard, (name, scheme): (&str, &Value), scopes: &Value) -> Option<()> {
        let told = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        if scheme.get("x-amazon-apigateway-authorizer").is_some() {
            guard.kind = "COGNITO_USER_POOLS";
            guard.authorizer = Some(name.to_owned());
            guard.scopes = list(Some(scopes))?;
        } else if told("x-amazon-apigateway-authtype").eq_ignore_ascii_case("awsSigv4") {
            guard.kind = "AWS_IAM";
        } else if told("type") == "apiKey" && told("in") == "header" && told("name").eq_ignore_ascii_case("x-api-key") {
            guard.key = true;
        } else {
            return None;
        }
        Some(())
    }
}

fn model(name: &str, schema: &Value) -> shapes::CreateModelRequest {
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

type ReadIntegration = (shapes::PutIntegrationRequest, Vec<shapes::PutIntegrationResponseRequest>);

fn integration(value: &Value, place: &str) -> Result<ReadIntegration, String> {
    let told = |key: &str| value.get(key).and_then(plain);
    let upper = |key: &str| told(key).map(|text| text.to_ascii_uppercase());
    let kind = upper("type").ok_or_else(|| format!("{INVALID} the integration of {place} has no type"))?;
    let tls = value.get("tlsConfig").map(|tls| shapes::TlsConfig {
        insecure_skip_verification: tls.get("insecureSkipVerification").and_then(Value::as_bool),
    });
    let request = shapes::PutIntegrationRequest {
        cache_key_parameters: list(value.get("cacheKeyParameters")),
        cache_namespace: told("cacheNamespace"),
        connection_id: told("connectionId"),
        connection_type: upper("connectionType"),
        content_handling: upper("contentHandling"),
        credentials: told("credentials"),
        integration_http_method: upper("httpMethod"),
        integration_target: told("integrationTarget"),
        passthrough_behavior: upper("passthroughBehavior"),
        request_parameters: map(value.get("requestParameters")),
        request_templates: map(value.get("requestTemplates")),
        response_transfer_mode: upper("responseTransferMode"),
        timeout_in_millis: value.get("timeoutInMillis").and_then(Value::as_i64),
        tls_config: tls,
        type_: kind,
        uri: told("uri"),
        ..shapes::PutIntegrationRequest::default()
    };
    let mut responses = Vec::new();
    for (pattern, response) in value.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let told = |key: &str| response.get(key).and_then(plain);
        let status = told("statusCode");
        responses.push(shapes::PutIntegrationResponseRequest {
            content_handling: told("contentHandling"),
            response_parameters: map(response.get("responseParameters")),
            response_templates: map(response.get("responseTemplates")),
            selection_pattern: Some(pattern.clone()).filter(|pattern| pattern != "default"),
            status_code: status.ok_or_else(|| {
                format!("{INVALID} response {pattern} of the integration of {place} has no statusCode")
            })?,
            ..shapes::PutIntegrationResponseRequest::default()
        });
    }
    Ok((request, responses))
}
